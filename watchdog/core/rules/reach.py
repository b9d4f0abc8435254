"""How far back a rule's evidence reaches, and how long after a switch or a new revision it is not looked at therefore.

Law: unless its author says otherwise, what is held against a release is wholly newer than it: neither the release
before, nor the time in which nobody used this one, is part of a value that can roll it back.
"""

from __future__ import annotations

from watchdog.core.placeholders import fill
from watchdog.core.rules.kinds import (
    BurnRate,
    Comparison,
    ElasticsearchQuery,
    HttpProbe,
    Kind,
    KubernetesCheck,
    PrometheusQuery,
)
from watchdog.core.rules.kinds.prometheus import MAX_AGE
from watchdog.core.rules.language import Rule
from watchdog.core.rules.reads import reach_of_promql

_ANY = {"color": "a", "namespace": "a"}
"""What stands for the placeholders: how far back an expression looks does not depend on them."""


def delay_of(rule: Rule) -> float:
    """For how many seconds a rule is not looked at: its ``initial_delay``, or until its evidence is all new."""
    return reach_of(rule) if rule.initial_delay is None else rule.initial_delay


def reach_of(rule: Rule) -> float:
    """Seconds from a slot back to the oldest sample, document or restart that may be part of the rule's value."""
    asked = [_reach_of_kind(kind) for kind in rule.kinds.values()]
    if rule.min_samples is not None and rule.min_samples.expr is not None:
        asked.append(_reach_of_promql(rule.min_samples.expr, None))
    return max(asked, default=0.0)


def _reach_of_kind(kind: Kind) -> float:
    match kind:
        case PrometheusQuery(expr=expr, max_age=max_age):
            return _reach_of_promql(expr, max_age)
        case ElasticsearchQuery(timeframe=timeframe, query_delay=query_delay):
            return timeframe + query_delay
        case BurnRate(pairs=pairs):
            # A pair trips only while its short window burns too: that one shows whose errors they are.
            return max(pair.short_window for pair in pairs)
        case Comparison(window=window):
            # The newest whole window of a slot can have ended almost a window ago.
            return 2 * window
        case KubernetesCheck(count="restarts", window=window):
            return window
        case KubernetesCheck() | HttpProbe():
            return 0.0


def _reach_of_promql(expr: str, max_age: float | None) -> float:
    return reach_of_promql(fill(expr, _ANY), look_back=MAX_AGE if max_age is None else max_age)
