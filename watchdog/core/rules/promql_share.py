"""Whether an expression is a share: a part of something divided by the whole of it.

Law: what is called a share never exceeds its whole; what cannot be proven from the tree is none.
"""

from __future__ import annotations

from typing import NamedTuple

from promql_parser import (
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    SubqueryExpr,
    VectorSelector,
)

from watchdog.core.rules.promql_shape import selectors, written_matchers

_ADDING = frozenset({"sum", "count"})
_GROWING = frozenset({"rate", "increase", "sum_over_time", "count_over_time"})
"""What is never more for some of the series than for all of them."""
_CONDITIONS = frozenset({"and", "unless"})
_KEEPING = frozenset({"avg", "max", "min", "topk", "bottomk"})
_KEEPING_OVER_TIME = frozenset({"avg_over_time", "last_over_time", "max_over_time", "min_over_time"})
_KEEPING_EACH = frozenset({"abs", "clamp_max", "label_join", "label_replace", "round", "scalar", "sort", "sort_desc"})
_PERCENT = 100.0


class Quotient(NamedTuple):
    """One quantity divided by another, times a number."""

    factor: float
    part: Expr
    whole: Expr

    @property
    def is_percentage(self) -> bool:
        """True for what is 100 where the two are the same."""
        return self.factor == _PERCENT

    @property
    def is_of_counters(self) -> bool:
        """True for counters divided by counters, as far as their names tell, and times nothing."""
        names = [[selector.name or "" for selector in selectors(side)] for side in (self.part, self.whole)]
        return self.factor == 1 and all(side and all(name.endswith("_total") for name in side) for side in names)


def quotient_of(expr: Expr) -> Quotient | None:
    """What the value is, if it is one quantity divided by another, be it scaled or one of several; else None."""
    factor, rest = _scaled(expr)
    if (kept := _kept(rest)) is not None:
        found = quotient_of(kept)
        return found._replace(factor=factor * found.factor) if found is not None else None
    if not isinstance(rest, BinaryExpr) or str(rest.op) != "/":
        return None
    inner, part = _scaled(rest.lhs)
    return Quotient(factor * inner, part, rest.rhs)


def whole_of(expr: Expr) -> float | None:
    """What the value of a share cannot exceed, 1 or 100 as it is scaled; None for what is no share."""
    factor, rest = _scaled(expr)
    match rest:
        case _ if (kept := _kept(rest)) is not None:
            whole = whole_of(kept)
            return whole * factor if whole is not None and not _is_rounded_up(whole, rest) else None
        case BinaryExpr() if str(rest.op) == "-" and _number(rest.lhs) is not None:
            whole = whole_of(rest.rhs)
            return whole * factor if whole is not None and whole == _number(rest.lhs) else None
        case _:
            quotient = quotient_of(expr)
            return quotient.factor if quotient and _is_part(quotient.part, quotient.whole) else None


def _is_part(part: Expr, whole: Expr) -> bool:
    """True when the one is taken of some of the series of the other, and in the same way."""
    match _bare(part), _bare(whole):
        case AggregateExpr() as one, AggregateExpr() as other:
            is_same = str(one.op) == str(other.op) in _ADDING and str(one.modifier) == str(other.modifier)
            return is_same and _is_part(one.expr, other.expr)
        case Call() as one, Call() as other:
            return one.func.name == other.func.name in _GROWING and _is_part(one.args[0], other.args[0])
        case MatrixSelector() as one, MatrixSelector() as other:
            return one.range == other.range and _is_part(one.vector_selector, other.vector_selector)
        case VectorSelector() as one, VectorSelector() as other:
            is_now = all(each.offset is None and each.at is None for each in (one, other))
            return is_now and one.name == other.name and set(written_matchers(other)) <= set(written_matchers(one))
        case _:
            return False


def _kept(expr: Expr) -> Expr | None:
    """Of what an expression yields one of the values, a mean or a bound of them; None for any other."""
    kept: Expr | None = None
    match expr:
        case BinaryExpr(rhs=Call(func=function)) if str(expr.op) == "or" and function.name == "vector":
            kept = expr.lhs
        case BinaryExpr() if str(expr.op) in _CONDITIONS:
            kept = expr.lhs
        case AggregateExpr() if str(expr.op) in _KEEPING:
            kept = expr.expr
        case Call() if expr.func.name in _KEEPING_OVER_TIME and isinstance(expr.args[0], SubqueryExpr):
            kept = expr.args[0].expr
        case Call() if expr.func.name in _KEEPING_EACH:
            kept = expr.args[0]
        case _:
            pass
    return kept


def _is_rounded_up(whole: float, expr: Expr) -> bool:
    """True when round() may yield more than the whole, which is no multiple of what it rounds to."""
    if not isinstance(expr, Call) or expr.func.name != "round":
        return False
    step = _number(expr.args[1]) if len(expr.args) > 1 else 1.0
    return not step or not (whole / step).is_integer()


def _scaled(expr: Expr) -> tuple[float, Expr]:
    """The number by which something is multiplied, and what it is."""
    expr = _bare(expr)
    if not isinstance(expr, BinaryExpr):
        return 1.0, expr
    left, right = _number(expr.lhs), _number(expr.rhs)
    match str(expr.op):
        case "*" if left is not None:
            factor, rest = _scaled(expr.rhs)
            return left * factor, rest
        case "*" if right is not None:
            factor, rest = _scaled(expr.lhs)
            return right * factor, rest
        case "/" if right:
            factor, rest = _scaled(expr.lhs)
            return factor / right, rest
        case _:
            return 1.0, expr


def _number(expr: Expr) -> float | None:
    expr = _bare(expr)
    return float(expr.val) if isinstance(expr, NumberLiteral) else None


def _bare(expr: Expr) -> Expr:
    while isinstance(expr, ParenExpr):
        expr = expr.expr
    return expr
