"""One namespace of the campaign: two Services on green, four Deployments, and what is declared of them.

One Deployment of blue is parked, so that a rollback has to make it ready first; the other ones have a pod each.

Law: the objects are read as the administrator, past the proxy and the product.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.campaign.one_target import SCALE_DOWN_DELAY
from tests.stack.admin import Admin, Object, path_of
from tests.stack.banking import APPS, COLORS
from tests.stack.evidence import Declared
from tests.stack.kubernetes import ControlPlane
from tests.stack.podhistory import PodHistory
from tests.stack.style import MIXED
from tests.stack.wait import wait_until

KINDS = ("services", "deployments")
# Nobody has seen blue active: a person says that it is good.
VOUCHED = {"canary-watchdog/known-good": "true"}
PARKED = "frontend-blue"


@dataclass(kw_only=True)
class Ground:
    """The namespace and a client of its own."""

    plane: ControlPlane
    pods: PodHistory
    namespace: str = field(default_factory=lambda: f"cell-{secrets.token_hex(4)}")
    admin: Admin = field(init=False)
    before: Mapping[tuple[str, str], Object] = field(init=False)

    def __post_init__(self) -> None:
        self.admin = Admin(self.plane.url, self.plane.ca_file, self.plane.admin_token)
        self.admin.create_namespace(self.namespace)
        account = path_of("serviceaccounts", self.namespace, "default")
        wait_until(lambda: self.admin.exists(account), f"{account} is there: without it no pod is made", within=60)
        for app in APPS:
            for color in COLORS:
                self.admin.create(path_of("deployments", self.namespace), _deployment(app, color))
            self.admin.create(path_of("services", self.namespace), _service(app))
        wait_until(self._is_ready, f"the pods of {self.namespace} are ready", within=60)
        self.before = self.objects()

    def close(self) -> None:
        """Closes the client; the namespace goes with its control plane."""
        self.admin.close()

    def declared(self) -> Declared:
        """What a rule file says of it."""
        return Declared(
            namespace=self.namespace,
            selectors={f"{app}-service": {color: MIXED.selector(app, color) for color in COLORS} for app in APPS},
            deployments={f"{app}-{color}": color for app in APPS for color in COLORS},
            scale_down_delay=SCALE_DOWN_DELAY,
            journal=(self.namespace, f"canary-watchdog-{self.namespace}"),
        )

    def objects(self) -> dict[tuple[str, str], Object]:
        """The Services and Deployments as they are."""
        return {
            (kind, item["metadata"]["name"]): item
            for kind in KINDS
            for item in self.admin.items(path_of(kind, self.namespace))
        }

    def shortcomings(self) -> list[str]:
        """What a finished rollback still lacks."""
        objects = self.objects()
        missing = []
        for app in APPS:
            selector = objects["services", f"{app}-service"]["spec"]["selector"]
            if selector != MIXED.selector(app, "blue"):
                missing.append(f"{app}-service selects {selector}")
            for color, wanted in (("green", 0), ("blue", 1)):
                replicas = objects["deployments", f"{app}-{color}"]["spec"]["replicas"]
                if replicas != wanted:
                    missing.append(f"{app}-{color} has {replicas} replicas instead of {wanted}")
        if "trip" in self._journal():
            missing.append("the journal has an open trip")
        return missing

    def _journal(self) -> Mapping[str, str]:
        kept = self.admin.items(path_of("configmaps", self.namespace))
        name = f"canary-watchdog-{self.namespace}"
        return next((each.get("data") or {} for each in kept if each["metadata"]["name"] == name), {})

    def wait_for_the_pods(self) -> None:
        """Returns when the history of the pods has caught up with the API server."""
        pods = path_of("pods", self.namespace)
        wait_until(lambda: self.pods.has_caught_up(self.namespace, self.admin.items(pods)), "the pods are seen")

    def _is_ready(self) -> bool:
        return sum(pod.ready for pod in self.pods.newest(self.namespace)) == len(APPS) * len(COLORS) - 1


def _deployment(app: str, color: str) -> dict[str, Any]:
    labels = MIXED.labels(app, color)
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "bank", "image": f"bank:{color}"}]}}
    return {
        "metadata": {"name": f"{app}-{color}", "annotations": VOUCHED if color == "blue" else {}},
        "spec": {
            "replicas": 0 if f"{app}-{color}" == PARKED else 1,
            "selector": {"matchLabels": labels},
            "template": template,
        },
    }


def _service(app: str) -> dict[str, Any]:
    spec = {"selector": MIXED.selector(app, "green"), "ports": [{"port": 80}]}
    return {"metadata": {"name": f"{app}-service"}, "spec": spec}
