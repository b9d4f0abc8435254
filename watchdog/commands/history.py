"""``watchdog history``: what the journals remember of each target, the newest first.

Law: it shows what was written and concludes nothing; what a journal holds is shown, never obeyed by the terminal.
"""

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from watchdog.commands.exit_codes import FINDINGS, OK
from watchdog.commands.session import Session, StopError
from watchdog.commands.talk import say, tell
from watchdog.core.durations import show_duration
from watchdog.core.instant import show_instant
from watchdog.core.journal import Journal, Stay
from watchdog.core.model import End, FinishedTrip, Trip
from watchdog.core.visible import visible

_OPEN = "open"
_STYLES = {
    _OPEN: "bold yellow",
    End.RECOVERED: "green",
    End.NOT_RECOVERED: "bold red",
    End.UNMEASURED: "cyan",
    End.SUPERSEDED: "cyan",
    End.GIVEN_UP: "yellow",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a history: a rollback with its ``ending``, or a stay of a release in the active role."""

    at: float
    target: str
    what: str
    how: str
    details: str
    ending: str = ""

    def cells(self) -> tuple[str, str, str, str, str]:
        """What is shown of it, safe for a terminal."""
        when = show_instant(self.at)[:19] + "Z"
        return when, visible(self.target), visible(self.what), visible(self.how), visible(self.details)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Shows the history of a target, "" for all."""

    target: str = ""
    as_json: bool = False

    async def __call__(self, session: Session) -> int:
        """Prints it; 1 when a journal cannot be read, after the others."""
        targets = (session.target(self.target),) if self.target else session.targets
        code, journals = OK, list[Journal]()
        for target in targets:
            try:
                journal = await session.journal(target)
            except StopError as error:
                tell(str(error))
                code = FINDINGS
                continue
            journals.append(journal or Journal(target=target.target))
        if self.as_json:
            say(json.dumps([as_json(journal) for journal in journals], indent=2))
        else:
            show(sorted((entry for each in journals for entry in entries(each)), key=lambda each: -each.at))
        return code


def entries(journal: Journal) -> list[Entry]:
    """Everything that a journal remembers, the newest first."""
    found = [_rollback(journal.target, journal.trip, None)] if journal.trip else []
    found += [_rollback(journal.target, each.trip, each) for each in reversed(journal.finished)]
    found += [_stay(journal.target, each) for each in reversed(journal.stays)]
    return sorted(found, key=lambda each: -each.at)


def _rollback(target: str, trip: Trip, finished: FinishedTrip | None) -> Entry:
    after = f" after {show_duration(round(finished.finished_at - trip.started_at))}" if finished else ""
    rules = ", ".join(map(str, trip.rules))
    return Entry(
        at=trip.started_at,
        target=target,
        what=f"{'undo' if trip.undoes else 'rollback'} from {trip.bad} to {trip.good}",
        how=_ending(finished).replace("_", " ") + after,
        ending=_ending(finished),
        details=f"{trip.id}: {rules}",
    )


def _ending(finished: FinishedTrip | None) -> str:
    return finished.end.value if finished else _OPEN


def _stay(target: str, stay: Stay) -> Entry:
    revisions = ", ".join(part.rpartition("@")[2] for part in stay.release.partition(":")[2].split(","))
    how = stay.ending.value.replace("_", " ")
    details = f"revisions {revisions}" + (f", switched to by {stay.by}" if stay.by else "")
    return Entry(at=stay.since, target=target, what=f"{stay.color} active", how=how, details=details)


def as_json(journal: Journal) -> dict[str, Any]:
    """The same as plain values."""
    trips = [_trip_as_json(journal.trip, None)] if journal.trip else []
    trips += [_trip_as_json(each.trip, each) for each in reversed(journal.finished)]
    stays = [
        {
            "color": each.color,
            "release": each.release,
            "since": show_instant(each.since),
            "ending": each.ending.value,
            "by": each.by or None,
        }
        for each in reversed(journal.stays)
    ]
    return {"target": journal.target, "trips": trips, "stays": stays}


def _trip_as_json(trip: Trip, finished: FinishedTrip | None) -> dict[str, Any]:
    rules = [
        {"alert": rule.alert, "value": rule.value, "threshold": rule.threshold, "since": show_instant(rule.since)}
        for rule in trip.rules
    ]
    return {
        "id": trip.id,
        "from": trip.bad,
        "to": trip.good,
        "startedAt": show_instant(trip.started_at),
        "finishedAt": show_instant(finished.finished_at) if finished else None,
        "ending": _ending(finished),
        "rules": rules,
        "undoes": trip.undoes or None,
        "overrides": list(trip.overrides),
    }


def show(found: Iterable[Entry]) -> None:
    """A table on a terminal, elsewhere a line an entry."""
    if not sys.stdout.isatty():
        for entry in found:
            say("  ".join(entry.cells()))
        return
    table = Table("when", "target", "what", "how it ended", "details", box=None, pad_edge=False)
    for entry in found:
        when, target, what, how, details = entry.cells()
        table.add_row(*map(Text, (when, target, what)), Text(how, style=_STYLES.get(entry.ending, "")), Text(details))
    Console(highlight=False).print(table)
