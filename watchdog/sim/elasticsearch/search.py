"""One search: from the body of a request to the body of its answer.

Law: pure, over the documents it is given; hits are only ordered where Elasticsearch's order does not depend on
relevance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from watchdog.sim.elasticsearch.aggregations import aggregate
from watchdog.sim.elasticsearch.documents import Document, to_milliseconds
from watchdog.sim.elasticsearch.dsl import compile_dsl, is_scored
from watchdog.sim.elasticsearch.errors import Json, SearchError, ShardError, illegal, not_simulated, parsing
from watchdog.sim.elasticsearch.matching import DATES

_SIMULATED = frozenset(
    {"size", "from", "query", "aggs", "aggregations", "sort", "track_total_hits", "timeout", "_source"}
)
_UNSIMULATED = frozenset(
    {
        "collapse",
        "docvalue_fields",
        "explain",
        "ext",
        "fields",
        "highlight",
        "indices_boost",
        "knn",
        "min_score",
        "pit",
        "post_filter",
        "profile",
        "rescore",
        "retriever",
        "runtime_mappings",
        "script_fields",
        "search_after",
        "seq_no_primary_term",
        "slice",
        "stats",
        "stored_fields",
        "suggest",
        "terminate_after",
        "track_scores",
        "version",
    }
)
_COUNTED = 10_000
_LARGEST_WINDOW = 10_000
_DEFAULT_SIZE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SortKey:
    """One criterion: a field, and whether the greatest comes first."""

    field: str
    descending: bool

    def value(self, document: Document) -> Any:
        """What the document is sorted by, None when it has none."""
        values = document.fields.get(self.field, ())
        if not values:
            return None
        read = [to_milliseconds(value) if self.field in DATES else value for value in values]
        return max(read) if self.descending else min(read)


def search(documents: Sequence[Document], body: Mapping[str, Any], *, shards: int, now: int) -> Json:
    """The answer's body without ``took``; raises SearchError. ``now`` is in milliseconds."""
    _check_keys(body)
    size, start = body.get("size", _DEFAULT_SIZE), body.get("from", 0)
    if size < 0:
        raise illegal(f"[size] parameter cannot be negative, found [{size}]")
    matches = compile_dsl(body.get("query"), now=now)
    found = [document for document in documents if matches(document)]
    if size + start > _LARGEST_WINDOW:
        reason = (
            f"Result window is too large, from + size must be less than or equal to: [{_LARGEST_WINDOW}] but was "
            f"[{size + start}]."
        )
        raise ShardError("illegal_argument_exception", reason)
    keys = [_sort_key(each, documents) for each in _listed(body.get("sort"))]
    if size and found and not keys and is_scored(body.get("query")):
        raise not_simulated("hits in the order of their relevance; sort them by a field, or ask for size 0")
    hits = _sorted(found, keys)[start : start + size]
    score = None if keys or not size else _score(body.get("query"))
    answer: Json = {
        "timed_out": False,
        "_shards": {"total": shards, "successful": shards, "skipped": 0, "failed": 0},
        "hits": _total(len(found), tracked=body.get("track_total_hits", _COUNTED))
        | {
            "max_score": (score if hits else None) if shards else 0.0,
            "hits": [_hit(document, keys, score, body.get("_source", True)) for document in hits],
        },
    }
    wanted = body.get("aggs") or body.get("aggregations")
    if wanted and shards:
        answer["aggregations"] = aggregate(wanted, found, now=now)
    return answer


def _check_keys(body: Mapping[str, Any]) -> None:
    for key in body:
        if key in _UNSIMULATED:
            raise not_simulated(f"[{key}] of a search")
        if key not in _SIMULATED:
            raise parsing(f"Unknown key for a START_OBJECT in [{key}].")


def _total(count: int, *, tracked: bool | int) -> Json:
    if tracked is False:
        return {}
    if tracked is True or count <= tracked:
        return {"total": {"value": count, "relation": "eq"}}
    return {"total": {"value": tracked, "relation": "gte"}}


def _score(query: Any) -> float:
    return 0.0 if isinstance(query, dict) and "bool" in query else 1.0


def _listed(given: Any) -> list[Any]:
    if given is None:
        return []
    return given if isinstance(given, list) else [given]


def _sort_key(given: Any, documents: Sequence[Document]) -> SortKey:
    field, order = (given, "asc") if isinstance(given, str) else next(iter(given.items()))
    if isinstance(order, dict):
        if order.keys() - {"order", "unmapped_type"}:
            raise not_simulated("options of sort")
        order = order.get("order", "asc")
    if field in ("_score", "_doc"):
        raise not_simulated(f"sorting by {field}")
    if documents and not any(field in document.fields for document in documents):
        raise ShardError("query_shard_exception", f"No mapping found for [{field}] in order to sort on")
    return SortKey(field=field, descending=order == "desc")


def _sorted(documents: list[Document], keys: Sequence[SortKey]) -> list[Document]:
    ordered = list(documents)
    for key in reversed(keys):
        known = [document for document in ordered if key.value(document) is not None]
        rest = [document for document in ordered if key.value(document) is None]
        ordered = sorted(known, key=key.value, reverse=key.descending) + rest
    return ordered


def _hit(document: Document, keys: Sequence[SortKey], score: float | None, source: Any) -> Json:
    hit: Json = {"_index": document.index, "_id": document.id, "_score": score}
    if source is not False:
        hit["_source"] = document.source if source is True else _picked(document.source, source)
    if keys:
        hit["sort"] = [key.value(document) for key in keys]
    return hit


def _picked(source: Mapping[str, Any], wanted: Any) -> Json:
    """Only the fields that were asked for."""
    if isinstance(wanted, dict):
        raise not_simulated("_source with includes and excludes")
    patterns = wanted if isinstance(wanted, list) else [wanted]

    def pick(part: Mapping[str, Any], path: str) -> Json:
        picked: Json = {}
        for key, value in part.items():
            name = f"{path}{key}"
            if any(fnmatchcase(name, pattern) for pattern in patterns):
                picked[key] = value
            elif isinstance(value, dict) and (inner := pick(value, f"{name}.")):
                picked[key] = inner
        return picked

    return pick(source, "")


def read_body(given: Any) -> Json:
    """The body of a search; an absent one asks for everything."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise SearchError(400, "parsing_exception", "Expected [START_OBJECT] but found something else")
    return given
