"""Waits until a condition holds.

Law: no test sleeps and hopes; it names what it waits for, and the deadline fails with that name.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Answer = TypeVar("Answer")
PAUSE_SECONDS = 0.05
# Seconds. A deadline ends what hangs: what takes a second here may take half a minute on a machine that is shared.
PATIENCE = 60.0


class DeadlineError(AssertionError):
    """A condition that did not come true in time; the text says which, and what the last answer was."""


def wait_until(condition: Callable[[], Answer], what: str, *, within: float = PATIENCE) -> Answer:
    """Returns the first truthy answer of ``condition``, asked again and again for ``within`` seconds.

    An `AssertionError` or `OSError` of the condition counts as "not yet". Raises `DeadlineError`.
    """
    deadline = time.monotonic() + within
    while True:
        answer, last = _ask(condition)
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise DeadlineError(f"not within {within:g} s: {what} (last answer: {last})")
        time.sleep(PAUSE_SECONDS)


async def eventually(condition: Callable[[], Answer], what: str, *, within: float = PATIENCE) -> Answer:
    """The same for a test that is a coroutine: between two questions the event loop goes on."""
    deadline = time.monotonic() + within
    while True:
        answer, last = _ask(condition)
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise DeadlineError(f"not within {within:g} s: {what} (last answer: {last})")
        await asyncio.sleep(PAUSE_SECONDS)


async def eventually_answers(
    ask: Callable[[], Awaitable[Answer | None]], what: str, *, within: float = PATIENCE
) -> Answer:
    """The same for what has to be awaited itself; returns its first truthy answer."""
    deadline = time.monotonic() + within
    while not (answer := await ask()):
        if time.monotonic() > deadline:
            raise DeadlineError(f"not within {within:g} s: {what} (last answer: {answer!r})")
        await asyncio.sleep(PAUSE_SECONDS)
    return answer


def _ask(condition: Callable[[], Answer]) -> tuple[Answer | None, str]:
    try:
        answer = condition()
    except (AssertionError, OSError) as error:
        return None, f"{type(error).__name__}: {error}"
    return answer, repr(answer)
