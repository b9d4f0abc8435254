"""Exchanges with an API server, in scenes that each begin in an empty namespace.

Law: an exchange is a request and how to look at its answer; nothing here says what the answer is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.contract.kubernetes_objects import (
    BLUE,
    CORE_EVENTS,
    DEPLOYMENTS,
    EVENTS,
    FRONTEND,
    JSON_PATCH,
    MERGE_PATCH,
    PODS,
    SERVICES,
    SLICES,
    STRATEGIC_PATCH,
    Json,
    deployment,
    event,
    service,
)

Seen = Mapping[str, Any]
Body = Any | Callable[[Seen], Any]
SCALE = f"{BLUE}/scale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request. ``until`` asks again until the answer is so; ``look`` takes from an answer what is compared.

    The body may be made from what earlier answers, kept under ``keep``, have shown.
    """

    method: str
    path: str
    body: Body = None
    content_type: str = "application/json"
    until: Callable[[Any], bool] | None = None
    look: Callable[[Any], Any] = lambda answer: answer
    look_at_refusal: Callable[[Any], Any] = lambda answer: answer
    keep: str = ""


def get(path: str, **options: Any) -> Exchange:
    return Exchange(method="GET", path=path, **options)


def post(path: str, body: Body, **options: Any) -> Exchange:
    return Exchange(method="POST", path=path, body=body, **options)


def json_patch(path: str, *operations: Json, **options: Any) -> Exchange:
    return Exchange(method="PATCH", path=path, body=list(operations), content_type=JSON_PATCH, **options)


def merge(path: str, body: Body, **options: Any) -> Exchange:
    return Exchange(method="PATCH", path=path, body=body, content_type=MERGE_PATCH, **options)


def strategic(path: str, body: Body, **options: Any) -> Exchange:
    return Exchange(method="PATCH", path=path, body=body, content_type=STRATEGIC_PATCH, **options)


def test(path: str, value: Any) -> Json:
    return {"op": "test", "path": path, "value": value}


def replace(path: str, value: Any) -> Json:
    return {"op": "replace", "path": path, "value": value}


def add(path: str, value: Any) -> Json:
    return {"op": "add", "path": path, "value": value}


def remove(path: str) -> Json:
    return {"op": "remove", "path": path}


def is_settled(found: Any) -> bool:
    """A Deployment whose controller has nothing left to do."""
    wanted, status = found["spec"]["replicas"], found["status"]
    counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas", "terminatingReplicas")]
    return status.get("observedGeneration") == found["metadata"]["generation"] and counts == [wanted, wanted, wanted, 0]


def is_stuck(found: Any) -> bool:
    """A Deployment whose two pods are there, and neither of them ready."""
    status = found["status"]
    counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "unavailableReplicas")]
    return counts == [2] * 3 and "ReplicaSetUpdated" in [each["reason"] for each in status["conditions"]]


def lists_ready(count: int) -> Callable[[Any], bool]:
    """A list of slices with so many ready endpoints and no other."""

    def holds(found: Any) -> bool:
        endpoints = [each for piece in found["items"] for each in piece["endpoints"] or ()]
        return len(found["items"]) == 1 and [each["conditions"]["ready"] for each in endpoints] == [True] * count

    return holds


def without_status(found: Any) -> Any:
    """What a write says before the controllers have looked at it."""
    if found.get("kind") != "Deployment":
        return found
    metadata = found["metadata"]
    fields = [entry for entry in metadata["managedFields"] if entry["manager"] != "kube-controller-manager"]
    kept = {key: value for key, value in metadata.items() if key != "annotations"}
    return {key: value for key, value in found.items() if key != "status"} | {
        "metadata": kept | {"managedFields": fields}
    }


def code_and_reason(found: Any) -> Any:
    """For refusals whose sentence is the JSON decoder's own."""
    return {key: found[key] for key in ("code", "reason", "status")}


def in_a_list(found: Any) -> list[str]:
    return sorted(item["metadata"]["labels"]["color"] for item in found["items"])


ACTIVE = {"app": "frontend", "color": "green"}
OTHER = {"app": "frontend", "color": "blue"}
MADE = post(SERVICES, service(**ACTIVE))
BLUE_MADE = post(DEPLOYMENTS, deployment("blue"), look=without_status)
BLUE_SETTLED = get(BLUE, until=is_settled)


