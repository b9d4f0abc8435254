"""What the rules of one target say: measures them in a slot, and evaluates what comes back.

Law: each rule is evaluated the moment its own answer arrives, and no answer is waited for beyond the slot, so that a
source that hangs delays nobody else's rule, in this slot or in the next; what was measured of a release that is gone
meanwhile is no evidence.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Protocol, runtime_checkable

from watchdog.core.durations import show_duration
from watchdog.core.evaluate import breaches_now, evaluate
from watchdog.core.inforce import InForce, obeyed
from watchdog.core.journal import remember
from watchdog.core.model import Measurement, RuleState, TargetStatus, TrippedRule
from watchdog.core.rules.language import Rule, Target
from watchdog.core.watching import (
    asked_elsewhere,
    asking_to_leave,
    breaching_elsewhere,
    not_yet,
    release_of,
    state_of,
    states_of,
)
from watchdog.sources.kubernetes import ObservedCluster
from watchdog.watch.announce import Announcer, Reporter
from watchdog.watch.recollection import Recollection

PRESSING_SECONDS = 1.0  # what is pressing is looked at this often

Answer = tuple[Rule, Measurement, float]


class Source(Protocol):
    """Answers rules of one kind. It never raises."""

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:
        """The value of the rule for one color at one slot."""
        ...


@runtime_checkable
class AsksEarlier(Protocol):
    """A source that is asked for so many seconds before the slot: what it says is that much older."""

    query_offset: float


class Evidence:
    """Writes and reads the states of the rules, which the journal holds; ``slot`` is the newest that was measured."""

    def __init__(
        self,
        target: Target,
        *,
        sources: Mapping[str, Source],
        known: Recollection,
        announcer: Announcer,
        reporter: Reporter,
    ) -> None:
        """``sources`` holds one for each kind of rule in the target, save those that look at the cluster itself."""
        self._target = target
        self._cluster = ObservedCluster()
        self._sources = {**sources, "kubernetes": self._cluster}
        self._known = known
        self._announcer = announcer
        self._reporter = reporter
        self._obeyed = target
        self.slot: float | None = None

    def obey(self, force: InForce) -> None:
        """From now on only the rules that are in force are asked, and say anything."""
        self._obeyed = obeyed(self._target, force)
        asked = {rule.alert for rule in self._obeyed.rules}
        self._announcer.outdated([each.alert for each in self._target.rules if each.alert not in asked], force.since)

    def saw(self, status: TargetStatus | None) -> None:
        """What the cluster looks like, for the rules that ask for that; None when it cannot be seen."""
        self._cluster.saw(status)

    def states(self) -> dict[str, RuleState]:
        """What is known of the rules about the release that is active now, by alert."""
        return states_of(self._obeyed, self._known.journal)

    def tripped(self, status: TargetStatus) -> tuple[TrippedRule, ...]:
        """The rules that ask to leave the active color, on the evidence of the newest slot."""
        return asking_to_leave(self._obeyed, self._known.journal, status, slot=self.slot)

    async def take(
        self,
        slot: float,
        color: str,
        *,
        left: float,
        act: Callable[[], Awaitable[bool]],
        beat: Callable[[], Awaitable[None]],
    ) -> bool:
        """Measures every rule, and lets ``act`` decide each time that one which rolls back breaches.

        ``left`` is how many seconds the slot still has; who is asked late has half an interval all the same. While
        answers are awaited ``beat`` is called each `PRESSING_SECONDS`. True when ``act`` has moved the traffic, or
        somebody else has meanwhile: the answers still to come are dropped.
        """
        self.slot = slot
        within = max(left, self._target.interval / 2)
        release = release_of(self._known.journal)
        async with asyncio.TaskGroup() as group:
            tasks = {group.create_task(self._timed(rule, color, slot, within=within)) for rule in self._obeyed.rules}
            async with contextlib.aclosing(_as_they_come(tasks, beat)) as answers:
                async for rule, measurement, seconds in answers:
                    if release != release_of(self._known.journal):
                        break
                    state = self._evaluate(rule, measurement, color=color, slot=slot)
                    self._reporter.measured(self._target, rule, state, seconds=seconds)
                    if rule.action == "rollback" and breaches_now(state, slot) and await act():
                        break
                else:
                    return False
            for task in tasks:
                task.cancel()
        return True

    async def elsewhere(self, status: TargetStatus, rules: tuple[TrippedRule, ...]) -> tuple[str, ...]:
        """Those of the tripped rules that breach on the other color too. It is asked only when something fires."""
        if status.active is None:
            return ()
        color, slot = self._target.other(status.active), self.slot or 0.0
        asked = asked_elsewhere(self._obeyed, status, rules)
        answers = await asyncio.gather(*(self._ask(rule, color, slot) for rule in asked))
        return breaching_elsewhere(zip(asked, answers, strict=True))

    async def _timed(self, rule: Rule, color: str, slot: float, *, within: float) -> Answer:
        began = time.monotonic()
        source = self._sources[rule.source]
        asked_at = slot - source.query_offset if isinstance(source, AsksEarlier) else slot
        early = not_yet(rule, self._known.journal, color=color, slot=asked_at)
        return rule, early or await self._in_time(rule, color, slot, within=within), time.monotonic() - began

    async def _in_time(self, rule: Rule, color: str, slot: float, *, within: float) -> Measurement:
        try:
            async with asyncio.timeout(within):
                return await self._ask(rule, color, slot)
        except TimeoutError:
            interval = show_duration(self._target.interval)
            return Measurement.error(f"no answer within the slot, and there is one each {interval}")

    async def _ask(self, rule: Rule, color: str, slot: float) -> Measurement:
        source = self._sources[rule.source]
        return await source.measure(rule, color=color, namespace=self._target.namespace, slot=slot)

    def _evaluate(self, rule: Rule, measurement: Measurement, *, color: str, slot: float) -> RuleState:
        before = state_of(self._target, rule, self._known.journal)
        after = evaluate(rule, before, measurement, slot=slot, interval=self._target.interval)
        self._known.journal = remember(self._known.journal, after)
        self._announcer.trouble(rule, measurement, after)
        self._announcer.rule(rule, before, after, color=color)
        return after


async def _as_they_come(
    tasks: set[asyncio.Task[Answer]], beat: Callable[[], Awaitable[None]]
) -> AsyncGenerator[Answer]:
    """Each answer as it arrives, and a beat each `PRESSING_SECONDS` in between."""
    due = time.monotonic() + PRESSING_SECONDS
    while tasks:
        patience = max(0.0, due - time.monotonic())
        arrived, tasks = await asyncio.wait(tasks, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        for task in arrived:
            yield task.result()
        if time.monotonic() >= due:
            await beat()
            due = time.monotonic() + PRESSING_SECONDS
