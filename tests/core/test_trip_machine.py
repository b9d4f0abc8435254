"""Rollbacks among everybody else: whatever happens, each ends or is told, and nothing is switched to what is not there.

Law: decisions, plans and the journal are the shipped ones; around them is a model of the cluster, of whoever else
writes to it, and of two processes of which either may end after any write.
"""

import contextlib
import math
from collections import Counter
from dataclasses import dataclass, field, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.core.making import COLORS, NOW, TRIPPED, deployment, service, target
from watchdog.core.annotations import REPLICAS, TRIP
from watchdog.core.contest import is_done_again, was_undone
from watchdog.core.decide import decide
from watchdog.core.decision import Decision, Hold, Reason, Situation
from watchdog.core.journal import (
    Ending,
    Journal,
    Stay,
    close_trip,
    open_trip,
    see,
    why_not_known_good,
    worth_keeping,
)
from watchdog.core.journal_text import read_journal, write_journal
from watchdog.core.model import BY_HAND, FinishedTrip, TargetStatus, Trip, TrippedRule
from watchdog.core.others import Others
from watchdog.core.plan import give_pods_back, is_verified, is_waiting, plan
from watchdog.core.steps import CloseTrip, Plan, RestoreGood, ResumeFlux, ScaleDown, Stage, Step, SwitchSelector

WITHIN = target(rollback={"ready_timeout": "2m", "cooldown": "30m", "scale_down_delay": "30s"})
SERVICES = tuple(each.name for each in WITHIN.services)
SIZE = 3
STUCK = 60.0
STEP = 10.0
LONGEST = 1000.0
SETTLING = 1500.0
"""Longer than all deadlines of a rollback one after the other, and shorter than the cooldown."""
MOST_TRIPS = 3
"""That may begin while nothing changes: one that is void, one that is given up, and one by hand."""


class StoppedError(Exception):
    """The process has ended."""


NEVER = (math.inf, 0.0)
KEPT = st.sampled_from([None, None, 0, 1, SIZE])
FLAPS = st.sampled_from([NEVER, NEVER, (20.0, 10.0), (120.0, 10.0), (40.0, 10.0)])
ROOM = st.sampled_from([10, 10, 2, 0])


@dataclass
class Service:
    """As much of a Service as a rollback looks at."""

    color: str
    version: int = 0
    is_marked: bool = False
    manager: str = "kubectl"


@dataclass
class Workload:
    """As much of a Deployment."""

    replicas: int = SIZE
    version: int = 0
    saved: int = 0
    scaled_at: float = -math.inf
    revision: int = 1
    scaled_by: str = ""


