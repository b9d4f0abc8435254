"""What is wrong with a rule file: a finding about a value, and the problem that people read.

Law: a problem is one line, and nothing quoted from a file can move the reader's cursor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from watchdog.core.visible import visible

KeyPath = tuple[str | int, ...]

_QUOTED_AT_MOST = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong with the value at a path: ``what is wrong; what would be right``.

    ``at_key`` points at the key instead of the value. ``offset`` counts the characters into the value's text, without
    the white space around it.
    """

    path: KeyPath
    message: str
    at_key: bool = False
    offset: int | None = None

    def under(self, parent: KeyPath) -> Finding:
        """The same finding, seen from further up."""
        return replace(self, path=(*parent, *self.path))


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong with one file. Lines and columns count from 1, columns in characters."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{visible(self.file)}:{self.line}:{self.column}: {visible(self.message)}"


def quoted(given: object) -> str:
    """The value as people see it in a message: in quotes if it is text, and cut if it is long."""
    shown = repr(given[: _QUOTED_AT_MOST + 1]) if isinstance(given, str) else str(given)
    return shown if len(shown) <= _QUOTED_AT_MOST else shown[: _QUOTED_AT_MOST - 1] + "…"
