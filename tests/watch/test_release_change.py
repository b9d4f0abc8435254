"""A bad release, and the one that mends it in the same color, on a real Prometheus: each answers for itself (F17).

Law: the clock is the test's own; the past of the requests is written before the first tick.
"""

from __future__ import annotations

import secrets
import time

import pytest

from tests.sources.asking import prometheus
from tests.stack.prometheus import PrometheusServer, Series
from tests.stack.wait import eventually
from watchdog.cluster.client import Cluster
from watchdog.cluster.journal import ConfigMapJournal
from watchdog.cluster.observe import REVISION
from watchdog.core.annotations import KNOWN_GOOD, PAUSED
from watchdog.core.rules.language import Target
from watchdog.sim.kubernetes.kinds import DEPLOYMENT
from watchdog.sim.world import SimulatedWorld
from watchdog.watch.announce import Silent
from watchdog.watch.loop import Watch

NAMESPACE = "banking-app"
STEP = 15
BEFORE, AFTER = 300, 240
"""Seconds of requests before the new revision, and after it."""


def target(app: str, initial_delay: str | None) -> Target:
    """A rule on the failed requests of the last two minutes."""
    requests = f'rate(http_requests_total{{app="{app}",color="{{{{ color }}}}"'
    rule = {
        "alert": "ErrorRatio",
        "prometheus": {"expr": f'sum({requests},code="500"}}[2m])) / sum({requests}}}[2m]))'},
        "threshold": {"max": 0.05},
        "for": "15s",
        "action": "rollback",
    }
    given = rule | ({} if initial_delay is None else {"initial_delay": initial_delay})
    services = [{"name": "frontend-service", "deployment": "frontend-{{ color }}"}]
    return Target.model_validate(
        {"target": NAMESPACE, "namespace": NAMESPACE, "mode": "enforce", "services": services, "rules": [given]}
    )


def requests_of(app: str, released: float, *, fails: bool) -> list[Series]:
    """Ten requests a second: half of them fail before the release, and after it as it is said."""
    instants = range(-BEFORE, AFTER + STEP, STEP)
    failed = [5.0 * (at + BEFORE if at <= 0 or fails else BEFORE) for at in instants]
    every = [10.0 * (at + BEFORE) for at in instants]
    return [
        Series(
            "http_requests_total",
            {"app": app, "color": "green", "code": code},
            [(released + at, value) for at, value in zip(instants, values, strict=True)],
        )
        for code, values in (("500", failed), ("200", [a - b for a, b in zip(every, failed, strict=True)]))
    ]


def is_rolled_out(world: SimulatedWorld) -> bool:
    """True when green runs its second revision alone."""
    found = world.cluster.read(DEPLOYMENT, NAMESPACE, "frontend-green")
    counts = {found["status"].get(key, 0) for key in ("replicas", "updatedReplicas", "readyReplicas")}
    return found["metadata"]["annotations"].get(REVISION) == "2" and counts == {found["spec"]["replicas"]}


@pytest.mark.parametrize(
    ("fails", "initial_delay", "offset", "active"),
    [
        pytest.param(False, None, 0, "green", id="what mends it stays"),
        pytest.param(False, None, 60, "green", id="what mends it stays, also where a minute earlier is asked for"),
        pytest.param(False, "0s", 0, "blue", id="what mends it is blamed where nothing is waited for"),
        pytest.param(True, None, 0, "blue", id="what does not mend it is rolled back"),
    ],
)
async def test_F17_errors_of_the_release_before_do_not_roll_the_next_one_back(
    prometheus_server: PrometheusServer, *, fails: bool, initial_delay: str | None, offset: float, active: str
) -> None:
    """Somebody pauses the watchdog, deploys what mends it, and resumes: the usual way forward."""
    app = f"app{secrets.token_hex(4)}"
    released = float(int(time.time()) - AFTER - STEP)
    prometheus_server.remote_write(*requests_of(app, released, fails=fails))
    now = released - STEP
    async with (
        SimulatedWorld(active="green", history=0, pod_ready_delay=0.01) as world,
        await Cluster.connect(world.kubeconfig, None) as cluster,
        prometheus(prometheus_server.url, query_offset=offset) as source,
    ):
        watch = Watch(
            target(app, initial_delay),
            cluster=cluster,
            sources={"prometheus": source},
            journal=ConfigMapJournal(cluster, NAMESPACE, NAMESPACE),
            reporter=Silent(),
            clock=lambda: now,
        )
        world.annotate("deployments", "frontend-blue", KNOWN_GOOD, "true")
        world.annotate("services", "frontend-service", PAUSED, "true")
        await watch.tick()
        world.deploy("frontend-green", "bank:2")
        world.annotate("services", "frontend-service", PAUSED, None)
        await eventually(lambda: is_rolled_out(world), "every pod of green is of the new revision")
        while now < released + AFTER:
            now += STEP
            await watch.tick()
        assert world.active_colors()["frontend-service"] == active
