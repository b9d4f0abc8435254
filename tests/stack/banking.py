"""The banking application in a namespace: Services, Deployments, the processes that answer for them, and the load.

Law: only the real API server knows which color is active; nothing here remembers what it has switched.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import requests

from tests.stack.admin import Admin, Object, path_of
from tests.stack.elasticsearch import ElasticsearchServer
from tests.stack.kubernetes import ControlPlane
from tests.stack.load import Backend, Load
from tests.stack.ports import free_port
from tests.stack.process import Child, Command
from tests.stack.prometheus import PrometheusServer
from tests.stack.style import MIXED, Style
from tests.stack.wait import wait_until

APPS = ("backend", "frontend")
COLORS = ("blue", "green")
READY = "watchdog.test/ready"
KNOWN_GOOD = "canary-watchdog/known-good"
REPOSITORY = Path(__file__).parents[2]

SeenBy = Literal["both", "prometheus", "logs"]
Readiness = Literal["true", "false", "pending"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the application looks like at its start.

    ``rate`` is requests a second to each Service; a person vouches for the Deployments of the color ``known_good``.
    """

    style: Style = MIXED
    active: str = "blue"
    known_good: str = ""
    replicas: int = 3
    rate: float = 40.0
    ready: Mapping[str, Readiness] = field(default_factory=dict)  # by color, in the pod template: bad from birth

    def is_ready(self, color: str) -> bool:
        """True when the pods of that color are born well."""
        return self.ready.get(color, "true") == "true"


DEFAULT = Plan()


