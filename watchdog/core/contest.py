"""A switch that another writer undoes: who it was, and what cures it; or that a newer release makes void.

Law: a switch is done again at most twice, unless who undid it has been switched off; a watchdog that fights a GitOps
controller in a loop is worse than either.

What comes back while a rollback is open is a revert, as long as it is the release that was left: nobody has anything
new to say about it. A release with other pods is new, and whoever gives it the traffic wants it: that is intent, and
so is every switch after the rollback has ended.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from watchdog.core.annotations import TRIP
from watchdog.core.flux import pause_command
from watchdog.core.instant import Instant
from watchdog.core.model import DeploymentStatus, ServiceStatus, TargetStatus, Trip
from watchdog.core.readiness import saved_replicas
from watchdog.core.rules.language import Target

MOST_DONE_AGAIN = 2
ONE_GO_SECONDS = 3.0

_ARGO_CD = "argocd"
_FLUX = "kustomize-controller"


@dataclass(frozen=True, slots=True)
class Reverts:
    """What another writer was seen to undo of one trip: ``count`` times, the newest one since ``since``.

    Who puts several ``services`` back does so one after the other: that is one time. What is undone counts once until
    it is done again; ``undone`` says of each such Service when its selector was changed for that.
    """

    trip: str = ""
    count: int = 0
    since: Instant = -math.inf
    services: frozenset[str] = frozenset()
    undone: Mapping[str, Instant | None] = field(default_factory=dict)

    def seen(self, services: Sequence[ServiceStatus], *, now: Instant) -> Self:
        """With the Services that are undone now."""
        new = {each.name: each.switched_at for each in services if self._is_new(each)}
        if not new:
            return self
        undone = {**self.undone, **new}
        if now - self.since <= ONE_GO_SECONDS and not new.keys() & self.services:
            return replace(self, services=self.services | new.keys(), undone=undone)
        return replace(self, count=self.count + 1, since=now, services=frozenset(new), undone=undone)

    def done_again(self, service: str) -> Self:
        """With a Service that was switched again."""
        return replace(self, undone={name: at for name, at in self.undone.items() if name != service})

    def _is_new(self, service: ServiceStatus) -> bool:
        """A switch whose reply was lost may have been done: then the selector was changed again since."""
        return service.name not in self.undone or service.switched_at != self.undone[service.name]


def has_begun(status: TargetStatus, trip: Trip) -> bool:
    """True when a Service was switched, even if somebody has undone it since."""
    return any(service.color == trip.good or was_undone(service, trip) for service in status.services)


def was_undone(service: ServiceStatus, trip: Trip) -> bool:
    """True when this trip had switched the Service, and it selects something else again.

    Who replaces the whole Service takes our mark away with the selector; the journal knows it still.
    """
    return (TRIP in service.annotations or service.name in trip.switched) and service.color != trip.good


def contested(status: TargetStatus, trip: Trip) -> tuple[ServiceStatus, ...]:
    """The Services that are not switched another time. What Flux undid is, as soon as Flux leaves it alone."""
    return () if is_withdrawn(status, trip) else _fought_for(status, trip)


def is_done_again(status: TargetStatus, trip: Trip) -> bool:
    """True when what is undone is switched another time: it is neither contested nor withdrawn."""
    return not is_withdrawn(status, trip) and not _fought_for(status, trip)


def _fought_for(status: TargetStatus, trip: Trip) -> tuple[ServiceStatus, ...]:
    if trip.times_undone <= MOST_DONE_AGAIN or is_superseded(status, trip):
        return ()
    return tuple(each for each in status.services if was_undone(each, trip) and not (each.flux_off and is_flux(each)))


def left_without_pods(status: TargetStatus, trip: Trip) -> tuple[DeploymentStatus, ...]:
    """What this trip has scaled to 0 and another writer gives the traffic to again: it needs its pods back.

    That is so where the traffic is not taken from it again. A release that fails is better than no pods at all.
    """
    if is_other_good(status, trip):
        left = [service for service in status.services if was_undone(service, trip)]
    else:
        left = list(_fought_for(status, trip))
    has_traffic = (service.name for service in left if service.color == trip.bad)
    found = (status.deployments[name, trip.bad] for name in has_traffic)
    return tuple(each for each in found if each.replicas == 0 < saved_replicas(each))


def is_new_release(status: TargetStatus, trip: Trip) -> bool:
    """True when the color that the trip leaves has other pods than those that it was begun for."""
    return bool(trip.release) and status.release(trip.bad) != trip.release


def is_other_good(status: TargetStatus, trip: Trip) -> bool:
    """True when the color that the trip returns to has other pods than those that it was decided for."""
    return bool(trip.good_release) and status.release(trip.good) != trip.good_release


def is_superseded(status: TargetStatus, trip: Trip) -> bool:
    """True when somebody gave the traffic of a switched Service to a newer release of the color that was left."""
    return is_new_release(status, trip) and any(
        was_undone(service, trip) and service.color == trip.bad for service in status.services
    )


def is_withdrawn(status: TargetStatus, trip: Trip) -> bool:
    """True when the marks of a contested trip are off its Services: it is to end.

    A person has taken them off, as the page says, or who undid it once more. At its own end they are off as well.
    """
    is_contested = trip.times_undone > MOST_DONE_AGAIN and any(each.color != trip.good for each in status.services)
    return is_contested and not any(TRIP in each.annotations for each in status.services)


def is_gitops(manager: str) -> bool:
    """True for a field manager that keeps the cluster as Git has it."""
    return manager.startswith((_ARGO_CD, _FLUX))


def is_flux(service: ServiceStatus) -> bool:
    """True when Flux wrote the selector."""
    return service.selector_manager.startswith(_FLUX)


def cure(target: Target, trip: Trip, status: TargetStatus, service: ServiceStatus) -> str:
    """Who undid it, by ``managedFields``, and what to do about it; a sentence or two."""
    manager = service.selector_manager or "somebody"
    if manager.startswith(_ARGO_CD):
        return (
            f"{manager} undid it. In the Argo CD Application, let it leave the selector alone: spec.ignoreDifferences: "
            f"[{{group: '', kind: Service, name: {service.name}, jsonPointers: [/spec/selector]}}] and "
            "syncOptions: [RespectIgnoreDifferences=true]."
        )
    if is_flux(service):
        command = pause_command(target, trip, status)
        return f"{manager} undid it. '{command}' makes Flux leave it alone, and a rollback that is open goes on."
    return f"{manager} undid it, and the watchdog leaves it so."
