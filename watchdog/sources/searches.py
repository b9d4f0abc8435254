"""Sends the searches of one moment together, identical ones once.

Law: a search that fails fails alone; when all fail because one of them does not end, they are sent apart for a while.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from watchdog.core.model import Trouble

GATHER_SECONDS = 0.005
MOST_AT_ONCE = 50
APART_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Search:
    """A search in an index; ``text`` is its body as JSON."""

    index: str
    text: str

    @property
    def body(self) -> dict[str, Any]:
        """What is sent."""
        body: dict[str, Any] = json.loads(self.text)
        return body


class SearchError(Exception):
    """A search without an answer that can be believed; the text is a whole sentence, without secrets."""

    def __init__(self, said: str, *, trouble: Trouble | None = None, spoils_all: bool = False) -> None:
        """``spoils_all``: it may be the fault of another search that was sent with it."""
        super().__init__(said)
        self.trouble = trouble
        self.spoils_all = spoils_all


class NoIndexError(SearchError):
    """Nothing has the name of the index, alias or pattern."""


class NoAnswerError(SearchError):
    """Nobody has looked at the search: no Elasticsearch is there, or it answers nobody now."""


Send = Callable[[Sequence[Search]], Awaitable[Sequence[Any]]]


class Searches:
    """The searches that wait to be sent, and those that are on their way. To be used from one event loop."""

    def __init__(self, send: Send, *, clock: Callable[[], float] = time.monotonic) -> None:
        """``send`` gives for each search the body of its answer or a SearchError, or raises one for all."""
        self._send = send
        self._clock = clock
        self._apart_until = clock()
        self._waiting: list[Search] = []
        self._answers: dict[Search, asyncio.Future[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, search: Search) -> Any:
        """The body of the answer. Raises SearchError."""
        if search not in self._answers:
            self._answers[search] = asyncio.get_running_loop().create_future()
            self._waiting.append(search)
            if len(self._waiting) == 1:
                self._start(self._gather())
        answer = await asyncio.shield(self._answers[search])
        if isinstance(answer, SearchError):
            raise answer
        return answer

    async def close(self) -> None:
        """Gives up what is on its way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        # Not the asker's own: others wait for the same answers.
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _gather(self) -> None:
        await asyncio.sleep(GATHER_SECONDS)
        waiting, self._waiting = self._waiting, []
        size = 1 if self._clock() < self._apart_until else MOST_AT_ONCE
        for start in range(0, len(waiting), size):
            self._start(self._answer(waiting[start : start + size]))

    async def _answer(self, batch: Sequence[Search]) -> None:
        answers: Sequence[Any] = [SearchError("the source was closed")] * len(batch)
        try:
            answers = await self._send(batch)
        except SearchError as error:
            answers = [error] * len(batch)
            if error.spoils_all and len(batch) > 1:
                self._apart_until = self._clock() + APART_SECONDS
        finally:
            for search, answer in zip(batch, answers, strict=True):
                self._answers.pop(search).set_result(answer)
