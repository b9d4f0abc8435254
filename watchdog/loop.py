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
from dataclasses import dataclass, replace
from typing import Protocol

from watchdog.announce import Announcer, Reporter
from watchdog.cluster.apply import apply
from watchdog.cluster.client import Cluster, ClusterError, ConflictError
from watchdog.cluster.journal import JournalStore
from watchdog.cluster.observe import Myself, read_namespace, status_of
from watchdog.core.alert import Alert
from watchdog.core.annotations import UnreadableRecordError
from watchdog.core.contest import was_undone
from watchdog.core.decide import Decision, Hold, Reason, Rollback, Situation, decide
from watchdog.core.evaluate import all_well, breaches_now, evaluate, fresh_state, judge, tripped
from watchdog.core.journal import (
    Journal,
    adopt,
    close_trip,
    is_strange,
    open_trip,
    post,
    remember,
    see,
    send_off,
    trips,
    worth_keeping,
)
from watchdog.core.model import FinishedTrip, Measurement, Outcome, Phase, RuleState, TargetStatus, Trip, TrippedRule
from watchdog.core.plan import Plan, Stage, is_verified, plan, tripped_rules
from watchdog.core.rules.language import Mode, Rule, Target
from watchdog.core.slots import missed_slots, slot_at
from watchdog.core.transition import Event
from watchdog.fleet import Fleet

OPEN_TRIP_SECONDS = 1.0
TRIES = 5
ENDS = (Stage.FINISHED, Stage.GIVEN_UP)


class Source(Protocol):
    """Answers rules of one kind. It never raises."""

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:
        """The value of the rule for one color at one slot."""
        ...


