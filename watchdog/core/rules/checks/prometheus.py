"""What does not fit together in a rule on a PromQL expression."""

from collections.abc import Iterator

from watchdog.core.rules.kinds import PrometheusQuery
from watchdog.core.rules.language import Rule
from watchdog.core.rules.problem import Finding

_COUNTED = "min_samples: {expr: sum(increase(…[2m])), value: 200}"


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
