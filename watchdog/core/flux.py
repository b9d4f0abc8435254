"""Flux beside a rollback: when it is told to leave an object alone, and when it may have it back.

Law: Flux is switched off in the very patch that it would undo, and marked there as our doing; only what carries our
mark is given back.
"""

from collections.abc import Iterable

from watchdog.core.annotations import FLUX_PAUSED, FLUX_RECONCILE
from watchdog.core.model import Annotations, DeploymentStatus, ServiceStatus, TargetStatus, Trip
from watchdog.core.rules.language import Target

Owned = ServiceStatus | DeploymentStatus


def is_to_be_paused(target: Target, trip: Trip, found: Owned) -> bool:
    """True when the rule file asks for it and nobody has done it; an undo goes the way that Git goes."""
    return target.rollback.gitops.flux == "pause" and not trip.undoes and not found.flux_off


def pausing(trip: Trip) -> Annotations:
    """The annotations that switch Flux off for an object, with our mark."""
    return {FLUX_RECONCILE: "disabled", FLUX_PAUSED: trip.id}


def resuming(found: Owned) -> tuple[str, ...]:
    """The annotations to remove, so that Flux has the object again; none on what we have not marked."""
    if FLUX_PAUSED not in found.annotations:
        return ()
    return (FLUX_RECONCILE, FLUX_PAUSED) if found.flux_off else (FLUX_PAUSED,)


def to_resume(trip: Trip, status: TargetStatus, *, given_up: bool = False) -> tuple[Owned, ...]:
    """What is given back at the end of a trip: of an undo everything, of one that was given up what it had paused."""
    deployments = {deployment.uid: deployment for deployment in status.deployments.values()}
    every: tuple[Owned, ...] = (*status.services, *deployments.values())
    if trip.undoes:
        return tuple(found for found in every if FLUX_PAUSED in found.annotations)
    return tuple(found for found in every if given_up and found.annotations.get(FLUX_PAUSED) == trip.id)


def pause_command(target: Target, trip: Trip, status: TargetStatus) -> str:
    """What a person types to switch Flux off for all that a rollback writes, with our mark: an undo gives it back."""
    services = [each.name for each in status.services if not each.flux_off]
    deployments = sorted({each.name for each in status.deployments.values() if not each.flux_off})
    names = " ".join(_typed(services, deployments))
    annotations = " ".join(f"{key}={value}" for key, value in pausing(trip).items())
    return f"kubectl -n {target.namespace} annotate --overwrite {names} {annotations}" if names else ""


def resume_command(target: Target, status: TargetStatus, trip: Trip | None = None) -> tuple[tuple[str, str], ...]:
    """How a person gives back what we have marked, all of it or what one trip has; nothing when there is none."""
    services = [each.name for each in status.services if _is_marked(each, trip)]
    deployments = sorted({each.name for each in status.deployments.values() if _is_marked(each, trip)})
    names = " ".join(_typed(services, deployments))
    command = f"kubectl -n {target.namespace} annotate {names} {FLUX_RECONCILE}- {FLUX_PAUSED}-"
    return (("let Flux go on", command),) if names else ()


def _is_marked(found: Owned, trip: Trip | None) -> bool:
    return FLUX_PAUSED in found.annotations and (trip is None or found.annotations[FLUX_PAUSED] == trip.id)


def _typed(services: Iterable[str], deployments: Iterable[str]) -> list[str]:
    return [*(f"service/{name}" for name in services), *(f"deployment/{name}" for name in deployments)]
