"""Which series a selector picks.

Law: pure; a label that is absent is a label with an empty value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import promql_parser as parser

from watchdog.sim.prometheus.values import NAME, ErrorKind, PromQLError, not_simulated


def wanted(node: Any) -> Callable[[Mapping[str, str]], bool]:
    """The predicate of a selector over labels; raises PromQLError."""
    if node.matchers.or_matchers:
        message = 'invalid parameter "query": unknown position: parse error: unexpected identifier "or"'
        raise PromQLError(ErrorKind.BAD_DATA, message)
    checks = [_check(matcher.name, matcher.op, matcher.value) for matcher in node.matchers.matchers]
    if node.name:
        checks.append(_check(NAME, parser.MatchOp.Equal, node.name))
    return lambda labels: all(check(labels) for check in checks)


def _check(name: str, op: Any, value: str) -> Callable[[Mapping[str, str]], bool]:
    if op in (parser.MatchOp.Equal, parser.MatchOp.NotEqual):
        return lambda labels: (labels.get(name, "") == value) == (op == parser.MatchOp.Equal)
    try:
        pattern = re.compile(value, re.DOTALL)
    except re.error as error:
        raise not_simulated(f"the regular expression {value}") from error
    return lambda labels: bool(pattern.fullmatch(labels.get(name, ""))) == (op == parser.MatchOp.Re)


def milliseconds(delta: timedelta) -> int:
    """A duration of the parser's tree."""
    return round(delta.total_seconds() * 1000)
