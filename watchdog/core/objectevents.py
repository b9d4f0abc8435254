"""The Kubernetes Events that should exist: what ``kubectl describe`` says of a rollback.

Law: Events follow from what is seen, so that a process that takes over a rollback tells the same ones.
"""

from dataclasses import dataclass
from typing import Literal

from watchdog.core.annotations import REPLICAS, TRIP
from watchdog.core.decision import Hold
from watchdog.core.model import DeploymentStatus, End, ServiceStatus, TargetStatus, Trip
from watchdog.core.plan import Plan, Stage, deployments_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectEvent:
    """One Event on one object. ``occasion`` is what it is told once for: a trip, or an episode of firing."""

    kind: Literal["Service", "Deployment"]
    name: str
    uid: str
    reason: Literal["RolledBack", "ScaledDown", "Recovered", "NotRecovered", "RollbackHeld", "RulesRefused"]
    note: str
    occasion: str

    @property
    def is_warning(self) -> bool:
        """True when somebody should look."""
        return self.reason in ("RollbackHeld", "NotRecovered", "RulesRefused")


def progress_events(trip: Trip, status: TargetStatus, todo: Plan) -> tuple[ObjectEvent, ...]:
    """One Event on every Service and Deployment for what was done to it in a trip."""
    switched = [service for service in status.services if TRIP in service.annotations and service.color == trip.good]
    events = [_on_service(service, "RolledBack", _switched_note(trip), trip) for service in switched]
    if todo.stage not in (Stage.RESTORING, Stage.SWITCHING):
        scaled = [
            each for each in deployments_of(status, trip.bad) if each.replicas == 0 and REPLICAS in each.annotations
        ]
        events += [_scaled_down(deployment, trip) for deployment in scaled]
    if todo.end is End.RECOVERED:
        events += [_on_service(service, "Recovered", f"{trip.id}: {todo.sentence}", trip) for service in switched]
    if todo.end is End.NOT_RECOVERED:
        events += [_on_service(service, "NotRecovered", f"{trip.id}: {todo.sentence}", trip) for service in switched]
    return tuple(events)


def held_event(hold: Hold, status: TargetStatus, *, occasion: str) -> ObjectEvent:
    """The Event that says why nothing was done, on the first Service."""
    service = status.services[0]
    return ObjectEvent(
        kind="Service",
        name=service.name,
        uid=service.uid,
        reason="RollbackHeld",
        note=f"{hold.reason}: {hold.sentence}",
        occasion=occasion,
    )


def refused_event(deployment: str, uid: str, note: str, *, occasion: str) -> ObjectEvent:
    """The Event on the watchdog's own Deployment that says why changed rule files are not in force."""
    return ObjectEvent(kind="Deployment", name=deployment, uid=uid, reason="RulesRefused", note=note, occasion=occasion)


def _on_service(
    service: ServiceStatus, reason: Literal["RolledBack", "Recovered", "NotRecovered"], note: str, trip: Trip
) -> ObjectEvent:
    return ObjectEvent(kind="Service", name=service.name, uid=service.uid, reason=reason, note=note, occasion=trip.id)


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
