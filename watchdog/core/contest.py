"""A switch that another writer undoes: who it was, and what cures it; or that a newer release makes void.

Law: a switch is done again at most twice; a watchdog that fights a GitOps controller in a loop is worse than either.

What comes back while a rollback is open is a revert, as long as it is the release that was left: nobody has anything
new to say about it. A release with other pods is new, and whoever gives it the traffic wants it: that is intent, and
so is every switch after the rollback has ended.
"""

from watchdog.core.annotations import TRIP
from watchdog.core.model import ServiceStatus, TargetStatus, Trip

MOST_REAPPLIED = 2

_CURES = {
    "argocd": (
        "In the Argo CD Application, let it leave the selector alone: spec.ignoreDifferences: [{group: '', "
        "kind: Service, name: NAME, jsonPointers: [/spec/selector]}] and syncOptions: [RespectIgnoreDifferences=true]."
    ),
    "kustomize-controller": (
        "Let Flux leave the Service alone: "
        "kubectl annotate service NAME kustomize.toolkit.fluxcd.io/reconcile=disabled."
    ),
}


def was_undone(service: ServiceStatus, trip: Trip) -> bool:
    """True when this trip had switched the Service, and it selects something else again."""
    return TRIP in service.annotations and service.color != trip.good


def is_new_release(status: TargetStatus, trip: Trip) -> bool:
    """True when the color that the trip leaves has other pods than those that it was begun for."""
    return bool(trip.release) and status.release(trip.bad) != trip.release


def is_superseded(status: TargetStatus, trip: Trip) -> bool:
    """True when somebody gave the traffic of a switched Service to a newer release of the color that was left."""
    return is_new_release(status, trip) and any(
        was_undone(service, trip) and service.color == trip.bad for service in status.services
    )


def is_gitops(manager: str) -> bool:
    """True for a field manager that keeps the cluster as Git has it."""
    return manager.startswith(tuple(_CURES))


def cure(service: ServiceStatus) -> str:
    """Who undid it, by ``managedFields``, and what to do about it; a sentence or two."""
    manager = service.selector_manager or "somebody"
    for known, text in _CURES.items():
        if manager.startswith(known):
            return f"{manager} undid it. {text.replace('NAME', service.name)}"
    return f"{manager} undid it, and the watchdog leaves it so."
