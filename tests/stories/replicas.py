"""Replicas of `watchdog run` with an election among them, and what an operator sees of each.

Law: the rule fires from the beginning and a pause holds the rollback back, so that whoever may act would.
"""

from __future__ import annotations

import json
import os
import re
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.stack.admin import Admin, path_of
from tests.stack.banking import REPOSITORY
from tests.stack.kubernetes import ControlPlane
from tests.stack.ports import free_port
from tests.stack.process import Child
from tests.stack.prometheus import PrometheusServer
from tests.stack.wait import wait_until

LEASE = "canary-watchdog-shard-0"
PAUSED = "canary-watchdog/paused"
RULES = """
    target: SPACE
    namespace: SPACE
    mode: enforce
    interval: 1s
    services:
      - name: backend-service
        deployment: "backend-{{ color }}"
        selector: {app: "backend-{{ color }}", color: "{{ color }}"}
      - name: frontend-service
        deployment: "frontend-{{ color }}"
        selector: {app: "frontend-{{ color }}", color: "{{ color }}"}
    rules:
      - alert: GreenIsBad
        prometheus:
          expr: |  # 1 for green, 0 for blue
            sum(absent(nothing{color="{{ color }}"}) * on(color) label_replace(vector(1), "color", "green", "", ""))
            or vector(0)
        threshold: {max: 0}
        for: 1s
        initial_delay: 0s  # the bank of a story was deployed just now
        datapoints_to_alarm: 2
        evaluation_periods: 4
        action: rollback
"""


@dataclass(kw_only=True)
class Replica:
    """One process and what an operator sees of it."""

    child: Child
    port: int

    def start(self) -> None:
        self.child.start()
        wait_until(lambda: self.ready() == requests.codes.ok, f"{self.child.name} is ready")

    def ready(self) -> int:
        self.child.check()
        return requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=10).status_code

    def leads(self) -> bool:
        text = requests.get(f"http://127.0.0.1:{self.port}/metrics", timeout=10).text
        found = re.search(r'^watchdog_leader\{shard="0"\} (\S+)$', text, re.MULTILINE)
        return found is not None and float(found[1]) == 1

    def alerts(self, kind: str) -> list[dict[str, Any]]:
        """What people were told, as its log has it."""
        lines = [json.loads(line) for line in self.child.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == "alert" and line.get("kind") == kind]

    def said(self, event: str) -> int:
        return self.child.log.read_text().count(f'"{event}"')


@dataclass
class Scene:
    """The namespaces, and replicas by name."""

    plane: ControlPlane
    prometheus: PrometheusServer
    space: str
    folder: Path
    replicas: dict[str, Replica] = field(default_factory=dict)

    @property
    def admin(self) -> Admin:
        return self.plane.admin

    def replica(self, name: str, *, targets: int = 1, rules: str = RULES, **settings: str) -> Replica:
        """A process that is not started yet; its two Services are one target, or a target each.

        ``settings`` are more WATCHDOG_… variables.
        """
        folder = self.folder / "rules"
        folder.mkdir(exist_ok=True)
        text = textwrap.dedent(rules).replace("namespace: SPACE", f"namespace: {self.space}")
        backend, frontend = text.index("  - name: backend"), text.index("  - name: frontend")
        both = {"backend": text[:frontend] + text[text.index("rules:") :], "frontend": text[:backend] + text[frontend:]}
        for app, part in (both if targets > 1 else {"bank": text}).items():
            (folder / f"{app}.yaml").write_text(part.replace("SPACE", self.space if targets == 1 else app))
        port = free_port()
        environment = {
            "WATCHDOG_RULES": str(folder),
            "WATCHDOG_KUBECONFIG": str(self.plane.kubeconfig),
            "WATCHDOG_PROMETHEUS__URL": self.prometheus.url,
            "WATCHDOG_LISTEN": f"127.0.0.1:{port}",
            "WATCHDOG_NAMESPACE": self.space,
            "WATCHDOG_POD_NAME": name,
            "WATCHDOG_LEADER_ELECTION": "true",
        }
        child = Child(
            name=name,
            command=[sys.executable, "-m", "watchdog", "run"],
            folder=self.folder,
            environment=os.environ | {"PYTHONPATH": str(REPOSITORY)} | environment | settings,
        )
        self.replicas[name] = Replica(child=child, port=port)
        return self.replicas[name]

    def lease(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.admin.get(path_of("leases", self.space, LEASE))["spec"]
        return spec

    def give_to(self, holder: str) -> None:
        """Writes the Lease as another replica would; nobody at all gives it back."""
        spec = {"holderIdentity": holder or None, "leaseDurationSeconds": 15 if holder else 1}
        leases = path_of("leases", self.space)
        if self.admin.exists(f"{leases}/{LEASE}"):
            self.admin.patch(f"{leases}/{LEASE}", {"spec": spec})
        else:
            self.admin.create(leases, {"metadata": {"name": LEASE}, "spec": spec})

    def pause(self, value: str | None) -> None:
        self.admin.annotate(f"/api/v1/namespaces/{self.space}", **{PAUSED: value})

    def active(self) -> list[str]:
        names = ("backend-service", "frontend-service")
        services = [self.admin.get(path_of("services", self.space, name)) for name in names]
        return [each["spec"]["selector"]["color"] for each in services]

    def managers(self) -> set[str]:
        """Who is written on the Services as the one that acts on them."""
        services = self.admin.items(path_of("services", self.space))
        return {each["metadata"]["annotations"]["canary-watchdog/managed-by"] for each in services}

    def switches(self) -> list[dict[str, Any]]:
        """The audit rows of every attempt to write a Service."""
        rows = self.plane.audit(self.space, verbs=["patch", "update"])
        return [
            row
            for row in rows
            if row["objectRef"]["resource"] == "services" and "fieldManager=canary-watchdog" in row["requestURI"]
        ]

    def switched(self) -> list[str]:
        """The Services in the order in which their selectors were written."""
        return [
            row["objectRef"]["name"]
            for row in self.switches()
            if row["responseStatus"]["code"] == requests.codes.ok
            and any(operation["path"] == "/spec/selector" for operation in row["requestObject"])
        ]

    def is_finished(self) -> bool:
        """True when the rollback is done, and nothing of it is open in the journal."""
        names = ("backend-green", "frontend-green")
        sizes = [self.admin.get(path_of("deployments", self.space, name))["spec"]["replicas"] for name in names]
        return self.active() == ["blue", "blue"] and sizes == [0, 0] and "trip" not in self.journal()

    def journal(self) -> dict[str, str]:
        """The parts of the journal."""
        journal = self.admin.get(path_of("configmaps", self.space, f"canary-watchdog-{self.space}"))
        data: dict[str, str] = journal["data"]
        return data
