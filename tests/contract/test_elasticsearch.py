"""The simulated Elasticsearch finds what the real one finds, and says it in the same words."""

import json
import re
import secrets
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import elasticsearch as client
import pytest

from tests.contract.conftest import Ask
from tests.contract.logs import INDEX, LUCENE, REFUSED
from tests.contract.sides import Answer
from watchdog.core.rules.kinds import ElasticsearchQuery
from watchdog.sources.search import build_search

BY_TIME: dict[str, Any] = {"size": 20, "sort": ["@timestamp"], "_source": False}
# What is chosen by chance, depends on the machine, or points at a place in the request's text.
INCIDENTAL = {"took", "index_uuid", "node", "shard", "line", "col", "caused_by", "_seq_no", "_primary_term"}


def lucene(query: str) -> dict[str, Any]:
    return {"query_string": {"query": query}}


def plain(value: Any) -> Any:
    """A body without what is incidental, such as the order of hits that nobody asked to be sorted."""
    match value:
        case {"hits": [{"_id": _}, *_] as hits} if "sort" not in hits[0]:
            return plain({**value, "hits": {hit["_id"]: hit for hit in hits}})
        case dict():
            return {key: plain(each) for key, each in value.items() if key not in INCIDENTAL}
        case list():
            return [plain(each) for each in value]
        case str():
            return re.sub(r"^\[\d+:\d+\] | in document with id '[^']*'| on headers \[.*\]", "", value)
        case _:
            return value


def essence(answer: Answer) -> tuple[int, str | None, str | None, Any]:
    product, content_type = (answer.headers.get(name) for name in ("X-Elastic-Product", "Content-Type"))
    return answer.status, product, content_type, plain(answer.body)


async def test_finds_the_same_documents(ask: Ask, elasticsearch: str) -> None:
    found = {}
    for query, _ in LUCENE:
        answer = await ask("POST", f"{elasticsearch}/{INDEX}/_search", BY_TIME | {"query": lucene(query)})
        hits = answer.body["hits"]["hits"] if answer.status == 200 else None
        found[query] = REFUSED if hits is None else " ".join(hit["_id"] for hit in hits)
    assert found == dict(LUCENE)


def bool_(**parts: Any) -> dict[str, Any]:
    return {"bool": parts}


GREEN, ERROR = {"term": {"kubernetes.labels.color": "green"}}, {"term": {"log.level": "ERROR"}}
QUERIES: list[Any] = [
    {"match_all": {}},
    {"match_none": {}},
    bool_(),
    bool_(filter=[GREEN, ERROR]),
    bool_(filter=GREEN, must_not=[ERROR]),
    bool_(must=[GREEN], should=[ERROR]),
    bool_(should=[GREEN, ERROR]),
    bool_(should=[GREEN, ERROR], minimum_should_match=2),
    bool_(must_not=lucene("message:ledger")),
    {"term": {"log.level": {"value": "ERROR"}}},
    {"term": {"log.level": "error"}},
    {"term": {"message": "failed"}},
    {"term": {"message": "FAILED"}},
    {"term": {"message": "health check"}},
    {"term": {"http.status": 500}},
    {"term": {"http.status": "500"}},
    {"term": {"retry": True}},
    {"term": {"retry": "false"}},
    {"term": {"nope": "x"}},
    {"term": {"tags": "b"}},
    {"terms": {"log.level": ["ERROR", "FATAL"]}},
    {"terms": {"http.status": [200, 404]}},
    {"exists": {"field": "tags"}},
    {"exists": {"field": "kubernetes"}},
    {"range": {"http.status": {"gte": 404, "lt": 503}}},
    {"range": {"http.status": {"gt": 404}}},
    {"range": {"log.level": {"gte": "E", "lt": "G"}}},
    {"range": {"@timestamp": {"gte": 1795503001000, "lt": 1795503003000}}},
    {"range": {"@timestamp": {"gte": 1795503001000, "lt": 1795503003000, "format": "epoch_millis"}}},
    {"range": {"@timestamp": {"gte": "1795503001000", "lt": "1795503003000", "format": "epoch_millis"}}},
    {"range": {"@timestamp": {"gte": "2026-11-24T06:50:01Z", "lte": "2026-11-24T06:50:03.000Z"}}},
    {"range": {"@timestamp": {"gt": "2026-11-24T06:50:01Z", "lt": "2026-11-24T07:50:03+01:00"}}},
    {"range": {"@timestamp": {"gte": "2026-11-24", "lte": "2026-11-24"}}},
    {"range": {"@timestamp": {"lt": "2026-11-24"}}},
    {"match": {"message": "Health ledger"}},
    {"match": {"log.level": "ERROR"}},
    {"match_phrase": {"message": "ledger did NOT"}},
    {"prefix": {"logger": "bank."}},
    {"wildcard": {"logger": "*Handler"}},
    {"query_string": {"query": "failed", "default_field": "message"}},
    {"query_string": {"query": "failed", "fields": ["message"]}},
]


