"""What ``compare:`` may ask: whether the active color fails more than something that it can be measured by.

Law: what is compared with has to be said, for after a full switch there is nothing beside the active color by itself;
the windows do not overlap, so that no request is counted twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from watchdog.core.rules.kinds.burn_rate import check_windowed
from watchdog.core.rules.lint import colorless_promql
from watchdog.core.rules.problem import Finding
from watchdog.core.rules.strict import Strict
from watchdog.core.rules.values import PositiveSeconds, WindowedQuery

if TYPE_CHECKING:
    from watchdog.core.rules.language import Rule

_A_RATE = re.compile(r"\b(rate|irate|deriv)\s*(?=\()")


class Comparison(Strict):
    """The share of failed requests of the active color against that of a baseline."""

    error_expr: WindowedQuery
    """PromQL that yields the number of failed requests of {{ window }}."""
    total_expr: WindowedQuery
    """PromQL that yields the number of all requests of {{ window }}."""
    absent_is_zero: bool = False
    """An empty answer of error_expr is 0 when total_expr shows that there were requests."""
    baseline: Literal["concurrent", "preview", "offset"]
    """concurrent: the other color, which has a part of the same traffic; preview: the other color, by what it shows
    under preview traffic; offset: the past of both colors together."""
    baseline_error_expr: WindowedQuery | None = None
    """Of preview: PromQL for the failed requests of the preview traffic, {{ color }} being the other color."""
    baseline_total_expr: WindowedQuery | None = None
    """Of preview: PromQL for all requests of the preview traffic."""
    offset: PositiveSeconds | None = None
    """Of offset: how long ago the baseline was, such as 1d or 1w."""
    window: PositiveSeconds = 60.0
    """How much time is counted at once; at least four scrapes."""
    max_age: PositiveSeconds | None = None
    """How old the newest sample of each series may be at the end of the window. Leave it out for the source's own, but
    at most half of the window."""
    dispersion: float = Field(default=1.0, ge=1, le=100)
    """The least number of errors that come as one event; more when the baseline's last hour shows more."""

    @property
    def baseline_exprs(self) -> tuple[str, str]:
        """Errors and requests of the baseline."""
        return self.baseline_error_expr or self.error_expr, self.baseline_total_expr or self.total_expr


def check_comparison(rule: Rule, compare: Comparison) -> Iterator[Finding]:
    """What does not fit together in such a rule; the paths begin at the rule."""
    if rule.threshold is not None:
        message = "how strong the evidence has to be is fixed, so that false alarms are rare; remove threshold"
        yield Finding(path=("threshold",), code="R217", message=message, at_key=True)
    for key in ("error_expr", "total_expr", "baseline_error_expr", "baseline_total_expr"):
        if (text := getattr(compare, key)) is not None:
            yield from check_windowed(text, ("compare", key))
            if _A_RATE.search(text):
                message = "a rate is no number of requests; write increase(…[{{ window }}])"
                yield Finding(path=("compare", key), code="R521", message=message)
    yield from _check_baseline(compare)
    if rule.action == "rollback":
        yield from colorless_promql(compare.error_expr, ("compare", "error_expr"))
        yield from colorless_promql(compare.total_expr, ("compare", "total_expr"))


def _check_baseline(compare: Comparison) -> Iterator[Finding]:
    needed = {"preview": ("baseline_error_expr", "baseline_total_expr"), "offset": ("offset",)}
    examples = {
        "baseline_error_expr": 'baseline_error_expr: sum(increase(…{color="{{ color }}"}[{{ window }}]))',
        "baseline_total_expr": 'baseline_total_expr: sum(increase(…{color="{{ color }}"}[{{ window }}]))',
        "offset": "offset: 1d",
    }
    for key, example in examples.items():
        is_needed, is_there = key in needed.get(compare.baseline, ()), getattr(compare, key) is not None
        if is_needed and not is_there:
            message = f"baseline: {compare.baseline} needs {key}; add {example}"
            yield Finding(path=("compare", "baseline"), code="R218", message=message)
        if is_there and not is_needed:
            message = f"baseline: {compare.baseline} has no use for {key}; remove it"
            yield Finding(path=("compare", key), code="R218", message=message, at_key=True)
    if compare.offset is not None and compare.offset < compare.window:
        message = "the baseline would overlap with what is compared; write at least the window, such as 1d"
        yield Finding(path=("compare", "offset"), code="R218", message=message)
