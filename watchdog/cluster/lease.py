"""Reads and writes the Leases of the watchdog's replicas.

Law: a write tests the resourceVersion that was read, so that of two writers one loses; an answer that is not what was
written is no success.
"""

from collections.abc import Mapping
from typing import Any

from watchdog.cluster.client import LABELS, Cluster, Json, NotFoundError, PatchOperation, UnreachableError
from watchdog.core.elector import GIVEN_BACK_SECONDS, Lease


class Leases:
    """The Leases of one namespace. Every method raises ClusterError."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"

    async def look(self) -> Mapping[str, Lease]:
        """All of them by name. By no label: a label that somebody removed would make a Lease invisible."""
        found = await self._cluster.get(self._path)
        return {item["metadata"]["name"]: _read(item) for item in found.get("items") or ()}

    async def read(self, name: str) -> Lease | None:
        """One of them, None when it does not exist."""
        try:
            return _read(await self._cluster.get(f"{self._path}/{name}"))
        except NotFoundError:
            return None

    async def write(self, name: str, lease: Lease) -> Lease:
        """Creates the Lease when it has no version, else replaces what that version says. Returns it as written.

        ConflictError: it is not what was read, or is there already; it may have been our own write, the reply lost.
        """
        if not lease.version:
            metadata = {"name": name, "namespace": self._namespace, "labels": LABELS}
            body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": _spec(lease)}
            answer = await self._cluster.create(self._path, body)
        else:
            answer = await self._cluster.patch(f"{self._path}/{name}", _replace(lease.version, _spec(lease)))
        written = _read(answer)
        if (written.holder, written.renewed) != (lease.holder, lease.renewed) or not written.version:
            raise UnreachableError(f"Lease {name}: the answer is not what was written")
        return written

    async def give_back(self, name: str, lease: Lease, *, wall: str) -> None:
        """Empties the holder, so that whoever waits need not wait longer."""
        given_back = Lease(renewed=wall, transitions=lease.transitions, duration=GIVEN_BACK_SECONDS)
        await self._cluster.patch(f"{self._path}/{name}", _replace(lease.version, _spec(given_back)))


def _replace(version: str, spec: Json) -> list[PatchOperation]:
    return [
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
        # "add" also replaces, and does not mind when somebody has removed what is there.
        {"op": "add", "path": "/spec", "value": spec},
    ]


def _spec(lease: Lease) -> Json:
    spec = {
        "holderIdentity": lease.holder,
        "acquireTime": lease.acquired,
        "renewTime": lease.renewed,
        "leaseTransitions": lease.transitions,
        "leaseDurationSeconds": int(lease.duration),
    }
    return {key: value for key, value in spec.items() if value != ""}


def _read(item: Mapping[str, Any]) -> Lease:
    """Somebody may have written anything into it: what is missing is empty."""
    spec = item.get("spec") or {}
    return Lease(
        holder=spec.get("holderIdentity") or "",
        acquired=spec.get("acquireTime") or "",
        renewed=spec.get("renewTime") or "",
        transitions=spec.get("leaseTransitions") or 0,
        duration=spec.get("leaseDurationSeconds") or 0,
        version=item["metadata"].get("resourceVersion") or "",
    )
