"""The API server is gone in the middle of a rollback, for longer than a Lease lasts."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from tests.stack.admin import path_of
from tests.stack.prometheus import Series
from tests.stack.wait import wait_until
from tests.stories.hooks import Hooks
from tests.stories.replicas import RULES, Replica, Scene
from watchdog.core.elector import TIMING

OUTAGE = float(os.environ.get("CANARY_WATCHDOG_OUTAGE", TIMING.duration + 2))
# Something that people are alerted about, and that begins in the middle of the outage.
LATE = """
      - alert: Late
        prometheus: {expr: 'max(late{space="SPACE"}) or vector(0)'}
        threshold: {max: 0}
        initial_delay: 0s
    rollback: {scale_down_delay: 8s}
"""


def lines(dog: Replica, event: str) -> list[dict[str, Any]]:
    """The log's lines of one event."""
    every = [json.loads(line) for line in dog.child.log.read_text().rpartition("\n")[0].splitlines()]
    return [line for line in every if line["event"] == event]


def test_F37_an_api_server_that_is_gone_in_the_middle_of_a_rollback(scene: Scene, hooks: Hooks) -> None:
    dog = scene.replica(
        "dog-a",
        rules=RULES + LATE,
        WATCHDOG_WEBHOOK_URL=hooks.url("json"),
        WATCHDOG_LOG_LEVEL="debug",
    )
    dog.start()
    wait_until(dog.leads, "it leads")
    scene.pause(None)
    wait_until(lambda: scene.active() == ["blue", "blue"], "the traffic is switched")

    scene.plane.kill_apiserver()
    gone = time.monotonic()
    wait_until(lambda: not dog.leads(), "without a renewal it does not lead", within=TIMING.term + 2)
    assert len(lines(dog, "finished")) == 0, "the rollback is half done"
    seen = len(lines(dog, "measured"))
    wait_until(lambda: len(lines(dog, "measured")) >= seen + 4, "it goes on measuring")
    now = int(time.time())
    scene.prometheus.remote_write(Series("late", {"space": scene.space}, [(now, 1.0)]))
    wait_until(lambda: hooks.alerts("firing"), "it goes on alerting")
    wait_until(lambda: time.monotonic() - gone > OUTAGE, "no Lease lasts as long", within=OUTAGE + 5)
    scene.plane.start_apiserver()

    wait_until(dog.leads, "it leads again")
    wait_until(lambda: lines(dog, "finished"), "the rollback is finished")
    assert scene.active() == ["blue", "blue"]
    for name in ("backend-green", "frontend-green"):
        assert scene.admin.get(path_of("deployments", scene.space, name))["spec"]["replicas"] == 0
    switched = [row["objectRef"]["name"] for row in scene.switches() if "/spec/selector" in json.dumps(row)]
    assert sorted(switched) == ["backend-service", "frontend-service"], "each Service was switched once"
    assert len({alert["trip"] for alert in hooks.alerts() if alert["trip"]}) == 1
