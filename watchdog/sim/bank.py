"""The traffic of a banking application: requests, counters and logs, second by second.

Law: nothing is random. A second of traffic follows from what the Services select and from how each color behaves,
and fractions of requests are carried over to the next second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from watchdog.sim.elasticsearch.documents import DocumentStore
from watchdog.sim.kubernetes.cluster import Cluster
from watchdog.sim.kubernetes.endpoints import SERVICE_LABEL
from watchdog.sim.kubernetes.kinds import ENDPOINT_SLICE, POD, SERVICE
from watchdog.sim.prometheus.series import STALE, Labels, SeriesStore, labels_of

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_SLOW_SHARE, _SLOW_FACTOR = 0.05, 4.0
_MESSAGES = {
    "INFO": "Request handled",
    "ERROR": "Request failed: the ledger did not answer in time",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Behavior:
    """How a color serves: the share of requests that fail, and the seconds that a usual request takes."""

    error_ratio: float = 0.001
    latency: float = 0.04


@dataclass(slots=True)
class _Process:
    """What one color of one application has counted since it started."""

    requests: dict[str, int] = field(default_factory=lambda: {"200": 0, "500": 0})
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    seconds: float = 0.0
    owed_requests: float = 0.0
    owed_errors: float = 0.0
    owed_logs: dict[str, float] = field(default_factory=lambda: {"INFO": 0.0, "ERROR": 0.0})

    def serve(self, requests: float, behavior: Behavior) -> tuple[int, int]:
        """Counts the requests of a second; returns how many went well and how many failed."""
        self.owed_requests += requests
        whole = int(self.owed_requests)
        self.owed_requests -= whole
        self.owed_errors += whole * behavior.error_ratio
        errors = min(whole, int(self.owed_errors))
        self.owed_errors -= errors
        self.requests["500"] += errors
        self.requests["200"] += whole - errors
        slow = int(whole * _SLOW_SHARE)
        self._observe(behavior.latency, whole - slow)
        self._observe(behavior.latency * _SLOW_FACTOR, slow)
        return whole - errors, errors

    def _observe(self, seconds: float, count: int) -> None:
        self.seconds += seconds * count
        for place, bound in enumerate((*BUCKETS, float("inf"))):
            self.buckets[place] += count if seconds <= bound else 0


class Bank:
    """Users who send ``requests_per_second`` to each Service of the namespace.

    Of the requests ``logs_per_second`` are logged a Service, failures in their true share. ``answered`` counts the
    requests that reached a color, ``failed`` those of them that it failed, ``lost_requests`` those that found no
    endpoint.
    """

    def __init__(
        self,
        cluster: Cluster,
        series: SeriesStore,
        documents: DocumentStore,
        *,
        namespace: str,
        deployments: Mapping[str, tuple[str, str]],
        requests_per_second: float = 50.0,
        logs_per_second: float = 10.0,
    ) -> None:
        """``deployments`` maps the name of each Deployment to its application and color."""
        self.requests_per_second = requests_per_second
        self.logs_per_second = logs_per_second
        self.lost_requests = 0.0
        self.answered = 0
        self.failed = 0
        self._cluster = cluster
        self._series = series
        self._documents = documents
        self._namespace = namespace
        self._deployments = deployments
        self._behaviors: dict[tuple[str, str], Behavior] = {}
        self._processes: dict[str, _Process] = {}

    def go_bad(
        self, color: str, *, error_ratio: float = 0.3, latency: float = 0.04, apps: tuple[str, ...] = ()
    ) -> None:
        """Lets a color fail from the next second on, in these applications or in all."""
        for app, each in self._deployments.values():
            if each == color and (not apps or app in apps):
                self._behaviors[app, color] = Behavior(error_ratio=error_ratio, latency=latency)

    def live_through(self, at: float) -> None:
        """The second that ends at ``at`` (Unix seconds): requests, logs, and one scrape."""
        self._cluster.settle()
        for service in self._cluster.each(SERVICE, self._namespace):
            shares = self._shares(service["metadata"]["name"])
            if not shares:
                self.lost_requests += self.requests_per_second
            for deployment, share in shares.items():
                self._serve(deployment, share, at)
        self._scrape(round(at * 1000))

    def _shares(self, service: str) -> dict[str, float]:
        """Which Deployments answer for the Service, each with its share of the ready endpoints."""
        ready = [
            endpoint["targetRef"]["name"]
            for piece in self._cluster.each(ENDPOINT_SLICE, self._namespace)
            if piece["metadata"]["labels"][SERVICE_LABEL] == service
            for endpoint in piece["endpoints"] or ()
            if endpoint["conditions"]["ready"]
        ]
        shares: dict[str, float] = {}
        for pod in ready:
            deployment = pod.rsplit("-", 2)[0]
            shares[deployment] = shares.get(deployment, 0.0) + 1 / len(ready)
        return {name: share for name, share in shares.items() if name in self._deployments}

    def _serve(self, deployment: str, share: float, at: float) -> None:
        process = self._processes.setdefault(deployment, _Process())
        behavior = self._behaviors.get(self._deployments[deployment], Behavior())
        well, failed = process.serve(self.requests_per_second * share, behavior)
        self.answered += well + failed
        self.failed += failed
        if not well + failed:
            return
        for level, count in (("INFO", well), ("ERROR", failed)):
            process.owed_logs[level] += self.logs_per_second * share * count / (well + failed)
            whole = int(process.owed_logs[level])
            process.owed_logs[level] -= whole
            for place in range(whole):
                self._log(deployment, level, at - 1 + (place + 1) / (whole + 1))

    def _log(self, deployment: str, level: str, at: float) -> None:
        app, color = self._deployments[deployment]
        moment = datetime.fromtimestamp(at, UTC)
        source = {
            "@timestamp": moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z",
            "ecs.version": "8.11.0",
            "log.level": level,
            "logger": f"bank.{app}.RequestHandler",
            "message": _MESSAGES[level],
            "service": {"name": app},
            "kubernetes": {"namespace": self._namespace, "labels": {"app": app, "color": color}},
        }
        self._documents.add(f"logs-banking-{moment:%Y.%m.%d}", source)

    def _scrape(self, at: int) -> None:
        for deployment in self._deployments:
            if any(self._running_pods(deployment)):
                process = self._processes.setdefault(deployment, _Process())
                for labels, value in self._exposed(deployment, process):
                    self._series.append(labels, at, value)
            elif gone := self._processes.pop(deployment, None):
                for labels, _ in self._exposed(deployment, gone):
                    self._series.append(labels, at, STALE)

    def _running_pods(self, deployment: str) -> Iterator[str]:
        for pod in self._cluster.each(POD, self._namespace):
            name = pod["metadata"]["name"]
            if name.rsplit("-", 2)[0] == deployment and pod["status"]["phase"] == "Running":
                yield name

    def _exposed(self, deployment: str, process: _Process) -> Iterator[tuple[Labels, float]]:
        app, color = self._deployments[deployment]
        target = {"job": "banking-app", "instance": f"{deployment}:8080"}
        own = target | {"namespace": self._namespace, "app": app, "color": color}
        histogram = "http_request_duration_seconds"
        yield labels_of({"__name__": "up"} | target), 1.0
        for code, count in process.requests.items():
            yield labels_of({"__name__": "http_requests_total", "code": code} | own), float(count)
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), process.buckets, strict=True):
            yield labels_of({"__name__": f"{histogram}_bucket", "le": bound} | own), float(count)
        yield labels_of({"__name__": f"{histogram}_sum"} | own), process.seconds
        yield labels_of({"__name__": f"{histogram}_count"} | own), float(process.buckets[-1])
