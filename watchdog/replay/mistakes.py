"""What is wrong at a place of a file of ours that is no rule file: a test, switches, incidents.

Law: a mistake is one line, ``file:line:column: what is wrong; what would be right``. The codes of `watchdog check` are
for rule files; only what breaks YAML itself has the same one here.
"""

from __future__ import annotations

from dataclasses import dataclass

from watchdog.core.rules.document import Document
from watchdog.core.rules.problem import Finding, KeyPath
from watchdog.core.visible import visible

_ANY_CODE = "R207"  # a finding needs one to be placed; it is not shown


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing wrong with one file. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{visible(self.file)}:{self.line}:{self.column}: {visible(self.message)}"


def mistake_in(
    document: Document, path: KeyPath, message: str, *, at_key: bool = False, offset: int | None = None
) -> Mistake:
    """What is wrong at a path of a document."""
    finding = Finding(path=path, code=_ANY_CODE, message=message, at_key=at_key, offset=offset)
    place = document.places.problem(finding)
    return Mistake(place.file, place.line, place.column, message)


def mistakes_of(document: Document) -> tuple[Mistake, ...]:
    """What is wrong with the document as YAML."""
    return tuple(
        Mistake(each.file, each.line, each.column, f"{each.code}: {each.message}") for each in document.problems
    )
