"""What ``burn_rate:`` may ask: how fast an error budget is spent, over pairs of windows.

Law: errors and requests are summed in each window and divided then; a pair trips when both of its windows burn faster
than its factor, the rule when one of its pairs does.

After the SRE workbook, "Alerting on SLOs": to spend ``budget`` of the whole budget within the long window takes a burn
rate of ``budget · period / long``.
"""

from __future__ import annotations

from pydantic import Field

from watchdog.core.durations import show_duration
from watchdog.core.rules.strict import Strict
from watchdog.core.rules.values import PositiveSeconds, Share, WindowedQuery

SHORT_SHARE = 12


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
