"""Builds the questions of a burn-rate rule, and reads what Prometheus answers to them.

Law: pure. What people are shown is the burn rate of the pair that is nearest to its factor; a window without requests
says nothing, and hides no pair that trips without it.
"""

import math
from collections.abc import Mapping, Sequence

from watchdog.core.durations import show_duration
from watchdog.core.model import Measurement
from watchdog.core.placeholders import fill
from watchdog.core.rules.kinds import BurnRate, Pair
from watchdog.sources.envelope import Reading, count_of, why_uncounted


def expressions(burn: BurnRate, names: Mapping[str, str]) -> list[str]:
    """The errors and the requests of each window, in turn."""
    return [
        fill(expr, {**names, "window": show_duration(window)})
        for window in burn.windows
        for expr in (burn.error_expr, burn.total_expr)
    ]


def to_measurement(burn: BurnRate, readings: Sequence[Reading], samples: Reading | None, *, server: str) -> Measurement:
    """The burn rate of a rule from the readings of its expressions and of its ``min_samples``."""
    if failed := next((reading for reading in readings if reading.error), None):
        return failed.failed()
    if uncounted := why_uncounted(samples, server=server):
        return uncounted
    count = count_of(samples)
    rates: dict[float, float | None] = {}
    for window, errors, total in zip(burn.windows, readings[::2], readings[1::2], strict=True):
        share = _share(burn, errors.value, total.value)
        if share is not None and not 0 <= share < math.inf:
            return Measurement.error(f"{server} answered {errors.value} errors among {total.value} requests")
        rates[window] = None if share is None else share / burn.error_budget
    burning = [_slower(burn, pair, rates) for pair in burn.pairs]
    known = [each for each in burning if each is not None]
    worst = max(known, key=lambda each: (each.value or 0.0) / (each.limit or math.inf), default=None)
    if worst is None or (len(known) < len(burning) and (worst.value or 0.0) <= (worst.limit or 0.0)):
        empty = ", ".join(show_duration(window) for window, rate in rates.items() if rate is None)
        return Measurement.nodata(f"{server} has no requests in {empty}, or no series of errors", samples=count)
    return Measurement(value=worst.value, limit=worst.limit, samples=count, reason=worst.reason)


def _share(burn: BurnRate, errors: float | None, total: float | None) -> float | None:
    """The share of failed requests, None when there were no requests; whatever is no number is none, too."""
    if total is None or math.isnan(total) or total == 0:
        return None
    if errors is None:
        return 0.0 if burn.absent_is_zero else None
    return None if math.isnan(errors) else errors / total


def _slower(burn: BurnRate, pair: Pair, rates: Mapping[float, float | None]) -> Measurement | None:
    """The slower of a pair's two burn rates: it is above the factor when both are."""
    short, long = rates[pair.short_window], rates[pair.long]
    if short is None or long is None:
        return None
    said = f"{short:.3g} over {show_duration(pair.short_window)} and {long:.3g} over {show_duration(pair.long)}"
    return Measurement(value=min(short, long), limit=burn.factor(pair), reason=f"the error budget burns at {said}")
