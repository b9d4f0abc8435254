"""Files about the past, for a backtest: when who was switched to, and which incidents there were."""

from __future__ import annotations

from collections.abc import Iterator

from tests.core.making import target
from tests.fuzz.spoiling import spoil_yaml
from tests.fuzz.target import Target
from watchdog.replay.past import read_incidents, read_switches

_TARGET = target()


def _parse(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    read_switches("f", text, _TARGET)
    read_incidents("f", text)


def _seeds() -> Iterator[bytes]:
    yield b"switches:\n- {at: 2026-11-01T10:00:00Z, to: green}\n- {at: 2026-11-01T11:00:00+01:00, to: blue}\n"
    yield b"incidents:\n- {name: ledger, start: 2026-11-01T10:00:00Z, end: 2026-11-01T10:40:00Z}\n"


TARGET = Target(
    parse=_parse,
    seeds=_seeds,
    words=(
        "switches:",
        "incidents:",
        "at:",
        "to:",
        "name:",
        "start:",
        "end:",
        "0001-01-01T00:00Z",
        ".inf",
        ".nan",
        "[]",
    ),
    spoil=spoil_yaml,
)
