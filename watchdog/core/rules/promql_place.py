"""Where a text stops being PromQL: its parser says what is wrong, and mostly not where.

Law: a bounded number of parses, each of a part of a text that is safe to parse.

A parser that reads from the left refuses at the first token with which no expression could go on. So the place is
behind the longest beginning that some ending completes; the endings below are what may be due in an expression.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import product

_TOKEN = re.compile(
    r"""\#[^\n]* | "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | `[^`]*` | \[[\w\s:.+-]*\] | [\w:.]+ | [=!<>]=|=~|!~ | \S""",
    re.VERBOSE | re.DOTALL,
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_IN_BRACES = ("", '=""', '""')
_ELSEWHERE = ("", "x", "1,x", ",x", "(x)", "1m")
_BEHIND = ("", "(x)", "x")
"""What is due behind the bracket that is closed next: that of ``by (…)`` or of ``on (…)``."""
_RANGE = "[1m:]"
_DEEPEST_RANGE = 3
_LOOK_AHEAD = 4
"""So many tokens further on may a beginning be complete again, where its own ending is none of those above."""


def place_of(text: str, parses: Callable[[str], bool]) -> int:
    """The offset of the first token that makes the text no beginning of an expression; its length if none does."""
    tokens = [match for match in _TOKEN.finditer(text) if not match.group().startswith("#")]
    closers = _closers([match.group() for match in tokens])

    def can_go_on(count: int) -> bool:
        beginning = text[: tokens[count - 1].end()]
        return any(parses(f"{beginning} {ending}") for ending in _endings(closers[count - 1]))

    good, bad = 0, len(tokens) + 1
    while bad - good > 1:
        middle = (good + bad) // 2
        ahead = range(middle, min(middle + _LOOK_AHEAD, bad))
        found = next(filter(can_go_on, ahead), None)
        good, bad = (good, middle) if found is None else (found, bad)
    return tokens[good].start() if good < len(tokens) else len(text.rstrip())


def _closers(tokens: list[str]) -> list[str]:
    """What closes the brackets that are open behind each token."""
    opened, closers = "", []
    for token in tokens:
        if token in _CLOSING:
            opened = _CLOSING[token] + opened
        elif token in _CLOSING.values():
            opened = opened[1:]
        closers.append(opened)
    return closers


def _endings(closers: str) -> Iterator[str]:
    inner = _IN_BRACES if closers.startswith("}") else _ELSEWHERE
    for inside, behind in product(inner, _BEHIND):
        closing = [inside, *closers]
        closing[min(1, len(closers))] += behind and f" {behind}"
        yield "".join(closing)
        for depth in range(min(len(closing), _DEEPEST_RANGE + 1)):
            yield "".join([*closing[: depth + 1], _RANGE, *closing[depth + 1 :]])
