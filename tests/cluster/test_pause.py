"""A pause in the middle of a rollback, on a real API server."""

from __future__ import annotations

from tests.cluster.conftest import Bank
from tests.cluster.watching import Dog, vouch
from watchdog.cluster.client import Cluster
from watchdog.core.alert import AlertKind
from watchdog.core.annotations import PAUSED
from watchdog.core.transition import Event

DELAY = 5


def replicas(bank: Bank) -> list[int]:
    """The wanted pods of green."""
    paths = (bank.deployment_path(f"{app}-green") for app in ("backend", "frontend"))
    return [bank.plane.admin.get(path)["spec"]["replicas"] for path in paths]


async def test_F76_what_is_left_of_a_rollback_waits_for_the_end_of_a_pause(cluster: Cluster, bank: Bank) -> None:
    vouch(bank)
    rollback = {"scale_down_delay": f"{DELAY}s", "cooldown": "10s"}
    dog = Dog(bank, cluster, bank.namespace, fields={"rollback": rollback})
    await dog.tick_until(lambda: bool(dog.ear.told(Event.VERIFIED)))
    bank.annotate("frontend-service", {PAUSED: "true"})
    paused_at = dog.now
    await dog.tick_until(lambda: dog.now > paused_at + 2 * DELAY)
    assert (replicas(bank), dog.finished()) == ([2, 2], False)
    held = [alert for alert in dog.ear.alerts if alert.kind is AlertKind.HELD]
    assert ["is half done and waits" in alert.text for alert in held] == [True]
    bank.annotate("frontend-service", {PAUSED: None})
    await dog.tick_until(dog.finished)
    assert (replicas(bank), dog.switches()) == ([0, 0], ["backend-service", "frontend-service"])
