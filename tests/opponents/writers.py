"""A GitOps controller: it keeps Services and Deployments as its repository has them, by server-side apply.

Law: it writes as its own field manager and takes what it owns by force, as Argo CD does. Flux is there itself
(`tests/stack/flux.py`).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from tests.stack.admin import Admin, path_of
from tests.stack.kubernetes import ControlPlane

ARGO_CD = "argocd-controller"
PAUSE_SECONDS = 0.1


@dataclass(kw_only=True)
class GitOps:
    """Looks at its objects all the time, and applies one ``after`` so many seconds in which it differs from Git.

    ``applied`` holds when an object that differed was applied.
    """

    plane: ControlPlane
    namespace: str
    manager: str
    git: Mapping[tuple[str, str], Mapping[str, Any]]
    after: float = 0.0
    applied: list[tuple[float, str]] = field(default_factory=list)
    passes: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)
    _differs: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._admin = Admin(self.plane.url, self.plane.ca_file, self.plane.admin_token)
        self._thread = threading.Thread(target=self._run)
        for (kind, name), spec in self.git.items():
            self._apply(kind, name, spec)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopping.set()
        self._thread.join()
        self._admin.close()

    def _run(self) -> None:
        while not self._stopping.wait(PAUSE_SECONDS):
            for (kind, name), spec in self.git.items():
                self._reconcile(kind, name, spec)
            self.passes += 1

    def _reconcile(self, kind: str, name: str, spec: Mapping[str, Any]) -> None:
        found = self._admin.get(path_of(kind, self.namespace, name))
        if all(found["spec"].get(key) == value for key, value in spec.items()):
            self._differs.pop(name, None)
            return
        since = self._differs.setdefault(name, time.monotonic())
        if time.monotonic() - since >= self.after:
            self._apply(kind, name, spec)
            self.applied.append((time.time(), name))

    def _apply(self, kind: str, name: str, spec: Mapping[str, Any]) -> None:
        api = {"services": ("v1", "Service"), "deployments": ("apps/v1", "Deployment")}[kind]
        body = {"apiVersion": api[0], "kind": api[1], "metadata": {"name": name}, "spec": spec}
        self._admin.apply(path_of(kind, self.namespace, name), json.loads(json.dumps(body)), manager=self.manager)
