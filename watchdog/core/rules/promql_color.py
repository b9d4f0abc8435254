"""Whether the value of a PromQL expression is about one color.

Law: of a quotient the dividend says whose value it is; a divisor that is matched label by label is of the same color.
"""

from __future__ import annotations

from collections.abc import Iterator

from promql_parser import (
    AggModifierType,
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    LabelModifierType,
    MatrixSelector,
    VectorSelector,
)

from watchdog.core.rules.promql_shape import parts, selectors
from watchdog.core.rules.promql_value import divides, divisions
from watchdog.core.rules.stand_ins import STAND_IN

_WITHOUT_LABELS = frozenset({"scalar", "vector", "time", "absent", "absent_over_time", "pi"})


def differs_by_color(expr: Expr) -> bool:
    """True when a selector asks for {{ color }}, and not only in what the value is divided by.

    A divisor that is matched label by label picks the series that it divides: that is to ask as well.
    """
    match expr:
        case VectorSelector():
            return STAND_IN in str(expr)
        case BinaryExpr() if divides(expr):
            return differs_by_color(expr.lhs) or _is_picked(expr)
        case _:
            return any(map(differs_by_color, parts(expr)))


def _is_picked(division: BinaryExpr) -> bool:
    labels = set(_color_labels(division.rhs))
    is_kept = _keeps(division.lhs, labels) and _keeps(division.rhs, labels)
    return bool(labels) and is_kept and _is_matched_on(division, labels)


def divides_by_both(expr: Expr) -> bool:
    """True when something of one color is divided by what both colors do together."""
    return any(map(_is_of_both, divisions(expr)))


def _is_of_both(division: BinaryExpr) -> bool:
    if not differs_by_color(division.lhs) or STAND_IN in str(division.rhs):
        return False
    labels = set(_color_labels(division.lhs))
    return not _is_matched_on(division, labels) or not _keeps(division.rhs, labels)


def _color_labels(expr: Expr) -> Iterator[str]:
    """The labels that tell the colors apart."""
    for selector in selectors(expr):
        yield from (matcher.name for matcher in selector.matchers.matchers if STAND_IN in matcher.value)


def _is_matched_on(division: BinaryExpr, labels: set[str]) -> bool:
    """True when only series of one color find each other, as far as the labels tell."""
    matching = division.modifier.matching if division.modifier is not None else None
    if matching is None:
        return True
    if matching.type == LabelModifierType.Exclude:
        return not labels & set(matching.labels)
    return bool(matching.labels)


def _keeps(expr: Expr, labels: set[str]) -> bool:
    """True when the series of an expression may still have labels by which the colors are told apart."""
    match expr:
        case AggregateExpr():
            return _aggregate_keeps(expr, labels)
        case Call() if expr.func.name in _WITHOUT_LABELS:
            return False
        case VectorSelector() | MatrixSelector():
            return True
        case _:
            return any(_keeps(part, labels) for part in parts(expr))


def _aggregate_keeps(expr: AggregateExpr, labels: set[str]) -> bool:
    if expr.modifier is None:
        return False
    is_named = bool(labels & set(expr.modifier.labels))
    if expr.modifier.type == AggModifierType.By:
        return is_named
    return not is_named and _keeps(expr.expr, labels)