@dataclass(kw_only=True)
class BankingApp:
    """The running application. Services are ``backend-service`` and ``frontend-service``."""

    namespace: str
    plan: Plan
    plane: ControlPlane
    prometheus: PrometheusServer
    elasticsearch: ElasticsearchServer
    folder: Path
    children: dict[Backend, Child] = field(default_factory=dict)
    load: Load = field(init=False)

    def __post_init__(self) -> None:
        for app in APPS:
            for color in COLORS:
                self._add_process(app, color)
        self.load = Load(self.plane, self.namespace, tuple(self.children), rate=self.plan.rate)

    @property
    def index(self) -> str:
        """The index that this application's documents go to."""
        return f"logs-banking-{self.namespace}"

    @property
    def admin(self) -> Admin:
        """The tests' own client of the API server."""
        return self.plane.admin

    def start(self) -> None:
        """Starts everything; returns when pods are ready, requests are answered and Prometheus has seen them."""
        for child in self.children.values():
            child.start()
        for app in APPS:
            for color in COLORS:
                self.admin.create(path_of("deployments", self.namespace), self._deployment(app, color))
            self.admin.create(path_of("services", self.namespace), self._service(app))
        for backend, child in self.children.items():
            wait_until(lambda b=backend, c=child: _answers(b, c), f"{child.name} answers")  # type: ignore[misc]
            self.prometheus.add_target(_address(backend))
        wait_until(self._pods_are_settled, "the pods of both colors are ready")
        wait_until(self._endpoints_are_settled, "the endpoints are those of the active color")
        self.load.start()
        wait_until(self._is_serving, "requests are answered")
        wait_until(self._is_scraped, "Prometheus scrapes the four processes")

    def stop(self) -> None:
        """Ends the load and the processes; the objects go with the namespace."""
        self.load.stop()
        for backend, child in self.children.items():
            self.prometheus.remove_target(_address(backend))
            child.terminate()
        for child in self.children.values():
            child.stop()

    # The cluster

    def switch(self, color: str, *, apps: Sequence[str] = APPS) -> None:
        """Makes a color active, as a person or a pipeline would: the whole selector is replaced."""
        for app in apps:
            selector = self.plan.style.selector(app, color)
            self.admin.patch(self.service_path(app), [{"op": "replace", "path": "/spec/selector", "value": selector}])

    def selectors(self) -> dict[str, dict[str, str]]:
        """The selector of each Service by its app."""
        return {app: self.admin.get(self.service_path(app))["spec"]["selector"] for app in APPS}

    def active(self) -> dict[str, str | None]:
        """The active color of each Service by its app, None when its selector is that of no color."""
        return {app: self._color_of(app, selector) for app, selector in self.selectors().items()}

    def is_active(self, color: str) -> bool:
        """True when both Services select that color."""
        return set(self.active().values()) == {color}

    def endpoint_colors(self) -> dict[str, Counter[str]]:
        """The ready endpoints of each Service by color."""
        return {app: self._endpoint_colors(app) for app in APPS}

    def replicas(self, app: str, color: str) -> int:
        """How many pods a Deployment is to have."""
        wanted: int = self.admin.get(self.deployment_path(app, color))["spec"]["replicas"]
        return wanted

    def scale(self, color: str, replicas: int, *, apps: Sequence[str] = APPS) -> None:
        """Scales a color, through the scale subresource."""
        for app in apps:
            self.admin.patch(f"{self.deployment_path(app, color)}/scale", {"spec": {"replicas": replicas}})

    def pods(self, color: str, *, apps: Sequence[str] = APPS) -> list[Object]:
        """The pods of a color."""
        labels = [self.plan.style.labels(app, color) for app in apps]
        selectors = [",".join(f"{key}={value}" for key, value in one.items()) for one in labels]
        pods_path = path_of("pods", self.namespace)
        return [pod for selector in selectors for pod in self.admin.items(pods_path, labelSelector=selector)]

    def ready_pods(self, color: str, *, apps: Sequence[str] = APPS) -> int:
        """How many pods of a color are ready."""
        return sum(_pod_is_ready(pod) for pod in self.pods(color, apps=apps))

    def set_ready(self, color: str, ready: Literal["true", "false"], *, apps: Sequence[str] = APPS) -> None:
        """Turns the pods that a color has now, and waits until they are; pods made later follow the template."""
        for pod in self.pods(color, apps=apps):
            self.admin.annotate(path_of("pods", self.namespace, pod["metadata"]["name"]), **{READY: ready})
        wanted = len(self.pods(color, apps=apps)) if ready == "true" else 0
        wait_until(lambda: self.ready_pods(color, apps=apps) == wanted, f"the pods of {color}: ready={ready}")

    def set_template_ready(self, color: str, ready: Readiness, *, apps: Sequence[str] = APPS) -> None:
        """Turns the pods to come by a new revision of the Deployments, and does not wait for its rollout."""
        template = {"metadata": {"annotations": {READY: ready}}}
        for app in apps:
            self.admin.patch(self.deployment_path(app, color), {"spec": {"template": template}})

    def events(self, *, reason: str = "", of: str = "") -> list[Object]:
        """The Events of the namespace; ``of="Service/frontend-service"`` narrows them to one object."""
        return [
            event
            for event in self.admin.items(path_of("events", self.namespace))
            if reason in ("", event["reason"]) and of in ("", _about(event))
        ]

    def service_path(self, app: str) -> str:
        """The path of a Service."""
        return path_of("services", self.namespace, f"{app}-service")

    def deployment_path(self, app: str, color: str) -> str:
        """The path of a Deployment."""
        return path_of("deployments", self.namespace, f"{app}-{color}")

    # The processes

    def go_bad(
        self,
        color: str,
        *,
        seen_by: SeenBy = "both",
        ratio: float = 0.3,
        latency: float = 0.0,
        apps: Sequence[str] = APPS,
    ) -> None:
        """That part of a color's requests fails from now on; a fault that only the logs see answers 200."""
        fault = {
            "error_ratio": 0.0 if seen_by == "logs" else ratio,
            "error_log_ratio": 0.0 if seen_by == "prometheus" else ratio,
            "latency": latency,
        }
        self._set_fault(color, fault, apps)

    def go_well(self, color: str, *, apps: Sequence[str] = APPS) -> None:
        """Nothing fails any more."""
        self._set_fault(color, {}, apps)

    def child(self, app: str, color: str) -> Child:
        """The process of one color of one service."""
        return next(child for child in self.children.values() if child.name == f"{app}-{color}")

    def _set_fault(self, color: str, fault: Mapping[str, float], apps: Sequence[str]) -> None:
        for backend in self.children:
            if backend.color == color and backend.deployment.removesuffix(f"-{color}") in apps:
                _session().post(f"{backend.url}/fault", json=fault, timeout=5).raise_for_status()

    def _add_process(self, app: str, color: str) -> None:
        port = free_port()
        name = f"{app}-{color}"
        options = {
            "port": port,
            "app": app,
            "color": color,
            "namespace": self.namespace,
            "elasticsearch": self.elasticsearch.url,
            "index": self.index,
        }
        command: Command = [sys.executable, "-m", "tests.stack.bank"]
        command += [f"--{option}={value}" for option, value in options.items()]
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
        backend = Backend(service=f"{app}-service", color=color, deployment=name, url=f"http://127.0.0.1:{port}")
        self.children[backend] = Child(name=name, command=command, folder=self.folder, environment=environment)

    def _deployment(self, app: str, color: str) -> dict[str, Any]:
        labels = self.plan.style.labels(app, color)
        template = {
            "metadata": {"labels": labels, "annotations": {READY: self.plan.ready.get(color, "true")}},
            "spec": {"containers": [{"name": "bank", "image": f"registry.invalid/bank-{app}:{color}"}]},
        }
        vouched = {KNOWN_GOOD: "true"} if color == self.plan.known_good else {}
        return {
            "metadata": {"name": f"{app}-{color}", "labels": labels, "annotations": vouched},
            "spec": {"replicas": self.plan.replicas, "selector": {"matchLabels": labels}, "template": template},
        }

    def _service(self, app: str) -> dict[str, Any]:
        selector = self.plan.style.selector(app, self.plan.active)
        return {
            "metadata": {"name": f"{app}-service"},
            "spec": {"selector": selector, "ports": [{"port": 80, "targetPort": 8080}]},
        }

    def _color_of(self, app: str, selector: Mapping[str, str]) -> str | None:
        return next((color for color in COLORS if self.plan.style.selector(app, color) == selector), None)

    def _endpoint_colors(self, app: str) -> Counter[str]:
        selector = f"kubernetes.io/service-name={app}-service"
        slices = self.admin.items(path_of("endpointslices", self.namespace), labelSelector=selector)
        names = [
            endpoint["targetRef"]["name"]
            for piece in slices
            for endpoint in piece["endpoints"] or ()
            if endpoint["conditions"]["ready"]
        ]
        return Counter(color for name in names for color in COLORS if f"-{color}-" in name)

    def _pods_are_settled(self) -> bool:
        wanted = self.plan.replicas * len(APPS)
        return all(
            self.ready_pods(color) == (wanted if self.plan.is_ready(color) else 0) and len(self.pods(color)) == wanted
            for color in COLORS
        )

    def _endpoints_are_settled(self) -> bool:
        ready = self.plan.replicas if self.plan.is_ready(self.plan.active) else 0
        return all(+colors == +Counter({self.plan.active: ready}) for colors in self.endpoint_colors().values())

    def _is_serving(self) -> bool:
        counts = [self.load.counts(service=f"{app}-service")[self.plan.active, 200] for app in APPS]
        return all(counts) or not self.plan.is_ready(self.plan.active)

    def _is_scraped(self) -> bool:
        series = f'http_requests_total{{namespace="{self.namespace}",code="200"}}'
        return self.prometheus.value(f"count({series})") == len(self.children)


class BankingFactory(Protocol):
    """Starts the application in the test's namespace, once a test; it ends with the test."""

    def __call__(self, plan: Plan = DEFAULT, *, prometheus: PrometheusServer | None = None) -> BankingApp:
        """Another Prometheus than the shared one is one that the test may freeze or kill."""
        ...


def _answers(backend: Backend, child: Child) -> bool:
    child.check()
    return _session().get(f"{backend.url}/metrics", timeout=2).ok


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


def _address(backend: Backend) -> str:
    return backend.url.removeprefix("http://")


def _about(event: Object) -> str:
    return f"{event['involvedObject']['kind']}/{event['involvedObject']['name']}"


def _pod_is_ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
