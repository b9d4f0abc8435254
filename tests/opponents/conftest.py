"""The fixtures of these tests.

``arena``  a bank on a real control plane, blue vouched for and green active, and the product beside it: an `Arena`
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.conftest import Bank, make_bank
from tests.commands.typed import type_command
from tests.stack.admin import Object, path_of
from tests.stack.kubernetes import ControlPlane
from tests.stack.style import BY_APP_AND_COLOR
from watchdog.cluster.client import Cluster
from watchdog.cluster.journal import ConfigMapJournal
from watchdog.core.alert import Alert, AlertKind
from watchdog.core.annotations import KNOWN_GOOD
from watchdog.core.journal import Journal
from watchdog.core.model import Measurement
from watchdog.core.rules.language import Rule, Target
from watchdog.core.transition import Event, Transition
from watchdog.watch.announce import Silent
from watchdog.watch.loop import Watch

APPS, COLORS = ("backend", "frontend"), ("blue", "green")
SEEN_WITHIN = 5.0
SILENT = Measurement.nodata("no traffic")
BAD, WELL = Measurement(value=0.3, samples=100.0), Measurement(value=0.0, samples=100.0)


@dataclass
class Script:
    """A source to which green is bad and blue is well, until the test says otherwise."""

    answers: dict[str, Measurement] = field(default_factory=lambda: {"green": BAD, "blue": WELL})

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:
        return self.answers[color]


@dataclass
class Ear(Silent):
    """Hears everything, and when."""

    heard: list[tuple[float, Transition]] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)

    def transition(self, transition: Transition) -> None:
        self.heard.append((time.time(), transition))

    def alert(self, alert: Alert) -> None:
        self.alerts.append(alert)

    def told(self, event: Event) -> list[str]:
        """What the transitions of one kind led to."""
        return [each.after for _, each in self.heard if each.event is event]

    def writes(self, subject: str) -> list[str]:
        """What was written on one object, in order."""
        return [each.after for _, each in self.heard if each.subject == subject]

    def answers(self, subject: str) -> list[float]:
        """When it was switched again, or left as contested."""
        return [
            at
            for at, each in self.heard
            if each.subject == subject or (each.event, each.after) == (Event.DECISION, "contested")
        ][1:]

    def of_kind(self, kind: AlertKind) -> list[Alert]:
        """The alerts of one kind."""
        return [alert for alert in self.alerts if alert.kind is kind]

    def finished(self) -> bool:
        """True when a trip has ended."""
        return bool(self.told(Event.FINISHED))


@dataclass
class Arena:
    """The bank, the product's client, and what the watch says."""

    bank: Bank
    cluster: Cluster
    folder: Path
    script: Script = field(default_factory=Script)
    ear: Ear = field(default_factory=Ear)

    @contextlib.asynccontextmanager
    async def watching(self, **rollback: Any) -> AsyncIterator[None]:
        """The product's loop runs in real time, a slot a second."""
        store = ConfigMapJournal(self.cluster, self.namespace, self.namespace)
        sources = {"prometheus": self.script}
        watch = Watch(self.declare(**rollback), cluster=self.cluster, sources=sources, journal=store, reporter=self.ear)
        stopping = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(watch.run(stopping))
            try:
                yield
            finally:
                stopping.set()
            await running

    def declare(self, **rollback: Any) -> Target:
        """Writes the rule file, and reads it."""
        rule = {
            "alert": "Errors",
            "prometheus": {"expr": 'errors{color="{{ color }}"}'},
            "threshold": {"max": 0.05},
            "for": "1s",
            "initial_delay": "0s",
            "action": "rollback",
        }
        declared = self.bank.target.model_dump(mode="json", include={"target", "namespace", "mode", "services"})
        delays = {"scale_down_delay": "1s"}
        declared |= {"rules": [rule], "interval": "1s", "rollback": delays | rollback}
        (self.folder / "bank.yaml").write_text(yaml.safe_dump(declared))
        return Target.model_validate(declared)

    @property
    def namespace(self) -> str:
        """The namespace, which is the target's name too."""
        return self.bank.namespace

    def get(self, kind: str, name: str) -> Object:
        """An object as the API server has it."""
        return self.bank.plane.admin.get(path_of(kind, self.namespace, name))

    def create(self, kind: str, body: Object) -> Object:
        """A new object in the namespace."""
        return self.bank.plane.admin.create(path_of(kind, self.namespace), body)

    def patch(self, kind: str, name: str, body: Object | list[Any]) -> Object:
        """Changes an object as a person would, with curl."""
        return self.bank.plane.admin.patch(path_of(kind, self.namespace, name), body)

    def annotations(self, kind: str, name: str) -> dict[str, str]:
        """All of them."""
        found: dict[str, str] = self.get(kind, name)["metadata"].get("annotations") or {}
        return found

    def colors(self) -> set[str]:
        """The colors that the Services select."""
        return {self.get("services", f"{app}-service")["spec"]["selector"]["color"] for app in APPS}

    def replicas(self, color: str) -> list[int]:
        """The wanted pods of both Deployments of a color."""
        return [self.get("deployments", f"{app}-{color}")["spec"]["replicas"] for app in APPS]

    def switch(self, color: str) -> None:
        """A person gives a color the traffic."""
        for app in APPS:
            selector = BY_APP_AND_COLOR.selector(app, color)
            self.patch("services", f"{app}-service", {"spec": {"selector": selector}})

    def scale(self, name: str, replicas: int) -> None:
        """A person scales a Deployment."""
        self.patch("deployments", name, {"spec": {"replicas": replicas}})

    def deploy(self, color: str, image: str) -> None:
        """A person gives a color another image, and 2 pods."""
        for app in APPS:
            template = {"spec": {"containers": [{"name": "bank", "image": image}]}}
            self.patch("deployments", f"{app}-{color}", {"spec": {"replicas": 2, "template": template}})

    def ready(self, color: str) -> list[int]:
        """The ready pods of both Deployments of a color, of their newest template alone."""
        found = [self.get("deployments", f"{app}-{color}") for app in APPS]
        return [
            each["status"].get("readyReplicas", 0)
            if each["status"].get("observedGeneration") == each["metadata"]["generation"]
            and each["status"].get("updatedReplicas", 0) == each["status"].get("replicas", 0)
            else 0
            for each in found
        ]

    async def journal(self) -> Journal:
        """The target's journal."""
        return await ConfigMapJournal(self.cluster, self.namespace, self.namespace).load()

    async def type(self, *words: str) -> None:
        """Types ``watchdog …``."""
        kubeconfig = str(self.bank.plane.kubeconfig)
        done = await type_command(*words, "--rules", str(self.folder), WATCHDOG_KUBECONFIG=kubeconfig)
        assert done.exit_code == 0, done.stderr


@pytest.fixture
async def arena(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> AsyncIterator[Arena]:
    bank = make_bank(control_plane, namespace, BY_APP_AND_COLOR)
    for app in APPS:
        control_plane.admin.annotate(bank.deployment_path(f"{app}-blue"), **{KNOWN_GOOD: "true"})
    async with await Cluster.connect(control_plane.kubeconfig, None) as cluster:
        yield Arena(bank, cluster, tmp_path)
