"""What holds for both sources together."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from tests.sources.asking import PRODUCT, elasticsearch, found, lucene, measured, prometheus, promql, vector
from tests.sources.raw_server import hanging, http, sending, serving
from tests.stack.wait import eventually
from watchdog.core.model import Outcome

WELL_LOGS = http(found(matches=3), headers=PRODUCT)
WELL_METRICS = http(vector("0.25"))


async def test_F02_F27_a_hanging_prometheus_never_delays_elasticsearch() -> None:
    async with (
        serving(hanging) as frozen,
        serving(sending(WELL_LOGS)) as well,
        prometheus(frozen.url, deadline=30) as metrics,
        elasticsearch(well.url) as logs,
    ):
        stuck = [asyncio.create_task(measured(metrics, promql())) for _ in range(20)]
        await eventually(lambda: frozen.asked, "Prometheus hangs")
        for _ in range(20):
            assert (await measured(logs, lucene())).value == 3
        assert not any(task.done() for task in stuck)
        await metrics.close()
        assert {measurement.failure for measurement in await asyncio.gather(*stuck)} == {Outcome.ERROR}


async def test_F18_F27_a_hanging_elasticsearch_never_delays_prometheus() -> None:
    async with (
        serving(hanging) as frozen,
        serving(sending(WELL_METRICS)) as well,
        elasticsearch(frozen.url, deadline=30) as logs,
        prometheus(well.url) as metrics,
    ):
        stuck = [asyncio.create_task(measured(logs, lucene())) for _ in range(20)]
        await eventually(lambda: frozen.asked, "Elasticsearch hangs")
        for _ in range(20):
            assert (await measured(metrics, promql())).value == 0.25
        assert not any(task.done() for task in stuck)
        await logs.close()
        assert {measurement.failure for measurement in await asyncio.gather(*stuck)} == {Outcome.ERROR}


@pytest.mark.parametrize("module", ["prometheus", "elasticsearch"])
def test_importing_a_source_does_not_import_its_client(module: str) -> None:
    program = f"""
import sys, watchdog.sources.{module}
heavy = {{"requests", "urllib3", "aiohttp", "elasticsearch", "elastic_transport", "prometheus_api_client"}}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
