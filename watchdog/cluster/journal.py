"""Keeps the journal of a target in a ConfigMap of the watchdog's own namespace.

Law: a journal is written over the one that was read and over no other; who has lost that race reads anew.
"""

import contextlib
from typing import Protocol

from watchdog.cluster.client import (
    LABELS,
    Cluster,
    ConflictError,
    Json,
    NotFoundError,
    PatchOperation,
    RejectedError,
    UnreachableError,
)
from watchdog.core.annotations import MANAGED_BY, UnreadableRecordError, json_pointer
from watchdog.core.journal import Journal
from watchdog.core.journal_text import name_of_journal, read_journal, tripped_at, write_journal
from watchdog.core.model import Trip
from watchdog.core.ownership import other_manager

_SELECTOR = {"labelSelector": ",".join(f"{key}={value}" for key, value in LABELS.items())}


async def last_rollbacks(cluster: Cluster, namespace: str, *, instance: str) -> dict[str, float]:
    """When an instance last rolled back each target, in Unix seconds, as the journals of a namespace say.

    What cannot be read is left out: whoever watches that target tells of it. Raises ClusterError.
    """
    found = (tripped_at(data) for data in await _journals(cluster, namespace, instance=instance))
    return dict(each for each in found if each is not None)


async def open_trips(cluster: Cluster, namespace: str, *, instance: str) -> dict[str, Trip]:
    """The rollbacks by target that an instance has open, as the journals of a namespace say. Raises ClusterError.

    What cannot be read is left out: whoever watches that target tells of it.
    """
    found: dict[str, Trip] = {}
    for data in await _journals(cluster, namespace, instance=instance):
        if "trip" in data and "target" in data:
            with contextlib.suppress(UnreadableRecordError):
                journal = read_journal(data, target=data["target"])
                found |= {journal.target: journal.trip} if journal.trip else {}
    return found


async def _journals(cluster: Cluster, namespace: str, *, instance: str) -> list[dict[str, str]]:
    """The data of those that no other instance keeps."""
    listed = await cluster.get(f"/api/v1/namespaces/{namespace}/configmaps", query=_SELECTOR)
    items = listed.get("items") or ()
    ours = (each for each in items if not other_manager(each["metadata"].get("annotations") or {}, instance))
    return [each.get("data") or {} for each in ours]


class JournalStore(Protocol):
    """Where a journal is kept."""

    async def load(self) -> Journal:
        """The journal as it is. Raises ClusterError, or UnreadableRecordError for one that cannot be read."""
        ...

    async def save(self, journal: Journal) -> None:
        """Writes it. Raises ClusterError; ConflictError says that somebody else has written."""
        ...


class ConfigMapJournal:
    """The ConfigMap ``canary-watchdog-<target>``: ``kubectl get configmap -o yaml`` tells the story."""

    def __init__(self, cluster: Cluster, namespace: str, target: str, *, instance: str = "") -> None:
        """``instance`` keeps it: `core/ownership.py`; "" for whoever only reads."""
        self._instance = instance
        self._namespace = namespace
        self._annotations: Json | None = None
        self._cluster = cluster
        self._target = target
        self._path = f"/api/v1/namespaces/{namespace}/configmaps"
        self._name = name_of_journal(target)
        self._version: str | None = None

    async def load(self) -> Journal:
        """The journal as it is; an empty one when there is none."""
        try:
            found = await self._cluster.get(f"{self._path}/{self._name}")
        except NotFoundError:
            self._version = None
            return Journal(target=self._target)
        self._version = found["metadata"]["resourceVersion"]
        self._annotations = found["metadata"].get("annotations")
        self._refuse_another()
        return read_journal(found.get("data") or {}, target=self._target)

    async def save(self, journal: Journal) -> None:
        """Writes it over the one that was loaded or saved last."""
        before = self._version
        try:
            written = await (self._create(journal) if self._version is None else self._replace(journal))
        except NotFoundError:
            if before is None:
                raise  # it is its namespace that is not there
            self._version = None  # somebody deleted it: what is known here is written anew
            await self.save(journal)
        except (ConflictError, UnreachableError) as error:
            # A reply that was lost leaves our own write unknown, or makes it look like somebody else's. The texts are
            # compared: an instant is finer in memory.
            if write_journal(await self.load()) == write_journal(journal):
                return
            if isinstance(error, ConflictError) and self._version == before:
                raise RejectedError(f"{error}; and nobody else has written it") from error
            if self._version not in (before, None):
                raise ConflictError(f"{error}; and another writer has written it meanwhile") from error
            raise
        else:
            self._version = written["metadata"]["resourceVersion"]
            self._annotations = written["metadata"].get("annotations")

    def _refuse_another(self) -> None:
        manager = other_manager(self._annotations or {}, self._instance)
        if manager:
            raise UnreadableRecordError(
                f"the journal {self._name} is kept by the watchdog {manager}, and this one is {self._instance}: keep "
                "one of the two for this target. If that one is gone, "
                f"'kubectl -n {self._namespace} annotate configmap {self._name} {MANAGED_BY}-' hands the journal over"
            )

    def _mark(self) -> list[PatchOperation]:
        """Says who keeps it, where nothing does."""
        if not self._instance or MANAGED_BY in (self._annotations or {}):
            return []
        if self._annotations is None:
            # Into a missing map nothing can be added: 422.
            return [{"op": "add", "path": "/metadata/annotations", "value": {MANAGED_BY: self._instance}}]
        return [{"op": "add", "path": json_pointer(MANAGED_BY), "value": self._instance}]

    async def _create(self, journal: Journal) -> Json:
        metadata: Json = {"name": self._name, "labels": LABELS}
        if self._instance:
            metadata["annotations"] = {MANAGED_BY: self._instance}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": write_journal(journal)}
        return await self._cluster.create(self._path, body)

    async def _replace(self, journal: Journal) -> Json:
        return await self._cluster.patch(
            f"{self._path}/{self._name}",
            [
                {"op": "test", "path": "/metadata/resourceVersion", "value": self._version},
                {"op": "replace", "path": "/data", "value": write_journal(journal)},
                *self._mark(),
            ],
        )


class MemoryJournal:
    """A journal that ends with the process: a dry run sends no mutating verb."""

    def __init__(self, target: str) -> None:
        self._journal = Journal(target=target)

    async def load(self) -> Journal:
        """What was saved last."""
        return self._journal

    async def save(self, journal: Journal) -> None:
        """Remembers it."""
        self._journal = journal
