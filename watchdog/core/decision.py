"""What a decision is, and all that it rests on.

Law: values only; which guard holds when is in `core/guards.py`, their order in `core/decide.py`.
"""

from dataclasses import dataclass
from enum import StrEnum

from watchdog.core.journal import Journal
from watchdog.core.model import TargetStatus, Trip, TrippedRule
from watchdog.core.rules.language import Target

STORM_SECONDS = 600.0
"""How long a rollback of another target counts for a storm."""


class Reason(StrEnum):
    """Why the watchdog holds. The value is the metric label and the Event's note."""

    NOTHING_FIRING = "nothing_firing"
    UNREADABLE = "unreadable"
    FOREIGN = "foreign"
    PAUSED = "paused"
    DRY_RUN = "dry_run"
    IRREVERSIBLE = "irreversible"
    SERVICES_DISAGREE = "services_disagree"
    OUTSIDE_WINDOW = "outside_window"
    ROLLED_BACK_BEFORE = "rolled_back_before"
    NOT_KNOWN_GOOD = "not_known_good"
    OTHER_COLOR_BREACHES = "other_color_breaches"
    COOLDOWN = "cooldown"
    STORM = "storm"
    GOOD_NOT_READY = "good_not_ready"
    GIVEN_UP = "given_up"
    CONTESTED = "contested"
    ALTERED = "altered"
    OUTDATED = "outdated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Nothing is written. ``serious`` holds are told to people: something fires, or a rollback is half done."""

    reason: Reason
    sentence: str
    serious: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """This trip is begun, or carried on."""

    trip: Trip
    sentence: str


Decision = Hold | Rollback


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that a decision rests on.

    ``other_breaches`` names the tripped rules that breach on the other color too; of a fleet of ``fleet_size`` targets,
    ``others_tripped`` others were rolled back within the last `STORM_SECONDS`. A person may override the guards of
    `decide.OVERRIDABLE`, and undo the trip with the id ``undoes``. ``instance`` is this watchdog: `core/ownership.py`.
    ``is_outdated`` says that newer rules than the target's are in force: `core/inforce.py`.
    """

    target: Target
    status: TargetStatus
    journal: Journal
    tripped: tuple[TrippedRule, ...]
    other_breaches: tuple[str, ...]
    now: float
    dry_run: bool
    others_tripped: int = 0
    fleet_size: int = 1
    overrides: frozenset[Reason] = frozenset()
    undoes: str = ""
    instance: str = ""
    is_outdated: bool = False

    @property
    def bad(self) -> str:
        """The color that a rollback would leave."""
        return self.journal.trip.bad if self.journal.trip else self.status.active or ""

    @property
    def good(self) -> str:
        """The color that a rollback would return to."""
        return self.journal.trip.good if self.journal.trip else self.target.other(self.bad)
