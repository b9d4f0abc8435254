"""The server answers four questions, and nothing else."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from watchdog.settings import ListenAddress, parse_listen
from watchdog.web.health import Health
from watchdog.web.metrics import Metrics
from watchdog.web.server import ListenError, serving

ANY_PORT = ListenAddress("127.0.0.1", 0)


class Clock:
    """A clock that stands until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(heartbeat_bound=10, clock=clock)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def client(health: Health, metrics: Metrics) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        serving(ANY_PORT, health=health, registry=metrics.registry) as bound,
        aiohttp.ClientSession(f"http://{bound.host}:{bound.port}") as session,
    ):
        yield session


async def test_livez_follows_the_heartbeat_alone(client: aiohttp.ClientSession, clock: Clock, health: Health) -> None:
    async with client.get("/livez") as answer:
        assert (answer.status, await answer.text()) == (200, "The loop turned 0.0 s ago.\n")
    clock.now = 10
    async with client.get("/livez") as answer:
        assert (answer.status, await answer.text()) == (503, "The loop has not turned for 10.0 s; 10 s is too long.\n")
    health.beat()
    async with client.get("/livez") as answer:
        assert answer.status == 200


async def test_readyz_says_what_is_missing(client: aiohttp.ClientSession, health: Health) -> None:
    async with client.get("/readyz") as answer:
        assert (answer.status, await answer.text()) == (503, "No rule set is loaded.\n")
    health.rules_loaded(["banking-app"])
    async with client.get("/readyz") as answer:
        assert (answer.status, await answer.text()) == (503, "No completed tick yet of: banking-app.\n")
    health.tick_completed("banking-app")
    async with client.get("/readyz") as answer:
        assert (answer.status, await answer.text()) == (200, "Watching 1 target(s).\n")


async def test_metrics_are_in_the_text_format(client: aiohttp.ClientSession, metrics: Metrics) -> None:
    metrics.alerted("slack", "delivered")
    accept = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}
    async with client.get("/metrics", headers=accept) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        names = {family.name for family in text_string_to_metric_families(await answer.text())}
    assert {"watchdog_alerts", "watchdog_build_info", "process_cpu_seconds"} <= names


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
async def test_head_has_no_body(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path) as answer:
        status = answer.status
    async with client.head(path) as answer:
        assert (answer.status, await answer.read()) == (status, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
async def test_nothing_can_be_written(client: aiohttp.ClientSession, path: str, method: str) -> None:
    async with client.request(method, path) as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET,HEAD"


@pytest.mark.parametrize("path", ["/", "/livez/", "/metrics/x", "/..%2fmetrics", "/api/v1/status"])
async def test_there_is_nothing_else(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path) as answer:
        assert answer.status == 404


@pytest.mark.parametrize("path", ["/livez", "/nothing"])
async def test_the_versions_of_what_serves_are_not_told(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path) as answer:
        assert answer.headers["Server"] == "canary-watchdog"


async def test_an_address_in_use_is_an_error(health: Health, metrics: Metrics) -> None:
    async with serving(ANY_PORT, health=health, registry=metrics.registry) as bound:
        with pytest.raises(
            ListenError, match=rf"^cannot listen on 127\.0\.0\.1:{bound.port}: .*address already in use"
        ):
            async with serving(bound, health=health, registry=metrics.registry):
                pytest.fail("bound twice")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8080", ListenAddress("127.0.0.1", 8080)),
        ("0.0.0.0:0", ListenAddress("0.0.0.0", 0)),  # noqa: S104 - parsed, not bound
        ("localhost:65535", ListenAddress("localhost", 65535)),
        ("[::1]:8080", ListenAddress("::1", 8080)),
    ],
)
def test_a_listen_address_is_read(text: str, address: ListenAddress) -> None:
    assert parse_listen(text) == address


@pytest.mark.parametrize(
    "text", ["", ":", "8080", ":8080", "host:", "host:http", "host:65536", "::1:8080", "[host]:1", "host:-1", "h:²"]
)
def test_another_listen_address_is_an_error_that_says_what_is_right(text: str) -> None:
    with pytest.raises(ValueError, match=r"write host:port, such as 127\.0\.0\.1:8080"):
        parse_listen(text)
