"""Builds the one search of a log rule, and reads what Elasticsearch answers.

Law: pure. Matches and the documents that they are a share of come from the same search, so both see the same
documents; an answer of fewer shards than there are is no evidence.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from watchdog.core.model import Measurement
from watchdog.core.placeholders import fill
from watchdog.core.rules.language import ElasticsearchQuery
from watchdog.sources.answer import AnswerError, quote, refusal
from watchdog.sources.failure import sentence

Json = dict[str, Any]


def window(query: ElasticsearchQuery, slot: float) -> tuple[float, float]:
    """The half-open span of document time that a slot looks at, in Unix seconds."""
    end = slot - query.query_delay
    return end - query.timeframe, end


def build_search(query: ElasticsearchQuery, names: Mapping[str, str], *, slot: float, patience: float) -> Json:
    """The body of the search; ``patience`` is how many seconds the server may spend on it."""
    start, end = window(query, slot)
    matches = _lucene(fill(query.query, names))
    counts = {"matches": {"filter": matches}}
    if query.ratio_of is not None:
        total = _lucene(fill(query.ratio_of, names))
        recent = _span(query.timestamp_field, (start + end) / 2, end)
        counts = {
            "matches": {"filter": _all(total, matches)},
            "total": {"filter": total},
            "recent": {"filter": _all(total, recent)},
        }
    filters = [_span(query.timestamp_field, start, end), *(_filled(one, names) for one in query.filter)]
    return {
        "size": 0,
        "track_total_hits": True,
        "timeout": f"{max(1, round(patience * 1000))}ms",
        "query": _all(*filters),
        # Nothing is sorted; but a time stamp field that does not exist is an error then, and not a count of 0 for ever.
        "sort": [{query.timestamp_field: "desc"}],
        "aggs": counts,
    }


def read_search(body: Any, query: ElasticsearchQuery, *, slot: float, server: str) -> Measurement:
    """The measurement of a rule from the body of an answer. Raises AnswerError."""
    found = _whole(body)
    matches = _count(body, "matches")
    if query.ratio_of is None:
        _check_order(matches, found)
        return Measurement(value=float(matches))
    total, recent = _count(body, "total"), _count(body, "recent")
    _check_order(matches, total, found)
    _check_order(recent, total)
    if total == 0:
        said = f"{server} has no document of ratio_of '{quote(query.ratio_of)}' in the window"
        return Measurement.nodata(sentence(said), samples=0.0)
    if recent == 0:
        # Shippers lag and stop; what is left in the window then is the past, not the present (F25).
        start, end = window(query, slot)
        return Measurement.nodata(
            f"{server} has {total} documents in the window, none of them newer than {_clock((start + end) / 2)}: "
            "the log shipper lags or has stopped",
            samples=float(total),
        )
    return Measurement(value=matches / total, samples=float(total))


def read_field_caps(body: Any) -> dict[str, frozenset[str]]:
    """The types of each field, from the answer of ``_field_caps``. Raises AnswerError."""
    fields = _at(body, "fields")
    if not isinstance(fields, dict) or not all(isinstance(types, dict) for types in fields.values()):
        raise _other_shape()
    return {name: frozenset(types) - {"unmapped"} for name, types in fields.items()}


def read_refusal(status: int, body: Any) -> AnswerError:
    """What an error status says, whatever its body is."""
    error = body.get("error") if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return refusal(status, quote(str(error)) if error else "")
    root = error.get("root_cause")
    causes = [*(root if isinstance(root, list) else ()), error.get("caused_by"), error]
    for cause in causes:
        match cause:
            case {"type": str(kind), "reason": str(reason)} if reason:
                return refusal(status, f"{quote(kind)}: {quote(reason)}")
            case _:
                continue
    return refusal(status, quote(str(error.get("type", ""))))


def _lucene(text: str) -> Json:
    return {"query_string": {"query": text}}


def _all(*filters: Json) -> Json:
    return {"bool": {"filter": list(filters)}}


def _span(field: str, start: float, end: float) -> Json:
    return {"range": {field: {"gte": _milliseconds(start), "lt": _milliseconds(end), "format": "epoch_millis"}}}


def _milliseconds(instant: float) -> int:
    return round(instant * 1000)


def _filled(piece: Any, names: Mapping[str, str]) -> Any:
    match piece:
        case str():
            return fill(piece, names)
        case dict():
            return {key: _filled(value, names) for key, value in piece.items()}
        case list():
            return [_filled(value, names) for value in piece]
        case _:
            return piece


def _whole(body: Any) -> int:
    """The number of documents in the window, from an answer that all shards had their part in."""
    timed_out, relation = _at(body, "timed_out"), _at(body, "hits", "total", "relation")
    found = _integer(body, "hits", "total", "value")
    shards, successful, failed = (_integer(body, "_shards", key) for key in ("total", "successful", "failed"))
    if not isinstance(timed_out, bool) or not isinstance(relation, str):
        raise _other_shape()
    if timed_out:
        raise AnswerError("ran out of time and answered a part of the truth (timed_out)")
    if failed or successful != shards:
        raise AnswerError(f"answered from {successful} of {shards} shards{_shard_failure(body)}")
    if shards == 0:
        raise AnswerError("searched no index at all; does the index exist?")
    if relation != "eq":
        raise AnswerError("answered with a capped total of hits")
    return found


def _shard_failure(body: Mapping[str, Any]) -> str:
    match body["_shards"]:
        case {"failures": [{"reason": {"type": str(kind), "reason": str(reason)}}, *_]}:
            return f": {quote(kind)}: {quote(reason)}"
        case _:
            return ""


def _count(body: Any, name: str) -> int:
    return _integer(body, "aggregations", name, "doc_count")


def _integer(body: Any, *path: str) -> int:
    value = _at(body, *path)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _other_shape()
    return value


def _at(body: Any, *path: str) -> Any:
    for key in path:
        if not isinstance(body, dict) or key not in body:
            raise _other_shape()
        body = body[key]
    return body


def _check_order(*counts: int) -> None:
    if list(counts) != sorted(counts):
        raise AnswerError(f"answered counts that contradict each other ({' > '.join(map(str, counts))})")


def _clock(instant: float) -> str:
    return f"{datetime.fromtimestamp(instant, UTC):%H:%M:%S} UTC"


def _other_shape() -> AnswerError:
    return AnswerError("answered JSON of another shape than a search has")
