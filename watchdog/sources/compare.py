"""Counts the requests of a comparing rule: those of the color, and those of its baseline.

Law: what is asked for a slot is the newest whole window before it, so that every slot of a window, and every replica,
counts the same requests.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from watchdog.core.durations import show_duration
from watchdog.core.eprocess import Counts
from watchdog.core.model import Measurement, Outcome
from watchdog.core.placeholders import fill
from watchdog.core.rules.kinds import Comparison
from watchdog.core.rules.language import Rule
from watchdog.sources.envelope import Reading

HISTORY_WINDOWS = 60
_EACH = 3  # questions about one part of the baseline: errors, requests, dispersion


class Prometheus(Protocol):
    """Answers several expressions, each at its own instant."""

    async def read(self, questions: Sequence[tuple[str, float]]) -> list[Reading]:
        """A reading for each question, all within one deadline."""
        ...


class ComparingSource:
    """Counts for the rules of one target."""

    def __init__(self, prometheus: Prometheus, *, colors: tuple[str, str]) -> None:
        self._prometheus = prometheus
        self._colors = colors

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:
        """The counts of the newest whole window before the slot (Unix seconds)."""
        compare = rule.compare
        if compare is None:
            return Measurement.error(f"rule {rule.alert} compares nothing")
        end = slot - slot % compare.window
        names = {"namespace": namespace, "window": show_duration(compare.window)}
        own = [(fill(expr, {**names, "color": color}), end) for expr in (compare.error_expr, compare.total_expr)]
        others = self._baseline(compare, color)
        at = end - (compare.offset or 0.0)
        asked = [question for other in others for question in _questions(compare, {**names, "color": other}, at)]
        readings = await self._prometheus.read([*own, *asked])
        return to_measurement(compare, readings, end=end, color=color)

    def _baseline(self, compare: Comparison, color: str) -> tuple[str, ...]:
        """The colors that the baseline is made of: an offset reaches into the time of whichever was active then."""
        return self._colors if compare.baseline == "offset" else tuple(each for each in self._colors if each != color)


def to_measurement(compare: Comparison, readings: Sequence[Reading], *, end: float, color: str) -> Measurement:
    """Counts that are still to be compared, from the readings of the color and of each part of its baseline."""
    if failed := next((reading for reading in readings if reading.error), None):
        return failed.failed()
    errors, requests, *rest = map(_number, readings)
    parts = [rest[first : first + _EACH] for first in range(0, len(rest), _EACH)]
    control_requests = sum(part[1] or 0.0 for part in parts)
    known = [part[0] for part in parts if part[0] is not None]
    if requests is None or (errors is None and not compare.absent_is_zero):
        return Measurement.nodata(f"there are no series of {color} in the window", samples=requests)
    if not requests > 0 or not control_requests > 0:
        idle = color if not requests > 0 else f"the baseline ({compare.baseline})"
        return Measurement(
            failure=Outcome.INSUFFICIENT, samples=requests, reason=f"{idle} has no requests in the window"
        )
    if not known and not compare.absent_is_zero:
        return Measurement.nodata(f"there is no series of errors of the baseline ({compare.baseline})")
    counts = Counts(
        end=end,
        errors=errors or 0.0,
        requests=requests,
        control_errors=sum(known),
        control_requests=control_requests,
        dispersion=max(compare.dispersion, *(part[2] or 0.0 for part in parts)),
    )
    return Measurement(failure=Outcome.INSUFFICIENT, samples=requests, counts=counts, reason="not compared yet")


def _questions(compare: Comparison, names: Mapping[str, str], at: float) -> list[tuple[str, float]]:
    """Errors and requests of a part of the baseline, and the dispersion of its errors in the windows before."""
    errors, requests = (fill(expr, names) for expr in compare.baseline_exprs)
    step = show_duration(compare.window)
    # The line break ends a comment.
    history = f"({errors}\n)[{show_duration(compare.window * HISTORY_WINDOWS)}:{step}]"
    dispersion = f"stdvar_over_time({history}) / avg_over_time({history})"
    return [(errors, at), (requests, at), (dispersion, at - compare.window)]


def _number(reading: Reading) -> float | None:
    """A number of requests or of errors an event; None for nothing, and for what cannot be one."""
    value = reading.value
    return value if value is not None and 0 <= value < math.inf else None
