"""Plays slots through the core: the heartbeat without a clock, a cluster and a source.

Law: the evaluation, the guards and the plan are the core's; a slot is a dialogue in which the player asks for
measurements and is answered, exactly those that a live tick would ask for.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace

from watchdog.core.contest import is_done_again, was_undone
from watchdog.core.decide import decide
from watchdog.core.decision import Decision, Hold, Reason, Rollback, Situation
from watchdog.core.evaluate import evaluate, firing
from watchdog.core.journal import Ending, Journal, Stay, close_trip, open_trip, remember, see, share, worth_keeping
from watchdog.core.model import End, FinishedTrip, Measurement, RuleState, TargetStatus, Trip, TrippedRule
from watchdog.core.plan import is_verified, is_well, plan
from watchdog.core.rules.language import Mode, Rule, Target
from watchdog.core.steps import Plan, Stage
from watchdog.core.watching import (
    asked_elsewhere,
    asking_to_leave,
    breaching_elsewhere,
    not_yet,
    state_of,
    states_of,
)
from watchdog.replay.actions import Action, ActionKind, of_decision, of_step
from watchdog.replay.story import Deploy, Event, Pause, Resume, Switch
from watchdog.replay.world import World

LONG_AGO = 30 * 86_400.0
TRIP_TICK = 1.0


@dataclass(frozen=True, slots=True)
class Question:
    """One measurement that is wanted now."""

    rule: Rule
    color: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one slot came to, and where the rules stood when it was decided.

    ``decision`` is None in a slot in which a rollback is under way already.
    """

    slot: float
    active: str | None
    states: Mapping[str, RuleState]
    decision: Decision | None


Dialogue = Generator[Sequence[Question], Sequence[Measurement | None], Seen]
"""Questions out, an answer for each in; None says that the rule is not part of the story at all."""


