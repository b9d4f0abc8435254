"""Plans a rollback: what is missing between the cluster as it is and a finished rollback, as the next writes.

Law: a plan is computed afresh from what is seen, never remembered; a finished rollback plans nothing.

The good color is made ready first, where it is too small. Then it is traffic first: every Service is switched, then
verified on its EndpointSlices, then the bad color is left alone for ``scale_down_delay``, then scaled to 0, then the
tripped rules must be well on the good color.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from watchdog.core.annotations import TRIP
from watchdog.core.contest import (
    has_begun,
    is_new_release,
    is_other_good,
    is_superseded,
    is_withdrawn,
    left_without_pods,
)
from watchdog.core.durations import show_duration
from watchdog.core.evaluate import all_well
from watchdog.core.flux import is_to_be_paused, to_resume
from watchdog.core.model import (
    DeploymentStatus,
    End,
    RuleState,
    ServiceStatus,
    TargetStatus,
    Trip,
)
from watchdog.core.others import NOBODY, Others, size_to_restore, why_kept, why_not_restored
from watchdog.core.readiness import Ready, TooSmall, Unready, has_followed, readiness, saved_replicas
from watchdog.core.rules.language import Rule, Target
from watchdog.core.rules.reach import delay_of
from watchdog.core.steps import CloseTrip, Plan, RestoreGood, ResumeFlux, ScaleDown, Stage, Step, SwitchSelector

RECOVERY_SECONDS = 300.0
VOID_SECONDS = 60.0
"""How long a trip that has switched nothing may lie: what it was decided on is old then."""


def is_waiting(trip: Trip, status: TargetStatus, todo: Plan) -> bool:
    """True when the good color has the traffic, or half of it, and what it waits for may never come."""
    is_half = todo.stage is Stage.RESTORING and not todo.steps and has_begun(status, trip)
    return todo.stage is Stage.VERIFYING or is_half


def is_verified(trip: Trip, status: TargetStatus) -> bool:
    """True when every Service has ready endpoints of the good color and of no other."""
    return all(service.color == trip.good and has_followed(service.endpoints, trip.good) for service in status.services)


def plan(
    target: Target,
    trip: Trip,
    status: TargetStatus,
    *,
    verified_since: float | None,
    well: bool,
    now: float,
    others: Others = NOBODY,
    planned_at: float | None = None,
) -> Plan:
    """The next part of a rollback.

    ``verified_since`` is since when `is_verified` has held without a break, ``well`` whether the tripped rules are
    healthy on the good color, ``planned_at`` when this process last planned this trip, None when it never has. A
    recovery that does not show itself within `RECOVERY_SECONDS` ends the trip as not recovered: people take over. That
    time begins when the good color was first there, so that pods that come and go do not put it off. A trip by hand
    waits for none: no rule says what well would be. One that has switched nothing is void when nobody has carried it on
    for `VOID_SECONDS`, or a color has other pods than those that it was decided on: it is decided anew. What ``others``
    would undo is left to them.
    """
    because = _why_unwanted(trip, status)
    if because:
        steps = (*give_pods_back(trip, status), *_closes(trip, status, End.SUPERSEDED))
        return Plan(stage=Stage.SUPERSEDED, steps=steps, sentence=f"ended, because {because}", end=End.SUPERSEDED)
    to_switch = tuple(service for service in status.services if service.color != trip.good)
    if to_switch:
        return (
            _void(trip, status, left_at=trip.started_at if planned_at is None else planned_at, now=now)
            or _restoring(target, trip, status, to_switch, others=others, now=now)
            or _switching(target, trip, to_switch)
        )
    hopes_until = _hopes_until(target, trip, verified_since)
    if verified_since is None:
        return _verifying(trip, status, others, is_late=now >= hopes_until)
    drained_at = verified_since + target.rollback.scale_down_delay
    if now < drained_at:
        sentence = f"{trip.good} has the traffic; scaling {trip.bad} down in {drained_at - now:.0f} s"
        return Plan(stage=Stage.DRAINING, steps=(), sentence=sentence)
    scale_downs = tuple(
        ScaleDown(deployment=deployment, trip=trip, pause_flux=is_to_be_paused(target, trip, deployment))
        for deployment in deployments_of(status, trip.bad)
        if deployment.replicas > 0 and not trip.undoes and not why_kept(trip, status, deployment, others)
    )
    if scale_downs:
        names = ", ".join(step.deployment.name for step in scale_downs)
        return Plan(stage=Stage.SCALING_DOWN, steps=scale_downs, sentence=f"scaling {names} to 0")
    # Whoever takes over has first to see the rules in a slot, and then for as long as they ask.
    hopes_until = max(hopes_until, drained_at + 2 * target.interval + _longest_proof(target, trip))
    end = _end(trip, well=well, is_late=now >= hopes_until)
    return _recovering(trip) if end is None else _closing(trip, status, others, end)


def _end(trip: Trip, *, well: bool, is_late: bool) -> End | None:
    """How a trip ends that has done all its writes; None as long as the recovery is waited for."""
    if trip.is_by_hand:
        return End.UNMEASURED
    if well:
        return End.RECOVERED
    return End.NOT_RECOVERED if is_late else None


def _hopes_until(target: Target, trip: Trip, verified_since: float | None) -> float:
    """Until when the good color is waited for, once it was there."""
    known = [at for at in (trip.first_verified_at, verified_since) if at is not None]
    spans = target.rollback.scale_down_delay + RECOVERY_SECONDS + _longest_proof(target, trip)
    return min(known, default=math.inf) + spans


def _verifying(trip: Trip, status: TargetStatus, others: Others, *, is_late: bool) -> Plan:
    """Waits for the endpoints; to pods that come and go it ends, and leaves running what could take their place."""
    if not is_late:
        return Plan(stage=Stage.VERIFYING, steps=(), sentence=_awaited(trip, status))
    found = _closing(trip, status, others, End.NOT_RECOVERED)
    unsteady = f"{trip.good} has not kept its ready endpoints: what runs of {trip.bad} is left running"
    return replace(found, sentence=f"{found.sentence}; {unsteady}")


def _recovering(trip: Trip) -> Plan:
    return Plan(stage=Stage.RECOVERING, steps=(), sentence=f"waiting until the tripped rules are well on {trip.good}")


def give_pods_back(trip: Trip, status: TargetStatus) -> tuple[RestoreGood, ...]:
    """The steps of a contested trip: none to fight for the traffic, only those without which nobody would take it."""
    return tuple(
        RestoreGood(deployment=deployment, replicas=saved_replicas(deployment), trip=trip)
        for deployment in left_without_pods(status, trip)
    )


def _awaited(trip: Trip, status: TargetStatus) -> str:
    awaited = ", ".join(
        f"{service.name} has {_counted(service.endpoints)}"
        for service in status.services
        if not has_followed(service.endpoints, trip.good)
    )
    return f"waiting for ready endpoints of {trip.good} only" + (f": {awaited}" if awaited else "")


def _counted(endpoints: Mapping[str, int]) -> str:
    present = [f"{ready} of {color or 'neither color'}" for color, ready in sorted(endpoints.items()) if ready > 0]
    return " and ".join(present) or "none"


def _void(trip: Trip, status: TargetStatus, *, left_at: float, now: float) -> Plan | None:
    if has_begun(status, trip):
        return None
    if is_new_release(status, trip):
        return _giving_up(trip, status, sentence=f"{trip.bad} has changed since it was decided")
    if is_other_good(status, trip):
        return _giving_up(trip, status, sentence=f"{trip.good} has changed since it was decided")
    if now - left_at <= VOID_SECONDS:
        return None
    age = show_duration(round(now - trip.started_at))
    return _giving_up(trip, status, sentence=f"it was decided {age} ago, and nobody carried it on")


def _giving_up(trip: Trip, status: TargetStatus, *, sentence: str) -> Plan:
    resumes = tuple(ResumeFlux(owned=owned, trip=trip) for owned in to_resume(trip, status, given_up=True))
    return Plan(stage=Stage.GIVEN_UP, steps=resumes, sentence=sentence, end=End.GIVEN_UP)


def _switching(target: Target, trip: Trip, services: tuple[ServiceStatus, ...]) -> Plan:
    steps = tuple(
        SwitchSelector(
            service=service,
            to_selector=service.would_select[trip.good].selector,
            trip=trip,
            pause_flux=is_to_be_paused(target, trip, service),
        )
        for service in services
    )
    names = ", ".join(service.name for service in services)
    return Plan(stage=Stage.SWITCHING, steps=steps, sentence=f"switching {names} to {trip.good}")


def _restoring(
    target: Target,
    trip: Trip,
    status: TargetStatus,
    services: tuple[ServiceStatus, ...],
    *,
    others: Others,
    now: float,
) -> Plan | None:
    """What is missing until the good color can take every Service; None when nothing is.

    While nothing is switched yet, a good color that is not ready within ``ready_timeout`` ends the trip. What can still
    be done for it is done first: an API server that has refused it for long does not leave the traffic where it is.
    """
    found = [readiness(target, status, service, bad=trip.bad, good=trip.good) for service in services]
    if all(isinstance(each, Ready) for each in found):
        return None
    small = {each.deployment.uid: each for each in found if isinstance(each, TooSmall)}
    steps = tuple(step for each in small.values() if (step := _restore(target, trip, each, others)))
    if steps:
        names = ", ".join(f"{step.deployment.name} to {step.replicas}" for step in steps)
        return Plan(stage=Stage.RESTORING, steps=steps, sentence=f"scaling {names}")
    limits = [limit for each in small.values() for limit in _limits(each, others) if limit]
    lacking = dict.fromkeys(each.sentence for each in found if isinstance(each, Unready | TooSmall))
    because = "; ".join(["", *limits, *lacking])
    is_late = now > trip.started_at + target.rollback.ready_timeout
    if is_late and not has_begun(status, trip):
        timeout = show_duration(target.rollback.ready_timeout)
        sentence = f"{trip.good} did not get ready within {timeout}{because}"
        return replace(_giving_up(trip, status, sentence=sentence), unready=True)
    return Plan(stage=Stage.RESTORING, steps=(), sentence=f"waiting until {trip.good} is ready{because}")


def _limits(small: TooSmall, others: Others) -> tuple[str, str]:
    """Who does not let a Deployment grow: an autoscaler, or whoever scales it down again; "" for nobody."""
    _, limit = size_to_restore(others, small.deployment, small.replicas, floor=small.floor)
    return limit, why_not_restored(small.deployment, others)


def _restore(target: Target, trip: Trip, small: TooSmall, others: Others) -> RestoreGood | None:
    """The scale-up of a Deployment; None when it has all that its autoscaler allows, or somebody takes it away."""
    deployment = small.deployment
    replicas, _ = size_to_restore(others, deployment, small.replicas, floor=small.floor)
    if replicas <= deployment.replicas or why_not_restored(deployment, others):
        return None
    pause_flux = is_to_be_paused(target, trip, deployment)
    return RestoreGood(deployment=deployment, replicas=replicas, trip=trip, pause_flux=pause_flux)


def deployments_of(status: TargetStatus, color: str) -> tuple[DeploymentStatus, ...]:
    """The Deployments of a color in the order of the Services, each once."""
    found = {}
    for service in status.services:
        deployment = status.deployments.get((service.name, color))
        if deployment is not None:
            found[deployment.uid] = deployment
    return tuple(found.values())


def _longest_proof(target: Target, trip: Trip) -> float:
    """Seconds after a switch until the slowest of the tripped rules can have been well for its own ``for``."""
    return max((delay_of(rule) + rule.for_ for rule in tripped_rules(target, trip)), default=0.0)


def tripped_rules(target: Target, trip: Trip) -> tuple[Rule, ...]:
    """The rules of a trip that are still in the rule file."""
    names = {rule.alert for rule in trip.rules}
    return tuple(rule for rule in target.rules if rule.alert in names)


def is_well(target: Target, trip: Trip, states: Mapping[str, RuleState]) -> bool:
    """True when the rules of a trip were seen well; one that has gone from the rule file meanwhile was not."""
    rules = tripped_rules(target, trip)
    is_known = {each.alert for each in trip.rules} <= {rule.alert for rule in rules}
    return is_known and all_well(rules, states)


def _closing(trip: Trip, status: TargetStatus, others: Others, end: End) -> Plan:
    kept = sorted(
        f"{deployment.name} keeps running, {why}"
        for deployment in deployments_of(status, trip.bad)
        if deployment.replicas > 0 and not trip.undoes and (why := why_kept(trip, status, deployment, others))
    )
    sentence = "; ".join((f"{_done(trip)}, {_found(trip, end)}", *kept))
    return Plan(stage=Stage.FINISHED, steps=_closes(trip, status, end), sentence=sentence, end=end)


def _done(trip: Trip) -> str:
    return f"gave the traffic back to {trip.good}" if trip.undoes else f"rolled back to {trip.good}"


def _found(trip: Trip, end: End) -> str:
    """What the rules say of the good color at the end, or that none does."""
    match end:
        case End.RECOVERED:
            return "recovered"
        case End.UNMEASURED:
            return "as asked by hand; no rule measured whether the service recovered"
        case _ if trip.is_by_hand:
            return "not recovered"
        case _:
            return f"not recovered: the tripped rules were not seen well on {trip.good}"


def _why_unwanted(trip: Trip, status: TargetStatus) -> str:
    """What a person did to the Services that says that the rollback is to end; "" for nothing."""
    if is_superseded(status, trip):
        by = ", ".join(sorted({each.selector_manager for each in status.services if each.color == trip.bad}))
        return f"somebody gave the traffic to a newer release of {trip.bad} ({by})"
    if not is_withdrawn(status, trip):
        return ""
    by = ", ".join(sorted({each.selector_manager or "somebody" for each in status.services if each.color != trip.good}))
    return f"somebody removed {TRIP} from its Services, which {by} had given to another color"


def _closes(trip: Trip, status: TargetStatus, end: End) -> tuple[Step, ...]:
    closed = [service for service in status.services if TRIP in service.annotations]
    resumed = [owned for owned in to_resume(trip, status) if owned not in closed]
    return (
        *(ResumeFlux(owned=owned, trip=trip) for owned in resumed),
        *(CloseTrip(service=service, trip=trip, end=end) for service in closed),
    )
