"""Where the values of a text stand, in lines and columns.

Law: every finding has a place; what cannot be told exactly is told by the nearest thing that can.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from watchdog.core.rules.problem import Finding, KeyPath, Problem

_LONGEST_LINE = 20_000
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_BLOCKS = ("|", ">")
_CHARACTER = re.compile(r"\S")
_QUOTED = {
    "'": re.compile(r"''|\S"),
    '"': re.compile(r"\\(?:x\w{2}|u\w{4}|U\w{8}|.)|\S", re.DOTALL),
}
_BLANK = re.compile(r"\\[\s_ntrvfLNP]")
"""An escape that stands for white space, or for a line that goes on."""


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
        if is_there and (finding.offset is not None or spot.style in _BLOCKS):
            return self.problem_at(self._inside(spot, finding.offset or 0), finding.code, finding.message)
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
        """The offset in the text of a character of a scalar; the scalar's own if the two do not map one to one.

        YAML folds and indents with white space, so that all other characters are the same here and there, in order.
        """
        wanted = len("".join(spot.scalar[: offset + _margin(spot.scalar)].split()))
        written = [*self._characters(spot)]
        if not written or len(written) != len("".join(spot.scalar.split())):
            return spot.start
        return written[wanted].start() if wanted < len(written) else written[-1].end()

    def _characters(self, spot: Spot) -> Iterator[re.Match[str]]:
        """The characters of a scalar as they are written, without white space."""
        if spot.style in _BLOCKS:
            header = _LINE_BREAK.search(self.text, spot.start)
            return _CHARACTER.finditer(self.text, header.end() if header else spot.end, spot.end)
        if spot.style is None:
            return _CHARACTER.finditer(self.text, spot.start, spot.end)
        found = _QUOTED[spot.style].finditer(self.text, spot.start + 1, spot.end - 1)
        return (match for match in found if not _BLANK.fullmatch(match.group()))


def _margin(scalar: str) -> int:
    """How much white space a scalar begins with."""
    return len(scalar) - len(scalar.lstrip())
