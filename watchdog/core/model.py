"""The values that flow through a tick.

Law: everything here is immutable; a tick takes values and returns new ones. The words are those of the field:
*phase* is Prometheus' inactive/pending/firing, an *outcome* is what one slot said and is never collapsed into two.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from watchdog.core.eprocess import Comparing, Counts
from watchdog.core.instant import Instant

Selector = Mapping[str, str]
Annotations = Mapping[str, str]


BY_HAND = "by hand"
"""The alert of a rollback that a person asked for."""


class Outcome(StrEnum):
    """What one slot said about one rule. Only BREACH ever moves a rule towards firing."""

    BREACH = "breach"
    OK = "ok"
    INSUFFICIENT = "insufficient"
    NODATA = "nodata"
    ERROR = "error"

    @property
    def is_blind(self) -> bool:
        """True when the source said nothing about the color at all."""
        return self in (Outcome.NODATA, Outcome.ERROR)

    @property
    def is_unknown(self) -> bool:
        """True for what is no evidence, neither for the color nor against it."""
        return self not in (Outcome.BREACH, Outcome.OK)


class Trouble(StrEnum):
    """What keeps a source from answering and does not pass by itself: people are told at once."""

    CREDENTIALS = "credentials"
    CLOCK = "clock"
    FIELDS = "fields"


class Phase(StrEnum):
    """Where a rule stands, with exactly Prometheus' meaning."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What a source answered for one rule, one slot, one color.

    A source never raises: a failure is a measurement whose ``failure`` is NODATA or ERROR and whose ``reason`` is a
    sentence; INSUFFICIENT stands for a slot in which nobody was asked yet. ``samples`` is the size of the evidence
    behind ``value`` (requests, documents), None when nobody asked. Of a value, ``reason`` says what it was made of.
    ``limit`` is the highest healthy value of this slot, for the kinds of rule that have no threshold of their own;
    ``counts`` are still to be compared with what was counted before.
    """

    value: float | None = None
    limit: float | None = None
    samples: float | None = None
    counts: Counts | None = None
    failure: Outcome | None = None
    reason: str = ""
    trouble: Trouble | None = None

    @classmethod
    def nodata(cls, reason: str, *, samples: float | None = None) -> Self:
        """A source that answered, and had nothing to say."""
        return cls(samples=samples, failure=Outcome.NODATA, reason=reason)

    @classmethod
    def error(cls, reason: str, *, trouble: Trouble | None = None) -> Self:
        """A source that did not answer, or whose answer cannot be believed."""
        return cls(failure=Outcome.ERROR, reason=reason, trouble=trouble)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleState:
    """What is remembered of one rule between slots.

    ``key`` names the rule's text and the release it watches: a state with another key is not this rule's state.
    Instants are Unix seconds, spans are seconds. ``breached_for`` is the clock that ``for`` is compared with: it
    advances with breaching slots only; ``well_since`` is the first slot of the unbroken run of healthy ones, and
    ``unknown_since`` that of the run of slots without evidence, whichever of its three outcomes each had. ``recent``
    holds the last ``evaluation_periods`` outcomes, the newest last. ``shared`` says that the other color has breached
    too since this rule fires; it lasts until the rule is at rest. ``comparing`` is what the windows of a comparing rule
    have said so far.
    """

    alert: str
    key: str
    phase: Phase = Phase.INACTIVE
    active_at: Instant | None = None
    breached_for: float = 0.0
    recent: tuple[Outcome, ...] = ()
    comparing: Comparing | None = None
    ok_since: Instant | None = None
    well_since: Instant | None = None
    blind_since: Instant | None = None
    unknown_since: Instant | None = None
    slot: Instant | None = None
    outcome: Outcome | None = None
    value: float | None = None
    limit: float | None = None
    samples: float | None = None
    reason: str = ""
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStatus:
    """A container that waits or was restarted.

    ``waiting`` is the reason that it waits for, "" when it runs. ``ended_at`` is when its newest run that has ended did
    so, which had ``lasted`` so many seconds; ``has_failed`` says that none has begun since, and that it ended badly.
    """

    pod: str
    restarts: int = 0
    waiting: str = ""
    running_since: Instant | None = None
    ended_at: Instant | None = None
    lasted: float | None = None
    has_failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentStatus:
    """One color of one Service, as the API server shows it.

    ``replicas`` is the wanted number, which ``scaled_by`` wrote last; ``ready`` counts the pods that are ready.
    ``labels`` are its pods' and ``grace`` is how many seconds one may take to end. ``flux_off``: Flux leaves it alone.
    ``troubled`` are the containers that wait or were restarted; ``stuck`` says why the rollout makes no progress, ""
    when it does. ``mixed``: pods of an earlier revision still run beside the newest's.
    """

    name: str
    uid: str
    resource_version: str
    revision: str
    replicas: int
    ready: int
    annotations: Annotations = field(default_factory=dict)
    flux_off: bool = False
    labels: Selector = field(default_factory=dict)
    grace: float = 30.0
    scaled_by: str = ""
    troubled: tuple[ContainerStatus, ...] = ()
    stuck: str = ""
    mixed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """What a Service would select with the selector of one color.

    ``ready`` counts ready pods of that color's Deployment, ``foreign`` the pods that belong to anything else.
    """

    selector: Selector
    ready: int
    foreign: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """One Service of a target. ``color`` is the one its selector names, None when it names neither or a mixture.

    ``endpoints`` counts the ready endpoints of its EndpointSlices by color; the key "" counts those of no color. They
    are counted by the names of its ``slices`` and of its Deployments' ``pods``, each with its color.
    ``switched_at`` is when somebody last wrote the selector, from ``managedFields``; None when nobody knows.
    ``selector_manager`` is who wrote it then. ``annotations`` are ours alone; ``annotated`` says whether there are any
    at all, which a JSON Patch has to know. ``flux_off``: Flux leaves it alone.
    """

    name: str
    uid: str
    resource_version: str
    selector: Selector
    color: str | None
    would_select: Mapping[str, Selected]
    endpoints: Mapping[str, int]
    slices: tuple[str, ...] = ()
    pods: Mapping[str, str] = field(default_factory=dict)
    switched_at: Instant | None = None
    selector_manager: str = ""
    annotated: bool = True
    annotations: Annotations = field(default_factory=dict)
    flux_off: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TrippedRule:
    """The evidence of one rule at the moment of the decision; of a person's wish, `BY_HAND` and why."""

    alert: str
    value: float | None
    threshold: str
    since: Instant

    def __str__(self) -> str:
        if self.alert == BY_HAND:
            return f"{BY_HAND}: {self.threshold}"
        value = "no value" if self.value is None else f"{self.value:g}"
        return f"{self.alert} is {value}, healthy is {self.threshold}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """One rollback from its first decision to its end.

    ``selectors`` and ``replicas`` are what the Services and the bad Deployments had when it was decided: the plan to
    undo it by. ``times_undone`` counts how often somebody has undone a switch. A trip that a person asked for says
    which guards were overridden; one that undoes another leaves the color that it leaves at its size.
    ``release`` is what ran in the bad color when it was decided, ``good_release`` in the good one, "" when nobody
    knows. ``switched`` names the Services that it has switched, whose marks may be lost. ``altered`` says which write
    an admission has changed on its way, and ``times_altered`` how often that was. ``first_verified_at`` is when every
    Service was first seen on ready pods of the good color since the last switch. ``unready`` says that it was given up
    because the good color did not get ready.
    """

    id: str
    bad: str
    good: str
    started_at: Instant
    rules: tuple[TrippedRule, ...]
    selectors: Mapping[str, Selector] = field(default_factory=dict)
    replicas: Mapping[str, int] = field(default_factory=dict)
    times_undone: int = 0
    altered: str = ""
    times_altered: int = 0
    overrides: tuple[str, ...] = ()
    undoes: str = ""
    release: str = ""
    switched: tuple[str, ...] = ()
    good_release: str = ""
    first_verified_at: Instant | None = None
    unready: bool = False

    @property
    def is_by_hand(self) -> bool:
        """True when a person asked for it, and no rule."""
        return all(rule.alert == BY_HAND for rule in self.rules)


class End(StrEnum):
    """How a trip ended. The value is the metric's label and what the journal and the history say."""

    RECOVERED = "recovered"
    """The rules that tripped were seen well on the good color."""
    NOT_RECOVERED = "not_recovered"
    """They were not, for as long as it was waited for."""
    UNMEASURED = "unmeasured"
    """It was done by hand: no rule had tripped, so none says whether the service is better off."""
    SUPERSEDED = "superseded"
    """Somebody gave the traffic to a newer release, or took the marks of a contested trip away."""
    GIVEN_UP = "given_up"
    """Nothing was switched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedTrip:
    """A trip that has ended."""

    trip: Trip
    finished_at: Instant
    end: End

    @property
    def switched(self) -> bool:
        """False when it ended before its first switch."""
        return self.end is not End.GIVEN_UP


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStatus:
    """A target as the cluster shows it in one tick.

    ``deployments`` is keyed by (Service name, color). ``paused`` is the sentence that says who paused what, "" when
    nobody did; ``unreadable`` says which record of ours cannot be read. ``borrowers`` names, by Deployment, the
    Services outside the target whose selector picks its pods.
    """

    services: tuple[ServiceStatus, ...]
    deployments: Mapping[tuple[str, str], DeploymentStatus]
    paused: str = ""
    unreadable: str = ""
    trip: Trip | None = None
    last_trip: FinishedTrip | None = None
    borrowers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def active(self) -> str | None:
        """The color that every Service selects, None when they disagree."""
        colors = {service.color for service in self.services}
        return colors.pop() if len(colors) == 1 else None

    def is_mixed(self, color: str) -> bool:
        """True while a rollout still replaces pods of the color: not all of them are of its release."""
        return any(each.mixed for (_, owner), each in self.deployments.items() if owner == color)

    def release(self, color: str) -> str:
        """The identity of what runs in a color: each Deployment's uid and revision."""
        parts = [
            f"{deployment.uid}@{deployment.revision}"
            for (_, owner), deployment in sorted(self.deployments.items())
            if owner == color
        ]
        return f"{color}:" + ",".join(parts)