@dataclass(slots=True)
class _Memory:
    """What one process remembers of a target. Losing it costs a repetition or a wait, never a rollback.

    ``journal`` is None until it was read, and after somebody else wrote it; ``kept`` is what was written last.
    """

    journal: Journal | None = None
    kept: Journal | None = None
    slot: float | None = None
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
        journal: JournalStore,
        reporter: Reporter,
        fleet: Fleet | None = None,
        dry_run: bool = False,
        myself: Myself | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``sources`` holds one for each kind of rule in the target; ``dry_run`` overrides its mode."""
        self._target = target
        self._cluster = cluster
        self._sources = sources
        self._store = journal
        self._fleet = fleet or Fleet(1)
        self._reporter = reporter
        self._dry_run = dry_run or target.mode is Mode.DRY_RUN
        self._myself = myself
        self._clock = clock
        self._announcer = Announcer(
            target, cluster=cluster, reporter=reporter, post=self._post, events=not self._dry_run, clock=clock
        )
        self._memory = _Memory()
        self._unreadable = ""

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
            if self._journal.trip is not None or self._memory.urgent:
                await self._act(status)
            if slot != self._memory.slot:
                await self._evaluate_slot(status, slot)
            await self._try_to_keep()
        seconds = time.monotonic() - started
        self._reporter.ticked(self._target, seconds=seconds, missed=missed, complete=status is not None)

    # observe, and remember

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
        try:
            if self._memory.journal is None or is_strange(self._memory.journal, status):
                self._memory.kept = await self._store.load()
                self._memory.journal = adopt(self._memory.kept, status)
                self._announcer.resend(self._journal.outbox)
                for trip in trips(self._journal):
                    self._fleet.tripped(self._target.target, trip.started_at)
        except UnreadableRecordError as error:
            self._memory.journal = Journal(target=self._target.target)
            self._memory.kept = self._memory.journal
            self._unreadable = str(error)
        if self._unreadable:
            return replace(status, unreadable=self._unreadable)
        self._memory.journal = see(self._journal, status, firing=self._is_firing(), now=now)
        self._note_verified(status, now)
        return status

    @property
    def _journal(self) -> Journal:
        return self._memory.journal or Journal(target=self._target.target)

    def _post(self, alert: Alert) -> None:
        self._memory.journal = post(self._journal, alert)

    def _is_firing(self) -> bool:
        """True when a rule that rolls back fires on the release that was active until now."""
        acting = {rule.alert for rule in self._target.rules if rule.action == "rollback"}
        return any(state.phase is Phase.FIRING for alert, state in self._states().items() if alert in acting)

    async def _keep(self) -> None:
        """Writes the journal when it says something new. Raises ClusterError; after a conflict it is read anew."""
        if self._unreadable:
            return
        self._memory.journal = send_off(self._journal, self._reporter.is_settled)
        worth = worth_keeping(self._journal)
        if worth == self._memory.kept:
            return
        try:
            await self._store.save(worth)
        except ConflictError:
            self._memory.journal = None
            raise
        self._memory.kept = worth

    async def _try_to_keep(self) -> None:
        """The same where nothing depends on it yet: what cannot be written now is written later."""
        try:
            await self._keep()
        except (ClusterError, UnreadableRecordError) as error:
            self._announcer.changed(Event.CLUSTER, moved=("", "journal not written"), sentence=str(error))

    def _note_verified(self, status: TargetStatus, now: float) -> None:
        memory, trip = self._memory, self._journal.trip
        if trip is None or not is_verified(trip, status):
            memory.verified_since = None
        elif memory.verified_since is None:
            memory.verified_since = now
            self._announcer.changed(Event.VERIFIED, moved=("", trip.good), trip=trip)

    # measure and evaluate

    async def _evaluate_slot(self, status: TargetStatus, slot: float) -> None:
        self._memory.slot = slot
        if status.active is not None and await self._rolls_back_in(slot, status.active):
            return
        if self._journal.trip is None:
            await self._act(None)

    async def _rolls_back_in(self, slot: float, color: str) -> bool:
        """Measures every rule, evaluates each as its answer arrives, and acts on what trips; True for a rollback."""
        release = self._release()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._timed(rule, color, slot)) for rule in self._target.rules]
            for arrived in asyncio.as_completed(tasks):
                rule, measurement, seconds = await arrived
                if release != self._release():
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
        if slot < self._active_since() + rule.initial_delay:
            return Measurement(failure=Outcome.INSUFFICIENT, reason=f"within initial_delay of {color}")
        source = self._sources[rule.source]
        return await source.measure(rule, color=color, namespace=self._target.namespace, slot=slot)

    def _evaluate(self, rule: Rule, measurement: Measurement, *, color: str, slot: float) -> RuleState:
        before = self._states().get(rule.alert) or fresh_state(rule, self._release())
        after = evaluate(rule, before, measurement, slot=slot, interval=self._target.interval)
        self._memory.journal = remember(self._journal, after)
        self._announcer.rule(rule, before, after, color=color)
        return after

    def _states(self) -> dict[str, RuleState]:
        """What is known of the rules about the release that is active now; what was seen of another is no evidence."""
        release, states = self._release(), self._journal.states
        known = {rule.alert: fresh_state(rule, release).key for rule in self._target.rules}
        return {alert: state for alert, state in states.items() if state.key == known.get(alert)}

    def _release(self) -> str:
        """The release that is active now, as far as it was seen."""
        return self._journal.stays[-1].release if self._journal.stays else ""

    def _active_since(self) -> float:
        return self._journal.stays[-1].since if self._journal.stays else 0.0

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
        rules, trip = self._tripped(status), self._journal.trip
        situation = self._situation(status, rules)
        situation = replace(situation, other_breaches=await self._breaches_elsewhere(status, rules))
        decision = decide(situation)
        self._memory.urgent = isinstance(decision, Rollback) or trip is not None
        await self._announcer.decision(decision, status, trip, rules)
        if isinstance(decision, Hold):
            return False
        await self._begin(decision.trip)
        await self._carry_on(decision.trip, status)
        return True

    def _situation(self, status: TargetStatus, rules: tuple[TrippedRule, ...]) -> Situation:
        now = self._clock()
        return Situation(
            target=self._target,
            status=status,
            journal=self._journal,
            tripped=rules,
            other_breaches=(),
            now=now,
            dry_run=self._dry_run,
            others_tripped=self._fleet.others_tripped(self._target.target, now=now),
            fleet_size=self._fleet.size,
        )

    async def _begin(self, trip: Trip) -> None:
        """Journals a trip before its first write: what cannot be journaled is not begun."""
        if self._journal.trip is None:
            self._memory.journal = open_trip(self._journal, trip)
            self._fleet.tripped(self._target.target, trip.started_at)
        await self._keep()

    # by hand

    async def judge_by_hand(self, why: TrippedRule, *, overrides: frozenset[Reason], undoes: str = "") -> Decision:
        """What the guards say to a rollback that a person asks for. Raises ClusterError."""
        status = await self._observe()
        situation = self._situation(status, (why,))
        return decide(replace(situation, overrides=overrides, undoes=undoes))

    async def roll_back_by_hand(self, trip: Trip) -> FinishedTrip | None:
        """Begins a trip that was judged, and ticks until it has ended; None when the journal was lost meanwhile.

        Raises ClusterError when it cannot be journaled.
        """
        await self._begin(trip)
        while self._journal.trip is not None:
            await self._act(None)
            await asyncio.sleep(OPEN_TRIP_SECONDS)
        return next((ended for ended in self._journal.finished if ended.trip.id == trip.id), None)

    def _tripped(self, status: TargetStatus) -> tuple[TrippedRule, ...]:
        """The rules that ask to leave the active color, on the evidence of the newest slot."""
        slot = self._memory.slot
        return () if slot is None or status.active is None else tripped(self._target, self._states(), slot)

    async def _breaches_elsewhere(self, status: TargetStatus, rules: tuple[TrippedRule, ...]) -> tuple[str, ...]:
        """Those of the tripped rules that breach on the other color too. It is asked only when something fires."""
        if self._journal.trip is not None or status.active is None:
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
        now = self._clock()
        well = status.active == trip.good and all_well(tripped_rules(self._target, trip), self._states())
        since = self._memory.verified_since
        todo = plan(self._target, trip, status, verified_since=since, well=well, now=now)
        self._announcer.stage(trip, todo)
        if todo.stage in ENDS:
            await self._announcer.progress(trip, status, todo)
        elif todo.stage is Stage.SWITCHING and any(was_undone(service, trip) for service in status.services):
            self._memory.journal = replace(self._journal, trip=replace(trip, reapplied=trip.reapplied + 1))
            await self._keep()
        for step in todo.steps:
            await apply(self._cluster, self._target.namespace, step, now=now)
            self._announcer.step(step)
        if todo.stage in ENDS:
            await self._close(trip, todo, now=now)
        else:
            await self._announcer.progress(trip, status, todo)

    async def _close(self, trip: Trip, todo: Plan, *, now: float) -> None:
        ended = FinishedTrip(
            trip=trip, finished_at=now, recovered=todo.recovered, switched=todo.stage is Stage.FINISHED
        )
        self._memory.journal = close_trip(self._journal, ended)
        await self._keep()
        self._memory.urgent = False
        self._announcer.changed(Event.FINISHED, moved=(trip.bad, trip.good), sentence=todo.sentence, trip=trip)
