"""The simulated world over HTTP, well and failing."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.stack.wait import eventually
from watchdog.sim.kubernetes.kinds import ENDPOINT_SLICE, POD
from watchdog.sim.server import Answer, Fault, Hang, LoseReply, Refuse, Slow
from watchdog.sim.world import TOKEN, SimulatedWorld

SERVICE = "/api/v1/namespaces/banking-app/services/frontend-service"
RATIO = 'sum(rate(http_requests_total{color="%s",code="500"}[5s])) / sum(rate(http_requests_total{color="%s"}[5s]))'


@pytest.fixture
async def world() -> AsyncIterator[SimulatedWorld]:
    async with SimulatedWorld(history=120, pod_ready_delay=0.1) as started:
        yield started


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=5)) as session:
        yield session


async def annotate(http: aiohttp.ClientSession, world: SimulatedWorld, value: str) -> int:
    body = json.dumps({"metadata": {"annotations": {"told": value}}})
    headers = {"Content-Type": "application/merge-patch+json"}
    async with http.patch(world.kubernetes.url + SERVICE, data=body, headers=headers) as response:
        return response.status


async def read(http: aiohttp.ClientSession, world: SimulatedWorld) -> dict[str, Any]:
    async with http.get(world.kubernetes.url + SERVICE) as response:
        body: dict[str, Any] = await response.json()
        return body


async def ask_prometheus(http: aiohttp.ClientSession, world: SimulatedWorld, query: str) -> list[Any]:
    async with http.get(f"{world.prometheus_url}/api/v1/query", params={"query": query}) as response:
        result: list[Any] = (await response.json())["data"]["result"]
        return result


def images(world: SimulatedWorld, deployment: str) -> list[str]:
    return [
        pod["spec"]["containers"][0]["image"]
        for pod in world.cluster.read_all(POD, world.namespace)
        if pod["metadata"]["name"].startswith(deployment)
    ]


def ready_endpoints(world: SimulatedWorld, service: str) -> list[str]:
    return [
        endpoint["targetRef"]["name"].rsplit("-", 2)[0]
        for piece in world.cluster.read_all(ENDPOINT_SLICE, world.namespace)
        for endpoint in piece["endpoints"] or ()
        if piece["metadata"]["name"].startswith(service) and endpoint["conditions"]["ready"]
    ]


async def test_has_a_past_when_it_begins(world: SimulatedWorld, http: aiohttp.ClientSession) -> None:
    (counted,) = await ask_prometheus(http, world, "sum(increase(http_requests_total[100s]))")
    assert float(counted["value"][1]) == pytest.approx(2 * 50 * 100, rel=0.05)
    async with http.post(f"{world.elasticsearch_url}/logs-banking-*/_search", json={"size": 0}) as response:
        found = (await response.json())["hits"]["total"]["value"]
    assert found >= 2 * 10 * 118


async def test_begins_settled(world: SimulatedWorld) -> None:
    assert ready_endpoints(world, "backend-service") == ["backend-blue"] * 3
    assert ready_endpoints(world, "frontend-service") == ["frontend-blue"] * 3
    assert world.active_colors() == {"backend-service": "blue", "frontend-service": "blue"}
    assert world.kubeconfig.exists()


async def test_traffic_goes_on_by_itself(world: SimulatedWorld) -> None:
    answered = world.bank.answered
    await eventually(lambda: world.bank.answered >= answered + 200, "two more seconds of traffic")


async def test_a_release_goes_bad(world: SimulatedWorld, http: aiohttp.ClientSession) -> None:
    world.switch("green")
    world.bank.go_bad("green", error_ratio=0.5)
    failed = world.bank.failed
    await eventually(lambda: world.bank.failed >= failed + 150, "three seconds of failures")
    assert ready_endpoints(world, "frontend-service") == ["frontend-green"] * 3
    (ratio,) = await ask_prometheus(http, world, RATIO % ("green", "green"))
    assert float(ratio["value"][1]) > 0.1


async def test_people_do_what_people_do(world: SimulatedWorld, http: aiohttp.ClientSession) -> None:
    world.annotate("services", "frontend-service", "canary-watchdog/paused", "true")
    world.annotate("namespaces", "banking-app", "note", "x")
    assert (await read(http, world))["metadata"]["annotations"] == {"canary-watchdog/paused": "true"}
    world.annotate("services", "frontend-service", "canary-watchdog/paused", None)
    assert "annotations" not in (await read(http, world))["metadata"]
    world.scale("backend-blue", 1)
    await eventually(lambda: len(ready_endpoints(world, "backend-service")) == 1, "one endpoint is left")
    world.deploy("frontend-blue", "frontend:2")
    await eventually(lambda: images(world, "frontend-blue") == ["frontend:2"] * 3, "the old pods are gone")
    await eventually(lambda: len(ready_endpoints(world, "frontend-service")) == 3, "the new pods serve")
    world.set_ready("frontend-blue", ready=False)
    await eventually(lambda: not ready_endpoints(world, "frontend-service"), "nobody is ready")
    world.set_ready("frontend-blue", ready=True)
    await eventually(lambda: len(ready_endpoints(world, "frontend-service")) == 3, "everybody is ready again")


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        pytest.param(Hang(), TimeoutError, id="hangs"),
        pytest.param(Refuse(), aiohttp.ClientConnectorError, id="refuses"),
        pytest.param(LoseReply(), aiohttp.ServerDisconnectedError, id="loses the reply"),
    ],
)
async def test_fails_and_heals(
    world: SimulatedWorld, http: aiohttp.ClientSession, fault: Fault, seen: type[Exception]
) -> None:
    for server, url in (
        (world.kubernetes, world.kubernetes.url + SERVICE),
        (world.prometheus, f"{world.prometheus_url}/api/v1/query?query=1"),
        (world.elasticsearch, f"{world.elasticsearch_url}/_search"),
    ):
        await server.fail(fault)
        with pytest.raises(seen):
            await http.get(url, timeout=aiohttp.ClientTimeout(total=0.3))
        await server.heal()
        async with http.get(url) as response:
            assert response.status == 200


async def test_answers_what_it_is_told(world: SimulatedWorld, http: aiohttp.ClientSession) -> None:
    await world.kubernetes.fail(Answer(status=429, body=b"slow down", headers={"Retry-After": "1"}))
    async with http.get(world.kubernetes.url + SERVICE) as response:
        assert (response.status, await response.text(), response.headers["Retry-After"]) == (429, "slow down", "1")


async def test_is_slow(world: SimulatedWorld, http: aiohttp.ClientSession) -> None:
    await world.kubernetes.fail(Slow(seconds=0.3))
    asked = time.monotonic()
    await read(http, world)
    assert time.monotonic() - asked >= 0.3


async def test_a_lost_reply_was_a_write(world: SimulatedWorld, http: aiohttp.ClientSession) -> None:
    await world.kubernetes.fail(LoseReply(methods=frozenset({"PATCH"})))
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await annotate(http, world, "heard")
    assert (await read(http, world))["metadata"]["annotations"] == {"told": "heard"}


async def test_a_refused_write_was_none(world: SimulatedWorld, http: aiohttp.ClientSession) -> None:
    await world.kubernetes.fail(Answer(status=503, methods=frozenset({"PATCH"})))
    assert await annotate(http, world, "unheard") == 503
    assert "annotations" not in (await read(http, world))["metadata"]


async def test_what_was_left_hanging_is_answered_when_it_heals(
    world: SimulatedWorld, http: aiohttp.ClientSession
) -> None:
    await world.kubernetes.fail(Hang())
    asked = world.kubernetes.requests
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(read(http, world))
        await eventually(lambda: world.kubernetes.requests > asked, "the request has arrived")
        assert not waiting.done()
        await world.kubernetes.heal()
    assert waiting.result()["metadata"]["name"] == "frontend-service"


async def test_leaves_nothing_behind() -> None:
    async with SimulatedWorld(history=1) as world:
        url, folder = world.kubernetes.url, world.kubeconfig.parent
    assert not folder.exists()
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url)
    assert [task for task in asyncio.all_tasks() if task.get_name() == "simulated traffic"] == []
