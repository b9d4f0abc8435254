"""What a rule on the cluster itself makes of a status: every count, and the colors that say nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.making import NOW, rule, status, target
from watchdog.core.evaluate import judge
from watchdog.core.model import ContainerStatus, Measurement, Outcome, TargetStatus
from watchdog.core.rules.kinds import KubernetesCheck
from watchdog.sources.kubernetes import ObservedCluster, measure_status


def measured(seen: TargetStatus, color: str = "green", **check: Any) -> Measurement:
    return measure_status(KubernetesCheck.model_validate(check), seen, color=color, slot=NOW)


def seen(color: str = "green", *, ready: int = 3, **deployment: Any) -> TargetStatus:
    """Green is active; one color of both Services has what is given."""
    return status(target(), ready={color: ready}, deployment_fields={color: deployment})


def container(pod: str = "green-1", **fields: Any) -> ContainerStatus:
    return ContainerStatus(pod=pod, **fields)


@pytest.mark.parametrize(
    ("given", "check", "value"),
    [
        pytest.param(seen(), {"count": "unready_pods"}, 0, id="all are ready"),
        pytest.param(seen(ready=1), {"count": "unready_pods"}, 4, id="two of three, of both Services"),
        pytest.param(seen(ready=1), {"count": "unready_pods", "share": True}, 2 / 3, id="as a share"),
        pytest.param(seen(ready=5, replicas=3), {"count": "unready_pods"}, 0, id="more than are wanted"),
        pytest.param(seen(ready=0, replicas=0), {"count": "unready_pods"}, 2, id="scaled to 0 under traffic"),
        pytest.param(
            seen(ready=0, replicas=0), {"count": "unready_pods", "share": True}, 1, id="scaled to 0, as a share"
        ),
        pytest.param(seen(stuck="Progressing is False"), {"count": "stuck_rollouts"}, 2, id="both rollouts are stuck"),
        pytest.param(seen(), {"count": "stuck_rollouts"}, 0, id="no rollout is stuck"),
        pytest.param(
            seen(troubled=(container(waiting="CrashLoopBackOff", restarts=4),)),
            {"count": "crash_loops"},
            1,
            id="a pod is counted once, however many of its containers loop",
        ),
        pytest.param(
            seen(troubled=(container(restarts=4, running_since=NOW - 5, lasted=8),)),
            {"count": "crash_loops"},
            1,
            id="up for a moment, between two crashes",
        ),
        pytest.param(
            seen(troubled=(container(restarts=4, has_failed=True, lasted=8),)),
            {"count": "crash_loops"},
            1,
            id="it has crashed, and nobody speaks of a back-off yet",
        ),
        pytest.param(
            seen(troubled=(container(restarts=4, has_failed=True, lasted=86_400),)),
            {"count": "crash_loops"},
            0,
            id="it has crashed for the first time in a day",
        ),
        pytest.param(
            seen(troubled=(container(restarts=4, lasted=8),)),
            {"count": "crash_loops"},
            0,
            id="an init container that has done its work at last",
        ),
        pytest.param(
            seen(troubled=(container(restarts=4, running_since=NOW - 90, lasted=8),)),
            {"count": "crash_loops"},
            0,
            id="up again",
        ),
        pytest.param(
            seen(troubled=(container(restarts=1, running_since=NOW - 5, lasted=8),)),
            {"count": "crash_loops"},
            0,
            id="one restart is no loop",
        ),
        pytest.param(
            seen(troubled=(container(restarts=4, running_since=NOW - 5, lasted=86_400),)),
            {"count": "crash_loops"},
            0,
            id="one restart after a day is none either, however often it was restarted in its life",
        ),
        pytest.param(
            seen(troubled=(container(restarts=4, running_since=NOW - 5),)),
            {"count": "crash_loops"},
            0,
            id="nobody knows how long it ran before",
        ),
        pytest.param(
            seen(troubled=(container(waiting="ContainerCreating"),)), {"count": "crash_loops"}, 0, id="it is starting"
        ),
        pytest.param(
            seen(troubled=(container(restarts=9, ended_at=NOW - 599),)), {"count": "restarts"}, 2, id="just in time"
        ),
        pytest.param(
            seen(troubled=(container(restarts=9, ended_at=NOW - 600),)), {"count": "restarts"}, 0, id="too long ago"
        ),
        pytest.param(
            seen(troubled=(container(restarts=9, ended_at=NOW - 600),)),
            {"count": "restarts", "window": "11m"},
            2,
            id="a longer window",
        ),
        pytest.param(
            seen(troubled=(container(waiting="ContainerCreating"),)), {"count": "restarts"}, 0, id="never restarted"
        ),
    ],
)
def test_the_value(given: TargetStatus, check: dict[str, Any], value: float) -> None:
    measurement = measured(given, **check)
    assert measurement.value == pytest.approx(value)
    assert measurement.failure is None
    assert bool(measurement.reason) == (value > 0)


@pytest.mark.parametrize("count", ["restarts", "crash_loops", "unready_pods", "stuck_rollouts"])
def test_an_idle_color_that_is_scaled_to_0_says_nothing(count: str) -> None:
    idle = seen("blue", ready=0, replicas=0, stuck="x", troubled=(container(waiting="CrashLoopBackOff"),))
    assert measured(idle, "blue", count=count).failure is Outcome.NODATA


def test_what_was_counted_is_in_the_sentence() -> None:
    dead = rule(prometheus=None, kubernetes={"count": "unready_pods"}, threshold={"max": 0})
    outcome, sentence = judge(dead, measured(seen(ready=0), count="unready_pods"))
    assert outcome is Outcome.BREACH
    assert sentence == "6 is above 0: backend-green has 0 of 3 ready, frontend-green has 0 of 3 ready"


async def test_a_cluster_that_cannot_be_seen_says_nothing() -> None:
    check = rule(prometheus=None, kubernetes={"count": "restarts"})
    unseen = await ObservedCluster().measure(check, color="green", namespace="bank", slot=NOW)
    assert unseen.failure is Outcome.ERROR
