"""Durations as people write them in rule files: ``90s``, ``5m``, ``1h30m``.

Law: a number without a unit is an error, never a guess.
"""

from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
# Not \d: it takes the digits of every script, which look like other letters to a reviewer.
_PART = re.compile(r"([0-9]+)(ms|[smhdw])")
_WHOLE = re.compile(r"(?:[0-9]+(?:ms|[smhdw]))+")


def parse_duration(text: str) -> float:
    """Seconds. Prometheus' notation without years; raises ValueError saying what would be right."""
    if text == "0":
        return 0.0
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration; write a number with a unit, such as 30s, 5m or 1h30m")
    return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def show_duration(seconds: float) -> str:
    """The shortest notation that `parse_duration` reads back: 90.0 is ``1m30s``."""
    if seconds == 0:
        return "0s"
    rest = round(seconds * 1000)
    shown = ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            shown += f"{count}{unit}"
    return shown
