"""What does not fit together in a rule that compares with a baseline."""

import re
from collections.abc import Iterator

from watchdog.core.rules.checks.windowed import check_windowed
from watchdog.core.rules.kinds import Comparison
from watchdog.core.rules.language import Rule
from watchdog.core.rules.lint import colorless_promql
from watchdog.core.rules.problem import Finding

_A_RATE = re.compile(r"\b(rate|irate|deriv)\s*(?=\()")


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
