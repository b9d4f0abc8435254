"""What clocks that are set, and an event loop that stands still, do to a rollback on a real API server."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.cluster.conftest import Bank
from tests.cluster.watching import HOUR, Dog, Script, vouch
from watchdog.clocks import BEAT_SECONDS, MOST_LAG_SECONDS, Pulse
from watchdog.cluster.client import Cluster
from watchdog.core.model import Measurement
from watchdog.core.rules.language import Rule
from watchdog.core.transition import Event

DELAY = 60


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["an hour forward", "an hour back"])
async def test_F79_a_rollback_minds_its_delays_when_the_clock_is_set(cluster: Cluster, bank: Bank, jump: float) -> None:
    vouch(bank)
    rollback = {"scale_down_delay": f"{DELAY}s", "cooldown": "10s"}
    dog = Dog(bank, cluster, bank.namespace, fields={"rollback": rollback})
    await dog.tick_until(lambda: bool(dog.ear.told(Event.VERIFIED)))
    verified_at = dog.now
    dog.set_by = jump
    await dog.tick_until(lambda: "scaling_down" in dog.ear.told(Event.STAGE))
    assert DELAY <= dog.now - verified_at <= DELAY + 2
    await dog.tick_until(dog.finished)
    for name in ("backend-green", "frontend-green"):
        assert bank.plane.admin.get(bank.deployment_path(name))["spec"]["replicas"] == 0


class Blocking(Script):
    """Stops the whole event loop once, as a bug, a swapped-out process or a debugger does."""

    blocked = False

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:
        if not self.blocked:
            self.blocked = True
            time.sleep(BEAT_SECONDS + MOST_LAG_SECONDS + 0.3)  # noqa: ASYNC251 - that is what is tried
        return await super().measure(rule, color=color, namespace=namespace, slot=slot)


async def test_F80_S4_no_write_comes_of_a_tick_that_stood_still(cluster: Cluster, bank: Bank) -> None:
    vouch(bank)
    pulse = Pulse()
    dog = Dog(bank, cluster.guarded(pulse.is_steady), bank.namespace, source=Blocking())

    async def beat() -> None:
        while True:
            pulse.beat()
            await asyncio.sleep(BEAT_SECONDS)

    async with asyncio.TaskGroup() as group:
        heart = group.create_task(beat())
        assert await dog.decides() == "rollback"
        assert dog.switches() == []
        assert any("stood still" in each.sentence for each in dog.ear.heard if each.event is Event.CLUSTER)
        await dog.tick_until(dog.finished)
        heart.cancel()
    assert dog.switches() == ["backend-service", "frontend-service"]
