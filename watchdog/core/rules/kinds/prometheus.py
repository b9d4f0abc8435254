"""What ``prometheus:`` may ask: one value from one PromQL expression.

Law: the expression yields a value; the comparison is the rule's threshold.
"""

from __future__ import annotations

from watchdog.core.rules.strict import Strict
from watchdog.core.rules.values import PositiveSeconds, QueryText

MAX_AGE = 120.0
"""Seconds that the newest sample may be old unless a rule or the settings say otherwise: two scrapes of a minute."""


class PrometheusQuery(Strict):
    """A PromQL expression that yields one value."""

    expr: QueryText
    """The expression. It yields a value; the comparison is the rule's threshold."""
    absent_is_zero: bool = False
    """An empty answer is 0 when min_samples shows that there were requests."""
    max_age: PositiveSeconds | None = None
    """How old the newest sample of each series may be. Leave it out for the source's own, which is 2m by default."""
