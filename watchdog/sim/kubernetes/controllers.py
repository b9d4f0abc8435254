"""Which controllers look at an object that was written or deleted.

Law: a controller is woken, never run: what it does happens when it is due, as a change of its own.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from watchdog.sim.kubernetes.deployments import pods_of, reconcile_deployment
from watchdog.sim.kubernetes.endpoints import SERVICE_LABEL, reconcile_endpoints
from watchdog.sim.kubernetes.kinds import DEPLOYMENT, ENDPOINT_SLICE, POD, SERVICE, Json, Kind
from watchdog.sim.kubernetes.pods import run_pod
from watchdog.sim.kubernetes.selectors import selects

if TYPE_CHECKING:
    from watchdog.sim.kubernetes.cluster import Cluster


def after_write(cluster: Cluster, kind: Kind, new: Json, *, fresh: bool) -> None:
    """Wakes the controllers that look at this kind."""
    namespace, name = new["metadata"].get("namespace", ""), new["metadata"]["name"]
    if kind is DEPLOYMENT:
        cluster.later(cluster.controller_delay, partial(reconcile_deployment, cluster, namespace, name))
    elif kind is SERVICE:
        cluster.later(cluster.controller_delay, partial(reconcile_endpoints, cluster, namespace, name))
    elif kind is POD:
        delay = cluster.pod_ready_delay if fresh else cluster.controller_delay
        cluster.later(delay, partial(run_pod, cluster, namespace, name))
        _after_pod(cluster, new)


def after_delete(cluster: Cluster, kind: Kind, gone: Json) -> None:
    """Removes what belonged to the object, and wakes the controllers that counted it."""
    namespace = gone["metadata"].get("namespace", "")
    if kind is DEPLOYMENT:
        for pod in [*pods_of(cluster, gone)]:
            cluster.drop(POD, pod)
    elif kind is SERVICE:
        for piece in [*cluster.each(ENDPOINT_SLICE, namespace)]:
            if piece["metadata"]["labels"][SERVICE_LABEL] == gone["metadata"]["name"]:
                cluster.drop(ENDPOINT_SLICE, piece)
    elif kind is POD:
        _after_pod(cluster, gone)


def _after_pod(cluster: Cluster, pod: Json) -> None:
    namespace = pod["metadata"]["namespace"]
    for deployment in cluster.each(DEPLOYMENT, namespace):
        name = deployment["metadata"]["name"]
        if selects(deployment["spec"]["selector"]["matchLabels"], pod["metadata"]["labels"]):
            cluster.later(cluster.controller_delay, partial(reconcile_deployment, cluster, namespace, name))
    for service in cluster.each(SERVICE, namespace):
        name = service["metadata"]["name"]
        cluster.later(cluster.controller_delay, partial(reconcile_endpoints, cluster, namespace, name))
