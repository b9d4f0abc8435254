"""The Deployment controller: makes and removes pods, a rolling update at a time.

Law: it compares what is with what should be and closes the gap; running it once more changes nothing.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import uuid
from typing import Any

from watchdog.sim.kubernetes.endpoints import owner_reference
from watchdog.sim.kubernetes.kinds import DEPLOYMENT, POD, Json
from watchdog.sim.kubernetes.pods import is_ready, pod_condition
from watchdog.sim.kubernetes.store import ReplicaSet, Store

REVISION_ANNOTATION = "deployment.kubernetes.io/revision"
HASH_LABEL = "pod-template-hash"
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def reconcile_deployment(store: Store, namespace: str, name: str) -> None:
    """Makes and removes pods, a rolling update at a time, and writes revision and status."""
    deployment = store.find(DEPLOYMENT, namespace, name)
    if deployment is None:
        return
    current = _replica_set(store, deployment)
    pods = [*pods_of(store, deployment)]
    new = [pod for pod in pods if _owner(pod) == current.uid]
    old = [pod for pod in pods if _owner(pod) != current.uid]
    wanted = deployment["spec"]["replicas"]
    surge, unavailable = _rolling_limits(deployment["spec"]) if old else (wanted, wanted)
    for _ in range(min(wanted - len(new), wanted + surge - len(pods))):
        store.put(POD, _new_pod(store, deployment, current))
    spare = sum(map(is_ready, pods)) - (wanted - unavailable)
    for pod in old:
        if not is_ready(pod) or spare > 0:
            spare -= is_ready(pod)
            store.drop(POD, pod)
    for pod in sorted(new, key=is_ready)[: max(0, len(new) - wanted)]:
        store.drop(POD, pod)
    _write_status(store, namespace, name, current)


def _replica_set(store: Store, deployment: Json) -> ReplicaSet:
    known = store.replica_sets.setdefault(deployment["metadata"]["uid"], {})
    mark = _hash(deployment["spec"]["template"])
    newest = max((each.revision for each in known.values()), default=0)
    if mark not in known or (known[mark].revision != newest):
        uid = known[mark].uid if mark in known else str(uuid.uuid4())
        name = f"{deployment['metadata']['name']}-{mark}"
        known[mark] = ReplicaSet(name=name, uid=uid, revision=newest + 1)
    return known[mark]


def _hash(template: Any) -> str:
    digest = int.from_bytes(hashlib.sha256(json.dumps(template, sort_keys=True).encode()).digest()[:8])
    letters = ""
    for _ in range(10):
        digest, index = divmod(digest, len(_LETTERS))
        letters += _LETTERS[index]
    return letters


def pods_of(store: Store, deployment: Json) -> list[Json]:
    """The pods of all its revisions: for reading only."""
    owners = {each.uid for each in store.replica_sets.get(deployment["metadata"]["uid"], {}).values()}
    return [pod for pod in store.each(POD, deployment["metadata"]["namespace"]) if _owner(pod) in owners]


def _owner(pod: Json) -> str:
    return str(pod["metadata"]["ownerReferences"][0]["uid"])


def _rolling_limits(spec: Json) -> tuple[int, int]:
    rolling = spec["strategy"].get("rollingUpdate")
    if rolling is None:
        return 0, spec["replicas"]
    surge = _share(rolling["maxSurge"], spec["replicas"], up=True)
    unavailable = _share(rolling["maxUnavailable"], spec["replicas"], up=False)
    return surge, unavailable if surge or unavailable else 1


def _share(limit: int | str, whole: int, *, up: bool) -> int:
    if isinstance(limit, int):
        return limit
    part = int(limit.removesuffix("%")) * whole / 100
    return math.ceil(part) if up else math.floor(part)


def _new_pod(store: Store, deployment: Json, owner: ReplicaSet) -> Json:
    template = copy.deepcopy(deployment["spec"]["template"])
    mark = owner.name.rpartition("-")[2]
    suffix = store.random_suffix()
    metadata = template["metadata"] | {
        "name": f"{owner.name}-{suffix}",
        "generateName": f"{owner.name}-",
        "namespace": deployment["metadata"]["namespace"],
        "labels": template["metadata"]["labels"] | {HASH_LABEL: mark},
        "ownerReferences": [owner_reference("apps/v1", "ReplicaSet", owner.name, owner.uid)],
    }
    spec = template["spec"] | {
        "nodeName": f"node-{1 + ord(suffix[0]) % 2}",
        "serviceAccountName": "default",
        "serviceAccount": "default",
        "priority": 0,
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
    }
    scheduled = pod_condition(store, "PodScheduled", holds=True)
    status = {"phase": "Pending", "conditions": [scheduled], "qosClass": "BestEffort"}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": spec, "status": status}


def _write_status(store: Store, namespace: str, name: str, current: ReplicaSet) -> None:
    deployment = store.find(DEPLOYMENT, namespace, name)
    if deployment is None:
        return
    pods = pods_of(store, deployment)
    updated = sum(_owner(pod) == current.uid for pod in pods)
    ready = sum(map(is_ready, pods))
    wanted = deployment["spec"]["replicas"]
    counts = {
        "replicas": len(pods),
        "updatedReplicas": updated,
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(0, max(wanted, len(pods)) - ready),
    }
    status: Json = {"observedGeneration": deployment["metadata"]["generation"]}
    status |= {key: count for key, count in counts.items() if count}
    status["terminatingReplicas"] = 0
    status["conditions"] = _conditions(store, deployment, current, counts)
    new = copy.deepcopy(deployment)
    new["status"] = status
    new["metadata"].setdefault("annotations", {})[REVISION_ANNOTATION] = str(current.revision)
    store.put(DEPLOYMENT, new, subresource="status")


def _conditions(store: Store, deployment: Json, current: ReplicaSet, counts: dict[str, int]) -> list[Json]:
    wanted = deployment["spec"]["replicas"]
    _, unavailable = _rolling_limits(deployment["spec"])
    conditions: list[Json] = deployment["status"].get("conditions", [])
    if counts["availableReplicas"] >= wanted - unavailable:
        available = ("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        text = "Deployment does not have minimum availability."
        available = ("Available", "False", "MinimumReplicasUnavailable", text)
    conditions = _with_condition(store, conditions, available)
    whole = counts["replicas"] == counts["updatedReplicas"]
    complete = whole and counts["updatedReplicas"] == wanted == counts["availableReplicas"]
    if complete:
        text = f'ReplicaSet "{current.name}" has successfully progressed.'
        conditions = _with_condition(store, conditions, ("Progressing", "True", "NewReplicaSetAvailable", text))
    elif not (whole and any(each["reason"] == "NewReplicaSetAvailable" for each in conditions)):
        text = f'ReplicaSet "{current.name}" is progressing.'
        conditions = _with_condition(store, conditions, ("Progressing", "True", "ReplicaSetUpdated", text))
    return conditions


def _with_condition(store: Store, conditions: list[Json], new: tuple[str, str, str, str]) -> list[Json]:
    kind, status, reason, message = new
    old = next((each for each in conditions if each["type"] == kind), None)
    if old and (old["status"], old["reason"], old["message"]) == (status, reason, message):
        return conditions
    changed = {
        "type": kind,
        "status": status,
        "lastUpdateTime": store.time(),
        "lastTransitionTime": old["lastTransitionTime"] if old and old["status"] == status else store.time(),
        "reason": reason,
        "message": message,
    }
    return [each for each in conditions if each["type"] != kind] + [changed]
