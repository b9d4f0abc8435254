"""The Kubernetes Events that should exist: what ``kubectl describe`` says of a rollback.

Law: Events follow from what is seen, so that a process that takes over a rollback tells the same ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from watchdog.core.annotations import REPLICAS, TRIP
from watchdog.core.contest import contested
from watchdog.core.decision import Hold, Reason
from watchdog.core.model import DeploymentStatus, End, ServiceStatus, TargetStatus, Trip
from watchdog.core.plan import deployments_of
from watchdog.core.steps import Plan, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectEvent:
    """One Event on one object. ``occasion`` is what it is told once for: a trip, or an episode of firing."""

    kind: Literal["Service", "Deployment"]
    name: str
    uid: str
    reason: Literal[
        "RolledBack", "ScaledDown", "Recovered", "NotRecovered", "RollbackHeld", "Contested", "RulesRefused"
    ]
    note: str
    occasion: str

    @property
    def is_warning(self) -> bool:
        """True when somebody should look."""
        return self.reason in ("RollbackHeld", "Contested", "NotRecovered", "RulesRefused")


_OF_END: Mapping[End | None, Literal["Recovered", "NotRecovered"]] = {
    End.RECOVERED: "Recovered",
    End.NOT_RECOVERED: "NotRecovered",
}


def progress_events(trip: Trip, status: TargetStatus, todo: Plan) -> tuple[ObjectEvent, ...]:
    """One Event on every Service and Deployment for what was done to it in a trip."""
    switched = [service for service in status.services if TRIP in service.annotations and service.color == trip.good]
    events = [_on_service(service, "RolledBack", _switched_note(trip), trip.id) for service in switched]
    if todo.stage not in (Stage.RESTORING, Stage.SWITCHING):
        scaled = [
            each for each in deployments_of(status, trip.bad) if each.replicas == 0 and REPLICAS in each.annotations
        ]
        events += [_scaled_down(deployment, trip) for deployment in scaled]
    if reason := _OF_END.get(todo.end):
        events += [_on_service(service, reason, f"{trip.id}: {todo.sentence}", trip.id) for service in switched]
    return tuple(events)


def held_events(hold: Hold, trip: Trip | None, status: TargetStatus, *, occasion: str) -> tuple[ObjectEvent, ...]:
    """The Event that says why nothing is done, on the first Service; one on each that somebody has switched back."""
    held = _on_service(status.services[0], "RollbackHeld", f"{hold.reason}: {hold.sentence}", occasion)
    if trip is None or hold.reason is not Reason.CONTESTED:
        return (held,)
    undone = contested(status, trip)
    return (held, *(_on_service(service, "Contested", _contested_note(service, trip), occasion) for service in undone))


def _contested_note(service: ServiceStatus, trip: Trip) -> str:
    return (
        f"{trip.id}: switched to {trip.good} and, by {service.selector_manager or 'somebody'}, to "
        f"{service.color or 'neither color'} again; it is left so"
    )


def refused_event(deployment: str, uid: str, note: str, *, occasion: str) -> ObjectEvent:
    """The Event on the watchdog's own Deployment that says why changed rule files are not in force."""
    return ObjectEvent(kind="Deployment", name=deployment, uid=uid, reason="RulesRefused", note=note, occasion=occasion)


def _on_service(
    service: ServiceStatus,
    reason: Literal["RolledBack", "Recovered", "NotRecovered", "RollbackHeld", "Contested"],
    note: str,
    occasion: str,
) -> ObjectEvent:
    return ObjectEvent(kind="Service", name=service.name, uid=service.uid, reason=reason, note=note, occasion=occasion)


def _scaled_down(deployment: DeploymentStatus, trip: Trip) -> ObjectEvent:
    return ObjectEvent(
        kind="Deployment",
        name=deployment.name,
        uid=deployment.uid,
        reason="ScaledDown",
        note=f"{trip.id}: scaled from {deployment.annotations[REPLICAS]} to 0",
        occasion=trip.id,
    )


def _switched_note(trip: Trip) -> str:
    return f"{trip.id}: switched from {trip.bad} to {trip.good}: {'; '.join(map(str, trip.rules))}"
