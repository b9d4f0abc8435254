"""What is known of the past beside the measurements: who had the traffic, and when something was really wrong.

Law: pure; what is not known is said to be unknown, never guessed. Instants are Unix seconds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from watchdog.core.instant import Instant
from watchdog.core.journal import Journal
from watchdog.core.rules.document import Document, read_document
from watchdog.core.rules.language import Target
from watchdog.core.rules.problem import quoted
from watchdog.replay.mistakes import Mistake, mistake_in, mistakes_of
from watchdog.replay.story import Deploy, Switch


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_Model = TypeVar("_Model", bound=_Strict)


class _SwitchEntry(_Strict):
    at: Instant
    to: str


class _IncidentEntry(_Strict):
    name: str = ""
    start: Instant
    end: Instant


class _Switches(_Strict):
    switches: list[_SwitchEntry] = Field(min_length=1)


class _Incidents(_Strict):
    incidents: list[_IncidentEntry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A time in which something was really wrong."""

    name: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """Who had the traffic: the switches in order, each to another color than the one before.

    ``deploys`` are the new revisions that the active color got between them; None when nobody knows of any.
    """

    switches: tuple[Switch, ...]
    deploys: tuple[Deploy, ...] | None = None

    @property
    def known_from(self) -> float:
        """Since when it is known."""
        return self.switches[0].at

    def color_at(self, instant: float) -> str:
        """Who had it; the first color that is known before that."""
        number = bisect_right([switch.at for switch in self.switches], instant) - 1
        return self.switches[max(number, 0)].color

    def active_since(self, instant: float) -> float:
        """Since when the release that was active at an instant had the traffic; the instant itself if nobody knows."""
        return max((each.at for each in self._events() if each.at <= instant), default=instant)

    def events_after(self, instant: float) -> Iterator[Deploy | Switch]:
        """What happened after an instant, in order: each new revision, and each switch with the release it begins."""
        for each in self._events():
            if each.at > instant:
                if isinstance(each, Switch):
                    yield Deploy(at=each.at, color=each.color)
                yield each

    def _events(self) -> list[Deploy | Switch]:
        known: list[Deploy | Switch] = [*self.switches, *(self.deploys or ())]
        return sorted(known, key=lambda each: each.at)


def schedule_of(switches: Iterable[Switch]) -> Schedule:
    """The schedule of switches in any order; those that switch nothing are left out."""
    ordered = sorted(switches, key=lambda switch: switch.at)
    kept = ordered[:1] + [after for before, after in pairwise(ordered) if after.color != before.color]
    return Schedule(tuple(kept))


def schedule_of_journal(journal: Journal) -> Schedule | None:
    """What the journal remembers; None when it has seen nothing."""
    if not journal.stays:
        return None
    deploys = tuple(
        Deploy(at=stay.since, color=stay.color)
        for before, stay in pairwise(journal.stays)
        if stay.color == before.color and stay.release != before.release
    )
    return replace(schedule_of(Switch(at=stay.since, color=stay.color) for stay in journal.stays), deploys=deploys)


def schedule_of_series(
    series: Sequence[tuple[dict[str, str], list[tuple[float, float]]]], target: Target
) -> Schedule | None:
    """At each instant the color whose series is greatest; None when no series carries a color of the target."""
    greatest: dict[float, tuple[float, str]] = {}
    for labels, samples in series:
        color = labels.get("color", "")
        if color in target.colors:
            for at, value in samples:
                greatest[at] = max(greatest.get(at, (0.0, "")), (value, color))
    switches = [Switch(at=at, color=color) for at, (_, color) in sorted(greatest.items()) if color]
    return schedule_of(switches) if switches else None


def read_switches(file: str, text: str, target: Target) -> Schedule | tuple[Mistake, ...]:
    """The schedule in a file such as ``switches: [{at: 2026-11-01T10:00:00Z, to: green}]``, or its problems."""
    document = read_document(file, text)
    read = _read(document, _Switches, "switches: [{at: 2026-11-01T10:00:00Z, to: green}]")
    colors = " and ".join(target.colors)
    wrong = tuple(
        mistake_in(document, ("switches", number, "to"), f"{quoted(color)} is no color; there are {colors}")
        for number, color in _named(document)
        if color not in target.colors
    )
    if isinstance(read, tuple):
        return tuple(sorted({*read, *wrong}))
    return wrong or schedule_of(Switch(at=entry.at, color=entry.to) for entry in read.switches)


def _named(document: Document) -> Iterator[tuple[int, str]]:
    """The colors that a file of switches names, well-formed or not."""
    entries = document.value.get("switches") if isinstance(document.value, dict) else None
    for number, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict) and isinstance(entry.get("to"), str):
            yield number, entry["to"]


def read_incidents(file: str, text: str) -> tuple[Incident, ...] | tuple[Mistake, ...]:
    """The incidents of a file, in the order of their start, or what is wrong with it."""
    example = "incidents: [{name: ledger, start: 2026-11-01T10:00:00Z, end: 2026-11-01T10:40:00Z}]"
    document = read_document(file, text)
    read = _read(document, _Incidents, example)
    if isinstance(read, tuple):
        return read
    wrong = tuple(
        mistake_in(document, ("incidents", number, "end"), "the incident ends before it begins; write a later end")
        for number, each in enumerate(read.incidents)
        if each.end < each.start
    )
    if wrong:
        return wrong
    found = [Incident(name=each.name, start=each.start, end=each.end) for each in read.incidents]
    return tuple(sorted(found, key=lambda each: each.start))


def _read(document: Document, model: type[_Model], example: str) -> _Model | tuple[Mistake, ...]:
    if mistakes_of(document):
        return mistakes_of(document)
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        paths = [tuple(details["loc"]) for details in error.errors(include_url=False)]
        message = f"this is not what is needed here; write {example}"
        return tuple(mistake_in(document, path, message) for path in dict.fromkeys(paths))
