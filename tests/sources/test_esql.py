"""KQL and ES|QL: what is asked, and what of the answer counts.

The server that the tests build has neither (the distribution is without its default plug-ins), so that a hand-made one
answers as the API is documented. `test_elasticsearch_real` shows that a server without them is an error.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from tests.sources.asking import ANY_JSON, PRODUCT, SLOT, elasticsearch, found, measured
from tests.sources.raw_server import http, sending, serving
from watchdog.core.model import Measurement, Outcome
from watchdog.core.rules.language import Rule
from watchdog.sources.answer import AnswerError
from watchdog.sources.esql import read_esql

ESQL = 'FROM logs-{{ namespace }} | WHERE color == "{{ color }}" | STATS value = COUNT(*)'


def logs(*, min_samples: int | None = None, **search: Any) -> Rule:
    parts = {"alert": "Test", "elasticsearch": search, "threshold": {"max": 5}, "min_samples": min_samples}
    return Rule.model_validate(parts)


def rows(*values: list[Any], names: tuple[str, ...] = ("value",), **rest: Any) -> dict[str, Any]:
    """What Elasticsearch answers to an ES|QL query."""
    columns = [{"name": name, "type": "long"} for name in names]
    return {"took": 1, "is_partial": False, "columns": columns, "values": list(values), **rest}


async def test_an_esql_query_is_narrowed_to_the_window() -> None:
    async with serving(sending(http(rows([7]), headers=PRODUCT))) as server, elasticsearch(server.url) as source:
        rule = logs(esql=ESQL, filter=[{"term": {"app": "{{ namespace }}"}}])
        assert await measured(source, rule) == Measurement(value=7.0)
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/_query")
    assert asked.parameters == {"allow_partial_results": "false"}
    assert asked.json["query"] == 'FROM logs-bank | WHERE color == "green" | STATS value = COUNT(*)'
    span = {"gte": (SLOT - 360) * 1000, "lt": (SLOT - 60) * 1000, "format": "epoch_millis"}
    assert asked.json["filter"] == {"bool": {"filter": [{"range": {"@timestamp": span}}, {"term": {"app": "bank"}}]}}


async def test_kql_is_a_clause_of_the_same_search() -> None:
    body = found(matches=3, total=12)
    async with serving(sending(http(body, headers=PRODUCT))) as server, elasticsearch(server.url) as source:
        rule = logs(index="logs", kql="level: error and color: {{ color }}", ratio_of="*")
        assert await measured(source, rule) == Measurement(value=0.25, samples=12.0)
    matches = server.asked[0].json["aggs"]["whole"]["aggs"]["window"]["aggs"]["matches"]["filter"]
    assert matches == {"kql": {"query": "level: error and color: green"}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(rows([0]), Measurement(value=0.0), id="nothing matches"),
        pytest.param(rows([0.25], names=("x",)), Measurement(value=0.25), id="a column of any name"),
        pytest.param(
            rows([500, 0.1], names=("samples", "value")), Measurement(value=0.1, samples=500.0), id="with its samples"
        ),
        pytest.param(
            rows([None, 0], names=("value", "samples")),
            Measurement.nodata("E answered null: nothing was counted in the window", samples=0.0),
            id="V01 null",
        ),
        pytest.param(rows(), Measurement.nodata("E has no row for the query in the window"), id="V01 no row"),
    ],
)
def test_answers_that_count(body: Any, expected: Measurement) -> None:
    assert read_esql(body, needs_samples=False, server="E") == expected


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param(rows([1], is_partial=True), "a part of the truth", id="F20 V08 partial"),
        pytest.param(rows([1], [2]), "2 rows where one is expected", id="F09 V05 several rows"),
        pytest.param(rows([1, 2], names=("a", "b")), "the columns a, b", id="columns of other names"),
        pytest.param(rows(["many"]), "'many' where a number is expected", id="text"),
        pytest.param(rows([True]), "'True' where a number is expected", id="a switch"),
        pytest.param(rows([[1, 2]]), "'[1, 2]' where a number is expected", id="a multi-value"),
        pytest.param(rows([1, 2]), "1 rows where one is expected", id="a row that does not fit its columns"),
        pytest.param({"values": [[1]]}, "another shape", id="no columns"),
        pytest.param(rows([1]) | {"columns": [{"name": []}]}, "another shape", id="a column whose name is no text"),
    ],
)
def test_what_is_no_evidence(body: Any, says: str) -> None:
    with pytest.raises(AnswerError, match=says.replace("[", r"\[")):
        read_esql(body, needs_samples=False, server="E")


def test_samples_that_are_needed_have_to_be_there() -> None:
    with pytest.raises(AnswerError, match="no column samples"):
        read_esql(rows([1]), needs_samples=True, server="E")


async def test_min_samples_are_those_of_the_query() -> None:
    body = rows([0.1, 30], names=("value", "samples"))
    async with serving(sending(http(body, headers=PRODUCT))) as server, elasticsearch(server.url) as source:
        assert await measured(source, logs(esql=ESQL, min_samples=50)) == Measurement(value=0.1, samples=30.0)


async def test_a_refusal_is_told_in_the_server_s_words() -> None:
    error = {"type": "verification_exception", "reason": "Unknown index [logs-bank]", "root_cause": []}
    answer = http({"error": error, "status": 400}, status=400, headers=PRODUCT)
    async with serving(sending(answer)) as server, elasticsearch(server.url) as source:
        refused = await measured(source, logs(esql=ESQL))
    assert refused.failure is Outcome.ERROR
    assert "verification_exception: Unknown index [logs-bank]" in refused.reason


@given(ANY_JSON)
def test_any_json_is_a_measurement_or_an_answer_error(body: Any) -> None:
    for whole in (body, {"columns": body, "values": body}, rows(body), rows([body])):
        try:
            assert isinstance(read_esql(whole, needs_samples=False, server="E"), Measurement)
        except AnswerError as error:
            assert str(error)  # noqa: PT017 - either is right, and nothing else
