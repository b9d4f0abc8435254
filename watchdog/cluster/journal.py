"""Keeps the journal of a target in a ConfigMap of the watchdog's own namespace.

Law: a journal is written over the one that was read and over no other; who has lost that race reads anew.
"""

from typing import Protocol

from watchdog.cluster.client import Cluster, ConflictError, NotFoundError, RejectedError, UnreachableError
from watchdog.core.journal import Journal
from watchdog.core.journal_text import read_journal, write_journal

LABELS = {"app.kubernetes.io/managed-by": "canary-watchdog"}


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

    def __init__(self, cluster: Cluster, namespace: str, target: str) -> None:
        self._cluster = cluster
        self._target = target
        self._path = f"/api/v1/namespaces/{namespace}/configmaps"
        self._name = f"canary-watchdog-{target}"
        self._version: str | None = None

    async def load(self) -> Journal:
        """The journal as it is; an empty one when there is none."""
        try:
            found = await self._cluster.get(f"{self._path}/{self._name}")
        except NotFoundError:
            self._version = None
            return Journal(target=self._target)
        self._version = found["metadata"]["resourceVersion"]
        return read_journal(found.get("data") or {}, target=self._target)

    async def save(self, journal: Journal) -> None:
        """Writes it over the one that was loaded or saved last."""
        before = self._version
        try:
            written = await (self._create(journal) if self._version is None else self._replace(journal))
        except NotFoundError:
            self._version = None  # somebody deleted it: what is known here is written anew
            await self.save(journal)
        except (ConflictError, UnreachableError) as error:
            # A reply that was lost leaves our own write unknown, or makes it look like somebody else's.
            if await self.load() == journal:
                return
            if isinstance(error, ConflictError) and self._version == before:
                raise RejectedError(f"{error}; and nobody else has written it") from error
            raise
        else:
            self._version = written["metadata"]["resourceVersion"]

    async def _create(self, journal: Journal) -> dict[str, dict[str, str]]:
        metadata = {"name": self._name, "labels": LABELS}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": write_journal(journal)}
        return await self._cluster.create(self._path, body)

    async def _replace(self, journal: Journal) -> dict[str, dict[str, str]]:
        return await self._cluster.patch(
            f"{self._path}/{self._name}",
            [
                {"op": "test", "path": "/metadata/resourceVersion", "value": self._version},
                {"op": "replace", "path": "/data", "value": write_journal(journal)},
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
