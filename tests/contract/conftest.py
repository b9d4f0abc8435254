"""The two sides of the contract.

``ask``            an HTTP client: ``await ask("POST", url, {…})`` gives status, headers and body
``simulated_…`` and ``real_…`` for a test that compares the two, the bare name for a test that is run on each:
``elasticsearch``  a URL; `logs.DOCUMENTS` are in the index ``logs-contract-1``
``prometheus``     a URL; `series.SERIES` end ``now``
``kubernetes``     a `KubernetesSide` with an empty namespace
"""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.contract.logs import DOCUMENTS, INDEX
from tests.contract.series import SERIES, written_at
from tests.contract.sides import Answer, KubernetesSide
from tests.stack.elasticsearch import ElasticsearchServer
from tests.stack.kubernetes import ControlPlane
from tests.stack.prometheus import PrometheusServer
from watchdog.sim.elasticsearch.api import elasticsearch_app
from watchdog.sim.elasticsearch.documents import DocumentStore
from watchdog.sim.kubernetes.api import kubernetes_app
from watchdog.sim.kubernetes.cluster import Cluster
from watchdog.sim.prometheus.api import prometheus_app
from watchdog.sim.prometheus.series import STALE, SeriesStore, labels_of
from watchdog.sim.server import LoopbackServer
from watchdog.sim.world import write_kubeconfig

BOTH = ["simulated", pytest.param("real", marks=pytest.mark.real)]
REAL_ELASTICSEARCH = [
    pytest.param("elasticsearch_8", id="8.19", marks=pytest.mark.real),
    pytest.param("elasticsearch_9", id="9.4", marks=pytest.mark.real),
]
Ask = Callable[..., Awaitable[Answer]]


@pytest.fixture
async def ask() -> AsyncIterator[Ask]:
    async with aiohttp.ClientSession(headers={"Accept": "application/json"}) as session:

        async def send(
            method: str, url: str, body: Any = None, *, content_type: str = "application/json", **options: Any
        ) -> Answer:
            return await Answer.of(session, method, url, body, content_type=content_type, **options)

        yield send


@asynccontextmanager
async def simulate_elasticsearch() -> AsyncIterator[str]:
    """Starts one with the documents."""
    store = DocumentStore()
    for number, source in enumerate(DOCUMENTS):
        store.add(INDEX, source, str(number))
    async with LoopbackServer(elasticsearch_app(store, clock=time.time)) as server:
        yield server.url


def filled(server: ElasticsearchServer) -> str:
    """Writes the documents in one request, once: in one segment, with none deleted, they score as they should."""
    lines = [json.dumps(line) for n, source in enumerate(DOCUMENTS) for line in ({"index": {"_id": str(n)}}, source)]
    server.send("POST", f"/{INDEX}/_bulk?refresh=true", "\n".join([*lines, ""]))
    return server.url


@pytest.fixture(scope="module")
def elasticsearch_8(elasticsearch_server: ElasticsearchServer) -> str:
    return filled(elasticsearch_server)


@pytest.fixture(scope="module")
def elasticsearch_9(newer_elasticsearch_server: ElasticsearchServer) -> str:
    return filled(newer_elasticsearch_server)


@pytest.fixture(params=REAL_ELASTICSEARCH)
def real_elasticsearch(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture(scope="module")
def now() -> int:
    """The instant, some minutes ago, at which the series of the contract end."""
    return int(time.time()) - 300


@asynccontextmanager
async def simulate_prometheus(now: int) -> AsyncIterator[str]:
    """Starts one with the series."""
    store = SeriesStore()
    for series in SERIES:
        for at, value in series.samples:
            labels = labels_of({"__name__": series.name, **series.labels})
            store.append(labels, round((now + at) * 1000), STALE if value is None else value)
    async with LoopbackServer(prometheus_app(store, clock=time.time)) as server:
        yield server.url


@pytest.fixture(scope="module")
def real_prometheus(prometheus_server: PrometheusServer, now: int) -> str:
    prometheus_server.remote_write(*(written_at(series, now) for series in SERIES))
    return prometheus_server.url


@asynccontextmanager
async def simulate_kubernetes(folder: Path) -> AsyncIterator[KubernetesSide]:
    """Starts one with a namespace."""
    cluster = Cluster(clock=time.time, pod_ready_delay=0.1)
    token, namespace = "simulated-token", "bank"
    async with LoopbackServer(kubernetes_app(cluster, token=token)) as server:
        kubeconfig = folder / "kubeconfig"
        write_kubeconfig(kubeconfig, url=server.url, token=token, namespace=namespace)
        side = KubernetesSide(url=server.url, token=token, namespace=namespace, kubeconfig=kubeconfig)
        async with side:
            await side.send("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
            yield side


def reach_kubernetes(plane: ControlPlane, namespace: str) -> KubernetesSide:
    """The real one, to be entered."""
    return KubernetesSide(
        url=plane.url,
        token=plane.admin_token,
        namespace=namespace,
        kubeconfig=plane.kubeconfig,
        ca_file=plane.ca_file,
    )


@pytest.fixture
async def simulated_elasticsearch() -> AsyncIterator[str]:
    async with simulate_elasticsearch() as url:
        yield url


@pytest.fixture(params=["simulated", *REAL_ELASTICSEARCH])
async def elasticsearch(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    if request.param != "simulated":
        yield request.getfixturevalue(request.param)
        return
    async with simulate_elasticsearch() as url:
        yield url


@pytest.fixture
async def simulated_prometheus(now: int) -> AsyncIterator[str]:
    async with simulate_prometheus(now) as url:
        yield url


@pytest.fixture(params=BOTH)
async def prometheus(request: pytest.FixtureRequest, now: int) -> AsyncIterator[str]:
    if request.param == "real":
        yield request.getfixturevalue("real_prometheus")
        return
    async with simulate_prometheus(now) as url:
        yield url


@pytest.fixture
async def simulated_kubernetes(tmp_path: Path) -> AsyncIterator[KubernetesSide]:
    async with simulate_kubernetes(tmp_path) as side:
        yield side


@pytest.fixture
async def real_kubernetes(control_plane: ControlPlane, namespace: str) -> AsyncIterator[KubernetesSide]:
    async with reach_kubernetes(control_plane, namespace) as side:
        yield side


@pytest.fixture(params=BOTH)
async def kubernetes(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[KubernetesSide]:
    if request.param == "real":
        plane: ControlPlane = request.getfixturevalue("control_plane")
        async with reach_kubernetes(plane, request.getfixturevalue("namespace")) as side:
            yield side
        return
    async with simulate_kubernetes(tmp_path) as side:
        yield side
