"""The objects of the simulated cluster and its clock: what a controller sees, and what it is woken by.

Law: no I/O and no clock of its own. Time is what ``clock`` says; nothing here knows who is woken by a write.
"""

from __future__ import annotations

import copy
import heapq
import itertools
import secrets
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from watchdog.sim.kubernetes.kinds import DEPLOYMENT, ENDPOINT_SLICE, Json, Kind
from watchdog.sim.kubernetes.managed_fields import Writer, record_update

Key = tuple[str, str, str]
SAFE_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
CONTROLLER_MANAGER = "kube-controller-manager"


class Watcher(Protocol):
    """Who looks at everything that is stored or removed."""

    def after_write(self, kind: Kind, new: Json, *, fresh: bool) -> None:
        """An object was stored; ``fresh``: it was not there before."""

    def after_delete(self, kind: Kind, gone: Json) -> None:
        """An object was removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSet:
    """One pod template of a Deployment that has been rolled out; the simulated API does not show it."""

    name: str
    uid: str
    revision: int


class Store:
    """Objects by kind, namespace and name, each write with a version and the fields that it owns.

    ``watcher`` is told of each write; ``clock`` gives Unix seconds.
    """

    watcher: Watcher

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._now = clock()
        self._objects: dict[Key, Json] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._version = 100
        self._addresses = itertools.count(1)
        self.replica_sets: dict[str, dict[str, ReplicaSet]] = {}

    @property
    def resource_version(self) -> str:
        """The newest version, as a LIST prints it."""
        return str(self._version)

    def settle(self) -> None:
        """Lets everything happen that is due by now."""
        now = self._clock()
        while self._due and self._due[0][0] <= now:
            at, _, happen = heapq.heappop(self._due)
            self._now = max(self._now, at)
            happen()
        self._now = max(self._now, now)

    def later(self, delay: float, happen: Callable[[], None]) -> None:
        """Lets something happen ``delay`` seconds from the change that is being handled."""
        heapq.heappush(self._due, (self._now + delay, next(self._order), happen))

    def time(self) -> str:
        """The instant of the change that is being handled, as the API prints it."""
        return datetime.fromtimestamp(self._now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def find(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """The stored object itself: for reading only."""
        return self._objects.get((kind.plural, namespace, name))

    def each(self, kind: Kind, namespace: str | None = None) -> Iterator[Json]:
        """The stored objects of a kind in the API's order: for reading only."""
        for plural, space, name in sorted(self._objects):
            if plural == kind.plural and namespace in (None, space):
                yield self._objects[plural, space, name]

    def drop(self, kind: Kind, gone: Json) -> None:
        """Removes a stored object."""
        self._version += 1
        del self._objects[kind.plural, gone["metadata"].get("namespace", ""), gone["metadata"]["name"]]
        self.watcher.after_delete(kind, gone)

    def put(self, kind: Kind, new: Json, *, manager: str = CONTROLLER_MANAGER, subresource: str = "") -> None:
        """Stores what a controller made or changed."""
        metadata = new["metadata"]
        old = self.find(kind, metadata["namespace"], metadata["name"])
        writer = Writer(manager=manager, api_version=kind.api_version, subresource=subresource)
        if old is not None:
            self.update(kind, old, new, writer)
            return
        metadata["managedFields"] = record_update([], old=None, new=new, writer=writer, time=self.time())
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": self.time(), "generation": 1}
        self.save(kind, new, fresh=True)

    def random_suffix(self) -> str:
        """Five letters that spell no word."""
        return "".join(secrets.choice(SAFE_LETTERS) for _ in range(5))

    def next_address(self, network: str) -> str:
        """The next free address of ``10.9`` or ``10.0``."""
        high, low = divmod(next(self._addresses), 250)
        return f"{network}.{high}.{low + 2}"

    def update(self, kind: Kind, old: Json, new: Json, writer: Writer, *, dry_run: bool = False) -> Json:
        """A copy of the object after the update, which is stored unless it changes nothing or is a dry run."""
        if new == old:
            return copy.deepcopy(old)
        metadata = new["metadata"]
        metadata["managedFields"] = record_update(
            old["metadata"]["managedFields"], old=old, new=new, writer=writer, time=self.time()
        )
        if kind in (DEPLOYMENT, ENDPOINT_SLICE) and writer.subresource != "status" and _body(new) != _body(old):
            metadata["generation"] = old["metadata"]["generation"] + 1
        return new if dry_run else self.save(kind, new)

    def save(self, kind: Kind, new: Json, *, fresh: bool = False) -> Json:
        """A copy of the object as stored, with its new version."""
        metadata = new["metadata"]
        self._version += 1
        metadata["resourceVersion"] = str(self._version)
        self._objects[kind.plural, metadata.get("namespace", ""), metadata["name"]] = new
        self.watcher.after_write(kind, new, fresh=fresh)
        return copy.deepcopy(new)


def _body(document: Json) -> list[Any]:
    """What counts as a new generation; for a Deployment its annotations do."""
    return [document["metadata"].get("annotations"), *(document.get(key) for key in ("spec", "endpoints", "ports"))]
