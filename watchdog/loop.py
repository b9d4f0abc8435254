"""The heartbeat of one target: observe, measure, evaluate, decide, apply.

Law: what is kept between ticks only spares people repetitions; what was begun is read from the cluster each time.

A tick looks at the cluster first and carries on what is open there. In a new slot every rule is measured, all at once,
and each is evaluated the moment its own answer arrives: a source that hangs delays nobody else's rule, and a rule that
trips is acted on in the same tick.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from watchdog.announce import Announcer, Reporter
from watchdog.cluster.apply import apply
from watchdog.cluster.client import Cluster, ClusterError, ConflictError
from watchdog.cluster.observe import Myself, read_namespace, status_of
from watchdog.core.decide import Hold, Situation, decide
from watchdog.core.evaluate import all_well, breaches_now, evaluate, fresh_state, judge, tripped
from watchdog.core.model import Measurement, Outcome, RuleState, TargetStatus, Trip, TrippedRule
from watchdog.core.plan import Stage, is_verified, plan
from watchdog.core.rules.language import Mode, Rule, Target
from watchdog.core.slots import missed_slots, slot_at
from watchdog.core.transition import Event

OPEN_TRIP_SECONDS = 1.0
TRIES = 5


class Source(Protocol):
    """Answers rules of one kind. It never raises."""

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:
        """The value of the rule for one color at one slot."""
        ...


@dataclass(slots=True)
class _Memory:
    """What one process remembers of a target. Losing it costs a repetition or a wait, never a rollback."""

    states: dict[str, RuleState] = field(default_factory=dict)
    slot: float | None = None
    active: str | None = None
    release: str = ""
    release_since: float = 0.0
    verified_since: float | None = None
    urgent: bool = False


class Watch:
    """Watches one target."""

    def __init__(
        self,
        target: Target,
        *,
        cluster: Cluster,
        sources: Mapping[str, Source],
        reporter: Reporter,
        dry_run: bool = False,
        myself: Myself | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``sources`` holds one for each kind of rule in the target; ``dry_run`` overrides its mode."""
        self._target = target
        self._cluster = cluster
        self._sources = sources
        self._reporter = reporter
        self._dry_run = dry_run or target.mode is Mode.DRY_RUN
        self._myself = myself
        self._clock = clock
        self._announcer = Announcer(target, cluster=cluster, reporter=reporter, events=not self._dry_run, clock=clock)
        self._memory = _Memory()

    async def run(self, stopping: asyncio.Event) -> None:
        """Ticks each slot, and each second while something is urgent; stops between two ticks."""
        while not stopping.is_set():
            await self.tick()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._until_next_tick()):
                    await stopping.wait()

    def _until_next_tick(self) -> float:
        now = self._clock()
        until_slot = slot_at(self._target, now) + self._target.interval - now
        return min(OPEN_TRIP_SECONDS, until_slot) if self._memory.urgent else until_slot

    async def tick(self) -> None:
        """One tick. A cluster that cannot be seen ends it, and the next one looks afresh."""
        started = time.monotonic()
        slot = slot_at(self._target, self._clock())
        missed = missed_slots(self._target, self._memory.slot, slot)
        status = await self._observed()
        if status is not None:
            if status.trip is not None or self._memory.urgent:
                await self._act(status)
            if slot != self._memory.slot:
                await self._evaluate_slot(status, slot)
        seconds = time.monotonic() - started
        self._reporter.ticked(self._target, seconds=seconds, missed=missed, complete=status is not None)

    # observe

    async def _observed(self) -> TargetStatus | None:
        try:
            return await self._observe()
        except ClusterError as error:
            self._announcer.changed(Event.CLUSTER, moved=("", "not seen"), sentence=str(error))
            return None

    async def _observe(self) -> TargetStatus:
        snapshot = await read_namespace(self._cluster, self._target.namespace, self._myself)
        now = self._clock()
        status = status_of(self._target, snapshot, now=now)
        self._note_release(status, now)
        self._note_verified(status, now)
        return status

    def _note_release(self, status: TargetStatus, now: float) -> None:
        memory, active = self._memory, status.active
        if active is None or status.release(active) == memory.release:
            return
        # A switch is dated by the API server; a new revision of the same color is new since now.
        switches = [service.switched_at for service in status.services if service.switched_at is not None]
        memory.release_since = max(switches, default=now) if active != memory.active else now
        memory.active, memory.release = active, status.release(active)

    def _note_verified(self, status: TargetStatus, now: float) -> None:
        memory = self._memory
        if status.trip is None or not is_verified(status.trip, status):
            memory.verified_since = None
        elif memory.verified_since is None:
            memory.verified_since = now
            self._announcer.changed(Event.VERIFIED, moved=("", status.trip.good), trip=status.trip)

    # measure and evaluate

    async def _evaluate_slot(self, status: TargetStatus, slot: float) -> None:
        self._memory.slot = slot
        if status.active is not None and await self._rolls_back_in(slot, status.active):
            return
        if status.trip is None:
            await self._act(None)

    async def _rolls_back_in(self, slot: float, color: str) -> bool:
        """Measures every rule, evaluates each as its answer arrives, and acts on what trips; True for a rollback."""
        release = self._memory.release
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._timed(rule, color, slot)) for rule in self._target.rules]
            for arrived in asyncio.as_completed(tasks):
                rule, measurement, seconds = await arrived
                if release != self._memory.release:
                    break  # the traffic has moved: this is evidence about a release that is gone
                state = self._evaluate(rule, measurement, color=color, slot=slot)
                self._reporter.measured(self._target, rule, state, seconds=seconds)
                if rule.action == "rollback" and breaches_now(state, slot) and await self._act(None):
                    break
            else:
                return False
            for task in tasks:
                task.cancel()
        return True

    async def _timed(self, rule: Rule, color: str, slot: float) -> tuple[Rule, Measurement, float]:
        began = time.monotonic()
        return rule, await self._measure(rule, color, slot), time.monotonic() - began

    async def _measure(self, rule: Rule, color: str, slot: float) -> Measurement:
        if slot < self._memory.release_since + rule.initial_delay:
            return Measurement(failure=Outcome.INSUFFICIENT, reason=f"within initial_delay of {color}")
        source = self._sources[rule.source]
        return await source.measure(rule, color=color, namespace=self._target.namespace, slot=slot)

    def _evaluate(self, rule: Rule, measurement: Measurement, *, color: str, slot: float) -> RuleState:
        before = self._states().get(rule.alert) or fresh_state(rule, self._memory.release)
        after = evaluate(rule, before, measurement, slot=slot, interval=self._target.interval)
        self._memory.states[rule.alert] = after
        self._announcer.rule(rule, before, after, color=color)
        return after

    def _states(self) -> dict[str, RuleState]:
        """What is known of the rules about the release that is active now; what was seen of another is no evidence."""
        memory = self._memory
        known = {rule.alert: fresh_state(rule, memory.release).key for rule in self._target.rules}
        return {alert: state for alert, state in memory.states.items() if state.key == known[alert]}

    # decide and apply

    async def _act(self, status: TargetStatus | None) -> bool:
        """Decides, and does what was decided; True when that was a rollback.

        A conflict means: look again and decide again, at once. A cluster that fails in between makes it urgent: the
        next tick is a second away.
        """
        for _ in range(TRIES):
            try:
                status = status or await self._observe()
                return await self._decide_and_do(status)
            except ConflictError as conflict:
                self._announcer.changed(Event.CLUSTER, moved=("", "conflict"), sentence=str(conflict))
                status = None
            except ClusterError as error:
                self._announcer.changed(Event.CLUSTER, moved=("", "failed"), sentence=str(error))
                break
        self._memory.urgent = True
        return False

    async def _decide_and_do(self, status: TargetStatus) -> bool:
        rules = self._tripped(status)
        situation = Situation(
            target=self._target,
            status=status,
            tripped=rules,
            other_breaches=await self._breaches_elsewhere(status, rules),
            now=self._clock(),
            dry_run=self._dry_run,
        )
        decision = decide(situation)
        if isinstance(decision, Hold):
            self._memory.urgent = status.trip is not None
            await self._announcer.decision(decision, status, rules)
            return False
        self._memory.urgent = True
        await self._announcer.decision(decision, status, rules)
        await self._carry_on(decision.trip, status)
        return True

    def _tripped(self, status: TargetStatus) -> tuple[TrippedRule, ...]:
        """The rules that ask to leave the active color, on the evidence of the newest slot."""
        slot = self._memory.slot
        return () if slot is None or status.active is None else tripped(self._target, self._states(), slot)

    async def _breaches_elsewhere(self, status: TargetStatus, rules: tuple[TrippedRule, ...]) -> tuple[str, ...]:
        """Those of the tripped rules that breach on the other color too. It is asked only when something fires."""
        if status.trip is not None or status.active is None:
            return ()
        color, slot = self._target.other(status.active), self._memory.slot or 0.0
        asked = [rule for rule in self._target.rules if rule.alert in {each.alert for each in rules}]
        measured = [
            self._sources[rule.source].measure(rule, color=color, namespace=self._target.namespace, slot=slot)
            for rule in asked
        ]
        answers = zip(asked, await asyncio.gather(*measured), strict=True)
        return tuple(
            rule.alert
            for rule, answer in answers
            # What is missing on an idle color is no breach of it, whatever no_data says.
            if answer.failure is None and judge(rule, answer)[0] is Outcome.BREACH
        )

    async def _carry_on(self, trip: Trip, status: TargetStatus) -> None:
        """Takes the next steps of a rollback. People are told after a switch, and before the trip is closed."""
        memory, now = self._memory, self._clock()
        well = status.active == trip.good and all_well((rule.alert for rule in trip.rules), self._states())
        todo = plan(self._target, trip, status, verified_since=memory.verified_since, well=well, now=now)
        self._announcer.stage(trip, todo)
        if todo.stage is Stage.FINISHED:
            await self._announcer.progress(trip, status, todo)
        for step in todo.steps:
            await apply(self._cluster, self._target.namespace, step, now=now)
            self._announcer.step(step)
        if todo.stage is Stage.FINISHED:
            memory.urgent = False
            self._announcer.changed(Event.FINISHED, moved=(trip.bad, trip.good), sentence=todo.sentence, trip=trip)
        else:
            await self._announcer.progress(trip, status, todo)
