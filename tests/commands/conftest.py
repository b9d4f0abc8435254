"""The fixtures of these tests.

``desk``  a person's machine with a kubeconfig for a simulated cluster, the shipped rule files, and green active
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import Result

from tests.commands.typed import type_command
from tests.stack.banking import REPOSITORY
from watchdog.cluster.client import Cluster
from watchdog.cluster.journal import ConfigMapJournal
from watchdog.core.journal import Journal
from watchdog.sim.kubernetes.kinds import DEPLOYMENT, SERVICE
from watchdog.sim.world import SimulatedWorld

TARGET = "banking-app"


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the commands are typed."""

    world: SimulatedWorld

    async def type(self, *words: str, **environment: str) -> Result:
        """Types ``watchdog …``."""
        given = {"WATCHDOG_KUBECONFIG": str(self.world.kubeconfig), "WATCHDOG_RULES": str(REPOSITORY / "rules")}
        return await type_command(*words, **given | environment)

    def annotations(self, name: str) -> dict[str, str]:
        """Those under our prefix, of a Service or a Deployment."""
        every = [*self.world.cluster.each(SERVICE, TARGET), *self.world.cluster.each(DEPLOYMENT, TARGET)]
        (found,) = (each for each in every if each["metadata"]["name"] == name)
        annotations: dict[str, Any] = found["metadata"].get("annotations") or {}
        return {key: value for key, value in annotations.items() if key.startswith("canary-watchdog/")}

    async def write(self, journal: Journal, *, namespace: str = TARGET) -> None:
        """Writes the target's journal as the watchdog does."""
        async with await Cluster.connect(self.world.kubeconfig, None) as cluster:
            await ConfigMapJournal(cluster, namespace, TARGET).save(journal)

    async def journal(self) -> Journal:
        """The target's journal, as the next process would read it."""
        async with await Cluster.connect(self.world.kubeconfig, None) as cluster:
            return await ConfigMapJournal(cluster, TARGET, TARGET).load()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with SimulatedWorld(active="green", history=0, pod_ready_delay=0.01) as world:
        yield Desk(world)
