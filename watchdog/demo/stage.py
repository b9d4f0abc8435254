"""Puts the demo on: the story with the audience that was asked for.

Law: the exit code says whether the service recovered.
"""

import asyncio
import sys
from pathlib import Path

from rich.console import Console

from watchdog.demo.jsonlines import JsonLines
from watchdog.demo.script import play
from watchdog.demo.summary import Summary
from watchdog.demo.view import TerminalView
from watchdog.logs import configure_logging

RECOVERED, NOT_RECOVERED, INTERRUPTED = 0, 1, 130


def perform(*, keep: bool, as_json: bool, picture: Path | None) -> int:
    """Plays the demo once and returns the exit code."""
    configure_logging("console", "error")
    summary = _as_lines(keep=keep) if as_json else _on_terminal(keep=keep, picture=picture)
    if summary is None:
        return INTERRUPTED
    return RECOVERED if summary.recovered else NOT_RECOVERED


def _as_lines(*, keep: bool) -> Summary | None:
    lines = JsonLines(sys.stdout)
    summary = asyncio.run(play(lambda _: lines, keep=keep))
    if summary is not None:
        lines.summary(summary)
    return summary


def _on_terminal(*, keep: bool, picture: Path | None) -> Summary | None:
    console = Console(highlight=False)
    with TerminalView(console) as view:
        summary = asyncio.run(play(view.watching, keep=keep))
    if summary is not None:
        view.summary(summary)
    if picture is not None:
        view.save(picture, summary)
    return summary
