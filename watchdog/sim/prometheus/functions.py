"""The numbers behind PromQL: rate, sums, quantiles.

Law: pure, and float for float what Prometheus 3.14 computes. The sources are promql/functions.go
(``extrapolatedRate``), promql/quantile.go (``BucketQuantile``) and util/kahansum of github.com/prometheus/prometheus.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

Point = tuple[int, float]
_SMALL_DELTA = 1e-12
_NEXT_SAMPLE_FACTOR = 1.1


def extrapolated_increase(points: Sequence[Point], *, start: int, end: int) -> float | None:
    """The increase of a counter over the left-open range ``(start, end]`` of milliseconds; None for too few samples.

    As ``extrapolatedRate`` with isCounter: resets are added back; the slope is drawn out to both ends of the range
    where the nearest sample is at most 1.1 average spacings away, by half a spacing where it is not, and never to
    before the instant at which the counter would have been zero. ``rate`` is this divided by the range.
    """
    factor = _extrapolation(points, start=start, end=end)
    return None if factor is None else _raw_increase(points) * factor


def extrapolated_rate(points: Sequence[Point], *, start: int, end: int) -> float | None:
    """The increase per second: the factor is divided first, so that the last bit is the same too."""
    factor = _extrapolation(points, start=start, end=end)
    return None if factor is None else _raw_increase(points) * (factor / ((end - start) / 1000))


def _raw_increase(points: Sequence[Point]) -> float:
    increase = points[-1][1] - points[0][1]
    for (_, before), (_, after) in pairwise(points):
        if after < before:
            increase += before
    return increase


def _extrapolation(points: Sequence[Point], *, start: int, end: int) -> float | None:
    if len(points) < 2:  # noqa: PLR2004 - a slope needs two
        return None
    (first_at, first), (last_at, _) = points[0], points[-1]
    increase = _raw_increase(points)
    sampled = (last_at - first_at) / 1000
    spacing = sampled / (len(points) - 1)
    to_start, to_end = (first_at - start) / 1000, (end - last_at) / 1000
    threshold = spacing * _NEXT_SAMPLE_FACTOR
    if to_start >= threshold:
        to_start = spacing / 2
    if increase > 0 and first >= 0:
        to_start = min(to_start, sampled * (first / increase))
    if to_end >= threshold:
        to_end = spacing / 2
    return (sampled + to_start + to_end) / sampled


def kahan_sum(values: Iterable[float]) -> float:
    """The sum by Neumaier's variant of Kahan's summation."""
    total, correction = _kahan(values)
    return total + correction


def mean(values: Sequence[float]) -> float:
    """The average; incremental from the value on with which the sum would overflow."""
    total, correction = _kahan(values)
    if not math.isinf(total) or any(map(math.isinf, values)):
        return total / len(values) + correction / len(values)
    average, correction = 0.0, 0.0
    for count, value in enumerate(values, start=1):
        kept = (count - 1) / count
        average, correction = _kahan_add(value / count, kept * average, kept * correction)
    return average + correction


def _kahan(values: Iterable[float]) -> tuple[float, float]:
    total, correction = 0.0, 0.0
    for value in values:
        total, correction = _kahan_add(value, total, correction)
    return total, correction


def _kahan_add(value: float, total: float, correction: float) -> tuple[float, float]:
    new = total + value
    if math.isinf(new):
        return new, 0.0
    if abs(total) >= abs(value):
        return new, correction + ((total - new) + value)
    return new, correction + ((value - new) + total)


def smallest(values: Iterable[float]) -> float:
    """The minimum; NaN only when there is nothing else."""
    return min((value for value in values if not math.isnan(value)), default=math.nan)


def greatest(values: Iterable[float]) -> float:
    """The maximum; NaN only when there is nothing else."""
    return max((value for value in values if not math.isnan(value)), default=math.nan)


def bucket_quantile(share: float, buckets: Iterable[Point | tuple[float, float]]) -> float:
    """The value below which that share of observations lies; buckets are pairs of upper bound and cumulative count."""
    if math.isnan(share):
        return math.nan
    if not 0 <= share <= 1:
        return math.copysign(math.inf, share)
    merged = _monotonic(_coalesced(sorted(buckets)))
    if not merged or merged[-1][0] != math.inf or len(merged) < 2 or merged[-1][1] == 0:  # noqa: PLR2004
        return math.nan
    rank = share * merged[-1][1]
    place = next((n for n, (_, count) in enumerate(merged[:-1]) if count >= rank), len(merged) - 1)
    bound, count = merged[place]
    if place == len(merged) - 1:
        return merged[-2][0]
    if place == 0:
        return bound if bound <= 0 else bound * (rank / count if count else math.nan)
    lower, below = merged[place - 1]
    return lower + (bound - lower) * ((rank - below) / (count - below))


def _coalesced(buckets: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for bound, count in buckets:
        if merged and merged[-1][0] == bound:
            merged[-1] = (bound, merged[-1][1] + count)
        else:
            merged.append((bound, count))
    return merged


def _monotonic(buckets: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Counts never fall, and differences that are only rounding are none."""
    fixed: list[tuple[float, float]] = []
    before = 0.0
    for place, (bound, count) in enumerate(buckets):
        if place and (count < before or math.isclose(before, count, rel_tol=_SMALL_DELTA)):
            fixed.append((bound, before))
        else:
            fixed.append((bound, count))
            before = count
    return fixed
