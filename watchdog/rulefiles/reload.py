"""Reads the rule files again when their content changes, and puts the new set in force as a whole, or not at all.

Law: a set with a problem changes nothing but what people are told; whatever is in force was read without one. What
somebody is still saving is not read: files outside of a mounted ConfigMap have to be the same in two looks.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from watchdog.core.rules.problem import Problem
from watchdog.rulefiles.ruleset import RuleSet, fingerprint, is_swapped_whole, read_rules

LOOK_SECONDS = 2.0

_log = structlog.get_logger()


class RulesRefusedError(Exception):
    """A set without problems that cannot be put in force all the same; the text is a sentence."""


class ReloadListener(Protocol):
    """Is told what became of a change. It never raises."""

    async def reloaded(self, rules: RuleSet) -> None:
        """The set is in force; it may be the one that was."""
        ...

    async def refused(self, problems: Sequence[str], fingerprint: str) -> None:
        """The files changed, and the set before them stays in force. ``fingerprint`` is that of the refused files."""
        ...

    async def looked(self) -> None:
        """A look has ended, whatever was found."""
        ...


class Reloader:
    """Looks at one folder. ``apply`` puts a set in force, or raises RulesRefusedError and has changed nothing."""

    def __init__(
        self, folder: Path, rules: RuleSet, *, apply: Callable[[RuleSet], Awaitable[None]], listener: ReloadListener
    ) -> None:
        """``rules`` is the set in force, which was read from the folder."""
        self._folder = folder
        self._digest = rules.digest
        self._seen = rules.digest
        self._unsettled = ""
        self._apply = apply
        self._listener = listener

    async def run(self) -> None:
        """Looks every few seconds, for ever. A look that the machine has no means for is left to the next one."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except OSError as error:
                _log.warning("rules not looked at", sentence=f"{error}; those in force stay until the next look")
            await self._listener.looked()

    async def look(self) -> None:
        """Does what has to be done when the files are others than at the last look."""
        # In a thread: a folder may be large, or lie on a disk that hangs; the loop must not notice.
        seen = await asyncio.to_thread(fingerprint, self._folder)
        if await self._is_being_saved(seen) or seen == self._seen:
            return
        read = await asyncio.to_thread(read_rules, self._folder)
        if isinstance(read, RuleSet):
            await self._take(read)
        else:
            await self._listener.refused([str(problem) for problem in _errors(read)], seen)
        self._seen = seen

    async def _is_being_saved(self, seen: str) -> bool:
        """True until the files have stood still from one look to the next: half a file may be well formed."""
        before, self._unsettled = self._unsettled, seen
        return seen != before and not await asyncio.to_thread(is_swapped_whole, self._folder)

    async def _take(self, rules: RuleSet) -> None:
        if rules.digest != self._digest:
            try:
                await self._apply(rules)
            except RulesRefusedError as error:
                await self._listener.refused([str(error)], rules.digest)
                return
            self._digest = rules.digest
        await self._listener.reloaded(rules)


def _errors(problems: Sequence[Problem]) -> list[Problem]:
    return [problem for problem in problems if not problem.is_warning]
