"""The EndpointSlice controller: a Service's slice lists the pods that its selector picks.

Law: one slice a Service; a Service without a selector keeps the slice that it had.
"""

from __future__ import annotations

import copy

from watchdog.sim.kubernetes.kinds import ENDPOINT_SLICE, POD, SERVICE, Json
from watchdog.sim.kubernetes.pods import is_ready
from watchdog.sim.kubernetes.selectors import selects
from watchdog.sim.kubernetes.store import Store

SERVICE_LABEL = "kubernetes.io/service-name"


def reconcile_endpoints(store: Store, namespace: str, name: str) -> None:
    """Lets the Service's EndpointSlice list the pods that its selector picks; without a selector it stays as it is."""
    service = store.find(SERVICE, namespace, name)
    selector = service["spec"].get("selector") if service else None
    if service is None or not selector:
        return
    pods = [pod for pod in store.each(POD, namespace) if selects(selector, pod["metadata"]["labels"])]
    endpoints = [_endpoint(pod) for pod in pods if pod["status"].get("podIP")]
    slices = store.each(ENDPOINT_SLICE, namespace)
    found = [piece for piece in slices if piece["metadata"]["labels"][SERVICE_LABEL] == name]
    piece = copy.deepcopy(found[0]) if found else _new_slice(store, service)
    piece["endpoints"] = endpoints or None
    piece["ports"] = [_port(port, pods[0]) for port in service["spec"]["ports"]] if endpoints else None
    store.put(ENDPOINT_SLICE, piece)


def _new_slice(store: Store, service: Json) -> Json:
    name, namespace, uid = (service["metadata"][key] for key in ("name", "namespace", "uid"))
    labels = {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io", SERVICE_LABEL: name}
    return {
        "kind": "EndpointSlice",
        "apiVersion": "discovery.k8s.io/v1",
        "metadata": {
            "name": f"{name}-{store.random_suffix()}",
            "generateName": f"{name}-",
            "namespace": namespace,
            "labels": labels,
            "ownerReferences": [owner_reference("v1", "Service", name, uid)],
        },
        "addressType": "IPv4",
    }


def _endpoint(pod: Json) -> Json:
    metadata, ready = pod["metadata"], is_ready(pod)
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready, "serving": ready, "terminating": False},
        "targetRef": {"kind": "Pod"} | {key: metadata[key] for key in ("namespace", "name", "uid")},
        "nodeName": pod["spec"]["nodeName"],
    }


def _port(port: Json, pod: Json) -> Json:
    """The port of the pods; a target port may be the name that a container gives to it."""
    named = {
        each["name"]: each["containerPort"]
        for container in pod["spec"]["containers"]
        for each in container.get("ports", ())
        if "name" in each
    }
    target = port["targetPort"]
    number = target if isinstance(target, int) else named.get(target)
    return {"name": port.get("name", ""), "protocol": port["protocol"], "port": number}


def owner_reference(api_version: str, kind: str, name: str, uid: str) -> Json:
    """What an owned object says of its controller."""
    named = {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid}
    return named | {"controller": True, "blockOwnerDeletion": True}
