"""Durations as people write them in rule files: ``90s``, ``5m``, ``1h30m``.

Law: a number without a unit is an error, never a guess.
"""

from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
# Not \d: it takes the digits of every script, which look like other letters to a reviewer.
_PART = re.compile(r"([0-9]+)(ms|[smhdw])")
_WHOLE = re.compile(r"(?:[0-9]+(?:ms|[smhdw]))+")
_IN_WORDS = re.compile(
    r"([0-9]+(?:\.[0-9]+)?)\s*"
    r"(ms|millis(?:econds?)?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)",
    re.IGNORECASE,
)


def parse_duration(text: str) -> float:
    """Seconds. Prometheus' notation without years; raises ValueError saying what would be right."""
    if text == "0":
        return 0.0
    if not _WHOLE.fullmatch(text):
        cure = _meant(text) or "a number with a unit, such as 30s, 5m or 1h30m"
        raise ValueError(f"{text!r} is not a duration; write {cure}")
    return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def _meant(text: str) -> str:
    """The duration that a text means to people: ``2 minutes`` is 2m, ``1.5h`` is 1h30m; "" if there is no telling."""
    match = _IN_WORDS.fullmatch(text.strip())
    if match is None:
        return ""
    word = match.group(2).lower()
    seconds = float(match.group(1)) * _UNITS["ms" if word.startswith(("ms", "millis")) else word[0]]
    return show_duration(seconds) if round(seconds * 1000) == seconds * 1000 else ""


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
