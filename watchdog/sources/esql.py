"""Builds the ES|QL request of a log rule, and reads what Elasticsearch answers.

Law: pure. One row with one number, or with a value and its samples; an answer of fewer shards than there are is no
evidence.
"""

import math
from collections.abc import Mapping
from typing import Any

from watchdog.core.model import Measurement
from watchdog.core.placeholders import fill
from watchdog.core.rules.kinds import ElasticsearchQuery
from watchdog.sources.answer import AnswerError, quote
from watchdog.sources.search import Json, narrowing

_VALUE, _SAMPLES = "value", "samples"


def build_esql(search: ElasticsearchQuery, names: Mapping[str, str], *, slot: float) -> Json:
    """The body of the request. The window and ``filter`` narrow what the query reads, before it does anything."""
    return {"query": fill(search.esql or "", names), "filter": narrowing(search, names, slot=slot)}


def read_esql(body: Any, *, needs_samples: bool, server: str) -> Measurement:
    """The measurement of a rule from the body of an answer. Raises AnswerError."""
    match body:
        case {"columns": [*columns], "values": [*rows]}:
            named = [_name(column) for column in columns]
        case _:
            raise _other_shape()
    if body.get("is_partial", False) is not False:
        raise AnswerError("answered a partial result, a part of the truth (is_partial)")
    if not rows:
        return Measurement.nodata(f"{server} has no row for the query in the window")
    if len(rows) > 1 or not isinstance(rows[0], list) or len(rows[0]) != len(named):
        raise AnswerError(f"answered {len(rows)} rows where one is expected; aggregate with STATS, without BY")
    found = dict(zip(named, rows[0], strict=True))
    if set(found) != {_VALUE, _SAMPLES} and len(named) != 1:
        shown = ", ".join(quote(name) for name in named)
        raise AnswerError(f"answered the columns {shown}; yield one, or {_VALUE} and {_SAMPLES}")
    if needs_samples and _SAMPLES not in found:
        raise AnswerError(f"answered no column {_SAMPLES}, which min_samples needs; add {_SAMPLES} = COUNT(*)")
    samples = _number(found[_SAMPLES]) if len(named) > 1 else None
    value = _number(found[_VALUE] if len(named) > 1 else rows[0][0])
    if value is None:
        return Measurement.nodata(f"{server} answered null: nothing was counted in the window", samples=samples)
    return Measurement(value=value, samples=samples)


def _name(column: Any) -> str:
    match column:
        case {"name": str(name)}:
            return name
        case _:
            raise _other_shape()


def _other_shape() -> AnswerError:
    return AnswerError("answered JSON of another shape than ES|QL has")


def _number(given: Any) -> float | None:
    if given is None:
        return None
    if not isinstance(given, int | float) or isinstance(given, bool) or not math.isfinite(given):
        raise AnswerError(f"answered {quote(str(given))!r} where a number is expected")
    return float(given)
