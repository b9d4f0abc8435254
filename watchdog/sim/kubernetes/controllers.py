"""Which controllers look at an object that was written or deleted.

Law: a controller is woken, never run: what it does happens when it is due, as a change of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from watchdog.sim.kubernetes.deployments import pods_of, reconcile_deployment
from watchdog.sim.kubernetes.endpoints import SERVICE_LABEL, reconcile_endpoints
from watchdog.sim.kubernetes.kinds import DEPLOYMENT, ENDPOINT_SLICE, POD, SERVICE, Json, Kind
from watchdog.sim.kubernetes.pods import run_pod
from watchdog.sim.kubernetes.selectors import selects
from watchdog.sim.kubernetes.store import Store

Reconcile = Callable[[Store, str, str], None]


class Controllers:
    """All controllers of one store; ``delay`` and ``pod_ready_delay`` are seconds."""

    def __init__(self, store: Store, *, pod_ready_delay: float, delay: float) -> None:
        self.pod_ready_delay = pod_ready_delay
        self._store = store
        self._delay = delay

    def after_write(self, kind: Kind, new: Json, *, fresh: bool) -> None:
        """Wakes the controllers that look at this kind."""
        if kind is DEPLOYMENT:
            self._wake(reconcile_deployment, new)
        elif kind is SERVICE:
            self._wake(reconcile_endpoints, new)
        elif kind is POD:
            self._wake(run_pod, new, delay=self.pod_ready_delay if fresh else self._delay)
            self._after_pod(new)

    def after_delete(self, kind: Kind, gone: Json) -> None:
        """Removes what belonged to the object, and wakes the controllers that counted it."""
        namespace = gone["metadata"].get("namespace", "")
        if kind is DEPLOYMENT:
            for pod in [*pods_of(self._store, gone)]:
                self._store.drop(POD, pod)
        elif kind is SERVICE:
            for piece in [*self._store.each(ENDPOINT_SLICE, namespace)]:
                if piece["metadata"]["labels"][SERVICE_LABEL] == gone["metadata"]["name"]:
                    self._store.drop(ENDPOINT_SLICE, piece)
        elif kind is POD:
            self._after_pod(gone)

    def _after_pod(self, pod: Json) -> None:
        namespace = pod["metadata"]["namespace"]
        for deployment in self._store.each(DEPLOYMENT, namespace):
            if selects(deployment["spec"]["selector"]["matchLabels"], pod["metadata"]["labels"]):
                self._wake(reconcile_deployment, deployment)
        for service in self._store.each(SERVICE, namespace):
            self._wake(reconcile_endpoints, service)

    def _wake(self, reconcile: Reconcile, changed: Json, *, delay: float | None = None) -> None:
        namespace, name = changed["metadata"]["namespace"], changed["metadata"]["name"]
        due = self._delay if delay is None else delay
        self._store.later(due, partial(reconcile, self._store, namespace, name))
