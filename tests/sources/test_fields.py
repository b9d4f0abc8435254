"""Which fields a log rule needs, and what is said of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from tests.sources.asking import ANY_JSON, lucene
from watchdog.core.rules.kinds import ElasticsearchQuery
from watchdog.sources.fields import asked_fields, field_problems, needs_of

KNOWN = {
    "@timestamp": {"date": {}},
    "level": {"keyword": {}},
    "message": {"text": {}},
    "mixed": {"keyword": {"indices": ["logs-1"]}, "text": {"indices": ["logs-2"]}},
    "labels": {"flattened": {}},
    "log": {"object": {}},
}


def logs(query: str, **rest: Any) -> ElasticsearchQuery:
    asked = lucene(query, **rest).elasticsearch
    assert asked is not None
    return asked


def told(query: ElasticsearchQuery, *, fatal: bool = True) -> list[str]:
    found = field_problems(needs_of(query, {"color": "green"}), {"fields": KNOWN})
    return [problem.said for problem in found if problem.is_fatal is fatal]


def problems(query: str, **rest: Any) -> list[str]:
    return told(logs(query, **rest))


@pytest.mark.parametrize(
    ("query", "names"),
    [
        pytest.param("level:a AND (b:c OR d.e:[1 TO 2])", ["@timestamp", "b", "d", "d.e", "level"], id="everywhere"),
        pytest.param("timeout", ["@timestamp"], id="any field"),
        pytest.param("_exists_:err AND -gone:x", ["@timestamp", "err", "gone"], id="existence, and what is left out"),
        pytest.param(r"log\.level:a AND labels\:x:b", ["@timestamp", "labels:x", "log", "log.level"], id="escapes"),
        pytest.param("kubernetes.*:a AND _id:7 AND *:b", ["@timestamp"], id="patterns and its own"),
    ],
)
def test_the_fields_that_are_asked_for(query: str, names: list[str]) -> None:
    assert asked_fields(needs_of(logs(query), {})) == names


def test_a_clause_needs_its_fields_as_filters_do_and_kql_has_no_parser() -> None:
    clause = ElasticsearchQuery.model_validate({"index": "logs", "dsl": {"term": {"nope": "{{ color }}"}}})
    kql = ElasticsearchQuery.model_validate({"index": "logs", "kql": "nope: a"})
    assert [told(search) for search in (clause, kql)] == [["no index has the field 'nope' of dsl"], []]


def test_a_type_that_a_server_names_steers_no_terminal_F93() -> None:
    needs = needs_of(logs("level:a"), {})
    (problem,) = field_problems(needs, {"fields": {"level": {"keyword": {}}, "@timestamp": {"\x1b[2J": {}}}})
    assert problem.said == "the field '@timestamp' of timestamp_field is no date (\\x1b[2J)"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        pytest.param("level:a AND nope:b", ["no index has the field 'nope' of query"], id="both are needed"),
        pytest.param("level:a OR nope:b", [], id="one is enough"),
        pytest.param("level:a nope:b", [], id="one is enough without a word too"),
        pytest.param("+nope:b level:a", ["no index has the field 'nope' of query"], id="the one with a plus"),
        pytest.param("NOT nope:b", [], id="what is left out"),
        pytest.param("labels.color:green", [], id="a key of a flattened object"),
        pytest.param("log:a", ["no index has the field 'log' of query"], id="an object"),
        pytest.param("message:Failed", [], id="a text is searched by its words"),
        pytest.param(
            "(a:1 OR b:2) AND level:x",
            ["no index has the field 'a' of query", "no index has the field 'b' of query"],
            id="neither of two",
        ),
    ],
)
def test_F24_problems_of_a_query(query: str, says: list[str]) -> None:
    assert problems(query) == says


@pytest.mark.parametrize(
    ("clause", "says"),
    [
        pytest.param({"term": {"level": "A b"}}, "", id="a keyword"),
        pytest.param({"term": {"message": "{{ color }}"}}, "", id="a word of a text"),
        pytest.param({"terms": {"message": ["a", "B"]}}, "is a text, of which no whole value is kept", id="words"),
        pytest.param({"term": {"message": {"value": "a-b"}}}, "is a text, of which", id="the long form"),
        pytest.param({"match": {"message": "A b"}}, "", id="a match is by words"),
        pytest.param({"term": {"mixed": "a-b"}}, "is a text in logs-2, of which", id="F24 a text in one index"),
        pytest.param({"exists": {"field": "nope"}}, "no index has the field 'nope' of filter", id="existence"),
        pytest.param({"range": {"nope": {"gt": 1}}}, "no index has the field 'nope' of filter", id="a range"),
        pytest.param({"bool": {"should": [{"term": {"nope": 1}}, {"term": {"level": 1}}]}}, "", id="one of two"),
        pytest.param({"bool": {"should": [{"term": {"nope": 1}}]}}, "the field 'nope' of filter", id="the only one"),
        pytest.param({"bool": {"must": {"term": {"nope": 1}}}}, "the field 'nope' of filter", id="without a list"),
        pytest.param({"bool": {"must_not": [{"term": {"nope": 1}}]}}, "", id="not"),
        pytest.param({"query_string": {"query": "nope:1"}}, "the field 'nope' of filter", id="Lucene in the filter"),
        pytest.param({"constant_score": {"filter": {"term": {"nope": 1}}}}, "the field 'nope'", id="inside"),
        pytest.param({"script": {"script": "true"}}, "", id="what cannot be told"),
    ],
)
def test_F24_problems_of_a_filter(clause: dict[str, Any], says: str) -> None:
    found = problems("level:a", filter=[clause])
    assert len(found) == bool(says)
    assert all(says in problem for problem in found)


def test_F24_a_time_stamp_that_is_none() -> None:
    assert problems("level:a", timestamp_field="level") == ["the field 'level' of timestamp_field is no date (keyword)"]


NOPE = ["no index has the field 'nope' of query"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        pytest.param("level:a OR nope:b", NOPE, id="one of two"),
        pytest.param("level:a AND NOT nope:b", NOPE, id="what is left out"),
        pytest.param("level:a -nope:b", NOPE, id="what is left out without a word"),
        pytest.param("+level:a nope:b", NOPE, id="what is not required"),
        pytest.param("level:a AND nope:b", [], id="what is required makes the whole query match nothing"),
        pytest.param("level:a OR (level:b AND nope:c)", NOPE, id="a branch that is idle"),
    ],
)
def test_F24_a_part_of_a_query_that_is_idle(query: str, said: list[str]) -> None:
    assert told(logs(query), fatal=False) == said


@pytest.mark.parametrize(
    ("clause", "number"),
    [
        pytest.param({"bool": {"must_not": [{"term": {"nope": 1}}]}}, 1, id="what is left out"),
        pytest.param({"bool": {"must_not": {"term": {"message": "A b"}}}}, 1, id="a text is never left out"),
        pytest.param({"bool": {"should": [{"term": {"nope": 1}}, {"term": {"level": 1}}]}}, 1, id="one of two"),
        pytest.param(
            {"bool": {"should": [{"term": {"nope": 1}}], "filter": [{"term": {"level": 1}}]}}, 1, id="what only scores"
        ),
        pytest.param({"bool": {"should": [{"term": {"nope": 1}}]}}, 0, id="the only one"),
    ],
)
def test_F24_a_clause_that_is_idle(clause: dict[str, Any], number: int) -> None:
    assert len(told(logs("level:a", filter=[clause]), fatal=False)) == number


@given(ANY_JSON)
def test_any_answer_has_problems_or_none(body: Any) -> None:
    needs = needs_of(logs("level:a AND b.c:d", filter=[{"term": {"e": "F g"}}]), {})
    field_problems(needs, body)
    field_problems(needs, {"fields": body})
    field_problems(needs, {"fields": dict.fromkeys(("@timestamp", "level", "b", "e"), body)})
    field_problems(needs, {"fields": {name: {"text": body} for name in ("@timestamp", "level", "b", "e")}})
