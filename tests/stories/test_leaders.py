"""Two replicas of `watchdog run`: one acts, one stands by, and whatever happens to the first, the second takes over.

The rule of these stories fires from the beginning and a pause holds the rollback back, so that whoever may act would.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.cluster.conftest import make_bank
from tests.stack.admin import Admin, path_of
from tests.stack.banking import REPOSITORY
from tests.stack.kubernetes import ControlPlane
from tests.stack.ports import free_port
from tests.stack.process import Child
from tests.stack.prometheus import PrometheusServer
from tests.stack.style import BY_APP_AND_COLOR
from tests.stack.wait import wait_until

LEASE = "canary-watchdog-shard-0"
PAUSED = "canary-watchdog/paused"
STEADY = 12.0  # longer than a holder may act without a renewal
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
        wait_until(lambda: self.ready() == requests.codes.ok, f"{self.child.name} is ready", within=30)

    def ready(self) -> int:
        self.child.check()
        return requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=2).status_code

    def leads(self) -> bool:
        text = requests.get(f"http://127.0.0.1:{self.port}/metrics", timeout=2).text
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

    def replica(self, name: str, *, targets: int = 1) -> Replica:
        """A process that is not started yet; its two Services are one target, or a target each."""
        rules = self.folder / "rules"
        rules.mkdir(exist_ok=True)
        text = textwrap.dedent(RULES).replace("namespace: SPACE", f"namespace: {self.space}")
        backend, frontend = text.index("  - name: backend"), text.index("  - name: frontend")
        both = {"backend": text[:frontend] + text[text.index("rules:") :], "frontend": text[:backend] + text[frontend:]}
        for app, part in (both if targets > 1 else {"bank": text}).items():
            (rules / f"{app}.yaml").write_text(part.replace("SPACE", self.space if targets == 1 else app))
        port = free_port()
        environment = {
            "WATCHDOG_RULES": str(rules),
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
            environment=os.environ | {"PYTHONPATH": str(REPOSITORY)} | environment,
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


@pytest.fixture
def scene(
    control_plane: ControlPlane, prometheus_server: PrometheusServer, namespace: str, tmp_path: Path
) -> Iterator[Scene]:
    make_bank(control_plane, namespace, BY_APP_AND_COLOR)
    scene = Scene(control_plane, prometheus_server, namespace, tmp_path)
    for name in ("backend-blue", "frontend-blue"):
        path = path_of("deployments", namespace, name)
        control_plane.admin.annotate(path, **{"canary-watchdog/known-good": "true"})
    scene.give_to("")
    scene.pause("true")
    try:
        yield scene
    finally:
        for replica in scene.replicas.values():
            replica.child.stop()


def seconds_until(condition: Callable[[], bool], what: str, *, within: float) -> float:
    began = time.monotonic()
    wait_until(condition, what, within=within)
    return time.monotonic() - began


def test_F42_F86_the_standby_takes_over(scene: Scene, record_property: Callable[[str, object], None]) -> None:
    a, b = scene.replica("dog-a"), scene.replica("dog-b")
    a.start()
    wait_until(a.leads, "the first leads", within=10)
    assert scene.lease()["holderIdentity"].startswith("dog-a_")
    b.start()
    assert not b.leads(), "the second is ready, and stands by"

    a.child.terminate()
    handed_over = seconds_until(b.leads, "the second leads after SIGTERM", within=6)
    record_property("seconds_after_sigterm", f"{handed_over:.1f}")
    assert a.child.wait(10) == 0
    assert a.said("shard handed over") == 1

    a.start()
    b.child.kill()
    assert b.child.exit_code == -signal.SIGKILL
    crashed = seconds_until(a.leads, "the first leads after kill -9 of the second", within=20)
    record_property("seconds_after_kill", f"{crashed:.1f}")

    transitions = scene.lease()["leaseTransitions"]
    scene.admin.delete(path_of("leases", scene.space, LEASE))
    wait_until(lambda: not a.leads(), "without its Lease it does not lead", within=10)
    wait_until(a.leads, "it leads again", within=25)
    assert scene.lease()["leaseTransitions"] > transitions
    wait_until(lambda: len(a.alerts("lease")) == len(a.alerts("resolved")) == 1, "people were told of both")
    assert scene.switches() == [], "a pause holds whoever leads"


def test_F51_S12_of_two_targets_that_fail_at_once_one_is_rolled_back(scene: Scene) -> None:
    dog = scene.replica("dog-a", targets=2)
    scene.pause(None)
    dog.start()
    (held,) = wait_until(lambda: dog.alerts("held"), "the second is held", within=30)
    wait_until(lambda: dog.alerts("switched"), "the first is rolled back")
    assert sorted(scene.active()) == ["blue", "green"]
    assert "1 of 2 targets were rolled back within 10m" in held["text"]


def test_F41_a_leader_that_was_frozen_beyond_its_lease_writes_nothing(scene: Scene) -> None:
    dog = scene.replica("dog-a")
    dog.start()
    wait_until(dog.leads, "it leads", within=10)
    wait_until(lambda: '"paused"' in dog.child.log.read_text(), "it would roll back, and the pause holds it")
    with dog.child.suspended():
        frozen_at = time.monotonic()
        scene.give_to("another")
        scene.pause(None)
        wait_until(lambda: time.monotonic() - frozen_at > STEADY, "its time is over", within=STEADY + 5)
    wait_until(lambda: dog.said("shard lost"), "it has noticed", within=10)
    assert dog.ready() == requests.codes.ok
    assert scene.active() == ["green", "green"]
    assert scene.switches() == []

    scene.give_to("")
    wait_until(lambda: scene.active() == ["blue", "blue"], "with the Lease it does its work", within=15)
    assert scene.managers() == {f"{scene.space}/canary-watchdog"}
