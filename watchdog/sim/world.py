"""A whole simulated world on loopback: the banking application in its cluster, watched by Prometheus and Elasticsearch.

Law: everything is reachable over HTTP as the real thing would be; the methods here do what a person, a deployment
tool or a failing machine would do.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from watchdog.sim.bank import Bank
from watchdog.sim.elasticsearch.api import elasticsearch_app
from watchdog.sim.elasticsearch.documents import DocumentStore
from watchdog.sim.kubernetes.api import kubernetes_app
from watchdog.sim.kubernetes.cluster import Cluster
from watchdog.sim.kubernetes.json_patch import apply_json_patch, merge_patch
from watchdog.sim.kubernetes.kinds import DEPLOYMENT, KINDS, NAMESPACE, POD, SERVICE, Json
from watchdog.sim.kubernetes.pods import READY_ANNOTATION
from watchdog.sim.prometheus.api import prometheus_app
from watchdog.sim.prometheus.series import SeriesStore
from watchdog.sim.server import LoopbackServer

TOKEN = "simulated"  # noqa: S105 - it opens nothing but this process
_KEPT_SECONDS = 900
_AGE_SECONDS = 3600
"""How old the cluster is when the world begins."""


class SimulatedWorld:
    """``async with SimulatedWorld() as world``: four Deployments, two Services, traffic on real time.

    ``active`` is the color that both Services select at the start, ``history`` how many seconds of its traffic are
    already in Prometheus and Elasticsearch. The Services select ``{app: backend-<color>}`` and
    ``{app: frontend, color: <color>}``.
    """

    def __init__(
        self,
        *,
        namespace: str = "banking-app",
        colors: tuple[str, str] = ("blue", "green"),
        active: str = "blue",
        replicas: int = 3,
        requests_per_second: float = 50.0,
        logs_per_second: float = 10.0,
        history: int = 300,
        pod_ready_delay: float = 0.5,
    ) -> None:
        self.namespace = namespace
        self.colors = colors
        self._history = history
        self._past: float | None = time.time() - max(_AGE_SECONDS, 2 * history)
        self.series = SeriesStore()
        self.documents = DocumentStore()
        self.cluster = Cluster(clock=self._clock, pod_ready_delay=pod_ready_delay)
        self.kubernetes = LoopbackServer(kubernetes_app(self.cluster, token=TOKEN))
        self.prometheus = LoopbackServer(prometheus_app(self.series, clock=time.time))
        self.elasticsearch = LoopbackServer(elasticsearch_app(self.documents, clock=time.time))
        self.bank = Bank(
            self.cluster,
            self.series,
            self.documents,
            namespace=namespace,
            deployments={f"{app}-{color}": (app, color) for app in ("backend", "frontend") for color in colors},
            requests_per_second=requests_per_second,
            logs_per_second=logs_per_second,
        )
        self._open = AsyncExitStack()
        self._build(active, replicas)
        self._past = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for server in (self.kubernetes, self.prometheus, self.elasticsearch):
                await stack.enter_async_context(server)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="simulated-world-")))
            self.kubeconfig = folder / "kubeconfig"
            write_kubeconfig(self.kubeconfig, url=self.kubernetes.url, token=TOKEN, namespace=self.namespace)
            start = time.time()
            for second in range(self._history, -1, -1):
                self.bank.live_through(start - second)
            traffic = asyncio.create_task(self._live(start), name="simulated traffic")
            stack.push_async_callback(_end, traffic)
            self._open = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    @property
    def prometheus_url(self) -> str:
        """Prometheus."""
        return self.prometheus.url

    @property
    def elasticsearch_url(self) -> str:
        """Elasticsearch."""
        return self.elasticsearch.url

    def selector_of(self, service: str, color: str) -> dict[str, str]:
        """What the Service selects when the color is active."""
        if service == "backend-service":
            return {"app": f"backend-{color}"}
        return {"app": "frontend", "color": color}

    def active_colors(self) -> dict[str, str]:
        """The color that each Service selects now, "" for neither."""
        selectors = {
            service["metadata"]["name"]: service["spec"].get("selector", {})
            for service in self.cluster.each(SERVICE, self.namespace)
        }
        return {
            name: next((color for color in self.colors if self.selector_of(name, color) == selector), "")
            for name, selector in selectors.items()
        }

    def switch(
        self,
        color: str,
        *,
        services: tuple[str, ...] = ("backend-service", "frontend-service"),
        manager: str = "kubectl-patch",
    ) -> None:
        """Points Services at a color, as a person or a deployment tool does."""
        for service in services:
            selector = self.selector_of(service, color)
            self.patch("services", service, {"spec": {"selector": selector}}, manager=manager, whole=("selector",))

    def annotate(self, plural: str, name: str, key: str, value: str | None) -> None:
        """``kubectl annotate``; None removes the annotation."""
        self.patch(plural, name, {"metadata": {"annotations": {key: value}}}, manager="kubectl-annotate")

    def scale(self, deployment: str, replicas: int) -> None:
        """``kubectl scale``."""
        self.cluster.patch_scale(self.namespace, deployment, _merge({"spec": {"replicas": replicas}}))

    def deploy(self, deployment: str, image: str) -> None:
        """``kubectl set image``: a new revision."""

        def change(old: Json) -> Any:
            return apply_json_patch(
                old, [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]
            )

        self.cluster.patch(DEPLOYMENT, self.namespace, deployment, change, manager="kubectl-set")

    def set_ready(self, deployment: str, *, ready: bool) -> None:
        """Lets the pods that a Deployment has now pass or fail their readiness probes."""
        for pod in self.cluster.read_all(POD, self.namespace):
            if pod["metadata"]["name"].rsplit("-", 2)[0] == deployment:
                change = {"metadata": {"annotations": {READY_ANNOTATION: "true" if ready else "false"}}}
                self.cluster.patch(POD, self.namespace, pod["metadata"]["name"], _merge(change), manager="kubelet")

    def patch(self, plural: str, name: str, change: Json, *, manager: str, whole: tuple[str, ...] = ()) -> None:
        """A merge patch; the parts of the spec named by ``whole`` are replaced instead of merged."""
        kind = next(each for each in KINDS if each.plural == plural)

        def apply(old: Json) -> Any:
            for key in whole:
                old["spec"].pop(key, None)
            return merge_patch(old, change)

        namespace = self.namespace if kind.namespaced else ""
        self.cluster.patch(kind, namespace, name, apply, manager=manager)

    def _clock(self) -> float:
        return time.time() if self._past is None else self._past

    def _build(self, active: str, replicas: int) -> None:
        self.cluster.create(NAMESPACE, "", {"metadata": {"name": self.namespace}}, manager="kubectl-create")
        for color in self.colors:
            for app, labels in (
                ("backend", {"app": f"backend-{color}"}),
                ("frontend", {"app": "frontend", "color": color}),
            ):
                document = _deployment(f"{app}-{color}", labels, replicas)
                self.cluster.create(DEPLOYMENT, self.namespace, document, manager="helm")
        for service in ("backend-service", "frontend-service"):
            spec = {"selector": self.selector_of(service, active), "ports": [{"port": 80, "targetPort": 8080}]}
            document = {"metadata": {"name": service}, "spec": spec}
            self.cluster.create(SERVICE, self.namespace, document, manager="helm")
        self._past = (self._past or 0.0) + self.cluster.controllers.pod_ready_delay + 1
        self.cluster.settle()

    async def _live(self, start: float) -> None:
        """Lives through each second as it ends; seconds that were slept over are lived through late."""
        second = 0
        while True:
            second += 1
            await asyncio.sleep(max(0.0, start + second - time.time()))
            self.bank.live_through(start + second)
            before = round((start + second - max(_KEPT_SECONDS, self._history)) * 1000)
            self.series.forget(before)
            self.documents.forget(before)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


def _merge(change: Json) -> Callable[[Json], Any]:
    return lambda old: merge_patch(old, change)


def _deployment(name: str, labels: dict[str, str], replicas: int) -> Json:
    container = {"name": "app", "image": f"{name.partition('-')[0]}:1", "ports": [{"containerPort": 8080}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": name}, "spec": spec}


def write_kubeconfig(path: Path, *, url: str, token: str, namespace: str) -> None:
    """Writes a kubeconfig for a simulated API server."""
    name = "simulated"
    content = json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": {"server": url}}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}],
            "current-context": name,
        },
        indent=2,
    )
    path.write_text(content)
