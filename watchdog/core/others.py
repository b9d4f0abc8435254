"""The other writers around a rollback, as far as they are seen: autoscalers, disruption budgets, whoever scales back.

Law: nothing of theirs is ever written; what they would undo is left to them, and told with the cure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from watchdog.core.contest import MOST_DONE_AGAIN, is_new_release
from watchdog.core.model import DeploymentStatus, Selector, TargetStatus, Trip
from watchdog.core.selectors import selects

HPA: Literal["HorizontalPodAutoscaler"] = "HorizontalPodAutoscaler"
KEDA: Literal["ScaledObject"] = "ScaledObject"
PAUSED_REPLICAS = "autoscaling.keda.sh/paused-replicas"
"""At how many replicas KEDA keeps what a ScaledObject scales."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscaler:
    """What scales a Deployment, between ``least`` and ``most``; it ``wants`` so many now, as far as it says.

    ``held_at`` is the number that KEDA was told to keep; an autoscaler that is ``idle`` scales nothing at present.
    """

    kind: Literal["HorizontalPodAutoscaler", "ScaledObject"]
    name: str
    deployment: str
    least: int
    most: int
    wants: int = 0
    held_at: int | None = None
    idle: bool = False

    def __str__(self) -> str:
        return f"the {self.kind} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A PodDisruptionBudget: how many healthy pods it counts, and how many it asks for."""

    name: str
    selector: Selector
    healthy: int
    needed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """All of them in one namespace. ``unseen`` says what could not be read.

    ``scaled_down`` counts how often this trip has scaled a Deployment to 0, by its name; ``restored_again`` how often
    it has scaled one up again that somebody had scaled down since.
    """

    autoscalers: tuple[Autoscaler, ...] = ()
    budgets: tuple[Budget, ...] = ()
    unseen: tuple[str, ...] = ()
    scaled_down: Mapping[str, int] = field(default_factory=dict)
    restored_again: Mapping[str, int] = field(default_factory=dict)

    def of(self, deployment: DeploymentStatus) -> tuple[Autoscaler, ...]:
        """What scales a Deployment."""
        return tuple(each for each in self.autoscalers if each.deployment == deployment.name)

    def violated(self, deployment: DeploymentStatus) -> tuple[Budget, ...]:
        """The budgets of a Deployment's pods that are not met."""
        return tuple(
            each for each in self.budgets if selects(each.selector, deployment.labels) and each.healthy < each.needed
        )


NOBODY = Others()


def why_not_restored(deployment: DeploymentStatus, others: Others) -> str:
    """Why a good Deployment that is too small is not scaled up; "" when it may be."""
    if others.restored_again.get(deployment.name, 0) < MOST_DONE_AGAIN:
        return ""
    return f"{deployment.scaled_by or 'somebody'} scales {deployment.name} down again and again"


def size_to_restore(
    others: Others, deployment: DeploymentStatus, needed: int, *, floor: int | None = None
) -> tuple[int, str]:
    """How large a good Deployment is to be made: not below what its autoscaler wants, nor above what it allows.

    What is allowed and less than the ``floor``, without one than ``needed``, comes with the sentence that says who
    allows no more, and the cure.
    """
    floor = needed if floor is None else floor
    wanted = max([needed, *(max(each.least, each.wants) for each in others.of(deployment) if each.held_at is None)])
    for each in others.of(deployment):
        most = each.most if each.held_at is None else each.held_at
        if most < floor:
            cure = "raise its maximum" if each.held_at is None else f"remove {PAUSED_REPLICAS} from it"
            return most, f"{each} keeps {deployment.name} at {most} at most, {floor} are needed: {cure}"
        wanted = min(wanted, most)
    return wanted, ""


def why_kept(trip: Trip, status: TargetStatus, deployment: DeploymentStatus, others: Others) -> str:
    """Why a bad Deployment is not scaled to 0; "" when it may be."""
    serves = status.borrowers.get(deployment.name)
    if serves:
        return f"it serves {', '.join(serves)}"
    if is_new_release(status, trip):
        return f"{trip.bad} has changed since the rollback began"
    for each in others.of(deployment):
        if each.kind == KEDA and not each.idle:
            return f"{each} would scale it up again"
    if others.scaled_down.get(deployment.name, 0) > MOST_DONE_AGAIN:
        return f"{deployment.scaled_by or 'somebody'} scales it up again and again"
    return ""
