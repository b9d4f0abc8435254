"""Carries a rollback from its first write to its end, a few writes at a time.

Law: what is to be done follows from the plan, which follows from what is seen; it is journaled before it is begun. A
glance at the EndpointSlices tells that a switch is verified; whatever is written next rests on a look at everything
that is not old.
"""

import asyncio
import contextlib
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from watchdog.clocks import EvenClock
from watchdog.cluster.apply import apply
from watchdog.cluster.autoscalers import read_others
from watchdog.cluster.client import AlteredError, Cluster, ClusterError, ConflictError
from watchdog.cluster.endpoints import glance
from watchdog.core.contest import Reverts, is_done_again, was_undone
from watchdog.core.journal import close_trip, open_trip
from watchdog.core.model import End, FinishedTrip, TargetStatus, Trip
from watchdog.core.others import NOBODY
from watchdog.core.plan import give_pods_back, is_verified, is_waiting, plan
from watchdog.core.readiness import has_followed
from watchdog.core.rules.language import Target
from watchdog.core.steps import CloseTrip, Plan, RestoreGood, ResumeFlux, ScaleDown, Stage, Step, SwitchSelector
from watchdog.core.transition import Event
from watchdog.watch.announce import Announcer
from watchdog.watch.fleet import Fleet
from watchdog.watch.recollection import Recollection

LOOK_SECONDS = 5.0
STUCK_SECONDS = 60.0  # what has not gone on for as long is told to people
GLANCING_SECONDS = 5.0  # after a switch; a controller that needs longer is waited for by the looks of each second
FIRST_PAUSE_SECONDS = 0.003
PAUSE_GROWTH = 1.5  # what is seen too late is at most this share of what it took


