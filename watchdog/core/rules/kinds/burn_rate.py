"""What ``burn_rate:`` may ask: how fast an error budget is spent, over pairs of windows.

Law: errors and requests are summed in each window and divided then; a pair trips when both of its windows burn faster
than its factor, the rule when one of its pairs does.

After the SRE workbook, "Alerting on SLOs": to spend ``budget`` of the whole budget within the long window takes a burn
rate of ``budget · period / long``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from watchdog.core.durations import show_duration
from watchdog.core.placeholders import names_in
from watchdog.core.rules.lint import colorless_promql, is_division, no_evidence
from watchdog.core.rules.problem import Finding
from watchdog.core.rules.strict import Strict
from watchdog.core.rules.values import PositiveSeconds, Share, WindowedQuery

if TYPE_CHECKING:
    from watchdog.core.rules.language import Rule

SHORT_SHARE = 12
SLOWEST_ROLLBACK = 6 * 3600.0  # seconds: what a longer window shows is a slow leak, for people to look at


class Pair(Strict):
    """A long window that proves that it matters, and a short one that proves that it still goes on."""

    long: PositiveSeconds
    """The long window."""
    short: PositiveSeconds | None = None
    """The short window; a twelfth of the long one unless it is said."""
    budget: Share
    """The share of the period's whole error budget that may be spent within the long window."""

    @property
    def short_window(self) -> float:
        """Seconds."""
        return self.short if self.short is not None else self.long / SHORT_SHARE

    def __str__(self) -> str:
        return f"{show_duration(self.short_window)}/{show_duration(self.long)}"


class BurnRate(Strict):
    """How many times faster than allowed the error budget of an objective is spent."""

    error_expr: WindowedQuery
    """PromQL that yields the failed requests of {{ window }}, as a number or a rate."""
    total_expr: WindowedQuery
    """PromQL that yields all requests of {{ window }}, in the same unit."""
    absent_is_zero: bool = False
    """An empty answer of error_expr is 0 when total_expr shows that there were requests."""
    objective: Share
    """The share of requests that have to succeed, such as 99.9%."""
    max_age: PositiveSeconds | None = None
    """How old the newest sample of each series may be. Leave it out for the source's own, which is 2m by default."""
    period: PositiveSeconds = 30 * 86400.0
    """The time for which the objective is promised."""
    pairs: list[Pair] = Field(min_length=1, max_length=4)
    """The pairs of windows; the rule breaches when one of them does."""

    @property
    def error_budget(self) -> float:
        """The share of requests that may fail."""
        return 1 - self.objective

    @property
    def windows(self) -> tuple[float, ...]:
        """Every window, once, in seconds."""
        return tuple(dict.fromkeys(window for pair in self.pairs for window in (pair.short_window, pair.long)))

    def factor(self, pair: Pair) -> float:
        """The burn rate above which the pair trips."""
        return pair.budget * self.period / pair.long


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


def check_windowed(text: str, path: tuple[str, ...]) -> Iterator[Finding]:
    """What is wrong with an expression that is asked for several windows."""
    if "window" not in names_in(text):
        message = "the expression is the same for every window; put {{ window }} in its range, such as [{{ window }}]"
        yield Finding(path=path, code="R519", message=message)
    if is_division(text):
        message = (
            "the expression is a ratio already, and an average of ratios is not the ratio of the sums; "
            "let it yield a number of requests, and leave the division to the rule"
        )
        yield Finding(path=path, code="R520", message=message)


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
