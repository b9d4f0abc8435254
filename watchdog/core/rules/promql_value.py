"""What the value of a PromQL expression is made of: what is divided, compared or missing in it.

Law: a condition (what stands behind ``and`` and ``unless``) decides whether there is a value, and is no part of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from promql_parser import (
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    NumberLiteral,
    ParenExpr,
    SubqueryExpr,
    UnaryExpr,
)

from watchdog.core.rules.promql_shape import parts

_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_CONDITIONS = frozenset({"and", "unless"})
_OF_ABSENCE = frozenset({"absent", "absent_over_time"})
_OF_CONSTANTS = frozenset({"pi", "scalar", "vector"})
_SAMPLE_BY_SAMPLE = frozenset(
    {"abs", "ceil", "floor", "round", "clamp", "clamp_min", "clamp_max", "exp", "ln", "log2", "log10", "sqrt", "sgn"}
    | {"sort", "sort_desc", "label_replace", "label_join", "scalar"}
)
"""Functions that yield something for each sample that they get, and nothing else."""


_COUNTING = frozenset({"count", "count_values", "group", "count_over_time", "present_over_time", "changes", "resets"})
_ONE_OF_ALIKE = frozenset({"max", "min", "group", "topk", "bottomk"})
_SHARES = frozenset({"histogram_avg", "histogram_fraction"})
"""Functions that divide by how many were counted."""


def holds_ratio(expr: Expr) -> bool:
    """True when the value is made of one quantity divided by another, by an operator or by a function."""
    is_ratio = divides(expr) or (isinstance(expr, Call) and expr.func.name in _SHARES)
    return is_ratio or any(map(holds_ratio, _operands(expr)))


def is_ratio(expr: Expr) -> bool:
    """True when the value itself is a ratio, be it averaged or scaled.

    A fraction times a count is none, nor is what counts series, or 0 and 1.
    """
    match expr:
        case AggregateExpr():
            return str(expr.op) not in _COUNTING and is_ratio(expr.expr)
        case ParenExpr() | UnaryExpr() | SubqueryExpr():
            return is_ratio(expr.expr)
        case BinaryExpr():
            return divides(expr) or (not _yields_zero(expr) and any(map(is_ratio, _taken_as_they_are(expr))))
        case Call() if expr.func.name not in _COUNTING:
            return expr.func.name in _SHARES or any(map(is_ratio, _operands(expr)))
        case _:
            return False


def divisions(expr: Expr) -> Iterator[BinaryExpr]:
    """Every division of one quantity by another that the value is made of, the outer ones first."""
    if isinstance(expr, BinaryExpr) and divides(expr):
        yield expr
    for operand in _operands(expr):
        yield from divisions(operand)


def divides(expr: Expr) -> bool:
    """True for one quantity divided by another, which a constant is not."""
    if not isinstance(expr, BinaryExpr) or str(expr.op) != "/":
        return False
    return not is_constant(expr.lhs) and not is_constant(expr.rhs)


def is_constant(expr: Expr) -> bool:
    """True for numbers and what is made of numbers alone."""
    match expr:
        case ParenExpr() | UnaryExpr():
            return is_constant(expr.expr)
        case BinaryExpr():
            return is_constant(expr.lhs) and is_constant(expr.rhs)
        case Call():
            return expr.func.name in _OF_CONSTANTS and all(map(is_constant, expr.args))
        case _:
            return isinstance(expr, NumberLiteral)


def is_comparison(expr: Expr) -> bool:
    """True when the expression's own value is a comparison: it is empty, or 0 or 1, where it should be a value."""
    match expr:
        case ParenExpr() | UnaryExpr():
            return is_comparison(expr.expr)
        case BinaryExpr():
            return str(expr.op) in _COMPARISONS or any(map(is_comparison, _taken_as_they_are(expr)))
        case Call() if expr.func.name in _SAMPLE_BY_SAMPLE:
            return any(map(is_comparison, expr.args))
        case _:
            return False


