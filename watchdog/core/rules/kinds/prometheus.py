"""What ``prometheus:`` may ask: one value from one PromQL expression.

Law: the expression yields a value; the comparison is the rule's threshold.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from watchdog.core.rules.problem import Finding
from watchdog.core.rules.strict import Strict
from watchdog.core.rules.values import PositiveSeconds, QueryText

if TYPE_CHECKING:
    from watchdog.core.rules.language import Rule

MAX_AGE = 120.0
"""Seconds that the newest sample may be old unless a rule or the settings say otherwise: two scrapes of a minute."""
_COUNTED = "min_samples: {expr: sum(increase(…[2m])), value: 200}"


class PrometheusQuery(Strict):
    """A PromQL expression that yields one value."""

    expr: QueryText
    """The expression. It yields a value; the comparison is the rule's threshold."""
    absent_is_zero: bool = False
    """An empty answer is 0 when min_samples shows that there were requests."""
    max_age: PositiveSeconds | None = None
    """How old the newest sample of each series may be. Leave it out for the source's own, which is 2m by default."""


def check_prometheus(rule: Rule, query: PrometheusQuery) -> Iterator[Finding]:
    """What does not fit together in such a rule; the paths begin at the rule."""
    yield from check_counter(rule)
    if query.absent_is_zero and rule.min_samples is None:
        message = f"an empty answer is 0 only if requests are known to have come; add {_COUNTED}"
        yield Finding(path=("prometheus", "absent_is_zero"), code="R213", message=message)


def check_counter(rule: Rule) -> Iterator[Finding]:
    """What is missing where samples are counted by an expression."""
    if rule.min_samples is not None and rule.min_samples.expr is None:
        message = f"a number alone does not say how to count requests; write {_COUNTED}"
        yield Finding(path=("min_samples",), code="R213", message=message)
