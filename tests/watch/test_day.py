"""A day of one target, minute by minute, in seconds: what a watchdog holds in memory does not grow with its age.

Law: the clock is the test's own; what is counted is every block that Python has allocated, not what some list holds.
The cluster is another process: what an API server keeps is not the watchdog's.
"""

import gc
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import pytest

from tests.core.making import NOW, RULE
from tests.stack.banking import REPOSITORY
from tests.stack.process import Child
from watchdog.cluster.client import Cluster
from watchdog.cluster.journal import ConfigMapJournal
from watchdog.core.model import Measurement
from watchdog.core.rules.language import Rule, Target
from watchdog.logs import configure_logging
from watchdog.notify.outbox import Outbox
from watchdog.telling import Telling
from watchdog.watch.loop import Watch
from watchdog.web.health import Health
from watchdog.web.metrics import Metrics

SERVICES = [
    {"name": "backend-service", "deployment": "backend-{{ color }}", "selector": {"app": "backend-{{ color }}"}},
    {"name": "frontend-service", "deployment": "frontend-{{ color }}"},
]
MINUTE, HOUR, HOURS = 60.0, 60, 24
SETTLED_HOURS = 8
"""By then everything that is bounded has reached its bound."""
HOURS_OF_ALL_KINDS = (
    [Measurement(value=0.0)] * 40
    + [Measurement(value=0.3)] * 6
    + [Measurement(value=0.01)] * 4
    + [Measurement.nodata("no traffic")] * 7
    + [Measurement.error("it does not answer")] * 3
)


WORLD = """
import asyncio
from watchdog.sim.world import SimulatedWorld

async def main():
    async with SimulatedWorld(active="green", history=0, pod_ready_delay=0.01) as world:
        print(world.kubeconfig, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Iterator[Path]:
    """The way to a simulated cluster in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    world = Child(name="world", command=[sys.executable, "-c", WORLD], folder=tmp_path, environment=environment)
    world.start()
    world.wait_until_ready(lambda: world.log.read_text().endswith("\n"), within=60)
    yield Path(world.log.read_text().strip())
    world.stop()


@dataclass
class Source:
    """Answers of all kinds, an hour of them again and again."""

    answers: Iterator[Measurement]

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:
        return next(self.answers)


async def test_F81_a_day_of_slots_leaves_memory_as_it_was(kubeconfig: Path, capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info")
    now = NOW
    rule = RULE | {"action": "alert", "for": "2m"}
    target = Target.model_validate(
        {"target": "banking-app", "namespace": "banking-app", "services": SERVICES, "interval": "1m", "rules": [rule]}
        | {"mode": "enforce"}
    )
    blocks: list[int] = []
    told = 0
    async with await Cluster.connect(kubeconfig, None) as cluster:
        watch = Watch(
            target,
            cluster=cluster,
            sources={"prometheus": Source(cycle(HOURS_OF_ALL_KINDS))},
            journal=ConfigMapJournal(cluster, "banking-app", "banking-app"),
            reporter=Telling(metrics=Metrics(), health=Health(), outbox=Outbox(())),
            clock=lambda: now,
        )
        for _ in range(HOURS):
            for _ in range(HOUR):
                now += MINUTE
                await watch.tick()
            told += capfd.readouterr().err.count('"kind": "firing"')
            gc.collect()
            blocks.append(sys.getallocatedblocks())
    assert told >= HOURS - 1, "rules fired and were well again all day"
    grown = blocks[-1] - blocks[SETTLED_HOURS]
    assert grown < (HOURS - SETTLED_HOURS) * HOUR / 2, f"blocks at the end of each hour: {blocks}"
