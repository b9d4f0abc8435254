"""Builds the one search of a log rule, and reads what Elasticsearch answers.

Law: pure. Matches and the documents that they are a share of come from the same search, so both see the same
documents; an answer of fewer shards than there are is no evidence.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from watchdog.core.model import Measurement
from watchdog.core.placeholders import fill
from watchdog.core.rules.kinds import ElasticsearchQuery
from watchdog.sources.answer import AnswerError, quote, refusal
from watchdog.sources.failure import sentence

Json = dict[str, Any]
INGESTED = "event.ingested"
_SURELY_SOME = 10.0  # that none of so many comes by chance: e to the -10


def window(query: ElasticsearchQuery, slot: float) -> tuple[float, float]:
    """The half-open span of document time that a slot looks at, in Unix seconds."""
    end = slot - query.query_delay
    return end - query.timeframe, end


def build_search(query: ElasticsearchQuery, names: Mapping[str, str], *, slot: float, patience: float) -> Json:
    """The body of the search; ``patience`` is how many seconds the server may spend on it."""
    start, end = window(query, slot)
    time = query.timestamp_field
    whole = {"match_all": {}} if query.ratio_of is None else _lucene(fill(query.ratio_of, names))
    matches = {"matches": {"filter": _matching(query, names)}}
    counts = {
        "window": {"filter": _span(time, start, end), "aggs": matches},
        "recent": {"filter": _span(time, (start + end) / 2, slot)},
        "newest": {"max": {"field": time}},
        "ingested": {"max": {"field": INGESTED}},
    }
    # Up to the slot, and not to the window's end: what came since shows whether the window is complete.
    filters = [_span(time, start, slot), *(_filled(one, names) for one in query.filter)]
    return {
        "size": 0,
        "track_total_hits": True,
        "timeout": f"{max(1, round(patience * 1000))}ms",
        "query": _all(*filters),
        # Nothing is sorted; but a time stamp field that does not exist is an error then, and not a count of 0 for ever.
        "sort": [{time: "desc"}],
        "aggs": {"whole": {"filter": whole, "aggs": counts}},
    }


def narrowing(query: ElasticsearchQuery, names: Mapping[str, str], *, slot: float) -> Json:
    """What every document that counts has to match: the window, and the filters of the rule."""
    start, end = window(query, slot)
    return _all(_span(query.timestamp_field, start, end), *(_filled(one, names) for one in query.filter))


def read_search(body: Any, query: ElasticsearchQuery, *, slot: float, server: str) -> Measurement:
    """The measurement of a rule from the body of an answer. Raises AnswerError."""
    found = _whole(body)
    whole = _at(body, "aggregations", "whole")
    everything, recent = _integer(whole, "doc_count"), _integer(whole, "recent", "doc_count")
    total, matches = _integer(whole, "window", "doc_count"), _integer(whole, "window", "matches", "doc_count")
    _check_order(matches, total, everything, found)
    _check_order(recent, everything)
    samples = None if query.ratio_of is None else float(total)
    said = _why_empty(query) if total == 0 else _why_late(whole, query, slot=slot, total=total, recent=recent)
    if said:
        return Measurement.nodata(sentence(f"{server} {said}"), samples=samples)
    return Measurement(value=float(matches) if samples is None else matches / samples, samples=samples)


def _why_empty(query: ElasticsearchQuery) -> str:
    if query.ratio_of is not None:
        return f"has no document of ratio_of '{quote(query.ratio_of)}' in the window"
    return "has no document in the window that filter lets pass, be it of the query or not"


def _why_late(whole: Any, query: ElasticsearchQuery, *, slot: float, total: int, recent: int) -> str:
    """Why the window is not complete; "" when it is: shippers lag and stop, and what they left is the past (F25)."""
    start, end = window(query, slot)
    if recent == 0:
        middle = _clock((start + end) / 2)
        return f"has {total} documents in the window, and none newer than {middle}: the log shipper lags or has stopped"
    newest, ingested = _instant(whole, "newest"), _instant(whole, "ingested")
    if newest is None:
        raise _other_shape()
    if ingested is not None and ingested - newest > query.query_delay:
        return f"got its newest document {ingested - newest:.0f} s late, and query_delay is {query.query_delay:g} s"
    # At the pace of the window there would be so many since its end; if there is none of them, they are on their way.
    expected = total * query.query_delay / query.timeframe
    if newest < end and expected >= _SURELY_SOME:
        age = f"{slot - newest:.0f} s"
        return f"has no document of the last {age}: they come later than query_delay, {query.query_delay:g} s"
    return ""


def _instant(whole: Any, name: str) -> float | None:
    """Unix seconds of a time that was looked for, None when no document has it."""
    value = _at(whole, name, "value")
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise _other_shape()
    return value / 1000


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


def _matching(query: ElasticsearchQuery, names: Mapping[str, str]) -> Json:
    """The clause of the rule, in the language that it is written in."""
    if query.dsl is not None:
        clause: Json = _filled(query.dsl, names)
        return clause
    if query.kql is not None:
        return {"kql": {"query": fill(query.kql, names)}}
    return _lucene(fill(query.query or "", names))


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
