"""The fixtures of these tests.

``cluster``  the product's client, as the administrator
``bank``     the banking application's objects, without its processes: a `Bank`
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.stack.admin import path_of
from tests.stack.kubernetes import ControlPlane
from tests.stack.style import BY_APP_AND_COLOR, Style
from tests.stack.wait import wait_until
from watchdog.cluster.client import Cluster
from watchdog.cluster.observe import read_namespace, status_of
from watchdog.core.model import TargetStatus
from watchdog.core.rules.language import Target


@pytest.fixture
async def cluster(control_plane: ControlPlane) -> AsyncIterator[Cluster]:
    async with await Cluster.connect(control_plane.kubeconfig, None) as connected:
        yield connected


@dataclass(frozen=True, slots=True)
class Bank:
    """Two Services and four Deployments in a namespace of their own, green active."""

    plane: ControlPlane
    namespace: str
    target: Target

    async def observe(self, cluster: Cluster, *, now: float = 0.0) -> TargetStatus:
        """The target as the product sees it."""
        return status_of(self.target, await read_namespace(cluster, self.namespace, None), now=now)

    def service(self, name: str) -> dict[str, Any]:
        """A Service as the API server has it."""
        return self.plane.admin.get(self.service_path(name))

    def service_path(self, name: str) -> str:
        """The path of a Service."""
        return path_of("services", self.namespace, name)

    def deployment_path(self, name: str) -> str:
        """The path of a Deployment."""
        return path_of("deployments", self.namespace, name)

    def annotate(self, name: str, annotations: Mapping[str, str | None]) -> None:
        """Annotates a Service as kubectl would."""
        self.plane.admin.patch(self.service_path(name), {"metadata": {"annotations": dict(annotations)}})


@pytest.fixture
def bank(control_plane: ControlPlane, namespace: str) -> Bank:
    return make_bank(control_plane, namespace, BY_APP_AND_COLOR)


def bank_objects(namespace: str, style: Style) -> Iterator[dict[str, Any]]:
    """The manifests: green active, two pods of each color."""
    for app in ("backend", "frontend"):
        for color in ("blue", "green"):
            labels = style.labels(app, color)
            template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "bank", "image": "bank"}]}}
            yield {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": f"{app}-{color}", "namespace": namespace},
                "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
            }
        yield {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": f"{app}-service", "namespace": namespace},
            "spec": {"selector": style.selector(app, "green"), "ports": [{"port": 80}]},
        }


def make_bank(plane: ControlPlane, namespace: str, style: Style) -> Bank:
    """Creates the objects and waits until the pods are ready."""
    for each in bank_objects(namespace, style):
        plane.admin.create(path_of(f"{each['kind'].lower()}s", namespace), each)
    deployments = path_of("deployments", namespace)
    wait_until(
        lambda: all(each["status"].get("readyReplicas") == 2 for each in plane.admin.items(deployments)),
        "the pods are ready",
    )
    return Bank(plane, namespace, target_of(namespace, style))


def target_of(namespace: str, style: Style) -> Target:
    """The target that a careful author would declare for these objects."""
    services = []
    for app in ("backend", "frontend"):
        blue, green = style.selector(app, "blue"), style.selector(app, "green")
        moving = {
            key: style.selectors[app][key].format(app=app, color="{{ color }}")
            for key in blue
            if blue[key] != green[key]
        }
        services.append({"name": f"{app}-service", "deployment": f"{app}-{{{{ color }}}}", "selector": moving})
    rule = {"alert": "Errors", "prometheus": {"expr": "up"}, "threshold": {"max": 1}}
    return Target.model_validate(
        {"target": namespace, "namespace": namespace, "mode": "enforce", "services": services, "rules": [rule]}
    )