class TripRunner:
    """The rollbacks of one target, one at a time."""

    def __init__(
        self,
        target: Target,
        *,
        cluster: Cluster,
        known: Recollection,
        announcer: Announcer,
        fleet: Fleet,
        instance: str,
        sees_clearly: Callable[[], bool],
        clock: EvenClock,
    ) -> None:
        """``sees_clearly`` says whether what was seen last is new enough to write by; it is asked before each step."""
        self._target = target
        self._cluster = cluster
        self._known = known
        self._announcer = announcer
        self._fleet = fleet
        self._instance = instance
        self._sees_clearly = sees_clearly
        self._clock = clock
        self._verified_since: float | None = None
        self._planned: tuple[str, float | None] = ("", None)
        self._reverts = Reverts()
        self._switched_at = -math.inf
        self._awaiting: TargetStatus | None = None  # a switch that the EndpointSlices have not followed yet
        self._waits_since: float | None = None
        self._given_back: set[tuple[str, str]] = set()
        self._others = NOBODY
        self._looked_at = -math.inf
        self._scaled_down: Counter[tuple[str, str]] = Counter()
        self._restored: dict[tuple[str, str], int] = {}
        self._restored_again: Counter[tuple[str, str]] = Counter()

    def note_verified(self, status: TargetStatus) -> None:
        """Remembers since when every Service has had ready endpoints of the good color only."""
        trip = self._known.journal.trip
        self._awaiting = None
        if trip is None or not is_verified(trip, status):
            self._verified_since = None
            self._begin_to_verify(trip, status)
        else:
            self._tell_verified(trip)

    def _begin_to_verify(self, trip: Trip | None, status: TargetStatus) -> None:
        """A Service that is still to be switched, or once more, has endpoints to wait for afterwards: all its time."""
        if trip and trip.first_verified_at is not None and any(each.color != trip.good for each in status.services):
            self._known.journal = replace(self._known.journal, trip=replace(trip, first_verified_at=None))

    def _tell_verified(self, trip: Trip) -> None:
        self._note_first_verified(trip)
        if self._verified_since is None:
            self._verified_since = self._clock()
            self._announcer.changed(Event.VERIFIED, moved=("", trip.good), trip=trip)

    def _note_first_verified(self, trip: Trip) -> None:
        """In memory; the next writing of the journal says so too. A clock that was set back begins anew."""
        now = self._clock()
        if trip.first_verified_at is None or trip.first_verified_at > now:
            self._known.journal = replace(self._known.journal, trip=replace(trip, first_verified_at=now))

    async def follow(self, stopping: asyncio.Event) -> bool:
        """Glances at the EndpointSlices for the moment in which they follow a switch; True when they have just done so.

        The first glances are quick, since a controller takes a few milliseconds.
        """
        pause, trip = FIRST_PAUSE_SECONDS, self._known.journal.trip
        while trip and self._awaiting and self._clock() - self._switched_at < GLANCING_SECONDS:
            services = self._awaiting.services
            try:
                counts = await glance(self._cluster, self._target.namespace, services)
            except ClusterError:
                return False  # the next look says it better
            if all(has_followed(endpoints, trip.good) for endpoints in counts):
                self._awaiting = None
                self._tell_verified(trip)
                return True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await stopping.wait()
                    return False
            pause *= PAUSE_GROWTH
        return False

    async def begin(self, trip: Trip) -> None:
        """Journals a trip before its first write. Raises ClusterError: what cannot be journaled is not begun."""
        if self._known.journal.trip is None:
            self._known.journal = open_trip(self._known.journal, trip)
            self._fleet.tripped(self._target.target, trip.started_at)
        try:
            await self._known.keep()
        except ConflictError:
            self._fleet.spared(self._target.target)  # what is journaled is read anew, and counted by that
            raise

    async def carry_on(self, trip: Trip, status: TargetStatus, *, well: bool) -> None:
        """Takes the next steps. Raises ClusterError; then the next call looks afresh.

        People are told after a switch, and before the trip is closed.
        """
        self._clock.hold()
        now = self._clock()
        try:
            todo = self._plan(trip, status, well=well, now=now)
            if todo.stage is not Stage.SWITCHING and await self._look_for_others(trip, now=now):
                todo = self._plan(trip, status, well=well, now=now)
            self._announcer.stage(trip, todo)
            await self._carry_out(trip, status, todo, now=now)
        finally:
            self._planned = trip.id, self._clock()

    async def _carry_out(self, trip: Trip, status: TargetStatus, todo: Plan, *, now: float) -> None:
        if todo.end is not None:
            self._announcer.progress(trip, status, todo, self._others)
        elif todo.stage is Stage.SWITCHING:
            trip = await self._count_reverts(trip, status, now=now)
        for step in todo.steps:
            if not self._sees_clearly():
                raise ConflictError(f"not {todo.sentence} by what was seen too long ago: looking again")
            await self._write(replace(step, trip=trip), trip, now=now)
            self._announcer.step(step)
            self._note(step, trip)
        if todo.stage is Stage.SWITCHING:
            self._switched_at = self._clock()
        if todo.stage in (Stage.SWITCHING, Stage.VERIFYING):
            self._awaiting = status
        self._tell_of_long_wait(trip, status, todo, now=now)
        self._announcer.progress(trip, status, todo, self._others)
        if todo.end is not None:
            await self._close(replace(trip, unready=todo.unready), todo.end, todo.sentence, now=now)
        await self._announcer.note_progress(trip, status, todo)

    def _note(self, step: Step, trip: Trip) -> None:
        """Remembers a write that was done."""
        match step:
            case SwitchSelector(service=service):
                self._reverts = self._reverts.done_again(service.name)
                self._note_switched(service.name, trip)
            case ScaleDown(deployment=deployment):
                self._scaled_down[trip.id, deployment.name] += 1
                self._count_scalings(trip)
            case RestoreGood():
                self._note_restored(step, trip)
            case ResumeFlux() | CloseTrip():
                pass

    async def _count_reverts(self, trip: Trip, status: TargetStatus, *, now: float) -> Trip:
        """The trip, in which it is journaled that somebody has undone it, before it is done again.

        However often that fails, it is one time. Raises ConflictError when it was one time too many.
        """
        before = self._reverts if self._reverts.trip == trip.id else Reverts(trip.id)
        after = before.seen([service for service in status.services if was_undone(service, trip)], now=now)
        if after.count > before.count:
            counted = replace(trip, times_undone=trip.times_undone + 1)
            self._known.journal = replace(self._known.journal, trip=counted)
            try:
                await self._known.keep()
            except ClusterError:
                self._known.journal = replace(self._known.journal, trip=trip)
                raise
            trip = counted
        self._reverts = after
        if after.count > before.count and not is_done_again(status, trip):
            raise ConflictError(f"{trip.id} was undone {trip.times_undone} times, and is not done again: looking again")
        return trip

    def _note_switched(self, service: str, trip: Trip) -> None:
        """In memory; the next writing of the journal says so too."""
        trip = replace(self._known.journal.trip or trip, first_verified_at=None)
        if service not in trip.switched:
            trip = replace(trip, switched=(*trip.switched, service))
        self._known.journal = replace(self._known.journal, trip=trip)

    def _note_restored(self, step: RestoreGood, trip: Trip) -> None:
        """Counts what was restored before, and has been scaled down since."""
        key = trip.id, step.deployment.name
        self._restored_again[key] += step.deployment.replicas < self._restored.get(key, 0)
        self._restored[key] = step.replicas
        self._count_scalings(trip)

    def _tell_of_long_wait(self, trip: Trip, status: TargetStatus, todo: Plan, *, now: float) -> None:
        """The traffic is on the good color, and for long nobody has been there to take it, or somebody else is.

        Or half of it is, and for long there is nothing that the other half could be given to.
        """
        if not is_waiting(trip, status, todo):
            self._waits_since = None
            return
        self._waits_since = now if self._waits_since is None else self._waits_since
        if now - self._waits_since >= STUCK_SECONDS:
            self._announcer.stuck(trip, status, error=todo.sentence, since=self._waits_since)

    def _plan(self, trip: Trip, status: TargetStatus, *, well: bool, now: float) -> Plan:
        id_, planned_at = self._planned
        return plan(
            self._target,
            trip,
            status,
            verified_since=self._verified_since,
            well=well,
            now=now,
            others=self._others,
            planned_at=planned_at if id_ == trip.id else None,
        )

    async def _look_for_others(self, trip: Trip, *, now: float) -> bool:
        """Looks who else writes here, now and then while a trip is open; True when it has looked.

        Never before a switch that could be done at once.
        """
        if 0 <= now - self._looked_at < LOOK_SECONDS:
            return False
        self._looked_at = now
        self._others = await read_others(self._cluster, self._target.namespace)
        self._looked_at = self._clock()  # a look that takes long must not be the reason for the next one
        self._count_scalings(trip)
        return True

    def _count_scalings(self, trip: Trip) -> None:
        downs, ups = (
            {name: count for (id_, name), count in counts.items() if id_ == trip.id}
            for counts in (self._scaled_down, self._restored_again)
        )
        self._others = replace(self._others, scaled_down=downs, restored_again=ups)

    async def give_pods_back(self, trip: Trip, status: TargetStatus) -> None:
        """For what a contested trip has left without pods. Once: who takes them away again has decided it."""
        for step in give_pods_back(trip, status):
            if (trip.id, step.deployment.name) not in self._given_back:
                await self._write(step, trip, now=self._clock())
                self._given_back.add((trip.id, step.deployment.name))
                self._announcer.step(step)

    async def leave(self, trip: Trip, sentence: str) -> None:
        """Ends a trip that has switched nothing, because it is not for this watchdog to go on. Raises ClusterError."""
        await self._close(trip, End.GIVEN_UP, sentence, now=self._clock())

    async def _write(self, step: Step, trip: Trip, *, now: float) -> None:
        try:
            await apply(self._cluster, self._target.namespace, step, now=now, instance=self._instance)
        except AlteredError as error:
            trip = self._known.journal.trip or trip
            held = replace(trip, altered=str(error), times_altered=trip.times_altered + 1)
            self._known.journal = replace(self._known.journal, trip=held)
            await self._known.keep()
            raise

    async def _close(self, trip: Trip, end: End, sentence: str, *, now: float) -> None:
        self._known.journal = close_trip(self._known.journal, FinishedTrip(trip=trip, finished_at=now, end=end))
        if end is End.GIVEN_UP:
            self._fleet.spared(self._target.target)
        await self._known.keep()
        self._announcer.changed(Event.FINISHED, moved=(trip.bad, trip.good), sentence=sentence, trip=trip, end=end)
