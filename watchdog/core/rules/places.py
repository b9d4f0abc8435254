"""Where the values of a text stand, in lines and columns.

Law: every finding has a place; what cannot be told exactly is told by the nearest thing that can.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from watchdog.core.rules.problem import Finding, KeyPath, Problem

_LONGEST_LINE = 20_000
_LINE_BREAK = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Spot:
    """Where one value stands: the offsets of its start, its end and its key in the text.

    ``scalar`` is its own text if it is a scalar; ``style`` is YAML's: None for a bare word, else the quote, ``|`` or
    ``>``.
    """

    start: int
    end: int
    key: int | None = None
    scalar: str = ""
    style: str | None = None


@dataclass(frozen=True, kw_only=True)
class Places:
    """A text and the spots of the values in it."""

    file: str
    text: str
    spots: Mapping[KeyPath, Spot]

    def problem(self, finding: Finding) -> Problem:
        """The finding with its line and column; those of its nearest parent if the path itself is not in the text."""
        path = finding.path
        while path and path not in self.spots:
            path = path[:-1]
        spot = self.spots.get(path, Spot(0, 0))
        is_there = path == finding.path
        # Nothing at all, and a block that begins on a later line, span no text of their own: their key stands for them.
        if is_there and spot.key is not None and (finding.at_key or spot.start == spot.end):
            return self.problem_at(spot.key, finding.code, finding.message)
        if is_there and finding.offset is not None:
            return self.problem_at(self._inside(spot, finding.offset), finding.code, finding.message)
        return self.problem_at(spot.start, finding.code, finding.message)

    def problem_at(self, offset: int, code: str, message: str) -> Problem:
        """A problem at an offset of the text."""
        line = self.line_of(offset)
        column = offset - self._line_starts[line - 1] + 1
        return Problem(self.file, line, column, code, message, excerpt=self._line(line))

    def line_of(self, offset: int) -> int:
        """The number of the line that an offset of the text is in."""
        return bisect_right(self._line_starts, offset)

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in _LINE_BREAK.finditer(self.text))]

    def _line(self, number: int) -> str:
        start = self._line_starts[number - 1]
        end = self._line_starts[number] if number < len(self._line_starts) else len(self.text)
        # A line may be as long as the file; what is shown of it is far less.
        return self.text[start:end].rstrip("\r\n") if end - start <= _LONGEST_LINE else ""

    def _inside(self, spot: Spot, offset: int) -> int:
        """The offset in the text of a character of a scalar; the scalar's own if the two do not map one to one."""
        offset += len(spot.scalar) - len(spot.scalar.lstrip())
        if spot.style == "|":
            return self._inside_block(spot, offset)
        quote = 0 if spot.style is None else 1
        written = self.text[spot.start + quote : spot.end - quote]
        return spot.start + quote + offset if written == spot.scalar else spot.start

    def _inside_block(self, spot: Spot, offset: int) -> int:
        before = spot.scalar[:offset].split("\n")
        wanted = spot.scalar.split("\n")[len(before) - 1]
        line = self.line_of(spot.start) + len(before)
        if line > len(self._line_starts):
            return spot.start
        start = self._line_starts[line - 1]
        written = _LINE_BREAK.split(self.text[start:], maxsplit=1)[0]
        if not written.endswith(wanted):
            return spot.start
        return start + len(written) - len(wanted) + len(before[-1])
