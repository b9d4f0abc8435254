"""How far apart two tests are played on one Prometheus, so that none sees the series of one before.

Law: no rule of the tests sees further back than that; where it is not known to the second how far, it is further.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from promql_parser import Expr, MatrixSelector, SubqueryExpr, VectorSelector

from watchdog.core.durations import show_duration
from watchdog.core.placeholders import fill
from watchdog.core.rules.language import Rule
from watchdog.core.rules.promql import parse_promql
from watchdog.core.rules.promql_shape import parts
from watchdog.replay.binding import RuleTest
from watchdog.sources.compare import HISTORY_WINDOWS

LOOK_BACK = 300.0
"""Seconds that Prometheus takes the last sample of a series for its value, unless it was started otherwise."""
_ANY = {"color": "a", "namespace": "a"}


def apart_of(tests: Iterable[RuleTest]) -> float:
    """Seconds between the end of one of these tests and the beginning of the next."""
    return max((_sight_of_rule(rule) for rule in _asking(tests)), default=0.0)


def _asking(tests: Iterable[RuleTest]) -> Iterable[Rule]:
    for test in tests:
        yield from (rule for rule in test.target.rules if test.inputs.get(rule.alert) == "input_series")


def _sight_of_rule(rule: Rule) -> float:
    """Seconds from a slot back to the oldest sample that the rule sees."""
    kind = rule.prometheus or rule.burn_rate or rule.compare
    windows, more = [0.0], (kind.max_age if kind is not None else None) or 0.0
    if rule.burn_rate is not None:
        windows = [*rule.burn_rate.windows]
    elif rule.compare is not None:
        windows = [rule.compare.window]
        more += (rule.compare.offset or 0.0) + (HISTORY_WINDOWS + 2) * rule.compare.window
    names = {**_ANY, "window": show_duration(max(windows))}
    return more + max(_sight(parse_promql(fill(text, names))) for text in rule.expressions.values())


def _sight(node: Expr) -> float:
    below = max(map(_sight, parts(node)), default=0.0)
    match node:
        case VectorSelector():
            return LOOK_BACK + _seconds(node.offset)
        case MatrixSelector():
            return below + _seconds(node.range)
        case SubqueryExpr():
            return below + _seconds(node.range) + _seconds(node.offset)
        case _:
            return below


def _seconds(duration: Any) -> float:
    # A negative offset sees a test that is still to be written.
    return max(0.0, duration.total_seconds()) if isinstance(duration, timedelta) else 0.0
