"""The kubelet: starts pods, and lets them become ready or unready.

Law: it writes a pod's status and nothing else.

It obeys the pod annotation ``watchdog.test/ready``: absent or "true" is ready, "false" runs without becoming ready,
"pending" never starts. The tests' fake kubelet on real servers obeys the same one.
"""

from __future__ import annotations

import copy

from watchdog.sim.kubernetes.kinds import POD, Json
from watchdog.sim.kubernetes.store import Store

READY_ANNOTATION = "watchdog.test/ready"


def run_pod(store: Store, namespace: str, name: str) -> None:
    """Starts the pod and lets it become ready or unready, as its annotation says."""
    pod = store.find(POD, namespace, name)
    wish = "" if pod is None else pod["metadata"].get("annotations", {}).get(READY_ANNOTATION, "true")
    if pod is None or wish == "pending":
        return
    ready = wish != "false"
    if pod["status"]["phase"] == "Running" and is_ready(pod) == ready:
        return
    new = copy.deepcopy(pod)
    status = new["status"]
    scheduled = next(each for each in status["conditions"] if each["type"] == "PodScheduled")
    address = status.get("podIP") or store.next_address("10.9")
    started = status.get("startTime") or store.time()
    containers = [_container(each, ready=ready, started=started) for each in new["spec"]["containers"]]
    status |= {"phase": "Running", "startTime": started, "containerStatuses": containers}
    status |= {"podIP": address, "podIPs": [{"ip": address}]}
    status["conditions"] = [
        pod_condition(store, "Initialized", holds=True),
        pod_condition(store, "Ready", holds=ready),
        pod_condition(store, "ContainersReady", holds=ready),
        scheduled,
    ]
    store.put(POD, new, manager="kubelet", subresource="status")


def is_ready(pod: Json) -> bool:
    """True when the pod's Ready condition holds."""
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))


def pod_condition(store: Store, kind: str, *, holds: bool) -> Json:
    """One of a pod's conditions, as of now."""
    status = "True" if holds else "False"
    return {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": store.time()}


def _container(container: Json, *, ready: bool, started: str) -> Json:
    return {
        "name": container["name"],
        "state": {"running": {"startedAt": started}},
        "lastState": {},
        "ready": ready,
        "restartCount": 0,
        "image": container.get("image", ""),
        "imageID": "",
        "started": True,
    }