def filters(expr: Expr) -> Iterator[BinaryExpr]:
    """The comparisons that leave the value out where nothing passes them.

    None are: one with ``bool``, which yields 0; one in a divisor or below histogram_quantile(), without which there is
    no value either; one that only drops NaN or infinity; one by which a series is multiplied, which picks series by a
    flag; one beside an ``or`` whose other side is there all the same.
    """
    match expr:
        case BinaryExpr() if str(expr.op) in _COMPARISONS:
            if not _yields_zero(expr) and not _drops_no_value(expr):
                yield expr
        case BinaryExpr() if str(expr.op) == "or":
            left, right = [*filters(expr.lhs)], [*filters(expr.rhs)]
            if left and right:
                yield from (*left, *right)
        case BinaryExpr() if divides(expr):
            yield from filters(expr.lhs)
        case BinaryExpr() if str(expr.op) == "*":
            yield from (found for side in (expr.lhs, expr.rhs) if not _is_flag(side) for found in filters(side))
        case Call() if expr.func.name == "histogram_quantile":
            return
        case _:
            for operand in _operands(expr):
                yield from filters(operand)


def absences(expr: Expr) -> Iterator[str]:
    """The functions by which missing data becomes a value, unless a condition has to hold as well."""
    match expr:
        case Call() if expr.func.name in _OF_ABSENCE:
            yield expr.func.name
        case BinaryExpr() if str(expr.op) in _CONDITIONS or _is_nothing(expr):
            return
        case _:
            for operand in _operands(expr):
                yield from absences(operand)


def fallbacks(expr: Expr) -> Iterator[float]:
    """The numbers that the expression yields where nothing is measured, such as that of ``or vector(0)``."""
    match expr:
        case ParenExpr():
            yield from fallbacks(expr.expr)
        case BinaryExpr() if str(expr.op) == "or":
            yield from fallbacks(expr.lhs)
            yield from fallbacks(expr.rhs)
        case Call() if expr.func.name == "vector" and isinstance(expr.args[0], NumberLiteral):
            yield float(expr.args[0].val)
        case _:
            return


def _operands(expr: Expr) -> tuple[Expr, ...]:
    """The expressions right below that the value is made of."""
    match expr:
        case BinaryExpr() if str(expr.op) in _CONDITIONS:
            return (expr.lhs,)
        case Call() if expr.func.name in _OF_ABSENCE or expr.func.name == "timestamp":
            return ()
        case _:
            return parts(expr)


def _taken_as_they_are(expr: BinaryExpr) -> tuple[Expr, ...]:
    """The operands one of which is the value, be it scaled."""
    if str(expr.op) in _CONDITIONS:
        return (expr.lhs,)
    if str(expr.op) == "or":
        return (expr.lhs, expr.rhs)
    if is_constant(expr.lhs) or is_constant(expr.rhs):
        return tuple(side for side in (expr.lhs, expr.rhs) if not is_constant(side))
    return ()


def _yields_zero(comparison: BinaryExpr) -> bool:
    return comparison.modifier is not None and comparison.modifier.return_bool


def _drops_no_value(comparison: BinaryExpr) -> bool:
    """True for ``x == x``, ``x >= 0``, ``x < Inf`` and the like: whatever was measured passes."""
    if str(comparison.op) == "==" and str(comparison.lhs) == str(comparison.rhs):
        return True
    match comparison.rhs:
        case NumberLiteral(val=bound):
            is_lowest = bound == 0 if str(comparison.op) == ">=" else bound < 0
            is_above_all = str(comparison.op) in (">", ">=") and is_lowest
            return is_above_all or (str(comparison.op) in ("<", "<=", "!=") and bound == math.inf)
        case _:
            return False


def _is_nothing(expr: BinaryExpr) -> bool:
    """True for ``absent(x) * 0``, which is 0 in the place of what is missing."""
    return str(expr.op) == "*" and any(isinstance(side, NumberLiteral) and side.val == 0 for side in parts(expr))


def _is_flag(expr: Expr) -> bool:
    """True for ``flag == 1``, and for one of several flags that are alike."""
    while isinstance(expr, ParenExpr) or (isinstance(expr, AggregateExpr) and str(expr.op) in _ONE_OF_ALIKE):
        expr = expr.expr
    return isinstance(expr, BinaryExpr) and str(expr.op) == "==" and is_constant(expr.rhs)
