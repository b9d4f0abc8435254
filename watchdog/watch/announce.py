"""Tells what happened to one target: transitions to the log, alerts to people, Events to the objects.

Law: telling never delays a switch and never fails one; it repeats itself only after a restart, and what is told twice
carries the same key, so that a reader can drop it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from watchdog.cluster.client import Cluster, ClusterError
from watchdog.cluster.events import emit
from watchdog.core import messages
from watchdog.core.alert import Alert
from watchdog.core.decision import Decision, Hold, Reason
from watchdog.core.durations import show_duration
from watchdog.core.evaluate import evidence, is_blind, is_starved
from watchdog.core.inforce import LAG_SECONDS
from watchdog.core.instant import show_instant
from watchdog.core.journal import Journal, last_left, left_firing
from watchdog.core.model import End, FinishedTrip, Measurement, Phase, RuleState, TargetStatus, Trip, TrippedRule
from watchdog.core.objectevents import ObjectEvent, held_events, progress_events
from watchdog.core.others import Others
from watchdog.core.rules.language import Rule, Target
from watchdog.core.steps import CloseTrip, Plan, RestoreGood, ResumeFlux, ScaleDown, Stage, Step, SwitchSelector
from watchdog.core.transition import Event, Problem, Transition

_REMEMBERED = 1000
DISAGREE_SECONDS = 600.0
"""A person who switches one Service after the other has done so by then."""
DAY_SECONDS = 86_400.0


class Reporter(Protocol):
    """Is told what happens. It never blocks and never raises."""

    def transition(self, transition: Transition) -> None:
        """Something changed."""
        ...

    def alert(self, alert: Alert) -> None:
        """People have to be told."""
        ...

    def is_settled(self, key: str) -> bool:
        """True when nothing more is going to be done about the alert with this key."""
        ...

    def measured(self, target: Target, rule: Rule, state: RuleState, *, seconds: float) -> None:
        """A rule was evaluated."""
        ...

    def ticked(self, target: Target, *, seconds: float, missed: int, complete: bool) -> None:
        """A tick ended; ``complete`` when the cluster could be seen."""
        ...


class Silent:
    """A reporter that passes nothing on; listeners override what they want to hear."""

    def transition(self, transition: Transition) -> None:
        """Not of interest."""

    def alert(self, alert: Alert) -> None:
        """Not of interest."""

    def is_settled(self, key: str) -> bool:  # noqa: ARG002 - the reporter's shape
        """Nothing is sent here."""
        return True

    def measured(self, target: Target, rule: Rule, state: RuleState, *, seconds: float) -> None:
        """Not of interest."""

    def ticked(self, target: Target, *, seconds: float, missed: int, complete: bool) -> None:
        """Not of interest."""


class Announcer:
    """Remembers what was told, so that each thing is told once a process."""

    def __init__(
        self,
        target: Target,
        *,
        cluster: Cluster,
        reporter: Reporter,
        post: Callable[[Alert], None],
        events: bool,
        clock: Callable[[], float],
    ) -> None:
        """``post`` records an alert before it is sent. Without ``events`` none is created: a dry run writes nothing."""
        self._target = target
        self._cluster = cluster
        self._reporter = reporter
        self._post = post
        self._events = events
        self._clock = clock
        self._told: dict[str, None] = {}
        self._decision = ""
        self._decided_at = clock()
        self._without_rules: dict[str, float] = {}
        self._stage = ""
        self._outdated = ""

    def changed(
        self,
        event: Event,
        *,
        subject: str = "",
        value: float | None = None,
        moved: tuple[str, str] = ("", ""),
        sentence: str = "",
        trip: Trip | None = None,
        end: End | None = None,
    ) -> None:
        """Tells one transition; ``moved`` is from what to what, ``end`` how a rollback ended."""
        transition = Transition(
            time=self._clock(),
            event=event,
            target=self._target.target,
            subject=subject,
            value=value,
            before=moved[0],
            after=moved[1],
            sentence=sentence,
            trip=trip.id if trip else None,
            end=end,
        )
        self._reporter.transition(transition)

    def rule(self, rule: Rule, before: RuleState, after: RuleState, *, color: str) -> None:
        """Tells what one more slot changed about a rule."""
        if after.phase is not before.phase:
            moved = (before.phase.value, after.phase.value)
            self.changed(Event.PHASE, subject=rule.alert, value=after.value, moved=moved, sentence=after.reason)
            if rule.action == "alert" and Phase.FIRING in (before.phase, after.phase):
                self._fires(rule, before, after, color=color)
        if is_blind(rule, after) and not is_blind(rule, before):
            self.changed(Event.BLIND, subject=rule.alert, moved=("seeing", "blind"), sentence=after.reason)
            self._alert(messages.blind(self._target, rule, after, now=self._clock()))
        elif rule.action == "rollback" and is_starved(after) and not is_starved(before) and not is_blind(rule, after):
            self.changed(Event.BLIND, subject=rule.alert, moved=("seeing", "starved"), sentence=after.reason)
            self._alert(messages.starved(self._target, rule, after, now=self._clock()))

    def outdated(self, alerts: Sequence[str], since: float) -> None:
        """Tells which rules are not asked, because newer files have been in force; and that they are asked again."""
        before, now = self._outdated, ", ".join(alerts)
        if now == before:
            return
        self._outdated = now
        sentence = "the rules are in force as they stand here"
        if now:
            sentence = (
                f"newer rule files have been in force since {show_instant(since)} on another replica, without {now} as "
                f"it stands here: it is not asked until they arrive, or for {show_duration(LAG_SECONDS)}"
            )
        self.changed(Event.OUTDATED, moved=(before, now), sentence=sentence)

    def trouble(self, rule: Rule, measurement: Measurement, state: RuleState) -> None:
        """Tells at once what does not pass by itself, one time for all rules that it has blinded since."""
        if measurement.trouble is None:
            return
        if self._alert(messages.troubled(self._target, rule, measurement, state, now=self._clock())):
            moved = ("seeing", measurement.trouble.value)
            self.changed(Event.BLIND, subject=rule.alert, moved=moved, sentence=measurement.reason)

    def _fires(self, rule: Rule, before: RuleState, after: RuleState, *, color: str) -> None:
        resolved = after.phase is not Phase.FIRING
        told = evidence(rule, before if resolved else after)
        self._alert(messages.fires(self._target, rule, told, color=color, resolved=resolved, now=self._clock()))

    async def decision(
        self, decision: Decision, status: TargetStatus, trip: Trip | None, rules: tuple[TrippedRule, ...]
    ) -> None:
        """Tells a decision when it is another one than before; a serious hold also to people."""
        name = decision.reason.value if isinstance(decision, Hold) else "rollback"
        if name != self._decision:
            told = trip if isinstance(decision, Hold) else decision.trip
            self.changed(Event.DECISION, moved=(self._decision, name), sentence=decision.sentence, trip=told)
            self._decision, self._decided_at = name, self._clock()
        if isinstance(decision, Hold) and (decision.serious or self._disagree_for_long(decision, status)):
            alert = self._of_its_time(messages.held(self._target, decision, status, trip, rules, now=self._clock()))
            self._alert(alert)
            for event in held_events(decision, trip, status, occasion=alert.key):
                await self._emit(event)

    def _disagree_for_long(self, hold: Hold, status: TargetStatus) -> bool:
        """Nothing is measured meanwhile, so nothing would ever fire."""
        is_meant = hold.reason is Reason.SERVICES_DISAGREE and not status.paused
        return is_meant and self._clock() - self._decided_at >= DISAGREE_SECONDS

    def _of_its_time(self, alert: Alert) -> Alert:
        """What is held without a rule is told anew when it was over in between."""
        if alert.trip or alert.rules:
            return alert
        first = self._without_rules.setdefault(alert.key, self._decided_at)
        again = "" if first == self._decided_at else show_instant(self._decided_at)
        return replace(alert, key=f"{alert.key}{again}")

    def stage(self, trip: Trip, todo: Plan) -> None:
        """Tells that a rollback has come further; its end is told once it is written."""
        if todo.stage.value != self._stage and todo.end is None:
            self.changed(Event.STAGE, moved=(self._stage, todo.stage.value), sentence=todo.sentence, trip=trip)
            self._stage = todo.stage.value

    def paused(self, status: TargetStatus, since: float | None) -> None:
        """Reminds people once a day of a pause that lasts for longer than one."""
        now = self._clock()
        days = int((now - since) // DAY_SECONDS) if since is not None else 0
        if since is not None and days > 0:
            self._alert(messages.still_paused(self._target, status, since=since, days=days, now=now))

    def switched_by_others(
        self, before: Journal, after: Journal, rules: tuple[TrippedRule, ...], status: TargetStatus
    ) -> None:
        """Tells once of a switch that is not ours: back to what a rollback had left, or away from what was firing."""
        left = left_firing(before, after)
        firing = rules if left is not None else ()
        if (last := last_left(before, after)) is not None:
            self._forward(last, after, firing, status)
        elif left is not None:
            self._already(firing, status, left=left[0], good=left[1])

    def _forward(
        self, last: FinishedTrip, after: Journal, rules: tuple[TrippedRule, ...], status: TargetStatus
    ) -> None:
        stay = after.stays[-1]
        sentence = f"{last.trip.id} had left {stay.color}; {stay.by or 'somebody'} switched back to it"
        self.changed(Event.FORWARD, moved=(last.trip.good, stay.color), sentence=sentence)
        self._alert(messages.forward(self._target, last, stay, status, rules, now=self._clock()))

    def _already(self, rules: tuple[TrippedRule, ...], status: TargetStatus, *, left: str, good: str) -> None:
        alert = messages.already(self._target, rules, status, left=left, good=good, now=self._clock())
        self.changed(Event.ALREADY, moved=(left, good), sentence=alert.text)
        self._alert(alert)

    def stuck(self, trip: Trip | None, status: TargetStatus | None, *, error: str, since: float) -> None:
        """Tells people that what has to be done could not be done for a while."""
        self._alert(messages.stuck(self._target, trip, status, error=error, since=since, now=self._clock()))

    def progress(self, trip: Trip, status: TargetStatus, todo: Plan, others: Others) -> None:
        """Tells people what is seen to be done of a rollback, whoever did it."""
        now, has_begun = self._clock(), any(service.color == trip.good for service in status.services)
        if todo.stage is Stage.GIVEN_UP:
            self._alert(messages.given_up(self._target, trip, todo, now=now))
        elif todo.stage is Stage.SUPERSEDED:
            self._alert(messages.superseded(self._target, trip, status, todo, now=now))
        elif has_begun and todo.stage not in (Stage.RESTORING, Stage.SWITCHING):
            self._alert(messages.switched(self._target, trip, status, others, now=now))
        if has_begun and todo.stage is Stage.FINISHED:
            self._alert(messages.finished(self._target, trip, status, todo, now=now))

    async def note_progress(self, trip: Trip, status: TargetStatus, todo: Plan) -> None:
        """Notes the same on the objects. An API server that takes no Events takes its time: nothing waits for them."""
        if todo.stage is not Stage.SUPERSEDED and any(service.color == trip.good for service in status.services):
            for event in progress_events(trip, status, todo):
                await self._emit(event)

    def step(self, step: Step) -> None:
        """Tells one write that was done."""
        match step:
            case RestoreGood(deployment=deployment, replicas=replicas, trip=trip):
                moved = (str(deployment.replicas), str(replicas))
                self.changed(Event.REPLICAS, subject=deployment.name, moved=moved, trip=trip)
            case SwitchSelector(service=service, trip=trip):
                moved = (service.color or "", trip.good)
                self.changed(Event.SELECTOR, subject=service.name, moved=moved, trip=trip)
            case ScaleDown(deployment=deployment, trip=trip):
                moved = (str(deployment.replicas), "0")
                self.changed(Event.REPLICAS, subject=deployment.name, moved=moved, trip=trip)
            case CloseTrip() | ResumeFlux():
                pass  # the end of a trip is told once, not for each object

    def _alert(self, alert: Alert) -> bool:
        """Tells people, if it is news to them; True when it was."""
        is_news = self._is_news(alert.key)
        if is_news:
            self._post(alert)
            self._reporter.alert(alert)
        return is_news

    def resend(self, alerts: Iterable[Alert]) -> None:
        """Sends what an earlier process has recorded and perhaps not sent."""
        for alert in alerts:
            if self._is_news(alert.key):
                self._reporter.alert(alert)

    async def _emit(self, event: ObjectEvent) -> None:
        key = f"{event.uid}/{event.reason}/{event.occasion}"
        if not self._events or key in self._told:
            return
        try:
            await emit(self._cluster, self._target.namespace, event, now=self._clock())
        except ClusterError as error:
            self.changed(Event.CLUSTER, subject=event.name, moved=("", Problem.EVENT_NOT_WRITTEN), sentence=str(error))
        else:
            self._is_news(key)

    def _is_news(self, key: str) -> bool:
        if key in self._told:
            return False
        self._told[key] = None
        if len(self._told) > _REMEMBERED:
            del self._told[next(iter(self._told))]
        return True
