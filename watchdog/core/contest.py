"""A switch that another writer undoes: who it was, and what cures it.

Law: a switch is done again at most twice; a watchdog that fights a GitOps controller in a loop is worse than either.
"""

from watchdog.core.annotations import TRIP
from watchdog.core.model import ServiceStatus, Trip

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


def cure(service: ServiceStatus) -> str:
    """Who undid it, by ``managedFields``, and what to do about it; a sentence or two."""
    manager = service.selector_manager or "somebody"
    for known, text in _CURES.items():
        if manager.startswith(known):
            return f"{manager} undid it. {text.replace('NAME', service.name)}"
    return f"{manager} undid it, and the watchdog leaves it so."
