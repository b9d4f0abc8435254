"""What does not fit together in a rule on a burn rate."""

from collections.abc import Iterator

from watchdog.core.rules.checks.windowed import check_windowed
from watchdog.core.rules.kinds import BurnRate, Pair
from watchdog.core.rules.language import Rule
from watchdog.core.rules.lint import colorless_promql, no_evidence
from watchdog.core.rules.problem import Finding

SLOWEST_ROLLBACK = 6 * 3600.0
"""Seconds: what a longer window shows is a slow leak, for people to look at."""


def check_burn_rate(rule: Rule, burn: BurnRate) -> Iterator[Finding]:
    """What does not fit together in such a rule; the paths begin at the rule."""
    if rule.threshold is not None:
        message = "the pairs say what is too much; remove threshold"
        yield Finding(path=("threshold",), code="R217", message=message, at_key=True)
    for key, text in (("error_expr", burn.error_expr), ("total_expr", burn.total_expr)):
        yield from check_windowed(text, ("burn_rate", key))
    if not 0 < burn.objective < 1:
        message = "an objective of 0% or 100% leaves nothing to measure; write one in between, such as 99.9%"
        yield Finding(path=("burn_rate", "objective"), code="R205", message=message)
        return
    for number, pair in enumerate(burn.pairs):
        yield from (finding.under(("burn_rate", "pairs", number)) for finding in _check_pair(burn, pair))
    if rule.action == "rollback":
        yield from _lint(rule, burn)


def _lint(rule: Rule, burn: BurnRate) -> Iterator[Finding]:
    """What such a rule lacks to roll back."""
    if rule.min_samples is None:
        yield no_evidence("requests", "min_samples: {expr: sum(increase(…[2m])), value: 200}")
    yield from colorless_promql(burn.error_expr, ("burn_rate", "error_expr"))
    for number, pair in enumerate(burn.pairs):
        if pair.long > SLOWEST_ROLLBACK:
            message = (
                "a window of more than 6h shows a slow leak, and rolls back long after its cause; "
                "make a rule of its own of it, with action: alert"
            )
            yield Finding(path=("burn_rate", "pairs", number, "long"), code="R518", message=message)


def _check_pair(burn: BurnRate, pair: Pair) -> Iterator[Finding]:
    if pair.short_window >= pair.long:
        message = "the short window is not shorter than the long one; write a twelfth"
        yield Finding(path=("short",), code="R219", message=message)
    if pair.long > burn.period:
        yield Finding(path=("long",), code="R219", message="the window is longer than period; write a shorter one")
    elif pair.budget == 0:
        message = "0% of the budget is always spent; write how much may be, such as 2%"
        yield Finding(path=("budget",), code="R205", message=message)
    elif burn.factor(pair) * burn.error_budget >= 1:
        message = (
            f"its factor of {burn.factor(pair):g} takes {burn.factor(pair) * burn.error_budget:.0%} of failed requests,"
            " so that the pair never trips; write a smaller budget, or a longer window"
        )
        yield Finding(path=("budget",), code="R517", message=message)