@dataclass
class World:
    """The cluster, and whoever else writes to it."""

    now: float = NOW
    services: dict[str, Service] = field(default_factory=lambda: {name: Service("green") for name in SERVICES})
    workloads: dict[tuple[str, str], Workload] = field(
        default_factory=lambda: {(name, color): Workload() for name in SERVICES for color in COLORS}
    )
    capacity: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COLORS, 10))
    slowness: float = 0.0
    flaps: tuple[float, float] = NEVER
    kept_at: int | None = None
    reverts: bool = False
    sick: set[str] = field(default_factory=lambda: {"green"})
    is_paused: bool = False

    def ready(self, name: str, color: str) -> int:
        """The good color may come and go; the bad one fails, and runs."""
        period, down = self.flaps
        is_down = color == "blue" and period < math.inf and (self.now - NOW) % period < down
        each = self.workloads[name, color]
        is_starting = 0 <= self.now - each.scaled_at < self.slowness
        return 0 if is_down or is_starting else min(each.replicas, self.capacity[color])

    def observe(self) -> TargetStatus:
        return TargetStatus(
            services=tuple(
                service(
                    declared,
                    mine.color,
                    {color: self.ready(declared.name, color) for color in COLORS},
                    within=WITHIN,
                    annotations={TRIP: "{}"} if mine.is_marked else {},
                    resource_version=str(mine.version),
                    selector_manager=mine.manager,
                )
                for declared in WITHIN.services
                for mine in (self.services[declared.name],)
            ),
            deployments={
                (name, color): deployment(
                    f"{name}-{color}",
                    replicas=each.replicas,
                    ready=self.ready(name, color),
                    revision=str(each.revision),
                    resource_version=str(each.version),
                    annotations={REPLICAS: str(each.saved)} if each.saved else {},
                    scaled_by=each.scaled_by,
                )
                for (name, color), each in self.workloads.items()
            },
            paused="somebody paused" if self.is_paused else "",
        )

    def others_write(self) -> None:
        """Once in a while each of them has its way."""
        for name in SERVICES:
            if self.kept_at is not None and self.workloads[name, "blue"].replicas != self.kept_at:
                self.scale(name, "blue", self.kept_at, by="argocd-controller")
            if self.reverts and self.services[name].color != "green":
                self.select(name, "green", by="argocd-controller")

    def scale(self, name: str, color: str, replicas: int, *, by: str) -> None:
        each = self.workloads[name, color]
        each.replicas, each.version, each.scaled_by, each.scaled_at = replicas, each.version + 1, by, self.now

    def select(self, name: str, color: str, *, by: str) -> None:
        each = self.services[name]
        each.color, each.version, each.manager = color, each.version + 1, by

    def apply(self, step: Step) -> bool:
        """As the API server does: False for what is not as it was read."""
        match step:
            case RestoreGood(deployment=seen, replicas=replicas):
                each = self.workloads[_key(seen.name)]
                if each.replicas != seen.replicas:
                    return False
                self.scale(*_key(seen.name), replicas, by="canary-watchdog")
            case ScaleDown(deployment=seen):
                each = self.workloads[_key(seen.name)]
                if str(each.version) != seen.resource_version:
                    return False
                each.saved = each.replicas
                self.scale(*_key(seen.name), 0, by="canary-watchdog")
            case SwitchSelector(service=seen, to_selector=selector):
                if str(self.services[seen.name].version) != seen.resource_version:
                    return False
                self.select(seen.name, selector["color"], by="canary-watchdog")
                self.services[seen.name].is_marked = True
            case CloseTrip(service=seen):
                mine = self.services[seen.name]
                if str(mine.version) != seen.resource_version:
                    return False
                mine.is_marked, mine.version = False, mine.version + 1
            case ResumeFlux():
                raise AssertionError("nobody has switched Flux off")
        return True


def _key(name: str) -> tuple[str, str]:
    owner, _, color = name.rpartition("-")
    return owner, color


@dataclass
class Memory:
    """What a process knows and loses when it ends: see `TripRunner`."""

    verified_since: float | None = None
    planned: tuple[str, float | None] = ("", None)
    waits_since: float | None = None
    scaled_down: Counter[str] = field(default_factory=Counter)
    restored: dict[str, int] = field(default_factory=dict)
    restored_again: Counter[str] = field(default_factory=Counter)
    given_back: set[str] = field(default_factory=set)
    trip: str = ""

    def of(self, trip: Trip) -> "Memory":
        """It counts for one trip."""
        if self.trip != trip.id:
            self.__init__(verified_since=self.verified_since, trip=trip.id)  # type: ignore[misc]
        return self


