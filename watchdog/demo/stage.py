"""Puts the demo on: the story with the audience that was asked for.

Law: the exit code says whether the service recovered.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path

from rich.console import Console

from watchdog.demo.jsonlines import JsonLines
from watchdog.demo.script import GIVES_UP_AFTER_SECONDS, AudienceFor, play
from watchdog.demo.summary import Summary
from watchdog.demo.view import TerminalView
from watchdog.logs import configure_logging

Story = Callable[[AudienceFor], Coroutine[None, None, Summary | None]]
RECOVERED, NOT_RECOVERED, INTERRUPTED = 0, 1, 130


def perform(*, keep: bool, as_json: bool, picture: Path | None, gives_up_after: float = GIVES_UP_AFTER_SECONDS) -> int:
    """Plays the demo once and returns the exit code."""
    configure_logging("console", "error")
    story = partial(play, keep=keep, gives_up_after=gives_up_after)
    summary = _as_lines(story) if as_json else _on_terminal(story, picture)
    if summary is None:
        return INTERRUPTED
    return RECOVERED if summary.recovered else NOT_RECOVERED


def _as_lines(story: Story) -> Summary | None:
    lines = JsonLines(sys.stdout)
    summary = asyncio.run(story(lambda _: lines))
    if summary is not None:
        lines.summary(summary)
    return summary


def _on_terminal(story: Story, picture: Path | None) -> Summary | None:
    console = Console(highlight=False)
    with TerminalView(console) as view:
        summary = asyncio.run(_drawn(story, view))
    if summary is not None:
        view.summary(summary)
    if picture is not None:
        view.save(picture, summary)
    return summary


async def _drawn(story: Story, view: TerminalView) -> Summary | None:
    async with asyncio.TaskGroup() as group:
        drawing = group.create_task(view.keep_drawing(), name="drawing")
        summary = await story(view.watching)
        drawing.cancel()
    return summary
