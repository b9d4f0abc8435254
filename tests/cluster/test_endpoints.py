"""The glance at the EndpointSlices after a switch, on a real API server: what it sees, and what it does not decide."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest

from tests.campaign.one_target import Script
from tests.cluster.conftest import Bank
from tests.cluster.test_apply import switch
from tests.core.making import NOW, RULE
from tests.stack.fault_proxy import FaultProxy, fault_proxy
from tests.stack.faults import refusal
from tests.stack.injection import Match
from tests.stack.kubernetes import ControlPlane
from tests.stack.wait import eventually, eventually_answers
from watchdog.cluster.apply import apply
from watchdog.cluster.client import Cluster
from watchdog.cluster.endpoints import glance
from watchdog.cluster.journal import ConfigMapJournal
from watchdog.core.annotations import KNOWN_GOOD
from watchdog.core.model import TargetStatus
from watchdog.core.rules.language import Rollback, Rule
from watchdog.core.transition import Event, Transition
from watchdog.watch.announce import Silent
from watchdog.watch.loop import Watch

HOUR = 3600.0
LOOKS = 2
GREEN = {"app": "backend-green", "color": "green"}
EVERY_LIST = Match(methods=frozenset({"GET"}), path=r"/(pods|services|deployments|endpointslices)(\?|$)")


async def glanced(cluster: Cluster, bank: Bank, status: TargetStatus) -> list[dict[str, int]]:
    return await glance(cluster, bank.namespace, status.services)


async def settled(cluster: Cluster, bank: Bank) -> TargetStatus:
    """The target once its EndpointSlices have followed its pods."""

    async def found() -> TargetStatus | None:
        status = await bank.observe(cluster)
        return status if [service.endpoints["green"] for service in status.services] == [2, 2] else None

    return await eventually_answers(found, "the EndpointSlices have followed the pods")


async def test_a_glance_counts_as_a_look_does(cluster: Cluster, bank: Bank) -> None:
    before = await settled(cluster, bank)
    assert await glanced(cluster, bank, before) == [dict(service.endpoints) for service in before.services]
    for number in (0, 1):
        await apply(cluster, bank.namespace, switch(before, number), now=NOW)

    async def have_followed() -> bool:
        return await glanced(cluster, bank, before) == [{"blue": 2, "green": 0, "": 0}] * 2

    await eventually_answers(have_followed, "the EndpointSlices have followed the switch")
    after = await bank.observe(cluster)
    assert [dict(service.endpoints) for service in after.services] == await glanced(cluster, bank, before)


async def test_a_glance_takes_nothing_unknown_for_a_good_pod(cluster: Cluster, bank: Bank) -> None:
    backend, frontend = (await settled(cluster, bank)).services
    strangers = replace(backend, pods={})
    gone = replace(frontend, slices=("frontend-service-gone",))
    assert await glance(cluster, bank.namespace, [strangers, gone]) == [
        {"blue": 0, "green": 0, "": 2},
        {"blue": 0, "green": 0, "": 0},
    ]


@dataclass
class Ear(Silent):
    """Hears everything, and does something when the last Service is switched."""

    when_switched: Callable[[], object]
    heard: list[Transition] = field(default_factory=list)

    def transition(self, transition: Transition) -> None:
        self.heard.append(transition)
        if (transition.event, transition.subject) == (Event.SELECTOR, "frontend-service"):
            self.when_switched()

    def times(self, event: Event) -> int:
        return sum(each.event is event for each in self.heard)


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[FaultProxy]:
    with fault_proxy(control_plane) as opened:
        yield opened


async def test_a_verified_switch_is_told_at_once_and_looked_at_again_before_the_scale_down(
    bank: Bank, proxy: FaultProxy
) -> None:
    """From the last switch on no LIST succeeds: the glance sees the good endpoints, and writes nothing for it."""
    ear = Ear(when_switched=lambda: proxy.inject(refusal(503), EVERY_LIST, times=None))
    target = bank.target.model_copy(
        update={
            "interval": 1.0,
            "rules": [Rule.model_validate(RULE)],
            "rollback": Rollback.model_validate({"scale_down_delay": "0s"}),
        }
    )
    for app in ("backend", "frontend"):
        bank.plane.admin.annotate(bank.deployment_path(f"{app}-blue"), **{KNOWN_GOOD: "true"})

    def replicas(color: str) -> list[int]:
        paths = [bank.deployment_path(f"{app}-{color}") for app in ("backend", "frontend")]
        return [bank.plane.admin.get(path)["spec"]["replicas"] for path in paths]

    kubeconfig = proxy.kubeconfig(bank.plane.admin_token, namespace=bank.namespace)
    async with await Cluster.connect(kubeconfig, None) as cluster, asyncio.TaskGroup() as group:
        watch = Watch(
            target,
            cluster=cluster,
            sources={"prometheus": Script()},
            journal=ConfigMapJournal(cluster, bank.namespace, bank.namespace),
            reporter=ear,
            clock=lambda: time.time() + HOUR,
        )
        stopping = asyncio.Event()
        running = group.create_task(watch.run(stopping))
        await eventually(lambda: ear.times(Event.VERIFIED), "the switch is verified")
        await eventually(lambda: ear.times(Event.CLUSTER) >= LOOKS, "looks have failed")
        assert replicas("green") == [2, 2]

        bank.plane.admin.patch(bank.service_path("backend-service"), {"spec": {"selector": GREEN}})
        proxy.clear()
        await eventually(lambda: replicas("green") == [0, 0], "it is scaled down")
        await eventually(lambda: ear.times(Event.REPLICAS) == 2, "it is told")
        written = [each.subject for each in ear.heard if each.event in (Event.SELECTOR, Event.REPLICAS)]
        assert written == [
            "backend-service",
            "frontend-service",
            "backend-service",
            "backend-green",
            "frontend-green",
        ], "what was undone meanwhile is done again first"
        assert ear.times(Event.VERIFIED) == 2
        stopping.set()
        await running
