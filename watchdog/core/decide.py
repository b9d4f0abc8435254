"""Decides whether to roll back: the guards of a rollback, in order of precedence.

Law: the first guard that applies wins, and each says why in a sentence; no guard means no reason to hold.

`NEW_TRIP` guards the first write of a rollback, `OPEN_TRIP` every later one. What only the journal can tell (releases
known to be good, the blast cap) has no guard yet.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from watchdog.core.annotations import IRREVERSIBLE, TRIP
from watchdog.core.durations import show_duration
from watchdog.core.model import ServiceStatus, TargetStatus, Trip, TrippedRule
from watchdog.core.rules.language import Mode, Target


class Reason(StrEnum):
    """Why the watchdog holds. The value is the metric label and the Event's note."""

    NOTHING_FIRING = "nothing_firing"
    UNREADABLE = "unreadable"
    PAUSED = "paused"
    DRY_RUN = "dry_run"
    IRREVERSIBLE = "irreversible"
    SERVICES_DISAGREE = "services_disagree"
    OUTSIDE_WINDOW = "outside_window"
    OTHER_COLOR_BREACHES = "other_color_breaches"
    COOLDOWN = "cooldown"
    GOOD_NOT_READY = "good_not_ready"
    CONTESTED = "contested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Nothing is written. ``serious`` holds are told to people: something fires, or a rollback is half done."""

    reason: Reason
    sentence: str
    serious: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """This trip is begun, or carried on."""

    trip: Trip
    sentence: str


Decision = Hold | Rollback


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that a decision rests on. ``other_breaches`` names the tripped rules that breach on the other color too."""

    target: Target
    status: TargetStatus
    tripped: tuple[TrippedRule, ...]
    other_breaches: tuple[str, ...]
    now: float
    dry_run: bool

    @property
    def bad(self) -> str:
        """The color that a rollback would leave."""
        return self.status.trip.bad if self.status.trip else self.status.active or ""

    @property
    def good(self) -> str:
        """The color that a rollback would return to."""
        return self.status.trip.good if self.status.trip else self.target.other(self.bad)


Guard = Callable[[Situation], Hold | None]


def decide(situation: Situation) -> Decision:
    """Hold with the first reason that applies, or roll back. An open trip is carried on under its own guards."""
    for guard in OPEN_TRIP if situation.status.trip else NEW_TRIP:
        hold = guard(situation)
        if hold is not None:
            return hold
    trip = situation.status.trip or _new_trip(situation)
    because = " and ".join(_breach(rule) for rule in trip.rules)
    return Rollback(
        trip=trip, sentence=f"rolling {situation.target.target} back from {trip.bad} to {trip.good}: {because}"
    )


def _new_trip(situation: Situation) -> Trip:
    stamp = datetime.fromtimestamp(situation.now, UTC).strftime("%Y%m%dT%H%M%SZ").lower()
    return Trip(
        id=f"{situation.target.target}-{stamp}",
        bad=situation.bad,
        good=situation.good,
        started_at=situation.now,
        rules=situation.tripped,
    )


def _breach(rule: TrippedRule) -> str:
    value = "no value" if rule.value is None else f"{rule.value:g}"
    return f"{rule.alert} is {value}, healthy is {rule.threshold}"


def unreadable(situation: Situation) -> Hold | None:
    """A record of ours that cannot be read: what was begun is not known, so nothing is begun."""
    if not situation.status.unreadable:
        return None
    return Hold(reason=Reason.UNREADABLE, sentence=situation.status.unreadable)


def services_disagree(situation: Situation) -> Hold | None:
    """No single active color: there is nothing to measure, and no color to leave."""
    if situation.status.active is not None:
        return None
    seen = ", ".join(f"{service.name} selects {_color_or_selector(service)}" for service in situation.status.services)
    sentence = f"the Services disagree about the active color: {seen}"
    return Hold(reason=Reason.SERVICES_DISAGREE, sentence=sentence, serious=bool(situation.tripped))


def _color_or_selector(service: ServiceStatus) -> str:
    return service.color or "neither color (" + ",".join(f"{k}={v}" for k, v in sorted(service.selector.items())) + ")"


def nothing_firing(situation: Situation) -> Hold | None:
    """No rule asks for a rollback on the evidence of this slot."""
    if situation.tripped:
        return None
    return Hold(reason=Reason.NOTHING_FIRING, sentence=f"no rule asks to leave {situation.bad}", serious=False)


def paused(situation: Situation) -> Hold | None:
    """Somebody paused the target, or nobody can tell."""
    if not situation.status.paused:
        return None
    return Hold(reason=Reason.PAUSED, sentence=f"{situation.status.paused}; {_would(situation)}")


def dry_run(situation: Situation) -> Hold | None:
    """The target, or the whole watchdog, only watches."""
    if not situation.dry_run and situation.target.mode is Mode.ENFORCE:
        return None
    return Hold(reason=Reason.DRY_RUN, sentence=f"mode is dry-run; {_would(situation)}")


def _would(situation: Situation) -> str:
    if situation.status.trip:
        return f"the rollback {situation.status.trip.id} to {situation.good} is half done and waits"
    return f"would have rolled back from {situation.bad} to {situation.good}"


def irreversible(situation: Situation) -> Hold | None:
    """The bad color carries a change that switching back cannot undo."""
    for (_, color), deployment in sorted(situation.status.deployments.items()):
        why = deployment.annotations.get(IRREVERSIBLE)
        if color == situation.bad and why is not None:
            return Hold(reason=Reason.IRREVERSIBLE, sentence=f"{deployment.name} is marked irreversible: {why}")
    return None


def outside_window(situation: Situation) -> Hold | None:
    """The switch to the bad color is too long ago, or nobody knows when it was."""
    window = situation.target.rollback.rollback_window
    if window is None:
        return None
    switches = [service.switched_at for service in situation.status.services]
    known = [instant for instant in switches if instant is not None]
    if len(known) == len(switches) and situation.now - max(known) <= window:
        return None
    sentence = f"{situation.bad} became active more than {show_duration(window)} ago, outside rollback_window"
    return Hold(reason=Reason.OUTSIDE_WINDOW, sentence=sentence)


def other_color_breaches(situation: Situation) -> Hold | None:
    """The color to return to breaches as well: the cause is shared, and switching would not cure it."""
    if not situation.other_breaches:
        return None
    alerts = ", ".join(situation.other_breaches)
    return Hold(reason=Reason.OTHER_COLOR_BREACHES, sentence=f"{situation.good} breaches {alerts} too: a shared cause")


def cooldown(situation: Situation) -> Hold | None:
    """The last rollback is too recent for another one without a person."""
    last = situation.status.last_trip
    if last is None:
        return None
    left = last.finished_at + situation.target.rollback.cooldown - situation.now
    if left <= 0:
        return None
    sentence = f"{last.trip.id} rolled back to {last.trip.good} just before; cooldown for another {left:.0f} s"
    return Hold(reason=Reason.COOLDOWN, sentence=sentence)


def good_not_ready(situation: Situation) -> Hold | None:
    """A Service that is still to be switched would select too few ready pods of the good color, or others' pods."""
    for service in situation.status.services:
        if service.color == situation.good:
            continue
        problem = _not_ready(situation, service)
        if problem:
            return Hold(reason=Reason.GOOD_NOT_READY, sentence=problem)
    return None