@pytest.mark.parametrize("query", QUERIES, ids=json.dumps)
async def test_reads_the_query_dsl_alike(
    query: Any, ask: Ask, real_elasticsearch: str, simulated_elasticsearch: str
) -> None:
    body = BY_TIME | {"query": query}
    real = await ask("POST", f"{real_elasticsearch}/{INDEX}/_search", body)
    simulated = await ask("POST", f"{simulated_elasticsearch}/{INDEX}/_search", body)
    assert real.status == 200
    assert essence(simulated) == essence(real)


RULE_SEARCH = {
    "size": 0,
    "track_total_hits": True,
    "timeout": "500ms",
    "query": bool_(
        filter=[{"range": {"@timestamp": {"gte": 0, "lt": 9999999999999, "format": "epoch_millis"}}}, GREEN]
    ),
    "aggs": {
        "matches": {"filter": bool_(filter=[lucene("*"), lucene("log.level:ERROR")])},
        "total": {"filter": lucene("*")},
        "newest": {"max": {"field": "@timestamp"}},
        "oldest": {"min": {"field": "@timestamp"}},
        "colors": {
            "terms": {"field": "kubernetes.labels.color"},
            "aggs": {"bad": {"filter": lucene("log.level:ERROR")}},
        },
    },
}
SEARCHES: dict[str, tuple[str, Any]] = {
    "a rule's search": (f"/{INDEX}/_search", RULE_SEARCH),
    "everything": (f"/{INDEX}/_search", {"size": 20}),
    "nothing asked": (f"/{INDEX}/_search", None),
    "the newest first": (f"/{INDEX}/_search", {"size": 2, "sort": [{"@timestamp": "desc"}], "_source": ["message"]}),
    "by two fields": (f"/{INDEX}/_search", {"size": 9, "sort": ["log.level", {"@timestamp": {"order": "desc"}}]}),
    "from the third on": (f"/{INDEX}/_search", {"size": 2, "from": 2, "sort": ["@timestamp"]}),
    "a capped total": (f"/{INDEX}/_search", {"size": 0, "track_total_hits": 2}),
    "no total": (f"/{INDEX}/_search", {"size": 0, "track_total_hits": False}),
    "aggregations of nothing": (
        f"/{INDEX}/_search",
        {
            "size": 0,
            "query": {"term": {"nope": "x"}},
            "aggs": {
                "newest": {"max": {"field": "@timestamp"}},
                "none": {"max": {"field": "nope"}},
                "terms": {"terms": {"field": "nope"}},
            },
        },
    ),
    "terms of numbers": (
        f"/{INDEX}/_search",
        {"size": 0, "aggs": {"by": {"terms": {"field": "http.status", "size": 2}}}},
    ),
    "terms of truth": (f"/{INDEX}/_search", {"size": 0, "aggs": {"by": {"terms": {"field": "retry"}}}}),
    "a wildcard": ("/logs-contract-*/_search", {"size": 0}),
    "a strict wildcard": ("/logs-contract-*/_search?allow_no_indices=false&ignore_unavailable=false", {"size": 0}),
    "a missing index": ("/nope/_search", {"size": 0}),
    "a missing wildcard": ("/nope-*/_search", {"size": 0}),
    "a missing strict wildcard": ("/nope-*/_search?allow_no_indices=false", {"size": 0}),
    "one of two missing": (f"/{INDEX},nope/_search?ignore_unavailable=true", {"size": 0}),
    "one of two missing, strictly": (f"/{INDEX},nope-*/_search?allow_no_indices=false", {"size": 0}),
    "a missing index, whatever": ("/nope/_search?ignore_unavailable=true", {"size": 0}),
    "nothing searched": ("/nope/_search?ignore_unavailable=true&allow_no_indices=false", {"size": 0}),
    "an unknown parameter": (f"/{INDEX}/_search?bogus=1", {"size": 0}),
    "an unknown key": (f"/{INDEX}/_search", {"quer": {}}),
    "an unknown query": (f"/{INDEX}/_search", {"query": {"bogus": {}}}),
    "two queries in one": (f"/{INDEX}/_search", {"query": {"term": {"a": "b"}, "x": {}}}),
    "an unknown part of bool": (f"/{INDEX}/_search", {"query": {"bool": {"foo": []}}}),
    "a query string without a query": (f"/{INDEX}/_search", {"query": {"query_string": {}}}),
    "exists without a field": (f"/{INDEX}/_search", {"query": {"exists": {}}}),
    "a word where numbers are": (f"/{INDEX}/_search", {"query": {"term": {"http.status": "abc"}}}),
    "no date": (f"/{INDEX}/_search", {"query": {"range": {"@timestamp": {"gte": "garbage"}}}}),
    "an unknown aggregation": (f"/{INDEX}/_search", {"size": 0, "aggs": {"a": {"bogus": {}}}}),
    "a negative size": (f"/{INDEX}/_search", {"size": -1}),
    "sorted by nothing": (f"/{INDEX}/_search", {"size": 1, "sort": ["nope"]}),
    "a count": (f"/{INDEX}/_count", {"query": lucene("log.level:ERROR")}),
    "a count in a missing index": ("/nope/_count", {"query": lucene("*")}),
    "fields": (f"/{INDEX}/_field_caps?fields=log.level,message,nope,http.status,@timestamp,retry,duration", None),
    "fields by wildcard": (f"/{INDEX}/_field_caps?fields=log.*", None),
    "fields of a missing index": ("/nope/_field_caps?fields=*", None),
}


