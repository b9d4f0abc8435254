"""What the API server fills in where a document says nothing.

Law: it only adds; what is there stays.
"""

from __future__ import annotations

from watchdog.sim.kubernetes.kinds import DEPLOYMENT, NAMESPACE, SERVICE, Json, Kind


def fill_in(kind: Kind, new: Json) -> None:
    """Completes an object in place."""
    spec = new.setdefault("spec", {}) if "spec" in kind.top_fields else {}
    if kind is NAMESPACE:
        spec.setdefault("finalizers", ["kubernetes"])
        new["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = new["metadata"]["name"]
        new.setdefault("status", {"phase": "Active"})
    elif kind is SERVICE:
        _fill_in_service(spec)
        new.setdefault("status", {"loadBalancer": {}})
    elif kind is DEPLOYMENT:
        _fill_in_deployment(spec)
        new.setdefault("status", {})


def _fill_in_service(spec: Json) -> None:
    for port in spec.get("ports", []):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
    defaults = {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"}
    for key, value in defaults.items():
        spec.setdefault(key, value)


def _fill_in_deployment(spec: Json) -> None:
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {})
    defaults: Json = {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
    }
    pod = template.setdefault("spec", {})
    for container in pod.setdefault("containers", []):
        container.setdefault("resources", {})
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        container.setdefault("terminationMessagePolicy", "File")
        latest = ":" not in container.get("image", "").rpartition("/")[2] or container["image"].endswith(":latest")
        container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
    for key, value in defaults.items():
        pod.setdefault(key, value)