class Player:
    """One target on its way through the slots. ``actions`` is everything that was done or held, in order."""

    def __init__(
        self, world: World, journal: Journal, *, acts: bool = True, earlier: Mapping[str, float] | None = None
    ) -> None:
        """``acts`` says whether a rollback changes the world: it does in a test, and cannot in the past.

        ``earlier`` is by how many seconds before its slot a rule's source is asked, by alert.
        """
        self._earlier = earlier or {}
        self.journal = journal
        self.actions: list[Action] = []
        self._world = world
        self._target = world.target
        self._shown = world, world.status()
        self._acts = acts
        self._verified_since: float | None = None
        self._planned_at: float | None = None
        self._held: Reason | None = None
        self._is_told = False

    def happen(self, event: Event) -> None:
        """Something that somebody else does."""
        match event:
            case Switch(color=color, at=at):
                self._world = self._world.switched(color, at=at)
            case Deploy(color=color):
                self._world = self._world.deployed(color)
            case Pause(reason=reason):
                self._world = replace(self._world, paused=f"the target is paused: {reason}")
            case Resume():
                self._world = replace(self._world, paused="")

    def restart(self) -> None:
        """Another process takes over with what the journal keeps."""
        self.journal = worth_keeping(self.journal)
        self._verified_since = self._planned_at = None

    def tick(self, slot: float) -> Dialogue:
        """Evaluates one slot."""
        status = self._look(slot)
        if self.journal.trip is not None:
            self._carry_on(status, now=slot)
            status = self._look(slot)
        if status.active is not None:
            yield from self._evaluate(status.active, slot)
        states, decision = states_of(self._target, self.journal), None
        if self.journal.trip is None:
            decision = yield from self._decide(status, slot)
        return Seen(slot=slot, active=status.active, states=states, decision=decision)

    def wait(self, after: float, until: float) -> None:
        """The time between two slots: an open rollback is carried on each second."""
        now = after + TRIP_TICK
        while now < until and self.journal.trip is not None:
            self._carry_on(self._look(now), now=now)
            now += TRIP_TICK

    def _is_firing(self) -> bool:
        return bool(firing(self._target, states_of(self._target, self.journal)))

    def _status(self) -> TargetStatus:
        """The world's status, made once for as long as nothing changes in it."""
        world, status = self._shown
        if world is not self._world:
            status = self._world.status()
            self._shown = self._world, status
        return status

    def _look(self, now: float) -> TargetStatus:
        status = self._status()
        self.journal = see(self.journal, status, firing=self._is_firing(), now=now)
        trip = self.journal.trip
        if trip is None or not is_verified(trip, status):
            self._verified_since = None
        elif self._verified_since is None:
            self._verified_since = now
        return status

    def _evaluate(self, color: str, slot: float) -> Generator[Sequence[Question], Sequence[Measurement | None], None]:
        instants = {rule.alert: slot - self._earlier.get(rule.alert, 0.0) for rule in self._target.rules}
        early = {
            rule.alert: not_yet(rule, self.journal, color=color, slot=instants[rule.alert])
            for rule in self._target.rules
        }
        asked = [rule for rule in self._target.rules if early[rule.alert] is None]
        answers = yield [Question(rule, color) for rule in asked]
        given = early | dict(zip((rule.alert for rule in asked), answers, strict=True))
        for rule in self._target.rules:
            measurement = given[rule.alert]
            if measurement is not None:
                before = state_of(self._target, rule, self.journal)
                after = evaluate(rule, before, measurement, slot=slot, interval=self._target.interval)
                self.journal = remember(self.journal, after)

    def _decide(
        self, status: TargetStatus, slot: float
    ) -> Generator[Sequence[Question], Sequence[Measurement | None], Decision]:
        tripped = asking_to_leave(self._target, self.journal, status, slot=slot)
        elsewhere: tuple[str, ...] = ()
        if tripped and status.active is not None:
            other, asked = self._target.other(status.active), asked_elsewhere(self._target, status, tripped)
            answers = yield [Question(rule, other) for rule in asked]
            told = [(rule, answer) for rule, answer in zip(asked, answers, strict=True) if answer is not None]
            elsewhere = breaching_elsewhere(told)
            self.journal = share(self.journal, elsewhere)
        decision = decide(self._situation(status, tripped, elsewhere, now=slot))
        self._do(decision, now=slot)
        return decision

    def _situation(
        self, status: TargetStatus, tripped: tuple[TrippedRule, ...], elsewhere: tuple[str, ...], *, now: float
    ) -> Situation:
        return Situation(
            target=self._target,
            status=status,
            journal=self.journal,
            tripped=tripped,
            other_breaches=elsewhere,
            now=now,
            dry_run=False,
        )

    def _do(self, decision: Decision, *, now: float) -> None:
        match decision:
            case Rollback(trip=trip) if self._acts:
                self._tell(of_decision(decision, at=now))
                self.journal = open_trip(self.journal, trip)
                self._carry_on(self._look(now), now=now)
            case Rollback(trip=trip):
                self._count(decision, trip, now=now)
            case Hold():
                self._hold(decision, now=now)
        if not self._is_firing():
            self._is_told = False

    def _count(self, decision: Rollback, trip: Trip, *, now: float) -> None:
        """What would have been done, once for as long as it goes on firing; the cooldown starts as it would have."""
        self._held = None
        if self._is_told:
            return
        self._is_told = True
        self._tell(of_decision(decision, at=now))
        ended = FinishedTrip(trip=trip, finished_at=now, end=End.RECOVERED)
        self.journal = replace(self.journal, finished=(*self.journal.finished, ended)[-1:])

    def _hold(self, hold: Hold, *, now: float) -> None:
        """What people are told of: once, as long as the reason stays."""
        if hold.serious and hold.reason is not self._held:
            self._tell(of_decision(hold, at=now))
        self._held = hold.reason if hold.serious else None

    def _carry_on(self, status: TargetStatus, *, now: float) -> None:
        """One tick of an open rollback: its guards, and the steps that are due."""
        decision = decide(self._situation(status, (), (), now=now))
        if isinstance(decision, Hold):
            self._hold(decision, now=now)
            return
        self._held = None
        trip = decision.trip
        todo = self._plan(trip, status, now=now)
        if todo.stage is Stage.SWITCHING and any(was_undone(service, trip) for service in status.services):
            trip = replace(trip, times_undone=trip.times_undone + 1)
            self.journal = replace(self.journal, trip=trip)
            if not is_done_again(status, trip):
                return  # the next tick decides what that is
        for step in todo.steps:
            self._world = self._world.after(step, at=now)
            told = of_step(step, at=now)
            if told is not None:
                self._tell(told)
        if todo.end is not None:
            self._close(trip, todo.end, todo.sentence, now=now)
        self._look(now)  # here endpoints follow a switch at once

    def _plan(self, trip: Trip, status: TargetStatus, *, now: float) -> Plan:
        states = states_of(self._target, self.journal)
        well = status.active == trip.good and is_well(self._target, trip, states)
        planned_at, self._planned_at = self._planned_at, now
        return plan(
            self._target,
            trip,
            status,
            verified_since=self._verified_since,
            well=well,
            now=now,
            planned_at=planned_at,
        )

    def _close(self, trip: Trip, end: End, sentence: str, *, now: float) -> None:
        self.journal = close_trip(self.journal, FinishedTrip(trip=trip, finished_at=now, end=end))
        self._planned_at = None
        told = {"recovered": end is End.RECOVERED}
        self._tell(Action(at=now, kind=ActionKind.FINISHED, told=told, sentence=sentence))

    def _tell(self, action: Action) -> None:
        self.actions.append(action)


def past_of(world: World, *, at: float) -> Journal:
    """The journal of a target that has seen the other color do well, long before, and then a switch to this one."""
    status, target = world.status(), world.target
    active = status.active or target.colors[0]
    other = target.other(active)
    stays = (
        Stay(color=other, release=status.release(other), since=at - 2 * LONG_AGO, ending=Ending.LEFT_WELL),
        Stay(color=active, release=status.release(active), since=world.switched_at),
    )
    return Journal(target=target.target, stays=stays)


def acting(target: Target) -> Target:
    """The target as if it were in the mode ``enforce``: what would be done, were it allowed."""
    return target.model_copy(update={"mode": Mode.ENFORCE})