@pytest.mark.parametrize("name", SEARCHES)
async def test_answers_alike(name: str, ask: Ask, real_elasticsearch: str, simulated_elasticsearch: str) -> None:
    path, body = SEARCHES[name]
    method = "GET" if body is None else "POST"
    real = await ask(method, real_elasticsearch + path, body)
    assert essence(await ask(method, simulated_elasticsearch + path, body)) == essence(real)


async def test_answers_what_the_product_asks_alike(
    ask: Ask, real_elasticsearch: str, simulated_elasticsearch: str
) -> None:
    end = datetime.fromisoformat("2026-11-24T06:50:06+00:00").timestamp()
    strict = {"allow_partial_search_results": False, "ignore_unavailable": False, "allow_no_indices": False}
    asked = [
        logs("log.level:ERROR", ratio_of="*", filter=[GREEN]),
        logs("log.level:ERROR", filter=[{"term": {"kubernetes.labels.color": "red"}}]),
        logs("(", timeframe="1m"),
        logs("a", index="nope-*"),
        logs("a", index="nope"),
    ]
    lines = [
        line
        for query in asked
        for line in ({"index": query.index, **strict}, build_search(query, {}, slot=end + 3, patience=4.5))
    ]
    body, kind = "".join(json.dumps(line) + "\n" for line in lines), "application/x-ndjson"
    real = await ask("POST", f"{real_elasticsearch}/_msearch", body, content_type=kind)
    simulated = await ask("POST", f"{simulated_elasticsearch}/_msearch", body, content_type=kind)
    assert [each.get("status") for each in real.body["responses"]] == [200, 200, 400, 404, 404]
    assert essence(simulated) == essence(real)


def logs(query: str, **rest: Any) -> ElasticsearchQuery:
    return ElasticsearchQuery.model_validate({"index": INDEX, "query": query, "query_delay": "3s", **rest})


async def of_generation(ask: Ask, url: str, generation: int) -> Answer:
    """What a client of a generation is answered."""
    kind = f"application/vnd.elasticsearch+json; compatible-with={generation}"
    return await ask("POST", f"{url}/{INDEX}/_search", {"size": 0}, content_type=kind, headers={"Accept": kind})


