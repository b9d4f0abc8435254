"""Whether a Service may be given to the good color, and whether it has been: enough ready pods of it, and no others.

Law: the health and the size of the bad color never hold a switch back; the good color's do.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from watchdog.core.annotations import REPLICAS
from watchdog.core.model import DeploymentStatus, ServiceStatus, TargetStatus
from watchdog.core.rules.language import Target

_MOST_DIGITS = 9  # more is no number of pods, and of thousands int() would raise


@dataclass(frozen=True, slots=True)
class Ready:
    """It may be switched now."""


@dataclass(frozen=True, slots=True)
class TooSmall:
    """It may be switched once its Deployment has been scaled up and ``floor`` of its pods are ready.

    ``replicas`` is what it had before, where that is more.
    """

    deployment: DeploymentStatus
    replicas: int
    floor: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Unready:
    """Its Deployment is large enough, and its pods are not ready."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Hopeless:
    """It may not be switched, and waiting would not help."""

    sentence: str


Readiness = Ready | TooSmall | Unready | Hopeless


def readiness(target: Target, status: TargetStatus, service: ServiceStatus, *, bad: str, good: str) -> Readiness:
    """How far the good color is from taking this Service's traffic.

    The floor is ``min_ready`` of the bad color's ready pods, and never less than one pod.
    """
    deployment = status.deployments[service.name, good]
    selected = service.would_select[good]
    shown = ",".join(f"{key}={value}" for key, value in sorted(selected.selector.items()))
    if selected.foreign:
        return Hopeless(
            f"{service.name} switched to {shown} would select {selected.foreign} pods that are not of {deployment.name}"
        )
    floor = max(1, math.ceil(target.rollback.min_ready * status.deployments[service.name, bad].ready))
    if selected.ready < floor <= deployment.ready:
        return Hopeless(
            f"{service.name} switched to {shown} would select {selected.ready} of {deployment.ready} ready pods of "
            f"{deployment.name}; name every selector key that differs by color in the rule file"
        )
    # Pods that are still ready of a Deployment that was just scaled down will be gone in a moment.
    if min(selected.ready, deployment.replicas) >= floor:
        return Ready()
    needed = max(floor, saved_replicas(deployment))
    has = f"{selected.ready} ready pods of {deployment.replicas}"
    lacks = f"{deployment.name} has {has}, {floor} are needed before {service.name} may switch"
    if deployment.replicas >= needed:
        return Unready(f"{lacks}; its pods do not get ready")
    if not target.rollback.restore_good:
        scale = f"kubectl -n {target.namespace} scale deployment {deployment.name} --replicas={needed}"
        return Hopeless(f"{lacks}; restore_good is off: {scale}")
    return TooSmall(deployment, needed, floor, lacks)


def has_followed(endpoints: Mapping[str, int], good: str) -> bool:
    """True when a switched Service has ready endpoints of the good color and of no other; ``endpoints`` by color."""
    return {color for color, ready in endpoints.items() if ready > 0} == {good}


def saved_replicas(deployment: DeploymentStatus) -> int:
    """The replicas that a rollback took from it, 0 when none is remembered."""
    text = deployment.annotations.get(REPLICAS, "")
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else 0
