"""What is said of a pull request's rule files: as a comment, and at length in the job's summary.

Law: pure. Words of servers stand in the summary alone: the runner masks secrets there, and in a comment nobody does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from watchdog.core.digest import short_digest
from watchdog.replay.markdown import COMMENT_BYTES, Detail, code, fitting, plainly, sections
from watchdog.replay.report import Report

SUMMARY_BYTES = 100_000  # GitHub takes 1 MiB of a step; older servers of enterprises took 128 KiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One rule file. Without a report ``problem`` says why; ``uncompared`` is why there is nothing to compare with."""

    file: str
    report: Report | None = None
    problem: str = ""
    uncompared: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """Something about the whole; ``detail`` is what a server said to it."""

    sentence: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.sentence}: {self.detail}" if self.detail else self.sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Everything that there is to say. ``page`` is the address of the job's run."""

    since: str
    commit: str
    page: str
    played: tuple[Played, ...] = ()
    gone: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


def mark_of(paths: Sequence[Path]) -> str:
    """What the comment begins with and nobody sees: another one for other paths, so that two steps share none."""
    key = short_digest("\0".join(map(str, paths)))
    return f"<!-- canary-watchdog backtest {key} -->"


def as_comment(told: Told) -> str:
    """The comment, without the mark."""
    return _page(told, limit=COMMENT_BYTES, with_reasons=False)


def as_summary(told: Told) -> str:
    """What the job's summary gets."""
    return _page(told, limit=SUMMARY_BYTES, with_reasons=True)


def _page(told: Told, *, limit: int, with_reasons: bool) -> str:
    return fitting(lambda detail: "\n".join(_lines(told, detail)) + "\n", limit=limit, reasons=with_reasons)


def _lines(told: Told, detail: Detail) -> Iterator[str]:
    yield f"### What the rules would have done: backtest from {code(told.since)}"
    if not told.played and not told.gone:
        yield from ("", "No rule file is changed.")
    for note in told.notes:
        yield from ("", f"**Note:** {plainly(str(note) if detail.reasons else note.sentence)}")
    for name in told.gone:
        yield from ("", f"{code(name)} is **gone**: what it watched is watched no longer, if no other file does.")
    for each in told.played:
        yield from ("", f"#### {code(each.file)}", "")
        yield from _file(each, detail)
    yield ""
    more = "" if detail.reasons else f" More is in the [summary of the job]({told.page})."
    yield f"<sub>Of commit {code(told.commit[:12])}.{more}</sub>"


def _file(each: Played, detail: Detail) -> Iterator[str]:
    if each.uncompared:
        yield f"**Not compared with the base:** {plainly(each.uncompared)}"
        yield ""
    if each.report is not None:
        yield from sections(each.report, detail)
    elif detail.reasons:
        yield f"**Could not be played:** {plainly(each.problem)}"
    else:
        yield "**Could not be played.** The summary of the job says why."
