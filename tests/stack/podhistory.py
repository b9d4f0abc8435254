"""What pods there were at any revision of the cluster, and which of them were ready.

Law: time is the revision, not a clock. All objects of an API server share one counter (etcd's revision), which the
answer to each write carries as ``resourceVersion``: so it is known exactly which pods were ready when it was committed.
"""

from __future__ import annotations

import contextlib
import json
import threading
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.stack.admin import CORE
from tests.stack.kubernetes import ControlPlane

WATCH_SECONDS = 3600
RETRY_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One pod at one revision. One that is being deleted is not ready."""

    name: str
    labels: Mapping[str, str]
    ready: bool
    gone: bool = False


@dataclass
class PodHistory:
    """Every state of every pod, by namespace and name, as (revision, pod), the oldest first."""

    seen: dict[str, dict[str, list[tuple[int, Pod]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def note(self, namespace: str, revision: int, pod: Pod) -> None:
        """One state more."""
        self.seen[namespace][pod.name].append((revision, pod))

    def at(self, namespace: str, revision: int) -> list[Pod]:
        """The pods of a namespace as they were at a revision."""
        found = []
        for states in list(self.seen[namespace].values()):
            number = bisect_right([state[0] for state in list(states)], revision)
            if number and not states[number - 1][1].gone:
                found.append(states[number - 1][1])
        return found

    def newest(self, namespace: str) -> list[Pod]:
        """The pods of a namespace as they were last seen."""
        newest = (states[-1][1] for states in list(self.seen[namespace].values()))
        return [pod for pod in newest if not pod.gone]

    def has_caught_up(self, namespace: str, listed: list[dict[str, Any]]) -> bool:
        """True when nothing of a fresh list is missing."""
        known = {name: states[-1] for name, states in list(self.seen[namespace].items())}
        present = {name for name, (_, pod) in known.items() if not pod.gone}
        wanted = {each["metadata"]["name"]: int(each["metadata"]["resourceVersion"]) for each in listed}
        return present <= set(wanted) and all(
            name in known and known[name][0] >= revision for name, revision in wanted.items()
        )


@contextmanager
def watching_pods(plane: ControlPlane) -> Iterator[PodHistory]:
    """Watches the pods of all namespaces, from now on, inside the block, also across the deaths of the API server."""
    history = PodHistory()
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(plane.ca_file)
        session.headers["Authorization"] = f"Bearer {plane.tokens['load']}"  # which the audit log leaves out
        watch = _Watch(session, f"{plane.url}{CORE}/pods", history)
        thread = threading.Thread(target=watch.follow, name="pod-history", daemon=True)
        thread.start()
        try:
            yield history
        finally:
            watch.end()
            thread.join(5)


class _Watch:
    """One watch after the other, each from the revision at which the one before it broke off: nothing is missed."""

    def __init__(self, session: requests.Session, url: str, history: PodHistory) -> None:
        self._session = session
        self._url = url
        self._history = history
        self._version: str = session.get(url, params={"limit": "1"}, timeout=10).json()["metadata"]["resourceVersion"]
        self._ended = threading.Event()
        self._response = self._begin()

    def follow(self) -> None:
        """Returns at the end."""
        while not self._ended.is_set():
            try:
                self._read()
                self._response = self._begin()
            except (requests.RequestException, OSError, ValueError):
                self._ended.wait(RETRY_SECONDS)  # the API server is gone, or the block has ended

    def end(self) -> None:
        """Ends it, from another thread."""
        self._ended.set()
        with contextlib.suppress(OSError, ValueError):
            self._response.raw.shutdown()

    def _begin(self) -> requests.Response:
        query = {"watch": "true", "resourceVersion": self._version, "timeoutSeconds": str(WATCH_SECONDS)}
        response = self._session.get(self._url, params=query, stream=True, timeout=WATCH_SECONDS)
        response.raise_for_status()
        return response

    def _read(self) -> None:
        with self._response as response:
            for line in response.iter_lines(chunk_size=None):
                event = json.loads(line)
                found = event["object"]
                metadata = found["metadata"]
                pod = _pod(found, gone=event["type"] == "DELETED")
                self._history.note(metadata["namespace"], int(metadata["resourceVersion"]), pod)
                self._version = metadata["resourceVersion"]


def _pod(found: dict[str, Any], *, gone: bool) -> Pod:
    conditions = found.get("status", {}).get("conditions") or ()
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    metadata = found["metadata"]
    return Pod(
        name=metadata["name"],
        labels=metadata.get("labels") or {},
        ready=ready and not metadata.get("deletionTimestamp"),
        gone=gone,
    )
