"""Makes the values of the core's tests: a target, its status, its rules; each with only what a test cares about."""

from collections.abc import Mapping
from typing import Any

from watchdog.core.model import DeploymentStatus, Selected, Selector, ServiceStatus, TargetStatus, Trip, TrippedRule
from watchdog.core.rules.language import Rule, Service, Target
from watchdog.core.selectors import color_of, selector_for

COLORS = ("blue", "green")
NOW = 1_800_000_000.0
RULE = {
    "alert": "ErrorRatio",
    "prometheus": {"expr": "up"},
    "threshold": {"max": 0.05},
    "initial_delay": "0s",  # it counts from the first slot on
    "action": "rollback",
}
TRIPPED = TrippedRule(alert="ErrorRatio", value=0.3, threshold="at most 0.05", since=NOW - 60)


def rule(**fields: Any) -> Rule:
    """A Prometheus rule that is healthy up to 0.05."""
    return Rule.model_validate(RULE | fields)


def target(**fields: Any) -> Target:
    """The banking application: backend first, one rule, enforcing."""
    defaults = {
        "target": "banking-app",
        "namespace": "banking-app",
        "mode": "enforce",
        "services": [
            {"name": "backend", "deployment": "backend-{{ color }}"},
            {"name": "frontend", "deployment": "frontend-{{ color }}"},
        ],
        "rules": [RULE],
    }
    return Target.model_validate(defaults | fields)


def trip(**fields: Any) -> Trip:
    """A rollback from green to blue."""
    defaults: dict[str, Any] = {
        "id": "banking-app-1",
        "bad": "green",
        "good": "blue",
        "started_at": NOW,
        "rules": (TRIPPED,),
    }
    return Trip(**defaults | fields)


def deployment(name: str, **fields: Any) -> DeploymentStatus:
    """Three replicas, all ready, at revision 1."""
    defaults: dict[str, Any] = {"resource_version": "1", "revision": "1", "replicas": 3, "ready": 3}
    return DeploymentStatus(name=name, uid=f"uid-{name}", **defaults | fields)


def service(
    declared: Service,
    color: str,
    ready: Mapping[str, int],
    *,
    within: Target,
    selector: Selector | None = None,
    foreign: int = 0,
    **fields: Any,
) -> ServiceStatus:
    """A Service that selects a color; its EndpointSlices have followed."""
    current = selector if selector is not None else {"app": declared.name, **declared.selector_of(color)}
    defaults: dict[str, Any] = {
        "resource_version": "1",
        "endpoints": {each: ready[each] if each == color else 0 for each in (*COLORS,)} | {"": 0},
        "switched_at": NOW - 600,
    }
    return ServiceStatus(
        name=declared.name,
        uid=f"uid-{declared.name}",
        selector=current,
        color=color_of(within, declared, current),
        would_select={
            each: Selected(selector=selector_for(declared, current, each), ready=ready[each], foreign=foreign)
            for each in COLORS
        },
        **defaults | fields,
    )


def status(within: Target, colors: tuple[str, ...] = ("green", "green"), **fields: Any) -> TargetStatus:
    """Every Deployment has three ready pods unless ``ready`` says otherwise."""
    ready = dict.fromkeys(COLORS, 3) | fields.pop("ready", {})
    service_fields = fields.pop("service_fields", {})
    deployment_fields = fields.pop("deployment_fields", {})
    services = tuple(
        service(declared, color, ready, within=within, **service_fields)
        for declared, color in zip(within.services, colors, strict=True)
    )
    deployments = {
        (declared.name, color): deployment(
            declared.deployment_of(color),
            **{"ready": ready[color], "replicas": max(3, ready[color])} | deployment_fields.get(color, {}),
        )
        for declared in within.services
        for color in COLORS
    }
    return TargetStatus(services=services, deployments=deployments, **fields)
