"""A cluster in which everything works at once: what a replayed rollback acts on.

Law: a step takes effect in the moment in which it is taken, and nobody but the story's own events changes anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from watchdog.core.annotations import KNOWN_GOOD, TRIP
from watchdog.core.model import DeploymentStatus, Selected, ServiceStatus, TargetStatus
from watchdog.core.rules.language import Target
from watchdog.core.steps import CloseTrip, RestoreGood, ResumeFlux, ScaleDown, Step, SwitchSelector

REPLICAS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The Services and Deployments of one target.

    ``colors`` is the active color by Service; ``replicas`` and ``revisions`` are by color, ``scaled`` holds the
    Deployments of another size. ``vouched`` says that a person vouches for what runs in either color.
    """

    target: Target
    colors: Mapping[str, str]
    switched_at: float
    revisions: Mapping[str, int]
    scaled: Mapping[str, int] = field(default_factory=dict)
    tripping: frozenset[str] = frozenset()
    paused: str = ""
    vouched: bool = False

    def status(self) -> TargetStatus:
        """The target as a look at the cluster would show it."""
        deployments = {
            (service.name, color): self._deployment(service.deployment_of(color), color)
            for service in self.target.services
            for color in self.target.colors
        }
        services = tuple(self._service(number, deployments) for number in range(len(self.target.services)))
        return TargetStatus(services=services, deployments=deployments, paused=self.paused)

    def switched(self, color: str, *, at: float) -> World:
        """The world in which somebody has switched every Service."""
        if all(each == color for each in self.colors.values()):
            return self
        return replace(self, colors=dict.fromkeys(self.colors, color), switched_at=at)

    def deployed(self, color: str) -> World:
        """The world in which a color has new pods' templates."""
        return replace(self, revisions={**self.revisions, color: self.revisions[color] + 1})

    def after(self, step: Step, *, at: float) -> World:
        """The world after one step of a plan."""
        match step:
            case SwitchSelector(service=service, trip=trip):
                return replace(
                    self,
                    colors={**self.colors, service.name: trip.good},
                    switched_at=at,
                    tripping=self.tripping | {service.name},
                )
            case RestoreGood(deployment=deployment, replicas=replicas):
                return replace(self, scaled={**self.scaled, deployment.name: replicas})
            case ScaleDown(deployment=deployment):
                return replace(self, scaled={**self.scaled, deployment.name: 0})
            case CloseTrip(service=service):
                return replace(self, tripping=self.tripping - {service.name})
            case ResumeFlux():
                return self  # nobody but the story's own events has a say here

    def _deployment(self, name: str, color: str) -> DeploymentStatus:
        replicas = self.scaled.get(name, REPLICAS)
        revision = str(self.revisions[color])
        return DeploymentStatus(
            name=name,
            uid=f"uid-{name}",
            resource_version="1",
            revision=revision,
            replicas=replicas,
            ready=replicas,
            annotations={KNOWN_GOOD: revision} if self.vouched else {},
        )

    def _service(self, number: int, deployments: Mapping[tuple[str, str], DeploymentStatus]) -> ServiceStatus:
        service = self.target.services[number]
        color = self.colors[service.name]
        ready = deployments[service.name, color].ready
        return ServiceStatus(
            name=service.name,
            uid=f"uid-{service.name}",
            resource_version="1",
            selector=service.selector_of(color),
            color=color,
            would_select={
                each: Selected(
                    selector=service.selector_of(each), ready=deployments[service.name, each].ready, foreign=0
                )
                for each in self.target.colors
            },
            endpoints={color: ready} if ready else {},
            switched_at=self.switched_at,
            annotations={TRIP: "{}"} if service.name in self.tripping else {},
        )


def world_of(target: Target, *, active: str, switched_at: float, vouched: bool = False) -> World:
    """The world of a target whose Services all select one color; both colors run at their first revision."""
    return World(
        target=target,
        colors={service.name: active for service in target.services},
        switched_at=switched_at,
        revisions=dict.fromkeys(target.colors, 1),
        vouched=vouched,
    )