def guarded_switch(seen: Seen) -> list[Json]:
    """The patch that the watchdog sends."""
    metadata = seen["service"]["metadata"]
    return [
        test("/metadata/uid", metadata["uid"]),
        test("/metadata/resourceVersion", metadata["resourceVersion"]),
        test("/spec/selector", ACTIVE),
        replace("/spec/selector", OTHER),
        add("/metadata/annotations", {"canary-watchdog/trip": "t1"}),
    ]


SCENES: dict[str, list[Exchange]] = {
    "a test that fails": [
        MADE,
        json_patch(FRONTEND, test("/metadata/uid", "another")),
        json_patch(FRONTEND, test("/metadata/resourceVersion", "1"), replace("/spec/selector", OTHER)),
        json_patch(FRONTEND, test("/spec/selector", {"app": "frontend"}), replace("/spec/selector", OTHER)),
        json_patch(FRONTEND, test("/spec/selector", ACTIVE | {"x": "y"}), replace("/spec/selector", OTHER)),
        json_patch(FRONTEND, replace("/spec/selector", OTHER), test("/spec/selector", ACTIVE)),
        json_patch(FRONTEND, test("/spec/ports/0/port", "80")),
        json_patch(FRONTEND, test("/spec/missing", "x")),
        json_patch(FRONTEND, test("/spec/missing/deep", "x")),
        get(FRONTEND),
    ],
    "a test that holds": [
        MADE,
        json_patch(FRONTEND, test("/spec/missing", None)),
        json_patch(FRONTEND, test("/spec/ports/0/port", 80)),
        json_patch(FRONTEND, test("/spec/ports/-1/port", 80)),
        json_patch(FRONTEND, test("", {})),
        get(FRONTEND),
    ],
    "a guarded switch": [
        MADE,
        get(FRONTEND, keep="service"),
        Exchange(
            method="PATCH",
            path=f"{FRONTEND}?fieldManager=canary-watchdog",
            body=guarded_switch,
            content_type=JSON_PATCH,
        ),
        Exchange(
            method="PATCH",
            path=f"{FRONTEND}?fieldManager=canary-watchdog",
            body=guarded_switch,
            content_type=JSON_PATCH,
        ),
        get(FRONTEND),
    ],
    "operations that do not apply": [
        MADE,
        json_patch(FRONTEND, add("/metadata/annotations/canary-watchdog~1x", "y")),
        json_patch(FRONTEND, remove("/metadata/annotations/canary-watchdog~1x")),
        json_patch(FRONTEND, remove("/metadata/annotations")),
        json_patch(FRONTEND, {"op": "bogus", "path": "/spec/x", "value": 1}),
        json_patch(FRONTEND, {"op": "add", "value": "x"}),
        json_patch(FRONTEND, add("spec", "x")),
        json_patch(FRONTEND, add("/spec/ports/5", {"port": 81})),
        json_patch(FRONTEND, {"op": "move", "from": "/metadata/annotations/x", "path": "/metadata/annotations/y"}),
        json_patch(FRONTEND),
        get(FRONTEND),
    ],
    "operations that apply": [
        MADE,
        json_patch(FRONTEND, replace("/metadata/annotations", {})),
        json_patch(FRONTEND, replace("/spec/missing", "x")),
        json_patch(FRONTEND, add("/spec/bogus", "1")),
        json_patch(f"{FRONTEND}?fieldValidation=Ignore", add("/spec/bogus", "1")),
        json_patch(FRONTEND, add("/metadata/annotations", {"a": "b"})),
        json_patch(FRONTEND, add("/metadata/annotations/c~1d", "e")),
        json_patch(FRONTEND, {"op": "copy", "from": "/metadata/annotations/a", "path": "/metadata/annotations/f"}),
        json_patch(FRONTEND, {"op": "copy", "from": "/metadata/annotations/no", "path": "/metadata/annotations/no2"}),
        json_patch(FRONTEND, {"op": "move", "from": "/metadata/annotations/a", "path": "/metadata/annotations/g"}),
        json_patch(FRONTEND, add("/metadata/annotations/n", None)),
        json_patch(FRONTEND, remove("/metadata/annotations/f")),
        json_patch(FRONTEND, {"op": "add", "path": "/spec/selector/z"}),
        json_patch(FRONTEND, replace("/spec/selector", {})),
        json_patch(FRONTEND, replace("/spec/selector", ACTIVE)),
        json_patch(FRONTEND, replace("/spec/selector/color", None)),
    ],
    "patches that are none": [
        MADE,
        Exchange(method="PATCH", path=FRONTEND, body={"op": "test"}, content_type=JSON_PATCH),
        Exchange(
            method="PATCH", path=FRONTEND, body="nonsense", content_type=JSON_PATCH, look_at_refusal=code_and_reason
        ),
        Exchange(method="PATCH", path=FRONTEND, body="[", content_type=JSON_PATCH, look_at_refusal=code_and_reason),
        Exchange(method="PATCH", path=FRONTEND, body=[], content_type=MERGE_PATCH),
        Exchange(
            method="PATCH", path=FRONTEND, body="nonsense", content_type=MERGE_PATCH, look_at_refusal=code_and_reason
        ),
        Exchange(method="PATCH", path=FRONTEND, body={"a": "b"}),
        Exchange(method="PATCH", path=FRONTEND, body={"a": "b"}, content_type="text/plain"),
    ],
    "objects that are invalid": [
        MADE,
        json_patch(FRONTEND, replace("/spec/selector", "text")),
        json_patch(FRONTEND, replace("/spec/selector/color", 5)),
        json_patch(FRONTEND, replace("/spec/selector", {"bad key!": "x"})),
        json_patch(FRONTEND, replace("/spec/selector", {"a": "bad value!"})),
        json_patch(FRONTEND, replace("/metadata/uid", "x")),
        json_patch(FRONTEND, replace("/metadata/name", "x")),
        json_patch(FRONTEND, replace("/metadata/namespace", "x")),
        json_patch(FRONTEND, replace("/metadata/resourceVersion", "1")),
        json_patch(f"{FRONTEND}?fieldValidation=Strict", add("/spec/bogus", {"a": "b"})),
        merge(FRONTEND, {"spec": {"selector": 5}}),
        merge(FRONTEND, {"metadata": {"uid": "wrong"}}),
        merge(FRONTEND, {"spec": {"ports": [{"port": 80}, {"port": 81}]}}),
        get(FRONTEND),
    ],
    "merge patches": [
        MADE,
        merge(FRONTEND, {"metadata": {"resourceVersion": "1"}, "spec": {"selector": OTHER}}),
        strategic(FRONTEND, {"metadata": {"resourceVersion": "1"}, "spec": {"selector": OTHER}}),
        merge(FRONTEND, {"spec": {"selector": {"app": "frontend-blue"}}}),
        strategic(FRONTEND, {"spec": {"selector": {"color": None}}}),
        merge(FRONTEND, {"metadata": {"annotations": {"a": "1", "b": "2"}}}),
        merge(FRONTEND, {"metadata": {"annotations": {"a": None, "b": "3"}}}),
        merge(FRONTEND, {"metadata": {"annotations": None}}),
        merge(FRONTEND, {"spec": {"ports": [{"port": 81, "targetPort": 8081}]}}),
        strategic(FRONTEND, {"spec": {"ports": [{"port": 81, "targetPort": 8082}]}}),
    ],
    "field owners": [
        MADE,
        json_patch(f"{FRONTEND}?fieldManager=helm", replace("/spec/selector", ACTIVE)),
        json_patch(f"{FRONTEND}?fieldManager=helm&dryRun=All", replace("/spec/selector", OTHER)),
        get(FRONTEND),
        json_patch(
            f"{FRONTEND}?fieldManager=argocd",
            replace("/spec/selector", OTHER),
            add("/metadata/annotations", {"q": "r"}),
        ),
        merge(f"{FRONTEND}?fieldManager=kubectl-annotate", {"metadata": {"annotations": {"q": "s"}}}),
        merge(f"{FRONTEND}?fieldManager=kubectl-annotate", {"metadata": {"annotations": {"q": None}}}),
        json_patch(f"{FRONTEND}?fieldManager=canary-watchdog", replace("/spec/selector", ACTIVE)),
        merge("/api/v1/namespaces/{ns}?fieldManager=kubectl-annotate", {"metadata": {"annotations": {"p": "true"}}}),
        merge("/api/v1/namespaces/{ns}?fieldManager=kubectl-annotate", {"metadata": {"annotations": {"p": None}}}),
    ],
    "what is not there": [
        get(f"{SERVICES}/nope"),
        get("/api/v1/namespaces/nope"),
        get("/api/v1/namespaces/nope/services"),
        get("/api/v1/namespaces/nope/services/x"),
        get(f"{DEPLOYMENTS}/nope"),
        get(f"{DEPLOYMENTS}/nope/scale"),
        json_patch(f"{SERVICES}/nope"),
        merge(f"{DEPLOYMENTS}/nope/scale", {"spec": {"replicas": 1}}),
        post("/api/v1/namespaces/nope/services", service(**ACTIVE)),
    ],
    "making what is there": [
        MADE,
        MADE,
        post(SERVICES, {"metadata": {"name": "no-ports"}, "spec": {}}),
        post(SERVICES, {"metadata": {"name": "odd"}, "spec": {"ports": [{"port": 80}], "bogus": 1}, "what": 1}),
        post(f"{SERVICES}?fieldValidation=Strict", {"metadata": {"name": "odd"}, "spec": {"bogus": 1}}),
        post(SERVICES, {"metadata": {"name": "no-selector"}, "spec": {"ports": [{"port": 80}]}}),
        post("/api/v1/namespaces", {"metadata": {"name": "{ns}"}}),
        post(FRONTEND, {}),
        post(SERVICES, service(**ACTIVE) | {"metadata": {"name": "Bad"}}),
        post(DEPLOYMENTS, deployment("blue") | {"metadata": {"name": "bad_"}}),
        post(DEPLOYMENTS, deployment("blue") | {"metadata": {}}),
        post(SERVICES, service(**ACTIVE) | {"metadata": {"name": "x", "namespace": "elsewhere"}}),
        post(SERVICES, service(**ACTIVE) | {"kind": "Pod"}, look_at_refusal=code_and_reason),
        post(SERVICES, service(**ACTIVE) | {"apiVersion": "v2"}, look_at_refusal=code_and_reason),
        post(SERVICES, [1], look_at_refusal=code_and_reason),
        post(SERVICES, "nonsense", look_at_refusal=code_and_reason),
        post(EVENTS, event("Bad")),
    ],
    "deleting": [
        MADE,
        Exchange(method="DELETE", path=FRONTEND),
        Exchange(method="DELETE", path=FRONTEND),
        MADE,
        BLUE_MADE,
        BLUE_SETTLED,
        Exchange(method="DELETE", path=BLUE),
        get(BLUE, until=lambda found: found.get("code") == 404),
        get(PODS, until=lambda found: not found["items"]),
    ],
    "a Deployment comes up": [
        post(DEPLOYMENTS, deployment("blue"), look=without_status),
        BLUE_SETTLED,
        get(PODS),
        get(SCALE),
        post(SERVICES, service(**OTHER)),
        get(SLICES, until=lists_ready(2)),
        get(f"{DEPLOYMENTS}", look=lambda found: [item["metadata"]["name"] for item in found["items"]]),
    ],
    "a Deployment that never becomes ready": [
        post(DEPLOYMENTS, deployment("blue", ready="false"), look=without_status),
        get(BLUE, until=is_stuck),
        post(SERVICES, service(**OTHER)),
        get(SLICES, until=lambda found: [len(item["endpoints"] or ()) for item in found["items"]] == [2]),
    ],
    "a Deployment that never starts": [
        post(DEPLOYMENTS, deployment("blue", ready="pending"), look=without_status),
        get(BLUE, until=is_stuck),
        get(PODS),
        post(SERVICES, service(**OTHER)),
        get(SLICES, until=lists_ready(0)),
    ],
    "scaling to zero and back": [
        BLUE_MADE,
        BLUE_SETTLED,
        post(SERVICES, service(**OTHER)),
        get(SLICES, until=lists_ready(2)),
        json_patch(SCALE, test("/spec/replicas", 4), replace("/spec/replicas", 0)),
        json_patch(SCALE, test("/metadata/resourceVersion", "1"), replace("/spec/replicas", 0)),
        merge(SCALE, {"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 0}}),
        merge(SCALE, {"spec": {"replicas": -1}}),
        merge(SCALE, {"spec": {"replicas": "x"}}),
        json_patch(SCALE, test("/spec/replicas", 2), replace("/spec/replicas", 0)),
        get(SCALE, until=lambda found: found["status"]["replicas"] == 0),
        BLUE_SETTLED,
        get(SLICES, until=lists_ready(0)),
        json_patch(SCALE, test("/spec/replicas", 0), replace("/spec/replicas", 3)),
        json_patch(SCALE, test("/spec/replicas", None), replace("/spec/replicas", 3)),
        BLUE_SETTLED,
        get(SLICES, until=lists_ready(3)),
        merge(f"{SCALE}?fieldManager=kubectl", {"spec": {"replicas": 1}}),
        BLUE_SETTLED,
    ],
    "writing a Deployment": [
        BLUE_MADE,
        BLUE_SETTLED,
        json_patch(f"{BLUE}?fieldManager=me", add("/metadata/annotations/me~1x", "1"), look=without_status),
        BLUE_SETTLED,
        json_patch(BLUE, replace("/spec/selector", {"matchLabels": {"a": "b"}})),
        json_patch(BLUE, replace("/spec/replicas", -2)),
        json_patch(BLUE, replace("/spec/replicas", 2.5)),
        strategic(BLUE, {"metadata": {"resourceVersion": "5"}, "spec": {"replicas": 2}}),
        json_patch(BLUE, replace("/spec/replicas", 0), look=without_status),
        get(BLUE, until=is_settled),
    ],
    "a new revision": [
        BLUE_MADE,
        BLUE_SETTLED,
        strategic(
            f"{BLUE}?fieldManager=kubectl-set",
            {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "frontend:2"}]}}}},
            look=without_status,
        ),
        get(BLUE, until=is_settled),
        get(
            PODS,
            until=lambda found: (
                [item["spec"]["containers"][0]["image"] for item in found["items"]] == ["frontend:2"] * 2
            ),
        ),
        strategic(
            f"{BLUE}?fieldManager=kubectl-set",
            {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "frontend:1"}]}}}},
            look=without_status,
        ),
        get(BLUE, until=is_settled, look=lambda found: found["metadata"]["annotations"]),
    ],
    "a selector is switched": [
        post(SERVICES, service(**ACTIVE)),
        get(SLICES, until=lists_ready(0)),
        BLUE_MADE,
        BLUE_SETTLED,
        json_patch(FRONTEND, replace("/spec/selector", OTHER)),
        get(f"{SLICES}?labelSelector={quote('kubernetes.io/service-name=frontend-service')}", until=lists_ready(2)),
        json_patch(FRONTEND, replace("/spec/selector", {"app": "frontend-blue", "color": "green"})),
        get(SLICES, until=lists_ready(0)),
    ],
    "events": [
        post(EVENTS, event("e1")),
        post(EVENTS, event("e1")),
        post(EVENTS, {"metadata": {"name": "e2"}, "reason": "RolledBack"}),
        post(EVENTS, event("e3", action="", reportingInstance="", reportingController="")),
        post(EVENTS, event("e4", type="Bad", note="x" * 1025)),
        get(f"{EVENTS}/e1"),
        get(f"{CORE_EVENTS}/e1"),
        post(CORE_EVENTS, {"metadata": {"generateName": "made-"}, "involvedObject": {"kind": "Service"}}),
        post(
            CORE_EVENTS,
            {
                "metadata": {"name": "c1"},
                "reason": "RolledBack",
                "message": "rolled back",
                "type": "Warning",
                "count": 1,
                "firstTimestamp": "2026-11-24T06:50:11Z",
                "source": {"component": "canary-watchdog"},
                "involvedObject": {"kind": "Service", "name": "frontend-service", "namespace": "{ns}"},
            },
        ),
        get(f"{CORE_EVENTS}/c1"),
        get(f"{EVENTS}/c1"),
        get(f"{CORE_EVENTS}?fieldSelector=involvedObject.kind%3DService"),
    ],
    "label selectors": [
        BLUE_MADE,
        post(DEPLOYMENTS, deployment("green", replicas=1)),
        BLUE_SETTLED,
        get(f"{DEPLOYMENTS}/frontend-green", until=is_settled),
        *(
            get(f"{PODS}?labelSelector={quote(text)}", look=in_a_list)
            for text in (
                "",
                "color=blue",
                "color==green",
                "color!=blue",
                "color in (blue, green)",
                "color notin (blue)",
                "color",
                "!color",
                "nope",
                "!nope",
                " app = frontend , color=blue",
                "color=",
                "app=frontend,color=red",
            )
        ),
        *(get(f"{PODS}?labelSelector={quote(text)}") for text in ("a b c", "a=b c")),
        get(f"{DEPLOYMENTS}?fieldSelector=metadata.name%3Dfrontend-blue", look=lambda found: len(found["items"])),
    ],
}
