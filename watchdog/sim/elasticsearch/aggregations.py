"""Aggregations over the documents that a search has found.

Law: pure; exact, as they are on an index of a single shard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from watchdog.sim.elasticsearch.documents import Document, to_milliseconds
from watchdog.sim.elasticsearch.dsl import compile_dsl
from watchdog.sim.elasticsearch.errors import Json, ShardError, not_simulated, parsing
from watchdog.sim.elasticsearch.matching import DATES, TEXTS

_UNSIMULATED = frozenset(
    {
        "adjacency_matrix",
        "auto_date_histogram",
        "avg",
        "bucket_script",
        "bucket_selector",
        "cardinality",
        "categorize_text",
        "composite",
        "date_histogram",
        "date_range",
        "derivative",
        "extended_stats",
        "filters",
        "geo_bounds",
        "global",
        "histogram",
        "max_bucket",
        "median",
        "missing",
        "multi_terms",
        "nested",
        "percentile_ranks",
        "percentiles",
        "range",
        "rare_terms",
        "rate",
        "sampler",
        "significant_terms",
        "stats",
        "sum",
        "sum_bucket",
        "top_hits",
        "top_metrics",
        "value_count",
        "weighted_avg",
    }
)
_SUB = ("aggs", "aggregations", "meta")
_DEFAULT_BUCKETS = 10


def aggregate(wanted: Mapping[str, Any], documents: Sequence[Document], *, now: int) -> Json:
    """The value of each named aggregation; raises SearchError."""
    return {name: _aggregated(body, documents, now) for name, body in wanted.items()}


def _aggregated(body: Mapping[str, Any], documents: Sequence[Document], now: int) -> Json:
    kind = next((key for key in body if key not in _SUB), "")
    inner = body.get("aggs") or body.get("aggregations") or {}
    match kind:
        case "filter":
            matches = compile_dsl(body["filter"], now=now)
            return _bucket([each for each in documents if matches(each)], inner, now)
        case "max":
            return _extreme(body["max"]["field"], documents, max)
        case "min":
            return _extreme(body["min"]["field"], documents, min)
        case "terms":
            return _terms(body["terms"], documents, inner, now)
        case _ if kind in _UNSIMULATED:
            raise not_simulated(f"the aggregation {kind}")
        case _:
            raise parsing(f"Unknown aggregation type [{kind}]")


def _bucket(documents: Sequence[Document], inner: Mapping[str, Any], now: int) -> Json:
    return {"doc_count": len(documents)} | aggregate(inner, documents, now=now)


def _extreme(field: str, documents: Sequence[Document], pick: Callable[[list[float]], float]) -> Json:
    is_date = field in DATES
    values = [
        float(to_milliseconds(value)) if is_date else float(value)
        for document in documents
        for value in document.fields.get(field, ())
    ]
    if not values:
        return {"value": None}
    value = pick(values)
    return {"value": value} | ({"value_as_string": _show_date(value)} if is_date else {})


def _show_date(milliseconds: float) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(milliseconds) % 1000:03d}Z"


def _terms(options: Mapping[str, Any], documents: Sequence[Document], inner: Mapping[str, Any], now: int) -> Json:
    if options.keys() - {"field", "size"}:
        raise not_simulated("options of the aggregation terms")
    field = options["field"]
    if field in TEXTS and any(field in document.fields for document in documents):
        reason = (
            f"Fielddata is disabled on [{field}]. Text fields are not optimised for operations that require "
            "per-document field data like aggregations and sorting, so these operations are disabled by default."
        )
        raise ShardError("illegal_argument_exception", reason)
    counts = Counter(value for document in documents for value in set(document.fields.get(field, ())))
    ranked = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    shown = ranked[: options.get("size", _DEFAULT_BUCKETS)]
    return {
        "doc_count_error_upper_bound": 0,
        "sum_other_doc_count": sum(count for _, count in ranked[len(shown) :]),
        "buckets": [
            _key(value) | _bucket([each for each in documents if value in each.fields.get(field, ())], inner, now)
            for value, _ in shown
        ],
    }


def _key(value: Any) -> Json:
    if isinstance(value, bool):
        return {"key": int(value), "key_as_string": str(value).lower()}
    return {"key": value}
