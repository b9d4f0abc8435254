"""The one client line against both lines of servers, 8.19 and 9.4: what is asked means the same on each."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest

from tests.sources.asking import elasticsearch, lucene, measured
from tests.sources.loglines import END, ERRORS, GREEN, SLOT, START, ask, documents, since_then
from tests.stack.elasticsearch import ElasticsearchServer
from watchdog.core.model import Measurement, Outcome, Trouble
from watchdog.sources.answer import AnswerError
from watchdog.sources.search import build_search, read_search

COLOR = {"properties": {"labels": {"properties": {"color": {"type": "text"}}}}}


@pytest.fixture(
    params=[
        pytest.param("elasticsearch_server", id="8.19", marks=pytest.mark.real),
        pytest.param("newer_elasticsearch_server", id="9.4", marks=pytest.mark.real),
    ],
    scope="module",
)
def server(request: pytest.FixtureRequest) -> ElasticsearchServer:
    found: ElasticsearchServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def name(server: ElasticsearchServer) -> str:
    """An index with 300 lines of green, of which 30 are errors."""
    index = f"logs-{secrets.token_hex(4)}"
    server.index(index, documents(30, "ERROR") + documents(270, "INFO") + since_then())
    return index


async def test_rules_of_one_moment_go_together_and_fail_alone_F20_F22_V08_V09(
    server: ElasticsearchServer, name: str
) -> None:
    lost, closed = f"{name}-lost", f"{name}-closed"
    nowhere = {"number_of_shards": 1, "index.routing.allocation.require._name": "nobody"}
    server.send("PUT", f"/{lost}?wait_for_active_shards=0", {"settings": nowhere})
    server.index(closed, documents(1, "INFO"))
    server.send("POST", f"/{closed}/_close")
    rules = {
        "count": lucene(ERRORS, index=name, filter=GREEN),
        "ratio": lucene(ERRORS, index=name, filter=GREEN, ratio_of="*"),
        "bad Lucene": lucene("level:(", index=name),
        "missing": lucene(ERRORS, index=f"{name}x"),
        "nothing": lucene(ERRORS, index=f"{name}x*"),
        "lost": lucene(ERRORS, index=f"{name},{lost}"),
        "closed": lucene(ERRORS, index=closed),
        "no time": lucene(ERRORS, index=name, timestamp_field="timestamp"),
    }
    async with elasticsearch(server.url) as source:
        answers = await asyncio.gather(*(measured(source, rule, slot=SLOT) for rule in rules.values()))
    by_name = dict(zip(rules, answers, strict=True))
    assert by_name["count"] == Measurement(value=30.0)
    assert by_name["ratio"] == Measurement(value=0.1, samples=300.0)
    for rule, says in {
        "bad Lucene": "(HTTP 400): query_shard_exception: Failed to parse query",
        "missing": "(HTTP 404): index_not_found_exception: ",
        "nothing": "(HTTP 404): index_not_found_exception: ",
        "lost": "(HTTP 503): search_phase_execution_exception: Search rejected due to missing shards",
        "closed": "(HTTP 400): index_closed_exception: ",
        "no time": "(HTTP 400): query_shard_exception: No mapping found for [timestamp]",
    }.items():
        assert by_name[rule].failure is Outcome.ERROR
        assert says in by_name[rule].reason, rule
        assert by_name[rule] == await ask(server, **_query(rules[rule])), f"{rule} alone says the same"
    server.send("DELETE", f"/{lost}")


def _query(rule: Any) -> dict[str, Any]:
    asked = rule.elasticsearch
    return {"query": asked.query, "index": asked.index, "timestamp_field": asked.timestamp_field}


def test_a_search_that_ran_out_of_time_is_no_count_F19_V08(server: ElasticsearchServer) -> None:
    """Left to its default a server counts some of the documents and answers 200; told not to, it refuses."""
    index = f"logs-{secrets.token_hex(4)}"
    server.index(index, documents(20_000, "INFO"))
    query = lucene("/.*l.*e.*v.*/", index=index, ratio_of="*").elasticsearch
    assert query is not None
    hurried = build_search(query, {}, slot=SLOT, patience=0.001)

    def search(*, partial: str) -> Any:
        """A quick machine may well have counted all within the millisecond; then it has to be all."""
        options = f"allow_partial_search_results={partial}&request_cache=false"
        for _ in range(500):
            answer = server.send("POST", f"/{index}/_search?{options}", hurried)
            if answer["timed_out"]:
                return answer
            assert answer["hits"]["total"]["value"] == 20_000
        raise AssertionError("it was never out of time")

    part = search(partial="true")
    assert (part["_shards"]["failed"], part["hits"]["total"]["relation"]) == (0, "eq"), "nothing else tells"
    with pytest.raises(AnswerError, match="a part of the truth"):
        read_search(part, query, slot=SLOT, server="E")
    with pytest.raises(OSError, match="search_timeout_exception"):
        search(partial="false")


@pytest.mark.parametrize(
    ("rest", "says"),
    [
        pytest.param({"query": "log.levl:ERROR"}, "no index has the field 'log.levl' of query", id="misspelled"),
        pytest.param({"query": "*", "ratio_of": "app:a"}, "no index has the field 'app' of ratio_of", id="whole"),
        pytest.param(
            {"query": "*", "filter": [{"term": {"message": "A line"}}]},
            "the field 'message' of filter is a text, of which no whole value is kept; name its keyword",
            id="a whole text",
        ),
        pytest.param(
            {"query": "*", "filter": [{"term": {"kubernetes.label.color": "{{ color }}"}}]},
            "no index has the field 'kubernetes.label.color' of filter",
            id="of the filter",
        ),
    ],
)
async def test_F24_a_field_that_can_match_nothing_is_told_when_the_rule_is_loaded(
    server: ElasticsearchServer, name: str, rest: dict[str, Any], says: str
) -> None:
    measurement = await ask(server, **rest, index=name)
    assert (measurement.failure, measurement.trouble) == (Outcome.ERROR, Trouble.FIELDS)
    assert measurement.reason.startswith(f"Elasticsearch at {server.url} cannot find anything in {name}: {says}")


@pytest.mark.parametrize(
    ("query", "filters"),
    [
        pytest.param("log.level:ERROR OR error.code:500", [], id="either of two"),
        pytest.param("log.level:ERROR AND NOT logger:HealthCheck", [], id="what is left out"),
        pytest.param("+log.level:ERROR error.code:500", [], id="what only adds to the score"),
        pytest.param("log.level:ERROR", [{"term": {"message": "line"}}], id="a word of a text"),
        pytest.param("log.level:ERROR", [{"bool": {"must_not": [{"term": {"nope": "A b"}}]}}], id="not in the filter"),
    ],
)
async def test_F24_what_can_match_all_the_same_is_no_problem(
    server: ElasticsearchServer, name: str, query: str, filters: list[Any]
) -> None:
    assert await ask(server, query, index=name, filter=filters) == Measurement(value=30.0)


async def test_F24_a_keyword_that_becomes_a_text_in_the_next_index_is_told_and_healed(
    server: ElasticsearchServer, name: str
) -> None:
    filters = [{"term": {"kubernetes.labels.color": "light-{{ color }}"}}]
    server.index(name, documents(3, "ERROR", color="light-green"))
    rule = lucene(ERRORS, index=f"{name}*", filter=filters)
    late = since_then("light-green")
    server.index(name, late)
    async with elasticsearch(server.url) as source:
        assert (await measured(source, rule, slot=SLOT)).value == 3
        server.send("PUT", f"/{name}-2", {"mappings": {"properties": {"kubernetes": COLOR}}})
        server.index(f"{name}-2", documents(3, "ERROR", color="light-green"))
        assert (await measured(source, rule, slot=SLOT)).value == 3  # it is looked at every five minutes
    async with elasticsearch(server.url) as source:
        told = await measured(source, rule, slot=SLOT)
        assert told.trouble is Trouble.FIELDS
        assert told.reason.endswith(f"is a text in {name}-2, of which no whole value is kept; name its keyword")
        server.send("DELETE", f"/{name}-2")
        assert (await measured(source, rule, slot=SLOT)).value == 3  # while it is wrong, in every slot


async def test_F25_a_count_knows_that_its_window_is_not_complete(server: ElasticsearchServer) -> None:
    index = f"logs-{secrets.token_hex(4)}"
    server.index(index, documents(300, "INFO"))
    busy = await ask(server, index=index)
    assert busy.failure is Outcome.NODATA
    assert busy.reason.endswith("has no document of the last 60 s: they come later than query_delay, 60 s")
    server.index(index, documents(1, "INFO", at=END + 5))
    assert await ask(server, index=index) == Measurement(value=0.0)
    server.index(index, documents(1, "INFO", at=SLOT - 5, late=90))
    late = await ask(server, index=index)
    assert late.reason.endswith("got its newest document 90 s late, and query_delay is 60 s")
    assert (await ask(server, index=index, query_delay="95s")).value == 0


async def test_F25_V01_V07_a_count_of_a_shipper_that_has_stopped_is_no_data(server: ElasticsearchServer) -> None:
    index = f"logs-{secrets.token_hex(4)}"
    server.index(index, documents(5, "ERROR", at=START + 10))
    stopped = await ask(server, index=index)
    assert stopped.reason.endswith("the log shipper lags or has stopped")
    nobody = await ask(server, index=index, filter=[{"term": {"kubernetes.labels.color": "red"}}])
    assert nobody.reason.endswith("has no document in the window that filter lets pass, be it of the query or not")
    assert {stopped.failure, nobody.failure} == {Outcome.NODATA}
