"""Watches a target on the real API server, inside a test: the real loop, with rules that a script answers.

Law: green is bad and blue is well, always; everything else is the product's own doing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.campaign.one_target import Order, Script, clock_of, target_of
from tests.cluster.conftest import Bank, make_bank
from tests.stack.kubernetes import ControlPlane
from tests.stack.style import MIXED
from watchdog.cluster.client import Cluster
from watchdog.cluster.journal import ConfigMapJournal
from watchdog.core.alert import Alert, AlertKind
from watchdog.core.annotations import KNOWN_GOOD
from watchdog.core.rules.language import Target
from watchdog.core.transition import Event, Transition
from watchdog.watch.announce import Silent
from watchdog.watch.loop import Watch

PACE = 20
"""So many seconds of the watchdog's clock in one of the test, where a test waits for people to be told.

A minute of that clock, after which a plan that nobody carried on is void, is longer than a shared machine stands still.
"""


@dataclass
class Ear(Silent):
    """Hears everything."""

    heard: list[Transition | Alert] = field(default_factory=list)
    ticks: int = 0

    @property
    def alerts(self) -> list[Alert]:
        return [each for each in self.heard if isinstance(each, Alert)]

    def ticked(self, target: Target, *, seconds: float, missed: int, complete: bool) -> None:
        self.ticks += 1

    def transition(self, transition: Transition) -> None:
        self.heard.append(transition)

    def alert(self, alert: Alert) -> None:
        self.heard.append(alert)

    def told(self, event: Event) -> list[str]:
        """What the transitions of one kind led to."""
        return [each.after for each in self.heard if isinstance(each, Transition) and each.event is event]

    def held(self) -> str:
        """The texts of what people were told is held, "" when nothing is."""
        return "\n".join(alert.text for alert in self.alerts if alert.kind is AlertKind.HELD)


def bank_to_watch(plane: ControlPlane, namespace: str) -> Bank:
    """The banking application, green active and blue vouched for."""
    bank = make_bank(plane, namespace, MIXED)
    for name in ("backend-blue", "frontend-blue"):
        plane.admin.annotate(bank.deployment_path(name), **{KNOWN_GOOD: "true"})
    return bank


@asynccontextmanager
async def watching(bank: Bank, kubeconfig: Path, *, pace: int = 1) -> AsyncIterator[Ear]:
    """Watches inside the block; ``pace`` is how many seconds of its clock pass in one."""
    order = Order(kubeconfig=str(kubeconfig), namespace=bank.namespace, log="", pace=pace)
    clock, ear = clock_of(order), Ear()
    async with await Cluster.connect(kubeconfig, None) as cluster, asyncio.TaskGroup() as group:
        watch = Watch(
            # A tick waits by the real clock: a slot must not be a minute of it.
            target_of(order).model_copy(update={"interval": 1.0}),
            cluster=cluster,
            sources={"prometheus": Script()},
            journal=ConfigMapJournal(cluster, bank.namespace, bank.namespace),
            reporter=ear,
            clock=clock,
        )
        task = group.create_task(watch.run(asyncio.Event()))
        yield ear
        task.cancel()
