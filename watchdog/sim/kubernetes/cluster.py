"""The simulated cluster: the objects, the verbs of the API on them, and the controllers that a write wakes.

Law: what is due by then has happened before any answer is given; nothing runs in between.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable
from typing import Any

from watchdog.sim.kubernetes.admission import admit, check_type
from watchdog.sim.kubernetes.controllers import Controllers
from watchdog.sim.kubernetes.errors import already_exists, not_found, other_namespace
from watchdog.sim.kubernetes.events import check_event, complete_event, from_core
from watchdog.sim.kubernetes.kinds import (
    DEPLOYMENT,
    ENDPOINT_SLICE,
    EVENT,
    NAMESPACE,
    POD,
    SCALE,
    SERVICE,
    Json,
    Kind,
)
from watchdog.sim.kubernetes.managed_fields import Writer, disown, record_update
from watchdog.sim.kubernetes.patches import Change
from watchdog.sim.kubernetes.store import Store


class Cluster(Store):
    """A control plane with two nodes.

    ``pod_ready_delay`` is how long a new pod takes to run, ``controller_delay`` how long a controller takes to see a
    change; both in seconds.
    """

    def __init__(
        self, *, clock: Callable[[], float], pod_ready_delay: float = 0.5, controller_delay: float = 0.01
    ) -> None:
        super().__init__(clock=clock)
        self.controllers = Controllers(self, pod_ready_delay=pod_ready_delay, delay=controller_delay)
        self.watcher = self.controllers

    def read(self, kind: Kind, namespace: str, name: str) -> Json:
        """A copy of the object; raises StatusError (404)."""
        self.settle()
        return copy.deepcopy(self._stored(kind, namespace, name))

    def read_all(self, kind: Kind, namespace: str | None = None) -> list[Json]:
        """Copies of the objects of a kind, in one namespace or in all."""
        self.settle()
        return [copy.deepcopy(each) for each in self.each(kind, namespace)]

    def create(
        self,
        kind: Kind,
        namespace: str,
        document: Any,
        *,
        manager: str = "simulator",
        api_version: str | None = None,
        dry_run: bool = False,
    ) -> Json:
        """The object as stored; raises StatusError for what the API server refuses."""
        self.settle()
        if kind.namespaced and not self.find(NAMESPACE, "", namespace):
            raise not_found(NAMESPACE.resource, NAMESPACE.plural, "", namespace)
        check_type(kind, document)
        given = copy.deepcopy(document)
        self._name(kind, namespace, given.setdefault("metadata", {}))
        created = admit(kind, given, old=None)
        if kind is EVENT:
            check_event(created, namespace=namespace, strict=api_version is not None)
            created = complete_event(created)
        metadata = created["metadata"]
        if self.find(kind, namespace, metadata["name"]):
            group, _, _ = (api_version or kind.api_version).rpartition("/")
            resource = f"{kind.plural}.{group}" if group else kind.plural
            raise already_exists(resource, kind.plural, group, metadata["name"])
        writer = Writer(manager=manager, api_version=api_version or kind.api_version)
        owned = from_core(created) if kind is EVENT and api_version else created
        metadata["managedFields"] = record_update([], old=None, new=owned, writer=writer, time=self.time())
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": self.time()}
        if kind in (DEPLOYMENT, POD, ENDPOINT_SLICE):
            metadata["generation"] = 1
        if kind is SERVICE:
            self._allocate(created["spec"])
        return created if dry_run else self.save(kind, created, fresh=True)

    def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        change: Change,
        *,
        manager: str = "simulator",
        dry_run: bool = False,
    ) -> Json:
        """The object after ``change``; raises StatusError for what the API server refuses."""
        self.settle()
        old = self._stored(kind, namespace, name)
        new = admit(kind, change(copy.deepcopy(old)), old=old)
        if "status" in old:
            new["status"] = old["status"]  # only its own subresource writes it
        writer = Writer(manager=manager, api_version=kind.api_version)
        return self.update(kind, old, new, writer, dry_run=dry_run)

    def read_scale(self, namespace: str, name: str) -> Json:
        """The scale of a Deployment; ``spec`` is empty when no replicas are wanted, as the real one prints it."""
        self.settle()
        return _scale_of(self._stored(DEPLOYMENT, namespace, name))

    def patch_scale(self, namespace: str, name: str, change: Change, *, dry_run: bool = False) -> Json:
        """The scale of a Deployment after ``change``."""
        self.settle()
        old = self._stored(DEPLOYMENT, namespace, name)
        scale = _scale_of(old)
        wanted = admit(SCALE, change(copy.deepcopy(scale)), old=scale)["spec"].get("replicas", 0)
        new = copy.deepcopy(old)
        new["spec"]["replicas"] = wanted
        # A scale takes the field from its owner and becomes nobody's entry, as seen on 1.36.
        new["metadata"]["managedFields"] = disown(old["metadata"]["managedFields"], ("f:spec", "f:replicas"))
        if new != old and wanted != old["spec"]["replicas"]:
            new["metadata"]["generation"] += 1
        return _scale_of(new if dry_run or new == old else self.save(DEPLOYMENT, new))

    def delete(self, kind: Kind, namespace: str, name: str) -> Json:
        """The object that was, after it and all that it owns is gone."""
        self.settle()
        gone = self._stored(kind, namespace, name)
        self.drop(kind, gone)
        return copy.deepcopy(gone)

    def _name(self, kind: Kind, namespace: str, metadata: Json) -> None:
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + self.random_suffix()
        if kind.namespaced and metadata.setdefault("namespace", namespace) != namespace:
            raise other_namespace()

    def _allocate(self, spec: Json) -> None:
        if spec["type"] == "ExternalName":
            return
        address = spec.setdefault("clusterIP", self.next_address("10.0"))
        spec["clusterIPs"] = [address]
        spec |= {"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}

    def _stored(self, kind: Kind, namespace: str, name: str) -> Json:
        found = self.find(kind, namespace, name)
        if found is None:
            raise not_found(kind.resource, kind.plural, kind.group, name)
        return found


def _scale_of(deployment: Json) -> Json:
    metadata, spec = deployment["metadata"], deployment["spec"]
    labels = spec["selector"].get("matchLabels", {})
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in kept},
        "spec": {"replicas": spec["replicas"]} if spec["replicas"] else {},
        "status": {
            "replicas": deployment["status"].get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        },
    }
