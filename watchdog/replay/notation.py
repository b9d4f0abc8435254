"""promtool's notation of series: ``0+300x80 _ 5x3 stale``.

Law: what is not understood is refused at its character; a text cannot stand for more than `MOST_VALUES` values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

import promql_parser as parser

from watchdog.core.rules.promql import parse_promql
from watchdog.core.rules.promql_error import PromqlError

MOST_VALUES = 50_000
# A digit can be matched in one way only: otherwise a long word that is no number is split in every way there is.
_NUMBER = r"(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[Ii]nf|[Nn]a[Nn])"
_ITEM = re.compile(rf"(?P<first>[+-]?{_NUMBER})(?:(?P<step>[+-]{_NUMBER})?x(?P<times>[0-9]+))?")
_GAP = re.compile(r"_(?:x(?P<times>[0-9]+))?")
_WORD = re.compile(r"\S+")
_NAME = "__name__"


class Gap(Enum):
    """An instant without a value: no sample, or the marker that ends a series."""

    MISSING = "_"
    STALE = "stale"


Value = float | Gap


class NotationError(ValueError):
    """A text that is no series; ``offset`` is the character at which it is none."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class SeriesName:
    """The name and labels of a series."""

    name: str
    labels: Mapping[str, str]


def parse_values(text: str) -> tuple[Value, ...]:
    """The values in the text, one an interval. Raises NotationError."""
    found: list[Value] = []
    for word in _WORD.finditer(text):
        for value in _values(word[0], word.start()):
            found.append(value)
            if len(found) > MOST_VALUES:
                raise NotationError(f"more than {MOST_VALUES} values; write a shorter test", word.start())
    if not found:
        raise NotationError("there is no value in it; write one such as 0.01x20")
    return tuple(found)


def _values(word: str, offset: int) -> Iterator[Value]:
    if word == "stale":
        yield Gap.STALE
    elif gap := _GAP.fullmatch(word):
        for _ in range(_many(gap["times"] or "1")):
            yield Gap.MISSING
    elif item := _ITEM.fullmatch(word):
        first, step = float(item["first"]), float(item["step"] or 0)
        # As promtool has it: the first value, and as many more as are said.
        for number in range(_many(item["times"] or "0") + 1):
            yield first + step * number if number else first
    else:
        message = (
            f"{word[:60]!r} is no value; write a number (0.05), a repeated one (0.05x20), a growing one (0+300x80), "
            "_ for no sample or stale"
        )
        raise NotationError(message, offset)


def _many(digits: str) -> int:
    """The number; of one that is too large anyway the first digits, because ``int`` reads only some thousands."""
    return int(digits.lstrip("0")[: len(str(MOST_VALUES)) + 1] or 0)


def parse_series(text: str) -> SeriesName:
    """The name and labels in a text such as ``up{job="a"}``. Raises NotationError."""
    try:
        tree = parse_promql(text)
    except PromqlError as error:
        complaint = str(error).partition("; ")[0]
        raise NotationError(
            f"this is no series: {complaint}; write one such as {_EXAMPLE}", error.offset or 0
        ) from None
    if not isinstance(tree, parser.VectorSelector) or tree.offset is not None or tree.at is not None:
        raise NotationError(f"this is an expression, and not the name of a series; write one such as {_EXAMPLE}")
    labels: dict[str, str] = {}
    for matcher in tree.matchers.matchers:
        if matcher.op != parser.MatchOp.Equal:
            raise NotationError(f'the label {matcher.name} of a series has one value; write {matcher.name}="…"')
        labels[matcher.name] = matcher.value
    name = tree.name or labels.pop(_NAME, "")
    if not name:
        raise NotationError(f"the series has no name; write one such as {_EXAMPLE}")
    return SeriesName(name, labels)


_EXAMPLE = 'http_requests_total{color="green",code="500"}'
