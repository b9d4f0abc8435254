"""Our annotations on a Service: the records of a trip, and what people write to pause."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from tests.core.making import NOW, trip
from tests.fuzz.target import Target
from watchdog.core.annotations import (
    KNOWN,
    PAUSED,
    PAUSED_UNTIL,
    UnreadableRecordError,
    read_finished,
    read_trip,
    why_paused,
    write_finished,
    write_trip,
)
from watchdog.core.model import End, FinishedTrip, Trip

Record = TypeVar("Record", Trip, FinishedTrip)


def _parse(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    if (found := _read(read_trip, text)) is not None:
        "; ".join(map(str, found.rules))  # as people are told
        read_trip(write_trip(found, was={}))
    if (ended := _read(read_finished, text)) is not None:
        read_finished(write_finished(ended))
    annotations = dict(line.partition(": ")[::2] for line in text.split("\n"))
    why_paused({**annotations, PAUSED_UNTIL: text}, where="Service backend", now=NOW)


def _read(read: Callable[[str], Record], text: str) -> Record | None:
    try:
        return read(text)
    except UnreadableRecordError:
        return None


def _seeds() -> Iterator[bytes]:
    yield write_trip(trip(), was={"color": "green"}).encode()
    yield write_finished(FinishedTrip(trip=trip(), finished_at=NOW + 30, end=End.RECOVERED)).encode()
    yield f"{PAUSED}: true\n{PAUSED_UNTIL}: 2026-11-01T10:00:00+01:00".encode()
    yield b"2026-11-01T10:00:00+01:00"


TARGET = Target(
    parse=_parse,
    seeds=_seeds,
    words=(*sorted(KNOWN), '"rules":', '"since":', '"id":', '"end":', "0001-01-01T00:00:00+23:59", "null", "[]"),
)
