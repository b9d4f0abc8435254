"""Elasticsearch's query DSL: turns the JSON of a query into a predicate over documents.

Law: pure; a query that is not matched exactly as Elasticsearch would is refused as "not simulated".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from watchdog.sim.elasticsearch.errors import SearchError, not_simulated, parsing
from watchdog.sim.elasticsearch.lucene import compile_query
from watchdog.sim.elasticsearch.matching import (
    Bounds,
    Predicate,
    equals,
    everything,
    field_exists,
    has_phrase,
    has_terms,
    has_wildcard,
    nothing,
    within,
)

_BOOL_KEYS = frozenset({"filter", "must", "must_not", "should", "minimum_should_match", "boost", "_name"})
_RANGE_KEYS = frozenset({"gte", "gt", "lte", "lt", "format", "boost"})
_FORMATS = frozenset({None, "epoch_millis", "strict_date_optional_time", "strict_date_optional_time||epoch_millis"})
_QUERY_STRING_KEYS = frozenset(
    {"query", "default_field", "fields", "default_operator", "analyze_wildcard", "lenient", "boost", "_name"}
)
_UNSIMULATED = frozenset(
    {
        "boosting",
        "combined_fields",
        "constant_score",
        "dis_max",
        "distance_feature",
        "function_score",
        "fuzzy",
        "geo_bounding_box",
        "geo_distance",
        "has_child",
        "has_parent",
        "ids",
        "intervals",
        "kql",
        "match_bool_prefix",
        "match_phrase_prefix",
        "more_like_this",
        "multi_match",
        "nested",
        "percolate",
        "regexp",
        "script",
        "script_score",
        "simple_query_string",
        "span_term",
        "terms_set",
        "wrapper",
    }
)


def compile_dsl(query: Any, *, now: int) -> Predicate:
    """The predicate of a query; raises SearchError. ``now`` is in milliseconds."""
    if query is None:
        return everything
    if not isinstance(query, dict) or not query:
        raise illegal_query("query malformed, empty clause found")
    kind, body = next(iter(query.items()))
    if len(query) > 1:
        raise parsing(f"[{kind}] malformed query, expected [END_OBJECT] but found [FIELD_NAME]")
    if kind in _UNSIMULATED:
        raise not_simulated(f"the query {kind}")
    compiler = _COMPILERS.get(kind)
    if compiler is None:
        raise parsing(f"unknown query [{kind}]")
    if not isinstance(body, dict):
        raise parsing(f"[{kind}] query malformed, no start_object after query name")
    return compiler(body, now)


def is_scored(query: Any) -> bool:
    """False when every match is as good as any other, so that nothing depends on relevance."""
    match query:
        case None | {"match_all": _}:
            return False
        case {"bool": {**parts}}:
            return bool(parts.keys() & {"must", "should"})
        case _:
            return True


def illegal_query(reason: str) -> SearchError:
    """400 for a query of the wrong form."""
    return SearchError(400, "illegal_argument_exception", reason)


def _bool(body: Mapping[str, Any], now: int) -> Predicate:
    unknown = body.keys() - _BOOL_KEYS
    if unknown:
        raise SearchError(400, "x_content_parse_exception", f"[bool] unknown field [{min(unknown)}]")
    parts = {key: [compile_dsl(each, now=now) for each in _several(body.get(key))] for key in _BOOL_KEYS if key in body}
    must = parts.get("filter", []) + parts.get("must", [])
    must_not, should = parts.get("must_not", []), parts.get("should", [])
    needed = body.get("minimum_should_match", 0 if must or not should else 1)
    if not isinstance(needed, int):
        raise not_simulated("minimum_should_match that is no number")
    return lambda document: (
        all(each(document) for each in must)
        and not any(each(document) for each in must_not)
        and (not needed or sum(each(document) for each in should) >= needed)
    )


def _several(given: Any) -> list[Any]:
    if isinstance(given, list):
        return given
    return [given] if isinstance(given, dict) else []


def _query_string(body: Mapping[str, Any], now: int) -> Predicate:
    if not isinstance(body.get("query"), str):
        raise parsing("[query_string] must be provided with a [query]")
    fields = body.get("fields") or [body.get("default_field", "*")]
    unsimulated = body.keys() - _QUERY_STRING_KEYS or len(fields) > 1
    if unsimulated or str(body.get("default_operator", "or")).lower() != "or":
        raise not_simulated("options of query_string")
    return compile_query(body["query"], now=now, default_field=None if fields[0] == "*" else str(fields[0]))


def _term(body: Mapping[str, Any], _: int) -> Predicate:
    field, value = _one_field("term", body, "value")
    return equals(field, value)


def _terms(body: Mapping[str, Any], _: int) -> Predicate:
    field, values = next(iter((key, value) for key, value in body.items() if key != "boost"))
    if not isinstance(values, list):
        raise not_simulated("terms of another document")
    each = [equals(field, value) for value in values]
    return lambda document: any(matches(document) for matches in each)


def _match(body: Mapping[str, Any], now: int) -> Predicate:
    field, text = _one_field("match", body, "query")
    return has_terms(field, str(text), now=now) or nothing


def _match_phrase(body: Mapping[str, Any], now: int) -> Predicate:
    field, text = _one_field("match_phrase", body, "query")
    return has_phrase(field, str(text), now=now) or nothing


def _wildcard(body: Mapping[str, Any], _: int) -> Predicate:
    field, pattern = _one_field("wildcard", body, "value")
    return has_wildcard(field, str(pattern))


def _prefix(body: Mapping[str, Any], _: int) -> Predicate:
    field, start = _one_field("prefix", body, "value")
    escaped = "".join(f"\\{letter}" if letter in "\\*?" else letter for letter in str(start))
    return has_wildcard(field, f"{escaped}*")


def _exists(body: Mapping[str, Any], _: int) -> Predicate:
    if "field" not in body:
        raise parsing("[exists] must be provided with a [field]")
    return field_exists(str(body["field"]))


def _range(body: Mapping[str, Any], now: int) -> Predicate:
    field, ends = next(iter(body.items()), ("", None))
    if not isinstance(ends, dict):
        raise parsing("[range] query malformed, no start_object after query name")
    if ends.keys() - _RANGE_KEYS or ends.get("format") not in _FORMATS:
        raise not_simulated("options of range")
    if ends.get("format") == "epoch_millis":
        ends = {key: int(value) if key in ("gte", "gt", "lte", "lt") else value for key, value in ends.items()}
    bounds = Bounds(
        low=ends.get("gte", ends.get("gt")),
        high=ends.get("lte", ends.get("lt")),
        with_low="gt" not in ends,
        with_high="lt" not in ends,
    )
    return within(field, bounds, now=now)


def _one_field(kind: str, body: Mapping[str, Any], key: str) -> tuple[str, Any]:
    """The field of a query and what it looks for, which is given bare or under ``key``."""
    if len(body) != 1:
        raise parsing(f"[{kind}] query doesn't support multiple fields")
    field, given = next(iter(body.items()))
    if isinstance(given, dict):
        if given.keys() - {key, "boost"}:
            raise not_simulated(f"options of {kind}")
        given = given.get(key)
    return field, given


_COMPILERS: Mapping[str, Callable[[Mapping[str, Any], int], Predicate]] = {
    "bool": _bool,
    "exists": _exists,
    "match": _match,
    "match_all": lambda _body, _now: everything,
    "match_none": lambda _body, _now: nothing,
    "match_phrase": _match_phrase,
    "prefix": _prefix,
    "query_string": _query_string,
    "range": _range,
    "term": _term,
    "terms": _terms,
    "wildcard": _wildcard,
}
