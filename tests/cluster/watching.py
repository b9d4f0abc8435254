"""A watch on the real API server that ticks when the test says so; its rules are answered by a script.

Law: green is bad and blue is well, always; the clock is the test's own, everything else is the product's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.conftest import Bank
from tests.stack.admin import path_of
from watchdog.cluster.client import Cluster
from watchdog.cluster.journal import ConfigMapJournal, MemoryJournal
from watchdog.core.alert import Alert
from watchdog.core.annotations import KNOWN_GOOD
from watchdog.core.journal import Journal
from watchdog.core.journal_text import read_journal
from watchdog.core.model import Measurement
from watchdog.core.ownership import instance_name
from watchdog.core.rules.language import Rule, Target
from watchdog.core.transition import Event, Transition
from watchdog.watch.announce import Silent
from watchdog.watch.evidence import Source
from watchdog.watch.fleet import Fleet
from watchdog.watch.loop import Watch

HOUR = 3600.0
RULE = {
    "alert": "Errors",
    "prometheus": {"expr": "errors"},
    "threshold": {"max": 0.05},
    "initial_delay": "0s",
    "action": "rollback",
}


class Script:
    """The source of every rule."""

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:
        """A breach on green."""
        return Measurement(value=0.3 if color == "green" else 0.0, samples=100.0)


@dataclass
class Ear(Silent):
    """Hears everything."""

    heard: list[Transition] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)

    def transition(self, transition: Transition) -> None:
        """Kept."""
        self.heard.append(transition)

    def alert(self, alert: Alert) -> None:
        """Kept."""
        self.alerts.append(alert)

    def told(self, event: Event) -> list[str]:
        """What the transitions of one kind led to."""
        return [each.after for each in self.heard if each.event is event]


def trigger_happy(bank: Bank, **fields: Any) -> Target:
    """The bank's target with a rule that rolls back on the first breach."""
    declared = bank.target.model_dump(mode="json", include={"target", "namespace", "mode", "services"})
    rollback = {"scale_down_delay": "1s", "cooldown": "10s"}
    return Target.model_validate(declared | {"rules": [RULE], "rollback": rollback} | fields)


def vouch(bank: Bank) -> None:
    """A person vouches for blue."""
    for service in bank.target.services:
        body = {"metadata": {"annotations": {KNOWN_GOOD: "1"}}}
        bank.plane.admin.patch(bank.deployment_path(service.deployment_of("blue")), body)


@dataclass
class Dog:
    """One process of the installation ``name`` whose journals are in the namespace ``home``.

    Somebody has set its time of day by ``set_by`` seconds.
    """

    bank: Bank
    cluster: Cluster
    home: str
    name: str = "canary-watchdog"
    dry_run: bool = False
    fleet: Fleet | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    ear: Ear = field(default_factory=Ear)
    now: float = field(default_factory=lambda: time.time() + HOUR)
    set_by: float = 0.0
    source: Source = field(default_factory=Script)

    def __post_init__(self) -> None:
        instance = instance_name(self.home, self.name)
        self.target = trigger_happy(self.bank, **self.fields)
        store = ConfigMapJournal(self.cluster, self.home, self.target.target, instance=instance)
        self.watch = Watch(
            self.target,
            cluster=self.cluster,
            sources={"prometheus": self.source},
            journal=MemoryJournal(self.target.target) if self.dry_run else store,
            reporter=self.ear,
            fleet=self.fleet,
            instance=instance,
            dry_run=self.dry_run,
            clock=lambda: self.now + self.set_by,
            steady=lambda: self.now,
        )

    async def decides(self) -> str:
        """What is decided in the next slot."""
        self.now += self.target.interval
        await self.watch.tick()
        return self.ear.told(Event.DECISION)[-1]

    async def tick_until(self, condition: Callable[[], bool]) -> None:
        """Ticks each second of its own clock; the real controllers have a moment between two ticks."""
        async with asyncio.timeout(60):
            while not condition():
                self.now += 1
                await self.watch.tick()
                await asyncio.sleep(0.05)

    def finished(self) -> bool:
        """True when a trip has ended."""
        return bool(self.ear.told(Event.FINISHED))

    def switches(self) -> list[str]:
        """The Services that it switched, in order."""
        return [each.subject for each in self.ear.heard if each.event is Event.SELECTOR]

    def journal(self) -> Journal:
        """As it is in the cluster."""
        path = path_of("configmaps", self.home, f"canary-watchdog-{self.target.target}")
        return read_journal(self.bank.plane.admin.get(path)["data"], target=self.target.target)
