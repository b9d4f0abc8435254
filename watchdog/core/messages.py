"""Writes the alerts: what people are told when a rule fires, a rollback is held, switched or finished.

Law: every message says what, where, why and what to type next.
"""

from dataclasses import replace

from watchdog.core import advice
from watchdog.core.alert import Alert, AlertKind
from watchdog.core.annotations import PAUSED
from watchdog.core.contest import contested, cure, is_flux, is_gitops
from watchdog.core.decision import Hold, Reason
from watchdog.core.digest import short_digest
from watchdog.core.flux import pause_command, resume_command
from watchdog.core.instant import show_instant
from watchdog.core.journal import Stay
from watchdog.core.model import (
    BY_HAND,
    End,
    FinishedTrip,
    Measurement,
    RuleState,
    Selector,
    TargetStatus,
    Trip,
    TrippedRule,
    Trouble,
)
from watchdog.core.others import Others
from watchdog.core.placeholders import fill
from watchdog.core.rules.language import Rule, Target
from watchdog.core.steps import Plan


def switched(target: Target, trip: Trip, status: TargetStatus, others: Others, *, now: float) -> Alert:
    """All Services have the good color's selector; with what people should know about the surroundings."""
    names = ", ".join(service.name for service in status.services)
    what = f"Gave the traffic of {target.target} back" if trip.undoes else f"Rolled {target.target} back"
    text = f"{what} from {trip.bad} to {trip.good}: {names} switched. {_why(trip.rules)}"
    told = _of_trip(target, trip, kind=AlertKind.SWITCHED, event="switched", text=text, now=now)
    cures = (*advice.commands(target, trip, status, others), *resume_command(target, status))
    return replace(
        told,
        notes=(*told.notes, *advice.notes(target, trip, status, others)),
        commands=(*told.commands, _pause(target), *cures),
    )


def finished(target: Target, trip: Trip, status: TargetStatus, todo: Plan, *, now: float) -> Alert:
    """The rollback has ended."""
    text = f"{target.target}: {todo.sentence}." + (" A person has to look." if todo.end is End.NOT_RECOVERED else "")
    told = _of_trip(target, trip, kind=AlertKind.FINISHED, event="finished", text=text, now=now)
    return replace(told, commands=(*told.commands, *(() if trip.undoes else resume_command(target, status))))


def superseded(target: Target, trip: Trip, status: TargetStatus, todo: Plan, *, now: float) -> Alert:
    """The rollback has ended because somebody wanted it so, by what was done to the Services."""
    text = f"{target.target}: {todo.sentence}. What has the traffic is watched from now on."
    told = _of_trip(target, trip, kind=AlertKind.FINISHED, event="superseded", text=text, now=now)
    return replace(told, commands=(*told.commands, *resume_command(target, status)))


def forward(
    target: Target,
    last: FinishedTrip,
    stay: Stay,
    status: TargetStatus,
    rules: tuple[TrippedRule, ...] = (),
    *,
    now: float,
) -> Alert:
    """Somebody gave the traffic back to the color that a finished rollback had left: that is taken for intent.

    ``rules`` were firing on the color that was left for it.
    """
    trip, service = last.trip, status.services[0]
    ready = sum(each.would_select[stay.color].ready for each in status.services)
    pods, then = "a newer release", f"after the cooldown, {show_instant(last.finished_at + target.rollback.cooldown)}"
    if stay.release == trip.release:
        by_hand = f"watchdog rollback {target.target} --even-if {Reason.ROLLED_BACK_BEFORE}"
        pods, then = "the release that was rolled back", f"only by hand, since a release is rolled back once: {by_hand}"
    text = (
        f"{target.target}: {stay.by or 'somebody'} switched to {stay.color} again at {show_instant(stay.since)}, which "
        f"{trip.id} had left; it is {pods}. Nothing is switched back for it: only fresh evidence counts, and {then}."
    )
    if rules:
        text += f" {trip.good} was failing when it was left: {_why(rules)}"
    if not ready:
        text += f" Its Services have no ready pods of {stay.color}."
    if is_gitops(stay.by):
        text += f" If nobody meant it: {cure(target, trip, status, service)}"
    return Alert(
        kind=AlertKind.FORWARD,
        key=f"{trip.id}/forward/{show_instant(stay.since)}",
        target=target.target,
        namespace=target.namespace,
        at=now,
        text=text,
        from_color=trip.good,
        to_color=stay.color,
        rules=rules,
        notes=_notes(target, rules, color=trip.good),
        commands=(_look(target), *_by_hand(target, status, stay.color)),
    )


def given_up(target: Target, trip: Trip, todo: Plan, *, now: float) -> Alert:
    """The rollback has ended before its first switch."""
    what = f"giving the traffic of {target.target} back" if trip.undoes else f"rolling {target.target} back"
    text = f"Gave up {what}: {todo.sentence}. Nothing was switched. {_why(trip.rules)}"
    return _of_trip(target, trip, kind=AlertKind.GIVEN_UP, event="given_up", text=text, now=now)


