"""The simulated Prometheus gives the real one's answers, to the last digit."""

import asyncio
import json
from typing import Any

import pytest
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from urllib3.util.retry import Retry

from tests.contract.conftest import Ask
from tests.contract.series import NOT_SIMULATED, QUERIES, REFUSED
from tests.contract.sides import Answer

# At a whole second, between two samples, and a second earlier.
INSTANTS = (0, 0.5, -1)


def in_order(answer: Answer) -> tuple[int, str, Any]:
    """The answer with its elements in one order: Prometheus promises none."""
    match answer.body:
        case {"data": {"resultType": "vector" | "matrix", "result": [*elements]}}:
            elements.sort(key=lambda element: json.dumps(element["metric"], sort_keys=True))
            answer.body["data"]["result"] = elements
        case _:
            pass
    return answer.status, answer.headers["Content-Type"], answer.body


@pytest.mark.parametrize("query", QUERIES)
async def test_evaluates_alike(query: str, ask: Ask, now: int, real_prometheus: str, simulated_prometheus: str) -> None:
    for instant in INSTANTS:
        parameters = {"query": query, "time": str(now + instant)}
        real = await ask("GET", f"{real_prometheus}/api/v1/query", params=parameters)
        simulated = await ask("GET", f"{simulated_prometheus}/api/v1/query", params=parameters)
        if real.status == 422:  # the message names series, in whatever order they came
            assert (simulated.status, simulated.body["errorType"]) == (real.status, real.body["errorType"])
        else:
            assert in_order(simulated) == in_order(real)


@pytest.mark.parametrize("query", REFUSED)
async def test_refuses_what_is_no_query(query: str, ask: Ask, prometheus: str) -> None:
    answer = await ask("GET", f"{prometheus}/api/v1/query", params={"query": query})
    assert (answer.status, answer.body["status"], answer.body["errorType"]) == (400, "error", "bad_data")
    assert answer.body["error"].startswith('invalid parameter "query": ')


@pytest.mark.parametrize("query", NOT_SIMULATED)
async def test_says_what_is_not_simulated(query: str, ask: Ask, simulated_prometheus: str, now: int) -> None:
    parameters = {"query": query, "time": str(now)}
    answer = await ask("GET", f"{simulated_prometheus}/api/v1/query", params=parameters)
    assert (answer.status, answer.body["errorType"]) == (501, "not_simulated")


async def test_says_where_a_gauge_is_taken_for_a_counter(ask: Ask, prometheus: str, now: int) -> None:
    parameters = {"query": 'sum(\n  rate(ct_gauge{x="2"}[5m]))', "time": str(now)}
    answer = await ask("GET", f"{prometheus}/api/v1/query", params=parameters)
    suffixes = "_total/_sum/_count/_bucket"
    assert answer.body["infos"] == [
        f'PromQL info: metric might not be a counter, name does not end in {suffixes}: "ct_gauge" (2:8)'
    ]


@pytest.mark.parametrize(
    ("parameters", "status", "said"),
    [
        pytest.param({"query": "1", "time": "1795504306.7371"}, 200, [1795504306.737, "1"], id="below a millisecond"),
        pytest.param({"query": "1", "time": "2026-11-24T07:00:00Z"}, 200, [1795503600, "1"], id="RFC 3339"),
        pytest.param({"query": "1", "time": "-5", "timeout": "5s"}, 200, [-5, "1"], id="long ago, in time"),
        pytest.param(
            {"query": "1", "time": "x"},
            400,
            'invalid parameter "time": invalid time value for \'time\': cannot parse "x" to a valid timestamp',
            id="no time",
        ),
        pytest.param(
            {"query": "1", "timeout": "x"},
            400,
            'invalid parameter "timeout": cannot parse "x" to a valid duration',
            id="no timeout",
        ),
    ],
)
async def test_reads_parameters(parameters: dict[str, str], status: int, said: Any, ask: Ask, prometheus: str) -> None:
    answer = await ask("POST", f"{prometheus}/api/v1/query", params=parameters)
    body = answer.body
    assert (answer.status, body["data"]["result"] if status == 200 else body["error"]) == (status, said)


async def test_answers_the_shipped_client(prometheus: str, now: int) -> None:
    client = PrometheusConnect(url=prometheus, retry=Retry(total=0))
    query = 'sum by (color) (increase(ct_requests_total{code="200"}[2m]))'
    found = await asyncio.to_thread(client.custom_query, query, params={"time": now, "timeout": "5s"})
    values = {element["metric"]["color"]: element["value"] for element in found}
    assert values == {"blue": [now, "312"], "green": [now, "840"]}


async def test_refuses_the_shipped_client(prometheus: str) -> None:
    client = PrometheusConnect(url=prometheus, retry=Retry(total=0))
    with pytest.raises(PrometheusApiClientException, match="HTTP Status Code 400"):
        await asyncio.to_thread(client.custom_query, "sum(")
