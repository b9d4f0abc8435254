"""What is wrong with a rule file: a finding about a value, and the problem that people read.

Law: a problem is one line, and nothing quoted from a file can move the reader's cursor.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from watchdog.core.rules.codes import CODES
from watchdog.core.visible import visible

KeyPath = tuple[str | int, ...]

_QUOTED_AT_MOST = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong with the value at a path: ``what is wrong; what would be right``.

    ``code`` is one of `codes`. ``at_key`` points at the key instead of the value. ``offset`` counts the characters into
    the value's text, without the white space around it. ``meant`` is the key that was meant by a wrong one, whose
    absence is no second mistake.
    """

    path: KeyPath
    code: str
    message: str
    at_key: bool = False
    offset: int | None = None
    meant: KeyPath | None = None

    def under(self, parent: KeyPath) -> Finding:
        """The same finding, seen from further up."""
        meant = None if self.meant is None else (*parent, *self.meant)
        return replace(self, path=(*parent, *self.path), meant=meant)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong with one file. Lines and columns count from 1, columns in characters.

    ``excerpt`` is the text of the line, "" where there is none to show.
    """

    file: str
    line: int
    column: int
    code: str
    message: str
    excerpt: str = field(default="", compare=False)

    @property
    def is_warning(self) -> bool:
        """True for what a person may want so: it is told, and stops nothing."""
        return CODES[self.code].warns

    def __str__(self) -> str:
        word = "warning: " if self.is_warning else ""
        return f"{visible(self.file)}:{self.line}:{self.column}: {self.code}: {word}{visible(self.message)}"


class ValueRefusedError(ValueError):
    """A single value that is not what it should be; the code says in which way."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def quoted(given: object) -> str:
    """The value as people see it in a message: in quotes if it is text, and cut if it is long."""
    shown = repr(given[: _QUOTED_AT_MOST + 1]) if isinstance(given, str) else str(given)
    return shown if len(shown) <= _QUOTED_AT_MOST else shown[: _QUOTED_AT_MOST - 1] + "…"
