"""The one search of a log rule: what is asked, and what of the answer counts."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sources.asking import ANY_JSON, found, lucene
from watchdog.core.model import Measurement, Outcome
from watchdog.core.rules.kinds import ElasticsearchQuery
from watchdog.sources.answer import AnswerError
from watchdog.sources.search import build_search, read_refusal, read_search, window

SLOT = 1_700_000_000.0
NAMES = {"color": "green", "namespace": "bank"}


def logs(**rest: Any) -> ElasticsearchQuery:
    query = lucene(**rest).elasticsearch
    assert query is not None
    return query


def read(body: Any, query: ElasticsearchQuery) -> Measurement:
    return read_search(body, query, slot=SLOT, server="E")


RATIO = logs(ratio_of="*")
COUNT = logs()


def test_the_window_ends_before_the_slot_by_the_delay_F25() -> None:
    assert window(logs(timeframe="5m", query_delay="90s"), SLOT) == (SLOT - 390, SLOT - 90)


def test_a_count_is_one_search_for_one_number() -> None:
    query = logs(query='log.level:error AND "{{ color }}"', timestamp_field="event.created")
    assert build_search(query, NAMES, slot=SLOT, patience=4.5) == {
        "size": 0,
        "track_total_hits": True,
        "timeout": "4500ms",
        "query": {"bool": {"filter": [span(SLOT - 360, SLOT, "event.created")]}},
        "sort": [{"event.created": "desc"}],
        "aggs": {
            "whole": {
                "filter": {"match_all": {}},
                "aggs": {
                    "window": {
                        "filter": span(SLOT - 360, SLOT - 60, "event.created"),
                        "aggs": {"matches": {"filter": {"query_string": {"query": 'log.level:error AND "green"'}}}},
                    },
                    "recent": {"filter": span(SLOT - 210, SLOT, "event.created")},
                    "newest": {"max": {"field": "event.created"}},
                    "ingested": {"max": {"field": "event.ingested"}},
                },
            }
        },
    }


def span(start: float, end: float, field: str) -> dict[str, Any]:
    bounds = {"gte": round(start * 1000), "lt": round(end * 1000), "format": "epoch_millis"}
    return {"range": {field: bounds}}


def test_a_ratio_counts_both_sides_in_one_search() -> None:
    body = build_search(logs(ratio_of="app:{{ namespace }}"), NAMES, slot=SLOT, patience=4.5)
    whole = body["aggs"]["whole"]
    assert whole["filter"] == {"query_string": {"query": "app:bank"}}
    assert whole["aggs"]["window"]["aggs"] == {"matches": {"filter": {"query_string": {"query": "level:error"}}}}


def test_placeholders_are_filled_everywhere_in_the_filters() -> None:
    given = [{"term": {"color": "{{ color }}"}}, {"terms": {"ns": ["{{ namespace }}", "x"]}}, {"exists": {"boost": 2}}]
    filters = build_search(logs(filter=given), NAMES, slot=SLOT, patience=1)["query"]["bool"]["filter"]
    assert filters[1:] == [{"term": {"color": "green"}}, {"terms": {"ns": ["bank", "x"]}}, {"exists": {"boost": 2}}]


@given(st.floats(0, 4e9), st.integers(1, 100_000), st.integers(0, 100_000))
def test_windows_of_neighboring_slots_meet_without_gap_and_overlap(slot: float, length: int, delay: int) -> None:
    query = logs(timeframe=f"{length}s", query_delay=f"{delay}s")
    first, second = (_range(query, at) for at in (slot, slot + length))
    assert first["lt"] == second["gte"]
    assert first["lt"] - first["gte"] in range(length * 1000 - 1, length * 1000 + 2)


def _range(query: ElasticsearchQuery, slot: float) -> dict[str, int]:
    body = build_search(query, NAMES, slot=slot, patience=1)
    counted: dict[str, int] = body["aggs"]["whole"]["aggs"]["window"]["filter"]["range"]["@timestamp"]
    return counted


@pytest.mark.parametrize(
    ("body", "query", "expected"),
    [
        pytest.param(found(matches=3), COUNT, Measurement(value=3.0), id="a count"),
        pytest.param(found(matches=0), COUNT, Measurement(value=0.0), id="a count of none"),
        pytest.param(found(matches=3, total=12), RATIO, Measurement(value=0.25, samples=12.0), id="a ratio"),
        pytest.param(found(matches=0, total=12), RATIO, Measurement(value=0.0, samples=12.0), id="a ratio of none"),
        pytest.param(
            found(matches=0, total=0),
            RATIO,
            Measurement.nodata("E has no document of ratio_of '*' in the window", samples=0.0),
            id="F24 a share of nothing",
        ),
        pytest.param(
            {**found(matches=3), "_shards": {"total": 4, "successful": 4, "skipped": 3, "failed": 0}},
            COUNT,
            Measurement(value=3.0),
            id="F20 skipped shards are normal",
        ),
    ],
)
def test_answers_that_count(body: Any, query: ElasticsearchQuery, expected: Measurement) -> None:
    assert read(body, query) == expected


@pytest.mark.parametrize("query", [pytest.param(RATIO, id="a ratio"), pytest.param(COUNT, id="a count")])
@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param(
            found(matches=3, total=12, recent=0),
            "has 12 documents in the window, and none newer than 22:09:50 UTC: the log shipper lags or has stopped",
            id="F25 the second half is empty",
        ),
        pytest.param(
            found(matches=3, newest=SLOT - 2, ingested=SLOT + 59),
            "got its newest document 61 s late, and query_delay is 60 s",
            id="F25 late by its own account",
        ),
        pytest.param(
            found(matches=3, total=50, newest=SLOT - 61),
            "has no document of the last 61 s: they come later than query_delay, 60 s",
            id="F25 a minute without any of fifty in five minutes",
        ),
    ],
)
def test_a_window_that_is_not_complete_is_nodata(query: ElasticsearchQuery, body: Any, says: str) -> None:
    samples = None if query.ratio_of is None else float(body["aggregations"]["whole"]["doc_count"])
    assert read(body, query) == Measurement.nodata(f"E {says}", samples=samples)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(found(matches=3, newest=SLOT - 2, ingested=SLOT + 58), id="late, and not later than query_delay"),
        pytest.param(found(matches=3, total=49, newest=SLOT - 61), id="a minute without any of few"),
        pytest.param(found(matches=3, total=5000, newest=SLOT - 60), id="the window has just become complete"),
        pytest.param(found(matches=3, ingested=SLOT - 500), id="clocks that differ the other way"),
    ],
)
def test_F25_a_window_that_is_complete_counts(body: Any) -> None:
    assert read(body, COUNT).value == 3


def test_F24_a_count_of_no_document_at_all_is_nodata() -> None:
    said = "E has no document in the window that filter lets pass, be it of the query or not"
    assert read(found(matches=0, total=0, newest=None), COUNT) == Measurement.nodata(said)


def changed(*path: str, to: Any) -> Any:
    body = copy.deepcopy(found(matches=3, total=12))
    place = body
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return body


MATCHES = ("aggregations", "whole", "window", "matches")
SHAPE = "answered JSON of another shape than a search has"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param(None, SHAPE, id="nothing"),
        pytest.param("<html>", SHAPE, id="a text"),
        pytest.param([1, 2], SHAPE, id="a list"),
        pytest.param({}, SHAPE, id="an empty object"),
        pytest.param({"count": 3, "_shards": {"total": 1}}, SHAPE, id="the answer of _count"),
        pytest.param(changed("hits", "total", to=3), SHAPE, id="a total as in version 6"),
        pytest.param(changed("hits", "total", "value", to="3"), SHAPE, id="a total as a text"),
        pytest.param(changed("hits", "total", "value", to=-1), SHAPE, id="a negative total"),
        pytest.param(changed("_shards", "failed", to=False), SHAPE, id="a truth value for a number"),
        pytest.param(changed("_shards", "total", to=1.0), SHAPE, id="shards in floating point"),
        pytest.param(changed("timed_out", to=0), SHAPE, id="a number for a truth value"),
        pytest.param(changed("aggregations", to=None), SHAPE, id="no aggregations"),
        pytest.param(changed(*MATCHES, to={}), SHAPE, id="no count"),
        pytest.param(changed(*MATCHES, "doc_count", to=-3), SHAPE, id="a negative count"),
        pytest.param(
            changed(*MATCHES, "doc_count", to=True),
            SHAPE,
            id="a count that is true",
        ),
        pytest.param(changed(*MATCHES, "doc_count", to=2.5), SHAPE, id="half a document"),
        pytest.param(
            changed("timed_out", to=True),
            "ran out of time and answered a part of the truth (timed_out)",
            id="F19 V08 timed out",
        ),
        pytest.param(
            changed("_shards", to={"total": 5, "successful": 4, "failed": 1, "skipped": 0}),
            "answered from 4 of 5 shards",
            id="F20 a failed shard",
        ),
        pytest.param(
            changed("_shards", to={"total": 5, "successful": 4, "failed": 0, "skipped": 0}),
            "answered from 4 of 5 shards",
            id="F20 a missing shard",
        ),
        pytest.param(
            changed(
                "_shards",
                to={"total": 2, "successful": 1, "failed": 1, "failures": [{"reason": {"type": "x", "reason": "y\n"}}]},
            ),
            "answered from 1 of 2 shards: x: y",
            id="F20 a failed shard with its reason",
        ),
        pytest.param(
            changed("_shards", to={"total": 0, "successful": 0, "failed": 0}),
            "searched no index at all; does the index exist?",
            id="F22 no shard at all",
        ),
        pytest.param(
            changed("hits", "total", to={"value": 10_000, "relation": "gte"}),
            "answered with a capped total of hits",
            id="F23 V08 a capped total",
        ),
        pytest.param(
            changed(*MATCHES, "doc_count", to=13),
            "answered counts that contradict each other (13 > 12 > 12 > 12)",
            id="more matches than documents",
        ),
    ],
)
def test_a_part_of_the_truth_is_an_error(body: Any, says: str) -> None:
    with pytest.raises(AnswerError) as caught:
        read(body, COUNT)
    assert str(caught.value) == says


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param(changed("aggregations", "whole", "window", to={}), SHAPE, id="no window"),
        pytest.param(changed("aggregations", "whole", "recent", to={}), SHAPE, id="no recent documents"),
        pytest.param(changed("aggregations", "whole", "newest", "value", to=None), SHAPE, id="no newest document"),
        pytest.param(changed("aggregations", "whole", "newest", "value", to="now"), SHAPE, id="a text for an instant"),
        pytest.param(
            changed("aggregations", "whole", "recent", "doc_count", to=13),
            "answered counts that contradict each other (13 > 12)",
            id="more recent documents than documents",
        ),
        pytest.param(
            changed("hits", "total", "value", to=11),
            "answered counts that contradict each other (3 > 12 > 12 > 11)",
            id="more documents than there are",
        ),
    ],
)
def test_counts_have_to_be_consistent(body: Any, says: str) -> None:
    for query in (RATIO, COUNT):
        with pytest.raises(AnswerError) as caught:
            read(body, query)
        assert str(caught.value) == says


@given(ANY_JSON)
def test_any_json_is_a_measurement_or_an_answer_error(body: Any) -> None:
    _read_or_answer_error(body, COUNT)


PATHS = [
    ("timed_out",),
    ("_shards",),
    ("_shards", "total"),
    ("_shards", "failures"),
    ("hits",),
    ("hits", "total"),
    ("hits", "total", "relation"),
    ("aggregations",),
    ("aggregations", "whole"),
    ("aggregations", "whole", "window", "doc_count"),
    ("aggregations", "whole", "newest", "value"),
    ("aggregations", "whole", "ingested", "value"),
]


@given(st.sampled_from(PATHS), ANY_JSON)
def test_any_json_inside_a_search_is_a_measurement_or_an_answer_error(path: tuple[str, ...], piece: Any) -> None:
    _read_or_answer_error(changed(*path, to=piece), RATIO)


def _read_or_answer_error(body: Any, query: ElasticsearchQuery) -> None:
    try:
        measurement = read(body, query)
    except AnswerError:
        return
    assert (measurement.value is None) is (measurement.failure is Outcome.NODATA)


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        pytest.param(
            404,
            {
                "error": {
                    "root_cause": [{"type": "index_not_found_exception", "reason": "no such index [x]"}],
                    "type": "index_not_found_exception",
                    "reason": "no such index [x]",
                }
            },
            "did not answer the query (HTTP 404): index_not_found_exception: no such index [x]",
            id="F22 a missing index",
        ),
        pytest.param(
            400,
            {
                "error": {
                    "root_cause": [{"type": "query_shard_exception", "reason": "Failed to parse query [a:]"}],
                    "type": "search_phase_execution_exception",
                    "reason": "all shards failed",
                }
            },
            "did not answer the query (HTTP 400): query_shard_exception: Failed to parse query [a:]",
            id="the root cause says more",
        ),
        pytest.param(
            503,
            {"error": {"root_cause": [], "type": "search_phase_execution_exception", "reason": "all shards failed"}},
            "did not answer the query (HTTP 503): search_phase_execution_exception: all shards failed",
            id="F18 no root cause",
        ),
        pytest.param(
            503,
            {"error": {"root_cause": [], "type": "a", "reason": "", "caused_by": {"type": "b", "reason": "c"}}},
            "did not answer the query (HTTP 503): b: c",
            id="F20 only the cause has words",
        ),
        pytest.param(
            429,
            {"error": {"type": "es_rejected_execution_exception", "reason": "rejected execution"}},
            "did not answer the query (HTTP 429): es_rejected_execution_exception: rejected execution",
            id="F21 too many searches",
        ),
        pytest.param(
            401,
            {"error": {"type": "security_exception", "reason": "unable to authenticate"}},
            "refused the credentials (HTTP 401): security_exception: unable to authenticate",
            id="F26 credentials",
        ),
        pytest.param(403, {"error": "no"}, "refused the credentials (HTTP 403): no", id="an error in a word"),
        pytest.param(500, None, "did not answer the query (HTTP 500)", id="nothing"),
        pytest.param(500, {"error": {"root_cause": "?"}}, "did not answer the query (HTTP 500)", id="odd error"),
        pytest.param(500, "a\x1b[0m\nb", "did not answer the query (HTTP 500): a\\x1b[0m b", id="a text with escapes"),
    ],
)
def test_refusals_say_what_to_cure(status: int, body: Any, says: str) -> None:
    assert str(read_refusal(status, body)) == says


@given(st.integers(400, 599), ANY_JSON, ANY_JSON)
def test_any_refusal_is_put_into_words(status: int, body: Any, error: Any) -> None:
    assert f"(HTTP {status})" in str(read_refusal(status, body))
    assert f"(HTTP {status})" in str(read_refusal(status, {"error": {"root_cause": [error], "type": body}}))