class Rollbacks(RuleBasedStateMachine):
    """A bad release, a watchdog of two replicas, and everybody else."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.memory = Memory()
        self.late: list[Step] = []
        self.decided: dict[str, str] = {}
        self.told: set[tuple[str, str]] = set()
        first = self.world.observe()
        stays = tuple(
            Stay(color=color, release=first.release(color), since=NOW - age, ending=ending)
            for color, age, ending in (("blue", 7200, Ending.LEFT_WELL), ("green", 600, Ending.LASTS))
        )
        self.journal = Journal(target=WITHIN.target, stays=stays)

    def keep(self, journal: Journal) -> Journal:
        """What the next process reads."""
        self.journal = journal
        return journal

    def take_over(self) -> None:
        """A process that knows what is written, and nothing else."""
        self.memory = Memory()
        self.journal = read_journal(write_journal(worth_keeping(self.journal)), target=WITHIN.target)

    # a tick, as the loop and the runner do it

    def tick(self, *, stop_after: int = 99, undoes: str = "") -> None:
        """Raises StoppedError after so many writes."""
        status, now = self.world.observe(), self.world.now
        journal = see(self.journal, status, firing=status.active in self.world.sick, now=now)
        if journal.trip is not None:
            journal = self.note_verified(journal, journal.trip, status)
        decision = self.decide(journal, status, undoes)
        if isinstance(decision, Hold):
            self.hold(decision, journal, status)
            self.keep(journal)
            return
        trip = decision.trip
        if journal.trip is None:
            self.decided[trip.id] = status.release(trip.good)
            journal = self.keep(open_trip(journal, trip))
        todo = self.plan(trip, status)
        self.check(todo, trip, status, journal)
        self.carry_out(todo, trip, status, journal, stop_after=stop_after)

    def note_verified(self, journal: Journal, trip: Trip, status: TargetStatus) -> Journal:
        if not is_verified(trip, status):
            self.memory.verified_since = None
            return journal
        now = self.world.now
        if self.memory.verified_since is None:
            self.memory.verified_since = now
        if trip.first_verified_at is None or trip.first_verified_at > now:
            return replace(journal, trip=replace(trip, first_verified_at=now))
        return journal

    def decide(self, journal: Journal, status: TargetStatus, undoes: str) -> Decision:
        by_hand = TrippedRule(alert=BY_HAND, value=None, threshold="undo", since=self.world.now)
        fires = (TRIPPED,) if status.active in self.world.sick else ()
        overrides = {Reason.COOLDOWN, Reason.NOT_KNOWN_GOOD} if undoes else set[Reason]()
        return decide(
            Situation(
                target=WITHIN,
                status=status,
                journal=journal,
                tripped=(by_hand,) if undoes else fires,
                other_breaches=(),
                now=self.world.now,
                dry_run=False,
                overrides=frozenset(overrides),
                undoes=undoes,
            )
        )

    def hold(self, hold: Hold, journal: Journal, status: TargetStatus) -> None:
        trip = journal.trip
        if hold.serious:
            self.told.add((trip.id if trip else "", "held"))
        if trip and hold.reason in (Reason.CONTESTED, Reason.NOT_KNOWN_GOOD):
            memory = self.memory.of(trip)
            for step in give_pods_back(trip, status):
                if step.deployment.name not in memory.given_back and self.world.apply(step):
                    memory.given_back.add(step.deployment.name)

    def plan(self, trip: Trip, status: TargetStatus) -> Plan:
        memory, well = self.memory.of(trip), status.active == trip.good and trip.good not in self.world.sick
        others = Others(scaled_down=memory.scaled_down, restored_again=memory.restored_again)
        planned_at = memory.planned[1] if memory.planned[0] == trip.id else None
        memory.planned = trip.id, self.world.now
        return plan(
            WITHIN,
            trip,
            status,
            verified_since=memory.verified_since,
            well=well,
            now=self.world.now,
            others=others,
            planned_at=planned_at,
        )

    def carry_out(self, todo: Plan, trip: Trip, status: TargetStatus, journal: Journal, *, stop_after: int) -> None:
        memory = self.memory.of(trip)
        if todo.end is not None:
            self.told.add((trip.id, "ended"))
        elif todo.stage is Stage.SWITCHING and any(was_undone(each, trip) for each in status.services):
            trip = replace(trip, times_undone=trip.times_undone + 1)
            journal = self.keep(replace(journal, trip=trip))
            if not is_done_again(status, trip):
                return
        for number, step in enumerate(todo.steps):
            if number >= stop_after:
                self.late = list(todo.steps[number:])
                raise StoppedError
            if not self.world.apply(step):
                return
            trip = self.note(step, trip, memory)
            journal = replace(journal, trip=trip)
        if is_waiting(trip, status, todo):
            memory.waits_since = self.world.now if memory.waits_since is None else memory.waits_since
            if self.world.now - memory.waits_since >= STUCK:
                self.told.add((trip.id, "held"))
        else:
            memory.waits_since = None
        if todo.end is not None:
            ended = FinishedTrip(trip=replace(trip, unready=todo.unready), finished_at=self.world.now, end=todo.end)
            journal = close_trip(journal, ended)
        self.keep(journal)

    def note(self, step: Step, trip: Trip, memory: Memory) -> Trip:
        match step:
            case SwitchSelector(service=switched):
                names = dict.fromkeys((*trip.switched, switched.name))
                return replace(trip, first_verified_at=None, switched=tuple(names))
            case ScaleDown(deployment=scaled):
                memory.scaled_down[scaled.name] += 1
            case RestoreGood(deployment=scaled, replicas=replicas):
                memory.restored_again[scaled.name] += scaled.replicas < memory.restored.get(scaled.name, 0)
                memory.restored[scaled.name] = replicas
            case CloseTrip() | ResumeFlux():
                pass
        return trip

    # what is never done

    def check(self, todo: Plan, trip: Trip, status: TargetStatus, journal: Journal) -> None:
        assert not status.paused
        for step in todo.steps:
            match step:
                case SwitchSelector(service=switched, to_selector=selector):
                    self.check_switch(switched.name, selector["color"], trip, status, journal)
                case ScaleDown(deployment=scaled):
                    assert _key(scaled.name)[1] == trip.bad
                    assert not trip.undoes
                    assert is_verified(trip, status), "the bad color is scaled down while it is needed"
                case RestoreGood(deployment=scaled):
                    again = self.memory.restored_again[scaled.name]
                    assert again <= 2, "it is scaled up again and again"
                case CloseTrip() | ResumeFlux():
                    pass

    def check_switch(self, name: str, color: str, trip: Trip, status: TargetStatus, journal: Journal) -> None:
        assert color == trip.good
        good, bad = status.deployments[name, trip.good], status.deployments[name, trip.bad]
        floor = max(1, math.ceil(0.8 * bad.ready))
        assert min(good.ready, good.replicas) >= floor, "below the floor"
        is_decided = status.release(trip.good) == self.decided[trip.id]
        assert is_decided or not why_not_known_good(journal, status, trip.good), "another release than the decided one"

    # what happens

    @initialize(parked=st.booleans(), kept_at=KEPT, flaps=FLAPS, most=ROOM, slowness=st.sampled_from([0.0, 20.0]))
    def begin(
        self, *, parked: bool, kept_at: int | None, flaps: tuple[float, float], most: int, slowness: float
    ) -> None:
        """The good color runs, or was scaled to 0 when it was left; and somebody is at it already."""
        self.world.kept_at, self.world.flaps, self.world.capacity["blue"] = kept_at, flaps, most
        self.world.slowness = slowness
        if parked:
            for name in SERVICES:
                each = self.world.workloads[name, "blue"]
                each.replicas, each.saved = 0, SIZE

    @rule(seconds=st.sampled_from([5.0, 31.0]), ticks=st.integers(1, 4))
    def some_time_passes(self, seconds: float, ticks: int) -> None:
        self.time_passes(seconds, ticks)

    def time_passes(self, seconds: float, ticks: int) -> None:
        """With a look now and then, and everybody else in between."""
        for _ in range(ticks):
            self.world.now += seconds
            self.world.others_write()
            self.tick()

    @rule()
    def a_second_passes(self) -> None:
        self.time_passes(1.0, 1)

    @rule(stop_after=st.sampled_from([1, 0, 2]), seconds=st.sampled_from([0.0, 1.0, 20.0, 90.0]))
    def the_process_ends_after_a_write_and_the_other_replica_takes_over(self, stop_after: int, seconds: float) -> None:
        self.late = []
        with contextlib.suppress(StoppedError):
            self.tick(stop_after=stop_after)
        self.take_over()
        self.world.now += seconds

    @precondition(lambda self: self.late)
    @rule()
    def a_write_of_the_old_process_arrives_late(self) -> None:
        """It is as it was planned, or it is refused: what has passed is what the next look sees."""
        self.world.apply(self.late.pop(0))

    @rule(seconds=st.sampled_from([-300.0, -5.0, 61.0, 3600.0]))
    def the_clock_is_set_while_no_process_runs(self, seconds: float) -> None:
        self.world.now += seconds
        self.take_over()

    @rule(color=st.sampled_from(COLORS), names=st.sampled_from([SERVICES, SERVICES[:1], SERVICES[1:]]))
    def somebody_deploys(self, color: str, names: tuple[str, ...]) -> None:
        for name in names:
            each = self.world.workloads[name, color]
            each.revision, each.version = each.revision + 1, each.version + 1

    @rule(names=st.sampled_from([SERVICES, SERVICES[:1], SERVICES[1:]]), color=st.sampled_from(COLORS))
    def somebody_switches(self, names: tuple[str, ...], color: str) -> None:
        for name in names:
            if self.world.services[name].color != color:
                self.world.select(name, color, by="helm")

    @rule(reverts=st.booleans(), kept_at=KEPT)
    def git_has_its_way_from_now_on(self, *, reverts: bool, kept_at: int | None) -> None:
        """With the selectors, and with the size of the good color."""
        self.world.reverts, self.world.kept_at = reverts, kept_at

    @rule(flaps=FLAPS, good=ROOM, bad=ROOM)
    def the_pods_do_otherwise_from_now_on(self, flaps: tuple[float, float], good: int, bad: int) -> None:
        """The good ones come and go, and there is room for so many."""
        self.world.flaps, self.world.capacity = flaps, {"blue": good, "green": bad}

    @rule(sick=st.sampled_from([frozenset(), {"green"}, {"blue"}, {"green", "blue"}]))
    def the_releases_are_sick(self, sick: frozenset[str]) -> None:
        self.world.sick = set(sick)

    @rule(paused=st.booleans())
    def somebody_pauses_or_resumes(self, *, paused: bool) -> None:
        self.world.is_paused = paused

    @rule()
    def somebody_undoes_the_last_rollback(self) -> None:
        journal = self.journal
        if journal.trip is None and journal.last_trip is not None:
            self.tick(undoes=journal.last_trip.trip.id)

    # where it ends

    def teardown(self) -> None:
        """Nothing new happens, and those who write all the time go on: each rollback ends, or people know of it."""
        before, self.told = len(self.decided), {each for each in self.told if each[1] != "held"}
        for _ in range(int(SETTLING / STEP)):
            self.world.now += STEP
            self.world.others_write()
            self.tick()
        assert len(self.decided) - before <= MOST_TRIPS, "one rollback after the other is begun"
        trip = self.journal.trip
        is_new = trip is not None and self.world.now - trip.started_at < LONGEST
        assert trip is None or is_new or (trip.id, "held") in self.told, f"open, and nobody was told: {trip}"
        for each in self.journal.finished:
            assert (each.trip.id, "ended") in self.told, "nobody was told of its end"


TestRollbacks = Rollbacks.TestCase
TestRollbacks.settings = settings(max_examples=150, stateful_step_count=15, deadline=None)


def test_F47_a_deploy_to_the_good_color_between_its_restore_and_the_switch() -> None:
    """The machine comes upon it now and then; here it does always."""
    machine = Rollbacks()
    machine.begin(parked=True, kept_at=None, flaps=NEVER, most=10, slowness=20.0)
    machine.a_second_passes()
    machine.somebody_deploys("blue", SERVICES)
    machine.some_time_passes(5.0, 4)
    machine.some_time_passes(5.0, 4)
    machine.teardown()
    assert {each.color for each in machine.world.services.values()} == {"green"}
