"""Which series a PromQL expression reads, and how far back.

Law: pure. A selector is named here only if the newest of its samples has to be new for the expression's value to be
evidence of now: one with ``offset`` or ``@`` is about the past by its author's will.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from promql_parser import (
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    MatrixSelector,
    ParenExpr,
    SubqueryExpr,
    UnaryExpr,
    VectorSelector,
)

from watchdog.core.rules.promql import parse_promql
from watchdog.core.rules.promql_error import PromqlError
from watchdog.core.rules.promql_shape import parts, written_matcher, written_matchers

_ABSENCE = frozenset({"absent", "absent_over_time"})


@dataclass(frozen=True, slots=True)
class Selector:
    """Series by their matchers, each written as in PromQL. Without ``is_needed`` there may be none at all."""

    matchers: frozenset[str]
    is_needed: bool = True

    def __str__(self) -> str:
        return "{" + ",".join(sorted(self.matchers)) + "}"

    def covers(self, other: Selector) -> bool:
        """True when every series of the other one is a series of this one too, and this one is needed if that is."""
        return self.matchers <= other.matchers and self.is_needed >= other.is_needed


@dataclass(frozen=True, slots=True)
class Reads:
    """What an expression reads; ``window`` is its longest range in seconds, 0 without one."""

    selectors: tuple[Selector, ...]
    window: float


@lru_cache(maxsize=4096)
def reads_of(expr: str) -> Reads:
    """What an expression reads; nothing for one that cannot be parsed, which a rule file does not let pass."""
    try:
        tree = parse_promql(expr)
    except PromqlError:
        return Reads((), 0.0)
    return Reads(distinct(_selectors(tree, is_needed=True)), _longest_range(tree))


def reach_of_promql(expr: str, *, look_back: float) -> float:
    """Seconds from an evaluation back to the oldest sample that the value is made of; 0 for what reads none.

    Without a range the newest sample counts, which may be ``look_back`` seconds old. What has ``offset`` or ``@`` is
    about the past by its author's will and does not count; nor does what cannot be parsed.
    """
    try:
        return _reach(parse_promql(expr), look_back)
    except PromqlError:
        return 0.0


@lru_cache(maxsize=4096)
def why_not_of_the_past(expr: str) -> str:
    """Why the instants of a range query are not what instant queries would yield, "" when they are; for people.

    ``@ end()`` is the end of the range there, and a negative offset sees what had not happened yet.
    """
    try:
        nodes = [*_all_of(parse_promql(expr))]
    except PromqlError:
        return ""
    if any(node.at is not None and "(" in str(node.at) for node in nodes):
        return "it reads @ start() or @ end(), which is another instant when a whole time is asked for"
    if any(node.offset is not None and node.offset < timedelta() for node in nodes):
        return "it has a negative offset, and would see what had not happened yet"
    return ""


def _all_of(node: Expr) -> Iterator[VectorSelector | SubqueryExpr]:
    """Everything in an expression that may have an offset or an instant of its own."""
    if isinstance(node, VectorSelector | SubqueryExpr):
        yield node
    for part in parts(node):
        yield from _all_of(part)


def distinct(selectors: Iterable[Selector]) -> tuple[Selector, ...]:
    """Those of the selectors that no other one covers."""
    kept: list[Selector] = []
    for selector in selectors:
        if not any(known.covers(selector) for known in kept):
            kept = [known for known in kept if not selector.covers(known)] + [selector]
    return tuple(kept)


def _selectors(node: Expr, *, is_needed: bool) -> Iterator[Selector]:
    match node:
        case VectorSelector():
            yield from _present(node, is_needed=is_needed)
        case MatrixSelector():
            yield from _present(node.vector_selector, is_needed=is_needed)
        case SubqueryExpr() if node.offset is not None or node.at is not None:
            return
        case BinaryExpr():
            # Either side of an ``or`` can be missing, and so can what ``unless`` takes away.
            is_sure = is_needed and str(node.op) not in ("or", "unless")
            yield from _selectors(node.lhs, is_needed=is_sure or (is_needed and str(node.op) == "unless"))
            yield from _selectors(node.rhs, is_needed=is_sure)
        case Call():
            is_needed = is_needed and node.func.name not in _ABSENCE
            for argument in node.args:
                yield from _selectors(argument, is_needed=is_needed)
        case AggregateExpr() | ParenExpr() | UnaryExpr() | SubqueryExpr():
            yield from _selectors(node.expr, is_needed=is_needed)
        case _:
            return


def _present(node: Any, *, is_needed: bool) -> Iterator[Selector]:
    if node.offset is not None or node.at is not None or node.matchers.or_matchers:
        return
    matchers = set(written_matchers(node))
    if node.name is not None:
        matchers.add(written_matcher("__name__", "=", node.name))
    yield Selector(frozenset(matchers), is_needed)


def _longest_range(node: Expr) -> float:
    """Seconds from the evaluation back to the oldest sample that is looked at by a range."""
    match node:
        case MatrixSelector():
            return node.range.total_seconds()
        case SubqueryExpr():
            return (node.range or timedelta()).total_seconds() + _longest_range(node.expr)
        case _:
            return max(map(_longest_range, parts(node)), default=0.0)


def _reach(node: Any, look_back: float) -> float:
    match node:
        case VectorSelector() | SubqueryExpr() if node.offset is not None or node.at is not None:
            return 0.0
        case MatrixSelector():
            is_past = node.vector_selector.offset is not None or node.vector_selector.at is not None
            return 0.0 if is_past else float(node.range.total_seconds())
        case VectorSelector():
            return look_back
        case SubqueryExpr():
            return (node.range or timedelta()).total_seconds() + _reach(node.expr, look_back)
        case _:
            return max((_reach(part, look_back) for part in parts(node)), default=0.0)
