"""The heartbeat of one target: observe, measure, evaluate, decide, apply.

Law: what was begun is in the journal before it is begun, and what the cluster looks like is read each time; what else
a process remembers costs a repetition or a wait when it is lost, never a rollback.

A tick looks at the cluster first and carries on what is open there. In a new slot every rule is measured, all at once,
and each is evaluated the moment its own answer arrives: a source that hangs delays nobody else's rule, and a rule that
trips is acted on in the same tick. What is open goes on each second while answers are awaited, too.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from watchdog.clocks import Clock, EvenClock, boot_clock
from watchdog.cluster.client import Cluster, ClusterError, ConflictError, NotLeaderError
from watchdog.cluster.journal import JournalStore
from watchdog.cluster.observe import MissingError, Myself
from watchdog.core.alert import Alert
from watchdog.core.decide import decide
from watchdog.core.decision import Decision, Hold, Reason, Rollback, Situation
from watchdog.core.evaluate import tripped
from watchdog.core.guards import storm
from watchdog.core.journal import post, share
from watchdog.core.model import FinishedTrip, TargetStatus, Trip, TrippedRule
from watchdog.core.ownership import has_switched
from watchdog.core.plan import is_well
from watchdog.core.rules.language import Mode, Target
from watchdog.core.slots import missed_slots, slot_at
from watchdog.core.transition import Event, Problem
from watchdog.watch.announce import Announcer, Reporter
from watchdog.watch.evidence import PRESSING_SECONDS, Evidence, Source
from watchdog.watch.fleet import Fleet
from watchdog.watch.lookout import Lookout
from watchdog.watch.recollection import Recollection
from watchdog.watch.trip_runner import STUCK_SECONDS, TripRunner

TRIES = 5
FRESH_SECONDS = 2.0  # what was seen longer ago is not written by


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
        instance: str = "",
        dry_run: bool = False,
        myself: Myself | None = None,
        rules_since: float | None = None,
        clock: Clock | None = None,
        steady: Clock | None = None,
    ) -> None:
        """``sources`` holds one for each kind of rule in the target, save those that look at the cluster itself.

        ``dry_run`` overrides the target's mode. ``instance`` is this installation (`core/ownership.py`); "" marks
        nothing and minds no mark. ``rules_since`` is when the target's files came, in Unix seconds; None leaves what is
        in force as it is. ``clock`` is Unix seconds, and ``steady`` the clock by which a rollback goes on when somebody
        sets that one.
        """
        self._target = target
        self._fleet = fleet or Fleet(1)
        self._reporter = reporter
        self._instance = instance
        self._dry_run = dry_run
        self._clock = clock = EvenClock(clock or time.time, steady or clock or boot_clock)
        self._announcer = Announcer(
            target,
            cluster=cluster,
            reporter=reporter,
            post=self._post,
            events=not dry_run and target.mode is Mode.ENFORCE,
            clock=clock,
        )
        self._known = Recollection(target.target, journal, is_settled=reporter.is_settled)
        self._evidence = Evidence(
            target, sources=sources, known=self._known, announcer=self._announcer, reporter=reporter
        )
        self._trips = TripRunner(
            target,
            cluster=cluster,
            known=self._known,
            announcer=self._announcer,
            fleet=self._fleet,
            instance=instance,
            sees_clearly=self._sees_clearly,
            clock=clock,
        )
        self._lookout = Lookout(
            target,
            cluster=cluster,
            known=self._known,
            evidence=self._evidence,
            announcer=self._announcer,
            fleet=self._fleet,
            instance=instance,
            myself=myself,
            rules_since=rules_since,
            clock=clock,
        )
        self._seen: TargetStatus | None = None
        self._retires: float | None = None  # since when the rule files do not have this target
        self._urgent = False  # something is to be done that failed: the next tick is not a slot away
        self._failing_since: float | None = None
        self._trip_to_count = ""  # begun by this process, and not yet counted against those of other replicas

    @property
    def target(self) -> Target:
        """What is watched, by which rules."""
        return self._target

    @property
    def is_rolling_back(self) -> bool:
        """True while a rollback is open, as far as it was seen."""
        return self._known.journal.trip is not None

    async def run(self, stopping: asyncio.Event) -> None:
        """Ticks each slot, each second while something is urgent, at once after a switch; stops between two ticks."""
        while not stopping.is_set():
            await self.tick()
            await self._rest(stopping, self._until_next_tick())
        if self._retires is not None:
            await self._observed()  # another writer may have been quicker: what is written is what was read
            if not self.is_rolling_back:
                self._lookout.retire(self._retires)
                await self._try_to_keep()

    def retire(self, since: float) -> None:
        """Since then the rule files do not have this target: once it is left, no replica that lags may act on it."""
        self._retires = since

    async def _rest(self, stopping: asyncio.Event, seconds: float) -> None:
        """Waits for the next tick, which is due at once when a switch was seen to be verified meanwhile."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                if not await self._trips.follow(stopping):
                    await stopping.wait()

    def _until_next_tick(self) -> float:
        now = self._clock()
        slot = slot_at(self._target, now)
        until_slot = slot + self._target.interval - now if slot == self._evidence.slot else 0.0
        return min(PRESSING_SECONDS, until_slot) if self._urgent else until_slot

    async def tick(self) -> None:
        """One tick. A cluster that cannot be seen ends it, and the next one looks afresh."""
        started, before = time.monotonic(), self._evidence.slot
        if self._known.journal.trip is None:
            self._clock.release()
        status = await self._observed()
        if status is not None and self._is_pressing:
            await self._act(status)
        # What is asked is the newest slot: looking and acting may have taken longer than one.
        slot = slot_at(self._target, self._clock())
        if slot != before:
            await self._evaluate_slot(status, slot)
        if status is not None:
            await self._try_to_keep()
        seconds, missed = time.monotonic() - started, missed_slots(self._target, before, slot)
        self._reporter.ticked(self._target, seconds=seconds, missed=missed, complete=status is not None)

    @property
    def _is_pressing(self) -> bool:
        return self._known.journal.trip is not None or self._urgent

    # observe, and remember

    async def _observed(self) -> TargetStatus | None:
        try:
            return await self._observe()
        except ClusterError as error:
            self._evidence.saw(None)
            self._announcer.changed(Event.CLUSTER, moved=("", Problem.NOT_SEEN), sentence=str(error))
            if self._is_pressing:
                self._fail(error)
            elif isinstance(error, MissingError):
                self._tell_of_long_failure(error)
            return None

    async def _observe(self) -> TargetStatus:
        self._seen = status = await self._lookout.look()
        if not self._known.unreadable:
            self._trips.note_verified(status)
        return status

    def _sees_clearly(self) -> bool:
        """True while what was seen last is new enough to write by."""
        return time.monotonic() - self._lookout.looked_at <= FRESH_SECONDS

    def _post(self, alert: Alert) -> None:
        self._known.journal = post(self._known.journal, alert)

    async def _try_to_keep(self) -> None:
        """Writes the journal where nothing depends on it yet: what cannot be written now is written later."""
        try:
            await self._known.keep()
        except ClusterError as error:
            self._announcer.changed(Event.CLUSTER, moved=("", Problem.JOURNAL_NOT_WRITTEN), sentence=str(error))

    # measure and evaluate

    async def _evaluate_slot(self, status: TargetStatus | None, slot: float) -> None:
        self._evidence.slot = slot
        if status is None:
            await self._evaluate_unseen(slot)
            return
        if status.active is not None and await self._take(slot, status.active, act=lambda: self._act(None)):
            return
        if self._known.journal.trip is None:
            # Where nothing has tripped nothing can come of it, and what was seen at the start of the tick will do.
            await self._act(None if self._evidence.tripped(status) else status)

    async def _evaluate_unseen(self, slot: float) -> None:
        """A cluster that cannot be seen stops no rule: people are alerted, and what trips is acted on when it can."""
        if self._known.journal.stays:
            await self._take(slot, self._known.journal.stays[-1].color, act=_nothing)
            self._urgent = self._urgent or bool(tripped(self._target, self._evidence.states(), slot))

    async def _take(self, slot: float, color: str, *, act: Callable[[], Awaitable[bool]]) -> bool:
        left = slot + self._target.interval - self._clock()
        return await self._evidence.take(slot, color, left=left, act=act, beat=self._press_on)

    async def _press_on(self) -> None:
        """What is open does not wait for a source that hangs."""
        if self._is_pressing:
            await self._act(None)

    # decide and apply

    async def _act(self, status: TargetStatus | None) -> bool:
        """Decides, and does what was decided; True when that was a rollback.

        A conflict means: look again and decide again, at once. A cluster that fails in between makes it urgent: the
        next tick is a second away.
        """
        last: ClusterError | None = None
        for _ in range(TRIES):
            try:
                status = status or await self._observe()
                done = await self._decide_and_do(status)
            except ConflictError as conflict:
                self._announcer.changed(Event.CLUSTER, moved=("", Problem.CONFLICT), sentence=str(conflict))
                status, last = None, conflict
            except ClusterError as error:
                self._announcer.changed(Event.CLUSTER, moved=("", Problem.FAILED), sentence=str(error))
                last = error
                break
            else:
                self._failing_since = None
                return done
        self._fail(last)
        return False

    def _fail(self, error: ClusterError | None) -> None:
        """Makes it urgent: the next tick is a second away."""
        self._urgent = True
        self._tell_of_long_failure(error)

    def _tell_of_long_failure(self, error: ClusterError | None) -> None:
        """What fails for long is told to people, who may see what the watchdog does not."""
        now = self._clock()
        self._failing_since = now if self._failing_since is None else self._failing_since
        is_ours = not isinstance(error, NotLeaderError)
        if is_ours and now - self._failing_since >= STUCK_SECONDS:
            trip = self._known.journal.trip
            self._announcer.stuck(trip, self._seen, error=str(error), since=self._failing_since)

    async def _decide_and_do(self, status: TargetStatus) -> bool:
        rules, trip = self._evidence.tripped(status), self._known.journal.trip
        breaches = await self._look_beyond(status, rules)
        self._known.journal = share(self._known.journal, breaches)
        decision = decide(replace(self._situation(status, rules), other_breaches=breaches))
        self._urgent = isinstance(decision, Rollback) or trip is not None
        await self._announcer.decision(decision, status, trip, rules)
        if isinstance(decision, Hold):
            await self._hold(decision.reason, decision.sentence, trip, status)
            return False
        if trip is None:
            self._trip_to_count = decision.trip.id
        await self._trips.begin(decision.trip)
        if decision.trip.id == self._trip_to_count and await self._is_one_too_many(decision.trip, status):
            return False
        await self._trips.carry_on(decision.trip, status, well=self._is_well(decision.trip, status))
        self._urgent = self._known.journal.trip is not None
        return True

    async def _hold(self, reason: Reason, sentence: str, trip: Trip | None, status: TargetStatus) -> None:
        """What is done for a trip that is held: nothing towards its end."""
        if trip is not None and reason is Reason.FOREIGN and not has_switched(status, self._instance):
            await self._trips.leave(trip, sentence)
        elif trip is not None and reason in (Reason.CONTESTED, Reason.NOT_KNOWN_GOOD):
            await self._trips.give_pods_back(trip, status)

    async def _look_beyond(self, status: TargetStatus, rules: tuple[TrippedRule, ...]) -> tuple[str, ...]:
        """Asks for what only a new rollback depends on; returns the tripped rules that breach on both colors."""
        if self._known.journal.trip is not None or not rules:
            return ()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._fleet.look())
                breaches = group.create_task(self._evidence.elsewhere(status, rules))
        except* ClusterError as errors:
            raise errors.exceptions[0] from None
        return breaches.result()

    async def _is_one_too_many(self, trip: Trip, status: TargetStatus) -> bool:
        """True for a trip that was ended because other replicas have begun theirs meanwhile: those that are journaled.

        Of two replicas that have each journaled a trip, one sees the other's at least. Who could not look goes on only
        when it has.
        """
        if not self._fleet.is_shared:
            return False
        await self._fleet.look()
        self._trip_to_count = ""
        hold = storm(self._situation(status, trip.rules))
        if hold is None or hold.reason in trip.overrides:
            return False
        await self._announcer.decision(hold, status, None, trip.rules)
        await self._trips.leave(trip, hold.sentence)
        self._urgent = False
        return True

    def _is_well(self, trip: Trip, status: TargetStatus) -> bool:
        return status.active == trip.good and is_well(self._target, trip, self._evidence.states())

    def _situation(self, status: TargetStatus, rules: tuple[TrippedRule, ...]) -> Situation:
        now = self._clock()
        return Situation(
            target=self._target,
            status=status,
            journal=self._known.journal,
            tripped=rules,
            other_breaches=(),
            now=now,
            dry_run=self._dry_run,
            instance=self._instance,
            others_tripped=self._fleet.others_tripped(self._target.target, now=now),
            fleet_size=self._fleet.size,
            is_outdated=self._lookout.is_outdated,
        )

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
        await self._trips.begin(trip)
        while self._known.journal.trip is not None:
            await self._act(None)
            await self._rest(asyncio.Event(), PRESSING_SECONDS)
        return next((ended for ended in self._known.journal.finished if ended.trip.id == trip.id), None)


async def _nothing() -> bool:
    return False
