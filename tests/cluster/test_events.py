"""Events on a real API server."""

from tests.cluster.conftest import Bank
from tests.core.making import NOW
from tests.stack.admin import path_of
from watchdog.cluster.client import Cluster
from watchdog.cluster.events import emit
from watchdog.core.objectevents import ObjectEvent


async def test_an_event_told_twice_is_one(cluster: Cluster, bank: Bank) -> None:
    service = bank.service("frontend-service")
    event = ObjectEvent(
        kind="Service",
        name="frontend-service",
        uid=service["metadata"]["uid"],
        reason="RolledBack",
        note="ü" * 2000,
        occasion="trip-1",
    )
    for _ in range(2):
        await emit(cluster, bank.namespace, event, now=NOW)
    events = bank.plane.admin.items(path_of("events", bank.namespace), fieldSelector="reason=RolledBack")
    assert len(events) == 1
    assert events[0]["involvedObject"]["uid"] == service["metadata"]["uid"]
    assert events[0]["type"] == "Normal"
    assert len(events[0]["message"].encode()) <= 1024
