"""Reads what Prometheus answers to an instant query, and makes the measurement of a rule from it.

Law: pure. One number, nothing, or an error: several series, warnings, a text or a matrix are never a value.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from watchdog.core.model import Measurement, Trouble
from watchdog.core.rules.kinds import PrometheusQuery
from watchdog.sources.answer import Answer, AnswerError, believe, quote, refusal

_FLOAT = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|NaN|[+-]?Inf", re.ASCII)
_MOST_SERIES_SHOWN = 3
_GREATEST_SHIFT = 1.0  # seconds between the instant asked for and the instant answered for


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """An instant query; ``slot`` is in Unix seconds, ``deadline`` on the monotonic clock.

    Without ``expr`` it asks when the server was started.
    """

    expr: str | None
    slot: float
    deadline: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one query yielded: a value, nothing (both None and ""), or the sentence that says why not.

    ``wait`` is for how many seconds the server asks to be left alone.
    """

    value: float | None = None
    error: str = ""
    trouble: Trouble | None = None
    wait: float = 0.0

    def failed(self, what: str = "") -> Measurement:
        """The measurement that an error makes; ``what`` says of which query."""
        return Measurement.error(f"{what}{self.error}", trouble=self.trouble)


def read_value(answer: Answer, *, at: float) -> float | None:
    """The number that an instant query at ``at`` (Unix seconds) yielded, None for an empty vector.

    NaN and infinities are numbers here; what they mean is the core's to say. Raises AnswerError.
    """
    envelope = believe(answer)
    if not isinstance(envelope, dict):
        raise _other_shape()
    _check_success(answer.status, envelope)
    _check_whole(envelope)
    data = envelope.get("data")
    if not isinstance(data, dict):
        raise _other_shape()
    result = data.get("result")
    match data.get("resultType"):
        case "scalar":
            return _number(result, at=at)
        case "vector" if isinstance(result, list):
            return _only(result, at=at)
        case "matrix" | "string" as kind:
            raise AnswerError(f"answered a {kind} where one number is expected; rewrite the expression")
        case _:
            raise _other_shape()


def read_start(answer: Answer) -> float | None:
    """When the server was started (Unix seconds), from its runtime information. Raises AnswerError."""
    envelope = believe(answer)
    match envelope:
        case {"status": "success", "data": {"startTime": str(text)}}:
            try:
                return datetime.fromisoformat(text).timestamp()
            except (ValueError, OverflowError) as error:
                raise _other_shape() from error
        case _:
            raise _other_shape()


def read_range(answer: Answer) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
    """The series that a range query yielded, each with pairs of Unix seconds and number. Raises AnswerError."""
    envelope = believe(answer)
    if not isinstance(envelope, dict):
        raise _other_shape()
    _check_success(answer.status, envelope)
    _check_whole(envelope)
    match envelope.get("data"):
        case {"resultType": "matrix", "result": list(series)}:
            return [_samples(one) for one in series]
        case _:
            raise _other_shape()


def _samples(one: Any) -> tuple[dict[str, str], list[tuple[float, float]]]:
    match one:
        case {"histograms": list()}:
            raise AnswerError("answered a histogram where one number is expected; apply histogram_quantile or the like")
        case {"metric": dict(metric), "values": list(pairs)}:
            return {str(key): str(value) for key, value in metric.items()}, [_pair(pair) for pair in pairs]
        case _:
            raise _other_shape()


def _pair(pair: Any) -> tuple[float, float]:
    match pair:
        case [int() | float() as instant, str(text)] if _FLOAT.fullmatch(text):
            return float(instant), float(text)
        case _:
            raise _other_shape()


def to_measurement(query: PrometheusQuery, *, value: Reading, samples: Reading | None, server: str) -> Measurement:
    """The measurement of a rule. ``samples`` is the reading of ``min_samples.expr``, None when there is none.

    Whether there are enough of them is not asked here: few requests without an error are few, and not no data.
    """
    if value.error:
        return value.failed()
    if (failed := why_uncounted(samples, server=server)) is not None:
        return failed
    count = count_of(samples)
    if value.value is not None:
        return Measurement(value=value.value, samples=count)
    if query.absent_is_zero and count is not None and count > 0:
        return Measurement(value=0.0, samples=count)
    return Measurement.nodata(f"{server} has no series for the expression at this instant", samples=count)


def count_of(samples: Reading | None) -> float | None:
    """How many samples were counted, None when nobody asked."""
    return None if samples is None else (samples.value or 0.0)


def why_uncounted(samples: Reading | None, *, server: str) -> Measurement | None:
    """The error that it is when the samples are no number; None when they are, or nobody asked."""
    if samples is not None and samples.error:
        return samples.failed("min_samples: ")
    count = count_of(samples)
    if count is not None and not math.isfinite(count):
        # NaN would pass every comparison with the minimum.
        return Measurement.error(f"min_samples: {server} answered {count}, which is no number of samples")
    return None


def _check_success(status: int, envelope: Mapping[str, Any]) -> None:
    said = envelope.get("status")
    if status == HTTPStatus.OK and said == "success":
        return
    details = [quote(part) for key in ("errorType", "error") if isinstance(part := envelope.get(key), str)]
    if status == HTTPStatus.OK and said != "error":
        raise _other_shape()
    raise refusal(status, ": ".join(details))


def _check_whole(envelope: Mapping[str, Any]) -> None:
    warnings = envelope.get("warnings")
    if warnings:
        shown = "; ".join(map(str, warnings)) if isinstance(warnings, list) else str(warnings)
        raise AnswerError(f"answered with warnings, a part of the truth: {quote(shown)}")
    if envelope.get("isPartial"):  # VictoriaMetrics
        raise AnswerError("answered a partial result, a part of the truth")


def _only(series: list[Any], *, at: float) -> float | None:
    if not series:
        return None
    if len(series) > 1:
        raise _several(series)
    (only,) = series
    if not isinstance(only, dict):
        raise _other_shape()
    if "histogram" in only:
        raise AnswerError("answered a histogram where one number is expected; apply histogram_quantile or the like")
    return _number(only.get("value"), at=at)


def _number(pair: Any, *, at: float) -> float:
    match pair:
        case [int() | float() as instant, str(text)] if _FLOAT.fullmatch(text):
            if not abs(instant - at) <= _GREATEST_SHIFT:
                raise AnswerError(f"answered for another instant ({instant - at:+.3f} s from the one asked for)")
            return float(text)
        case _:
            raise _other_shape()


def _several(series: list[Any]) -> AnswerError:
    shown = " and ".join(_labels(one) for one in series[:_MOST_SERIES_SHOWN])
    more = " and others" if len(series) > _MOST_SERIES_SHOWN else ""
    return AnswerError(
        f"answered {len(series)} series where one is expected; aggregate with sum() or max(). They are {shown}{more}"
    )


def _labels(one: Any) -> str:
    metric = one.get("metric") if isinstance(one, dict) else None
    if not isinstance(metric, dict):
        raise _other_shape()
    return quote("{" + ", ".join(f'{name}="{value}"' for name, value in sorted(metric.items())) + "}")


def _other_shape() -> AnswerError:
    return AnswerError("answered JSON of another shape than Prometheus' API has; is the URL right?")
