"""The journal in its ConfigMap: the schema, and below it each part after a line of its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields

from tests.core.making import NOW, trip
from tests.fuzz.target import Target
from watchdog.core.annotations import UnreadableRecordError
from watchdog.core.journal import Ending, Journal, Stay
from watchdog.core.journal_text import read_journal, tripped_at, write_journal
from watchdog.core.model import End, FinishedTrip, Phase, RuleState

_NAME = "banking-app"
_HEADING = re.compile(r"^== (\w+)\n", re.MULTILINE)


def _parse(data: bytes) -> None:
    schema, *rest = _HEADING.split(data.decode("utf-8", "replace"))
    parts = dict(zip(rest[::2], rest[1::2], strict=True))
    given = {"target": _NAME, **parts, "schema": schema.strip()}
    tripped_at(given)
    try:
        journal = read_journal(given, target=_NAME)
    except UnreadableRecordError:
        return
    read_journal(write_journal(journal), target=_NAME)


def _seeds() -> Iterator[bytes]:
    stay = Stay(color="green", release="green-1", since=NOW, ending=Ending.LEFT_WELL, by="kubectl")
    state = RuleState(alert="ErrorRate", key="k", phase=Phase.PENDING)
    ended = FinishedTrip(trip=trip(), finished_at=NOW + 30, end=End.RECOVERED)
    for journal in (
        Journal(target=_NAME, stays=(stay,), vouched={"blue": "blue-1"}, paused_since=NOW),
        Journal(target=_NAME, trip=trip(), states={"ErrorRate": state}, finished=(ended,)),
    ):
        data = write_journal(journal)
        yield "".join([data.pop("schema"), "\n", *(f"== {name}\n{text}" for name, text in data.items())]).encode()


TARGET = Target(
    parse=_parse,
    seeds=_seeds,
    words=(
        *(f"== {field.name}\n" for field in fields(Journal)),
        *(
            "2026-13-41",
            ".inf",
            ".nan",
            "1e400",
            "!!int ",
            "!!timestamp ",
            "&a",
            "*a",
            "<<: ",
            "=",
            "0001-01-01T00:00Z",
        ),
    ),
)
