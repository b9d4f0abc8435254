"""The source for Elasticsearch against a real one: what its counts mean, and what becomes of its failures."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable
from typing import Any

import pytest

from tests.sources.asking import elasticsearch, lucene, measured, prometheus, promql
from tests.sources.loglines import END, ERRORS, GREEN, SLOT, START, ask, documents, since_then
from tests.stack.elasticsearch import ElasticsearchServer
from tests.stack.prometheus import PrometheusServer
from tests.stack.wait import eventually
from watchdog.core.evaluate import judge
from watchdog.core.model import Measurement, Outcome
from watchdog.core.rules.language import MinSamples, Rule


@pytest.fixture
def name() -> str:
    """The name of an index of one test, which is created by its first document."""
    return f"logs-{secrets.token_hex(4)}"


@pytest.fixture
def filled(elasticsearch_server: ElasticsearchServer, name: str) -> str:
    """An index with 300 lines of green, of which 30 are errors, and 50 errors of blue."""
    index = f"{name}-1"
    lines = documents(30, "ERROR") + documents(270, "INFO") + documents(50, "ERROR", color="blue")
    elasticsearch_server.index(index, lines + since_then())
    return index


async def test_a_ratio_and_its_documents(elasticsearch_server: ElasticsearchServer, filled: str) -> None:
    measurement = await ask(elasticsearch_server, index=filled, filter=GREEN, ratio_of="*")
    assert measurement == Measurement(value=0.1, samples=300.0)


async def test_a_ratio_is_a_share_of_what_it_is_a_ratio_of(
    elasticsearch_server: ElasticsearchServer, filled: str
) -> None:
    measurement = await ask(elasticsearch_server, "*", index=filled, filter=GREEN, ratio_of=ERRORS)
    assert measurement == Measurement(value=1.0, samples=30.0)


async def test_no_match_among_documents_is_zero_V02(elasticsearch_server: ElasticsearchServer, filled: str) -> None:
    for rest, samples in (({}, None), ({"ratio_of": "*"}, 300.0)):
        none = await ask(elasticsearch_server, "log.level:FATAL", index=filled, filter=GREEN, **rest)
        assert none == Measurement(value=0.0, samples=samples)


@pytest.mark.parametrize(("needed", "outcome"), [(300, Outcome.BREACH), (301, Outcome.INSUFFICIENT)])
async def test_fewer_documents_than_are_needed_prove_nothing_V10(
    elasticsearch_server: ElasticsearchServer, filled: str, needed: int, outcome: Outcome
) -> None:
    rule = lucene(ERRORS, index=filled, filter=GREEN, ratio_of="*")
    needy = rule.model_copy(update={"min_samples": MinSamples(value=needed)})
    async with elasticsearch(elasticsearch_server.url) as source:
        measurement = await measured(source, needy, slot=SLOT)
    assert judge(needy, measurement)[0] is outcome


async def test_a_count(elasticsearch_server: ElasticsearchServer, filled: str) -> None:
    assert await ask(elasticsearch_server, index=filled, filter=GREEN) == Measurement(value=30.0)
    assert await ask(elasticsearch_server, index=filled) == Measurement(value=80.0)
    assert await ask(elasticsearch_server, "log.level:FATAL", index=filled) == Measurement(value=0.0)


async def test_the_window_takes_its_first_instant_and_leaves_its_last(
    elasticsearch_server: ElasticsearchServer, name: str
) -> None:
    instants = (START - 0.001, START, END - 0.001, END)
    elasticsearch_server.index(name, [line for at in instants for line in documents(1, "ERROR", at=at)])
    assert await ask(elasticsearch_server, index=name) == Measurement(value=2.0)


async def test_late_documents_count_in_the_next_slot_that_sees_them_F25(
    elasticsearch_server: ElasticsearchServer, filled: str
) -> None:
    assert (await ask(elasticsearch_server, index=filled, filter=GREEN)).value == 30
    elasticsearch_server.index(filled, documents(12, "ERROR", at=END - 1))
    assert (await ask(elasticsearch_server, index=filled, filter=GREEN)).value == 42


async def test_no_document_of_the_color_is_nodata_F24_V01(
    elasticsearch_server: ElasticsearchServer, filled: str
) -> None:
    nobody = [{"term": {"kubernetes.labels.color": "red"}}]
    measurement = await ask(elasticsearch_server, index=filled, filter=nobody, ratio_of="*")
    assert measurement.failure is Outcome.NODATA
    assert measurement.samples == 0
    assert measurement.reason.endswith("has no document of ratio_of '*' in the window")


async def test_a_paused_shipper_is_nodata_F25_V07(elasticsearch_server: ElasticsearchServer, name: str) -> None:
    elasticsearch_server.index(name, documents(300, "INFO", at=START + 100))
    measurement = await ask(elasticsearch_server, index=name, ratio_of="*")
    assert measurement.failure is Outcome.NODATA
    assert measurement.samples == 300
    assert measurement.reason.endswith("the log shipper lags or has stopped")


async def test_more_than_ten_thousand_documents_are_counted_exactly_F23(
    elasticsearch_server: ElasticsearchServer, name: str
) -> None:
    elasticsearch_server.index(name, documents(12_000, "INFO") + documents(3_000, "ERROR") + since_then())
    assert await ask(elasticsearch_server, index=name, ratio_of="*") == Measurement(value=0.2, samples=15_000.0)


@pytest.mark.parametrize(
    ("rest", "says"),
    [
        pytest.param({"index": "{filled}x"}, "(HTTP 404): index_not_found_exception: ", id="a missing index"),
        pytest.param({"index": "{filled}x*"}, "(HTTP 404): index_not_found_exception: ", id="a wildcard for nothing"),
        pytest.param(
            {"index": "{filled},{filled}x"}, "(HTTP 404): index_not_found_exception: ", id="one of two missing"
        ),
        pytest.param({"query": "level:("}, "(HTTP 400): query_shard_exception: Failed to parse query", id="bad Lucene"),
        pytest.param({"filter": [{"turm": {}}]}, "(HTTP 400): parsing_exception: unknown query [turm]", id="bad DSL"),
        pytest.param(
            {"timestamp_field": "timestamp"},
            "(HTTP 400): query_shard_exception: No mapping found for [timestamp]",
            id="a time stamp field that does not exist",
        ),
    ],
)
async def test_a_search_that_cannot_be_done_is_an_error_F22_V09(
    elasticsearch_server: ElasticsearchServer, filled: str, rest: dict[str, Any], says: str
) -> None:
    given = {"index": filled} | rest
    measurement = await ask(elasticsearch_server, **given | {"index": str(given["index"]).replace("{filled}", filled)})
    assert measurement.failure is Outcome.ERROR
    assert measurement.reason.startswith(f"Elasticsearch at {elasticsearch_server.url} did not answer the query {says}")


async def test_a_closed_index_is_an_error_F22_V09(elasticsearch_server: ElasticsearchServer, filled: str) -> None:
    elasticsearch_server.send("POST", f"/{filled}/_close")
    assert "index_closed_exception" in (await ask(elasticsearch_server, index=filled)).reason
    assert "index_not_found_exception" in (await ask(elasticsearch_server, index=f"{filled}*")).reason


async def test_a_lost_shard_is_an_error_also_beside_a_well_one_F20_V08(
    elasticsearch_server: ElasticsearchServer, filled: str
) -> None:
    nowhere = {"number_of_shards": 1, "index.routing.allocation.require._name": "nobody"}
    lost = filled.removesuffix("1") + "2"
    elasticsearch_server.send("PUT", f"/{lost}?wait_for_active_shards=0", {"settings": nowhere})
    measurement = await ask(elasticsearch_server, index=filled.removesuffix("1") + "*", ratio_of="*")
    elasticsearch_server.send("DELETE", f"/{lost}")
    assert measurement.failure is Outcome.ERROR
    assert f"(HTTP 503): search_phase_execution_exception: Search rejected due to missing shards [[{lost}]" in (
        measurement.reason
    )


async def test_a_search_that_is_refused_for_want_of_memory_is_an_error_F21_V08(
    elasticsearch_server: ElasticsearchServer, filled: str
) -> None:
    """A circuit breaker answers 429 as a full queue does."""

    def limit(size: str | None) -> None:
        elasticsearch_server.send("PUT", "/_cluster/settings", {"transient": {"indices.breaker.request.limit": size}})

    limit("1b")
    try:
        refused = await ask(elasticsearch_server, index=filled, ratio_of="*")
    finally:
        limit(None)
    assert refused.failure is Outcome.ERROR
    assert "(HTTP 429): circuit_breaking_exception: " in refused.reason
    assert (await ask(elasticsearch_server, index=filled, ratio_of="*")).failure is None


async def test_two_indices_are_searched_as_one(elasticsearch_server: ElasticsearchServer, filled: str) -> None:
    elasticsearch_server.index(filled.removesuffix("1") + "2", documents(60, "ERROR"))
    measurement = await ask(elasticsearch_server, index=filled.removesuffix("1") + "*", filter=GREEN, ratio_of="*")
    assert measurement == Measurement(value=0.25, samples=360.0)


async def test_frozen_ends_at_the_deadline_and_holds_up_no_prometheus_F18(
    elasticsearch_server: ElasticsearchServer, prometheus_server: PrometheusServer, filled: str
) -> None:
    now = float(int(time.time()))
    async with (
        elasticsearch(elasticsearch_server.url, deadline=5) as frozen,
        prometheus(prometheus_server.url) as well,
    ):
        assert (await measured(frozen, lucene(ERRORS, index=filled), slot=SLOT)).value == 80
        with elasticsearch_server.suspended():
            started = time.monotonic()
            stuck = [asyncio.create_task(measured(frozen, lucene(ERRORS, index=filled), slot=SLOT)) for _ in range(20)]
            for _ in range(20):
                assert (await measured(well, promql("vector(1)"), slot=now)).value == 1
            assert not any(task.done() for task in stuck)
            answers = await asyncio.gather(*stuck)
            assert time.monotonic() - started < 8  # the deadline is the subject
        again = await measured(frozen, lucene(ERRORS, index=filled), slot=SLOT)
    assert _failures(answers) == {Outcome.ERROR}
    assert answers[0].reason.startswith(f"Elasticsearch at {elasticsearch_server.url} did not answer within ")
    assert again.value == 80


async def test_killed_in_the_middle_is_refused_and_comes_back_F18(
    elasticsearch_server: ElasticsearchServer, filled: str
) -> None:
    async with elasticsearch(elasticsearch_server.url) as source:
        assert (await measured(source, lucene(ERRORS, index=filled), slot=SLOT)).value == 80
        elasticsearch_server.kill()
        # The first may still try the connection that was kept.
        first, second = [await measured(source, lucene(ERRORS, index=filled), slot=SLOT) for _ in range(2)]
        elasticsearch_server.start()
        # While it recovers its shards it says so; afterwards nothing of what was written is lost.
        await eventually(lambda: elasticsearch_server.count(filled, ERRORS) == 80, "it has its shards again")
        again = await measured(source, lucene(ERRORS, index=filled), slot=SLOT)
    assert first.failure is Outcome.ERROR
    assert second == Measurement.error(f"Elasticsearch at {elasticsearch_server.url} refuses the connection")
    assert again.value == 80


def _failures(answers: Iterable[Measurement]) -> set[Outcome | None]:
    return {answer.failure for answer in answers}


def in_language(index: str | None = None, **search: Any) -> Rule:
    """A rule in another language than Lucene."""
    query = {**search, **({"index": index} if index else {})}
    return Rule.model_validate({"alert": "Test", "elasticsearch": query, "threshold": {"max": 5}})


async def test_a_clause_of_query_dsl_counts_as_lucene_does(
    elasticsearch_server: ElasticsearchServer, filled: str
) -> None:
    clause = {"bool": {"filter": [{"term": {"log.level": "ERROR"}}, {"exists": {"field": "message"}}]}}
    async with elasticsearch(elasticsearch_server.url) as source:
        counted = await measured(source, in_language(filled, dsl=clause, filter=GREEN), slot=SLOT)
        ratio = await measured(source, in_language(filled, dsl=clause, filter=GREEN, ratio_of="*"), slot=SLOT)
    assert counted == Measurement(value=30.0)
    assert ratio == Measurement(value=0.1, samples=300.0)


@pytest.mark.parametrize(
    "search",
    [
        pytest.param({"dsl": {"trem": {"log.level": "ERROR"}}}, id="a clause that does not exist"),
        pytest.param({"kql": "log.level: ERROR"}, id="KQL, which this distribution does not have"),
    ],
)
async def test_what_the_server_does_not_know_is_an_error(
    elasticsearch_server: ElasticsearchServer, filled: str, search: dict[str, Any]
) -> None:
    async with elasticsearch(elasticsearch_server.url) as source:
        refused = await measured(source, in_language(filled, **search), slot=SLOT)
    assert refused.failure is Outcome.ERROR
    assert "unknown query" in refused.reason


async def test_a_server_without_esql_is_an_error(elasticsearch_server: ElasticsearchServer) -> None:
    async with elasticsearch(elasticsearch_server.url) as source:
        refused = await measured(source, in_language(esql="FROM logs | STATS COUNT(*)"), slot=SLOT)
    assert refused.failure is Outcome.ERROR
    assert "HTTP 405" in refused.reason