def _not_ready(situation: Situation, service: ServiceStatus) -> str:
    good, bad = situation.good, situation.bad
    deployment = situation.status.deployments.get((service.name, good))
    if deployment is None:
        return f"the Deployment of {service.name} for {good} does not exist"
    selected = service.would_select[good]
    shown = ",".join(f"{key}={value}" for key, value in sorted(selected.selector.items()))
    if selected.foreign:
        return (
            f"{service.name} switched to {shown} would select {selected.foreign} pods that are not of {deployment.name}"
        )
    bad_deployment = situation.status.deployments.get((service.name, bad))
    wanted = math.ceil(situation.target.rollback.min_ready * (bad_deployment.ready if bad_deployment else 0))
    floor = max(1, wanted)
    if selected.ready >= floor:
        return ""
    if deployment.ready >= floor:
        return (
            f"{service.name} switched to {shown} would select {selected.ready} of {deployment.ready} ready pods of "
            f"{deployment.name}; name every selector key that differs by color in the rule file"
        )
    return (
        f"{deployment.name} has {selected.ready} ready pods, {floor} are needed before {service.name} may switch; "
        f"kubectl -n {situation.target.namespace} scale deployment {deployment.name} --replicas={floor}"
    )


def contested(situation: Situation) -> Hold | None:
    """A Service that this trip had switched selects something else again: somebody else decided."""
    for service in situation.status.services:
        if TRIP in service.annotations and service.color != situation.good:
            sentence = (
                f"{service.name} was switched to {situation.good} and selects {_color_or_selector(service)} again: "
                f"another writer undid it; the watchdog leaves it so. To end this rollback: kubectl -n "
                f"{situation.target.namespace} annotate service {service.name} {TRIP}-"
            )
            return Hold(reason=Reason.CONTESTED, sentence=sentence)
    return None


NEW_TRIP: tuple[Guard, ...] = (
    unreadable,
    services_disagree,
    nothing_firing,
    paused,
    dry_run,
    irreversible,
    outside_window,
    other_color_breaches,
    cooldown,
    good_not_ready,
)
OPEN_TRIP: tuple[Guard, ...] = (unreadable, paused, dry_run, contested, good_not_ready)
