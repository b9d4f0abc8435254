"""The banking application's objects, and what is left of an object when chance is taken out of it.

Law: pure.
"""

from __future__ import annotations

import re
from typing import Any

Json = dict[str, Any]
SERVICES = "/api/v1/namespaces/{ns}/services"
DEPLOYMENTS = "/apis/apps/v1/namespaces/{ns}/deployments"
PODS = "/api/v1/namespaces/{ns}/pods"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/{ns}/endpointslices"
EVENTS = "/apis/events.k8s.io/v1/namespaces/{ns}/events"
CORE_EVENTS = "/api/v1/namespaces/{ns}/events"
FRONTEND = f"{SERVICES}/frontend-service"
BLUE = f"{DEPLOYMENTS}/frontend-blue"

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"

# Volumes and tolerations are of admission plugins that the simulator does not have; the trigger time and the
# generation of a slice count how often its controller looked.
_LEFT_OUT = {"volumes", "volumeMounts", "tolerations", "endpoints.kubernetes.io/last-change-trigger-time"}
_NAMES = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uid>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", "<time>"),
    (r"(frontend-(?:blue|green))-[a-z0-9]{8,10}(?:-[a-z0-9]{5})?\b", r"\1-<hash>"),
    (r"(frontend-service|made)-[a-z0-9]{5}\b", r"\1-<random>"),
    (r"\b10\.(?:0|9)\.\d+\.\d+", "<address>"),
    (r"Invalid value: \"\{.*\}\": ", 'Invalid value: "<object>": '),
]


_UNORDERED = ("managedFields", "items", "endpoints", "conditions")
# The real kubelet is a fake, and the real namespace was made by another client.
_MANAGERS = {"kwok": "kubelet", "python-requests": "contract"}


def deployment(color: str, *, image: str = "frontend:1", replicas: int = 2, **annotations: str) -> Json:
    """A Deployment of the frontend."""
    labels = {"app": "frontend", "color": color}
    metadata: Json = {"labels": labels}
    if annotations:
        metadata["annotations"] = {"watchdog.test/ready": annotations["ready"]}
    template = {"metadata": metadata, "spec": {"containers": [{"name": "app", "image": image}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": f"frontend-{color}"}, "spec": spec}


def service(**selector: str) -> Json:
    """The Service of the frontend."""
    spec = {"selector": selector, "ports": [{"port": 80, "targetPort": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "frontend-service"}, "spec": spec}


def event(name: str, **fields: Any) -> Json:
    """An Event of events.k8s.io/v1."""
    regarding = {"kind": "Service", "name": "frontend-service", "namespace": "{ns}", "apiVersion": "v1"}
    whole = {
        "metadata": {"name": name},
        "eventTime": "2026-11-24T06:50:11.123456Z",
        "reason": "RolledBack",
        "action": "Rollback",
        "type": "Warning",
        "note": "rolled back",
        "reportingController": "canary-watchdog",
        "reportingInstance": "pod-1",
        "regarding": regarding,
    }
    return whole | fields


def essence(value: Any, *, namespace: str, key: str = "") -> Any:
    """An answer without what is left to chance."""
    match value:
        case dict():
            cleaned = {
                essence(name, namespace=namespace): essence(inner, namespace=namespace, key=name)
                for name, inner in value.items()
                if name not in _LEFT_OUT and f"f:{name}" not in _LEFT_OUT and name.removeprefix("f:") not in _LEFT_OUT
            }
            if "addressType" in cleaned:
                del cleaned["metadata"]["generation"]
            return _without_empty_annotations(cleaned)
        case list():
            cleaned_items = [essence(each, namespace=namespace, key=key) for each in value]
            return sorted(cleaned_items, key=str) if key in _UNORDERED else cleaned_items
        case str() if key in ("resourceVersion", "nodeName", "pod-template-hash"):
            return f"<{key}>"
        case str():
            text = value.replace(namespace, "{ns}").replace('"kwok"', '"kubelet"')
            for pattern, name in _NAMES:
                text = re.sub(pattern, name, text, flags=re.DOTALL)
            return _MANAGERS.get(text, text) if key == "manager" else text
        case _:
            return value


def _without_empty_annotations(document: Json) -> Json:
    """Annotations of which nothing is left, as if there had been none."""
    return {
        key: value
        for key, value in document.items()
        if not (key == "annotations" and value == {}) and not (key == "f:annotations" and value.keys() <= {"."})
    }