def already(
    target: Target, rules: tuple[TrippedRule, ...], status: TargetStatus, *, left: str, good: str, now: float
) -> Alert:
    """Somebody else has switched away from a color on which a rule was firing: nothing is left to do."""
    managers = ", ".join(dict.fromkeys(service.selector_manager or "somebody" for service in status.services))
    text = (
        f"{target.target} was switched from {left} to {good} by {managers} while a rule was firing: nothing is left to "
        f"do. {left} keeps running at its size. {_why(rules)}"
    )
    return Alert(
        kind=AlertKind.RESOLVED,
        key=f"{target.target}/already/{_episode(rules)}",
        target=target.target,
        namespace=target.namespace,
        at=now,
        text=text,
        from_color=left,
        to_color=good,
        rules=rules,
        notes=_notes(target, rules, color=left),
        commands=(_look(target),),
    )


def _of_trip(target: Target, trip: Trip, *, kind: AlertKind, event: str, text: str, now: float) -> Alert:
    """What is told once in a trip, with its evidence."""
    return Alert(
        kind=kind,
        key=f"{trip.id}/{event}",
        target=target.target,
        namespace=target.namespace,
        at=now,
        text=text,
        trip=trip.id,
        from_color=trip.bad,
        to_color=trip.good,
        rules=trip.rules,
        notes=_notes(target, trip.rules, color=trip.bad),
        commands=(_look(target),),
    )


def stuck(
    target: Target, trip: Trip | None, status: TargetStatus | None, *, error: str, since: float, now: float
) -> Alert:
    """A rollback that cannot go on, or cannot be begun, because the API server refuses or does not answer."""
    seen = status.services if status else ()
    where = ", ".join(f"{service.name} selects {service.color or 'neither color'}" for service in seen) or "nothing"
    what = f"The rollback {trip.id} to {trip.good} has been stuck" if trip else "No rollback has been possible"
    return Alert(
        kind=AlertKind.HELD,
        key=f"{target.target}/stuck/{show_instant(since)}",
        target=target.target,
        namespace=target.namespace,
        at=now,
        text=f"{what} since {show_instant(since)}: {error}. The watchdog keeps trying. Last seen: {where}.",
        trip=trip.id if trip else None,
        from_color=trip.bad if trip else None,
        to_color=trip.good if trip else None,
        rules=trip.rules if trip else (),
        commands=(_look(target), *(_by_hand(target, status, trip.bad if trip else status.active) if status else ())),
    )


def held(
    target: Target, hold: Hold, status: TargetStatus, trip: Trip | None, rules: tuple[TrippedRule, ...], *, now: float
) -> Alert:
    """Something fires, or a rollback is half done, and the watchdog does not act."""
    rules = trip.rules if trip else rules
    cures = _cures(target, trip, status, hold.reason) if trip else ()
    bad = trip.bad if trip else status.active
    return Alert(
        kind=AlertKind.HELD,
        key="/".join((target.target, hold.reason, _occasion(hold, trip) if trip else _episode(rules))),
        target=target.target,
        namespace=target.namespace,
        at=now,
        text=f"Not rolling {target.target} back: {hold.sentence}. {_why(rules)}".strip(),
        trip=trip.id if trip else None,
        from_color=bad,
        to_color=trip.good if trip else (target.other(bad) if bad else None),
        rules=rules,
        notes=_notes(target, rules, color=bad or ""),
        commands=(_look(target), *cures, *_by_hand(target, status, bad)),
    )


def _occasion(hold: Hold, trip: Trip) -> str:
    """A hold is told once in a trip; what is altered once more, after a person has looked, is another one."""
    is_another = hold.reason is Reason.ALTERED and trip.times_altered > 1
    return f"{trip.id}/{trip.times_altered}" if is_another else trip.id


def fires(target: Target, rule: Rule, tripped: TrippedRule, *, color: str, resolved: bool, now: float) -> Alert:
    """A rule whose action is ``alert`` began or ceased to fire."""
    return Alert(
        kind=AlertKind.RESOLVED if resolved else AlertKind.FIRING,
        key=f"{target.target}/{rule.alert}/{show_instant(tripped.since)}/{'resolved' if resolved else 'firing'}",
        target=target.target,
        namespace=target.namespace,
        at=now,
        text=f"{rule.alert} is {'well again' if resolved else 'firing'} on {color}. {_why((tripped,))}",
        from_color=color,
        rules=(tripped,),
        labels=tuple(sorted(rule.labels.items())),
        notes=_notes(target, (tripped,), color=color),
        commands=(_look(target),),
    )


def blind(target: Target, rule: Rule, state: RuleState, *, now: float) -> Alert:
    """A rule's source has said nothing for ``no_data_timeout``."""
    since = show_instant(state.blind_since or now)
    text = f"{rule.alert} has been blind since {since}: {state.reason}. Meanwhile it rolls nothing back."
    return _sees_nothing(target, rule, occasion=f"{rule.alert}/blind/{since}", text=text, now=now)