async def test_knows_its_clients_generation(ask: Ask, real_elasticsearch: str, simulated_elasticsearch: str) -> None:
    real = await of_generation(ask, real_elasticsearch, 8)
    assert real.status == 200
    assert essence(await of_generation(ask, simulated_elasticsearch, 8)) == essence(real)


async def test_refuses_a_client_of_a_later_generation(
    ask: Ask, elasticsearch_8: str, simulated_elasticsearch: str
) -> None:
    """The simulator is an 8.19; a 9.4 takes the next generation's clients too."""
    real = await of_generation(ask, elasticsearch_8, 9)
    assert real.status == 400
    assert essence(await of_generation(ask, simulated_elasticsearch, 9)) == essence(real)


@pytest.mark.parametrize("query", ["log.level:ERROR AND", "("])
async def test_says_which_query_it_cannot_parse(query: str, ask: Ask, elasticsearch: str) -> None:
    for body in ({"query": lucene(query)}, {"size": 0, "aggs": {"matches": {"filter": lucene(query)}}}):
        answer = await ask("POST", f"{elasticsearch}/{INDEX}/_search", body)
        error = answer.body["error"]
        assert (answer.status, error["type"]) == (400, "search_phase_execution_exception")
        (cause,) = error["root_cause"]
        assert (cause["type"], cause["reason"]) == ("query_shard_exception", f"Failed to parse query [{query}]")


async def test_writes_alike(ask: Ask, real_elasticsearch: str, simulated_elasticsearch: str) -> None:
    index = f"logs-written-{secrets.token_hex(4)}"
    bulk = [
        {"index": {"_index": index, "_id": "b1"}},
        {"message": "hi", "@timestamp": 1},
        {"create": {"_index": index, "_id": "b1"}},
        {"message": "hi"},
    ]
    lines = "".join(json.dumps(line) + "\n" for line in bulk)
    exchanges: list[tuple[str, str, Any, str]] = [
        ("PUT", f"/{index}/_doc/x1?refresh=true", {"@timestamp": "2026-11-24T06:51:00Z", "n": 1}, "application/json"),
        ("PUT", f"/{index}/_doc/x1?refresh=true", {"@timestamp": "2026-11-24T06:51:00Z", "n": 2}, "application/json"),
        ("GET", f"/{index}/_doc/x1", None, "application/json"),
        ("GET", f"/{index}/_doc/nope", None, "application/json"),
        ("POST", f"/{index}/_doc", {"@timestamp": "garbage"}, "application/json"),
        ("POST", f"/{index}/_doc", "[]", "application/json"),
        ("POST", "/_bulk?refresh=true", lines, "application/x-ndjson"),
        ("POST", "/_bulk", lines.rstrip(), "application/x-ndjson"),
        ("POST", "/_bulk", '{"index":{}}\n{"n":1}\n', "application/x-ndjson"),
        ("POST", f"/{index}/_search", BY_TIME | {"query": lucene("message:hi OR n:2")}, "application/json"),
    ]
    for method, path, body, kind in exchanges:
        real = await ask(method, real_elasticsearch + path, body, content_type=kind)
        simulated = await ask(method, simulated_elasticsearch + path, body, content_type=kind)
        assert essence(simulated) == essence(real)


@pytest.fixture
async def shipped(elasticsearch: str) -> AsyncIterator[client.AsyncElasticsearch]:
    async with client.AsyncElasticsearch(elasticsearch, max_retries=0, request_timeout=10) as connected:
        yield connected


async def test_answers_the_shipped_client(shipped: client.AsyncElasticsearch) -> None:
    answer = await shipped.search(
        index="logs-contract-*", body=RULE_SEARCH, allow_no_indices=False, allow_partial_search_results=False
    )
    assert answer["hits"]["total"] == {"value": 4, "relation": "eq"}
    assert answer["_shards"] == {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
    assert {name: answer["aggregations"][name]["doc_count"] for name in ("matches", "total")} == {
        "matches": 2,
        "total": 4,
    }


async def test_refuses_the_shipped_client(shipped: client.AsyncElasticsearch) -> None:
    with pytest.raises(client.NotFoundError, match="index_not_found_exception"):
        await shipped.search(index="nope-*", allow_no_indices=False)
    with pytest.raises(client.BadRequestError, match="search_phase_execution_exception"):
        await shipped.search(index=INDEX, query=lucene("("))
