"""Asks once what several want to know at the same moment.

Law: whoever waits can give up alone; when the last one has, so has the question.
"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Shared(Generic[Key, Value]):
    """Questions that are on their way. To be used from one event loop."""

    def __init__(self) -> None:
        self._asked: dict[Key, asyncio.Task[Value]] = {}
        self._waiting: dict[Key, int] = {}

    async def get(self, key: Key, ask: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        """The answer to ``ask``, or to an earlier one with the same key that has no answer yet."""
        task = self._asked.get(key)
        if task is None:
            # Not the asker's own: the others still want the answer when the first one gives up.
            task = self._asked[key] = asyncio.create_task(ask())
            self._waiting[key] = 0
        self._waiting[key] += 1
        try:
            return await asyncio.shield(task)
        finally:
            self._leave(key, task)

    def _leave(self, key: Key, task: asyncio.Task[Value]) -> None:
        if self._asked.get(key) is not task:
            return
        self._waiting[key] -= 1
        if task.done() or self._waiting[key] == 0:
            task.cancel()
            del self._asked[key], self._waiting[key]