def starved(target: Target, rule: Rule, state: RuleState, *, now: float) -> Alert:
    """A rule that rolls back has had no evidence for long, though its source answers: told once a release."""
    since, release = show_instant(state.unknown_since or now), short_digest(state.key)
    text = (
        f"{rule.alert} has had too little evidence since {since}: {state.reason}. Meanwhile it rolls nothing back; "
        "let it look back further, or need less."
    )
    return _sees_nothing(target, rule, occasion=f"{rule.alert}/starved/{release}", text=text, now=now)


_CURES = {
    Trouble.CREDENTIALS: "Renew what the watchdog is given; a file is read again each time",
    Trouble.CLOCK: "Set the clock that is wrong, or take the cache out of the way",
    Trouble.FIELDS: "Mend the rule file or the mapping of the index; both are looked at again each time",
}


def troubled(target: Target, rule: Rule, measurement: Measurement, state: RuleState, *, now: float) -> Alert:
    """A source cannot answer until somebody cures it: one alert for all rules that are blind since the same slot."""
    trouble, since = measurement.trouble, show_instant(state.blind_since or now)
    remedy = _CURES[trouble] if trouble else ""
    whose = rule.alert if trouble is Trouble.FIELDS else rule.source
    text = f"{measurement.reason}. {remedy}. Until then {rule.alert} rolls nothing back, like all that ask the same."
    return _sees_nothing(target, rule, occasion=f"{whose}/{trouble}/{since}", text=text, now=now)


def _sees_nothing(target: Target, rule: Rule, *, occasion: str, text: str, now: float) -> Alert:
    return Alert(
        kind=AlertKind.BLIND,
        key=f"{target.target}/{occasion}",
        target=target.target,
        namespace=target.namespace,
        at=now,
        text=text,
        labels=tuple(sorted(rule.labels.items())),
        commands=(_look(target),),
    )


def still_paused(target: Target, status: TargetStatus, *, since: float, days: int, now: float) -> Alert:
    """The target has been paused for days: is that still meant?"""
    lasts = f"{target.target} has been paused since {show_instant(since)}, and nothing is rolled back"
    resume = "resume the watchdog", f"watchdog resume {target.target}"
    return Alert(
        kind=AlertKind.PAUSED,
        key=f"{target.target}/paused/{show_instant(since)}/{days}",
        target=target.target,
        namespace=target.namespace,
        at=now,
        text=f"{lasts}: {status.paused}.",
        commands=(resume,),
    )


def _why(rules: tuple[TrippedRule, ...]) -> str:
    return " ".join(f"{rule} ({_when(rule)})." for rule in rules)


def _when(rule: TrippedRule) -> str:
    return f"{'at' if rule.alert == BY_HAND else 'since'} {show_instant(rule.since)}"


def _episode(rules: tuple[TrippedRule, ...]) -> str:
    """What stays the same while the same rules fire on."""
    return ",".join(f"{rule.alert}@{show_instant(rule.since)}" for rule in rules)


def _notes(target: Target, rules: tuple[TrippedRule, ...], *, color: str) -> tuple[tuple[str, str], ...]:
    """The annotations of the rules with their placeholders filled."""
    by_name = {rule.alert: rule for rule in target.rules}
    return tuple(
        (key, fill(text, _values(target, tripped, color)))
        for tripped in rules
        if tripped.alert in by_name
        for key, text in sorted(by_name[tripped.alert].annotations.items())
    )


def _values(target: Target, tripped: TrippedRule, color: str) -> dict[str, str]:
    return {
        "alert": tripped.alert,
        "color": color,
        "namespace": target.namespace,
        "target": target.target,
        "threshold": tripped.threshold,
        "value": "no value" if tripped.value is None else f"{tripped.value:g}",
    }


def _look(target: Target) -> tuple[str, str]:
    names = " ".join(service.name for service in target.services)
    return "look", f"kubectl -n {target.namespace} describe service {names}"


def _pause(target: Target) -> tuple[str, str]:
    service = target.services[0].name
    return "pause the watchdog", f"kubectl -n {target.namespace} annotate service {service} {PAUSED}=true"


def _cures(target: Target, trip: Trip, status: TargetStatus, reason: Reason) -> tuple[tuple[str, str], ...]:
    """What ends a fight, or puts right what a trip leaves to another installation, and can be typed."""
    if reason is Reason.FOREIGN:
        return resume_command(target, status, trip)
    if reason is not Reason.CONTESTED or not any(is_flux(service) for service in contested(status, trip)):
        return ()
    return (("make Flux leave it alone", pause_command(target, trip, status)),)


def _by_hand(target: Target, status: TargetStatus, bad: str | None) -> tuple[tuple[str, str], ...]:
    """The manual plan: what a person types to do what the watchdog does not."""
    if bad is None:
        return ()
    good = target.other(bad)
    command = f"kubectl -n {target.namespace} set selector service"
    return tuple(
        ("switch by hand", f"{command} {service.name} {_pairs(service.would_select[good].selector)}")
        for service in status.services
        if service.color != good
    )


def _pairs(selector: Selector) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
