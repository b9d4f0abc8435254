"""Banking applications without processes: two Services and four Deployments in a namespace of their own, in bulk.

Law: every bank is whole and green before the first one is measured.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tests.stack.admin import API_OF, path_of
from tests.stack.kubernetes import ControlPlane
from tests.stack.style import MIXED
from tests.stack.wait import wait_until
from watchdog.core.annotations import KNOWN_GOOD
from watchdog.core.rules.language import Target

APPS = ("backend", "frontend")
STYLE = MIXED
GOOD, BAD = COLORS = ("blue", "green")
READY_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """One of them, the target that watches it, and the namespace of its journal."""

    namespace: str
    home: str
    target: Target

    def service_path(self, app: str) -> str:
        """The path of a Service."""
        return path_of("services", self.namespace, f"{app}-service")


def create_banks(plane: ControlPlane, count: int) -> list[Bank]:
    """Creates them, green active, and waits until each Deployment has its pod."""
    name = f"bench-{secrets.token_hex(3)}"
    plane.admin.create_namespace(name)
    banks = [_bank(f"{name}-{number}", home=name) for number in range(count)]
    for bank in banks:
        plane.admin.create_namespace(bank.namespace)
    for bank in banks:
        account = path_of("serviceaccounts", bank.namespace, "default")
        # Without it no pod is made, and the next try is some seconds later.
        wait_until(lambda path=account: plane.admin.exists(path), f"{account} is there", within=READY_SECONDS)  # type: ignore[misc]
        _fill(plane, bank.namespace)
    wait_until(lambda: _are_ready(plane, banks), "every Deployment has a ready pod", within=READY_SECONDS)
    return banks


def _are_ready(plane: ControlPlane, banks: Iterable[Bank]) -> bool:
    ready: Counter[str] = Counter()
    for each in plane.admin.items(f"{API_OF['deployments']}/deployments"):
        ready[each["metadata"]["namespace"]] += each["status"].get("readyReplicas", 0)
    return all(ready[bank.namespace] == len(APPS) * len(COLORS) for bank in banks)


def _fill(plane: ControlPlane, namespace: str) -> None:
    for app in APPS:
        for color in COLORS:
            plane.admin.create(path_of("deployments", namespace), _deployment(app, color))
        service = {
            "metadata": {"name": f"{app}-service"},
            "spec": {"selector": STYLE.selector(app, BAD), "ports": [{"port": 80}]},
        }
        plane.admin.create(path_of("services", namespace), service)


def _deployment(app: str, color: str) -> dict[str, object]:
    labels = STYLE.labels(app, color)
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "bank", "image": "bank"}]}}
    return {
        "metadata": {"name": f"{app}-{color}", "annotations": {KNOWN_GOOD: "true"}},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }


def _bank(namespace: str, *, home: str) -> Bank:
    services = [
        {"name": "backend-service", "deployment": "backend-{{ color }}", "selector": {"app": "backend-{{ color }}"}},
        {"name": "frontend-service", "deployment": "frontend-{{ color }}"},
    ]
    rule = {
        "alert": "Errors",
        "prometheus": {"expr": "up"},
        "threshold": {"max": 0.05},
        "initial_delay": "0s",
        "action": "rollback",
    }
    fields = {"target": namespace, "namespace": namespace, "mode": "enforce", "services": services, "rules": [rule]}
    return Bank(namespace=namespace, home=home, target=Target.model_validate(fields))
