"""What the tree of a PromQL expression tells of its answer: how many series, of which metrics and colors.

Law: what cannot be told counts as well; nothing in here refuses what Prometheus would answer.
"""

from __future__ import annotations

from collections.abc import Iterator

from promql_parser import (
    AggModifierType,
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    MatchOp,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    SubqueryExpr,
    UnaryExpr,
    VectorSelector,
)

_OPERATORS = {str(MatchOp.Equal): "=", str(MatchOp.NotEqual): "!=", str(MatchOp.Re): "=~", str(MatchOp.NotRe): "!~"}
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_PICKS = frozenset({"topk", "bottomk", "limitk", "limit_ratio", "count_values"})
_ONE = frozenset({"scalar", "vector", "time", "absent", "absent_over_time", "pi"})
_SCALARS = frozenset({"scalar", "time", "pi"})
_COUNTED = frozenset({"count", "group"})
_LEFT_ONLY = frozenset({"and", "unless"})


def may_be_several(expr: Expr) -> bool:
    """True when the answer may have several series, as far as the expression tells."""
    match expr:
        case AggregateExpr():
            return _aggregate_is_several(expr)
        case BinaryExpr():
            return _binary_is_several(expr)
        case Call():
            return _call_is_several(expr)
        case VectorSelector():
            return ":" not in (expr.name or "")
        case _:
            return any(map(may_be_several, parts(expr)))


def selectors(expr: Expr) -> Iterator[VectorSelector]:
    """Every selector of the expression."""
    if isinstance(expr, VectorSelector):
        yield expr
    for part in parts(expr):
        yield from selectors(part)


def written_matchers(selector: VectorSelector) -> list[str]:
    """The matchers of a selector as PromQL writes them, without the one of its name."""
    return [written_matcher(each.name, _OPERATORS[str(each.op)], each.value) for each in selector.matchers.matchers]


def written_matcher(label: str, operator: str, value: str) -> str:
    """One matcher as PromQL writes it."""
    is_plain = label.isascii() and label.isidentifier()
    name = label if is_plain else f'"{label.translate(_ESCAPES)}"'
    return f'{name}{operator}"{value.translate(_ESCAPES)}"'


def exact_labels(selector: VectorSelector) -> dict[str, str]:
    """The labels that a selector compares for equality, with their values."""
    matchers = selector.matchers.matchers
    return {matcher.name: matcher.value for matcher in matchers if matcher.op == MatchOp.Equal and matcher.value}


def raw_counters(expr: Expr) -> Iterator[str]:
    """The names of the counters whose own count is part of the value."""
    match expr:
        case VectorSelector() if expr.name is not None and expr.name.endswith("_total"):
            yield expr.name
        case MatrixSelector() | SubqueryExpr():
            return
        case Call() if expr.func.name in ("absent", "timestamp"):
            return
        case AggregateExpr() if str(expr.op) in _COUNTED:
            return
        case _:
            for part in parts(expr):
                yield from raw_counters(part)


def ranges(expr: Expr) -> Iterator[float]:
    """The range of every selector that has one, in seconds."""
    if isinstance(expr, MatrixSelector):
        yield expr.range.total_seconds()
    for part in parts(expr):
        yield from ranges(part)


def parts(expr: Expr) -> tuple[Expr, ...]:
    """The expressions right below one."""
    match expr:
        case ParenExpr() | UnaryExpr() | SubqueryExpr() | AggregateExpr():
            return (expr.expr,)
        case BinaryExpr():
            return (expr.lhs, expr.rhs)
        case Call():
            return tuple(expr.args)
        case MatrixSelector():
            return (expr.vector_selector,)
        case _:
            return ()


def _aggregate_is_several(expr: AggregateExpr) -> bool:
    if str(expr.op) in _PICKS:
        is_one = isinstance(expr.param, NumberLiteral) and expr.param.val <= 1 and not expr.modifier
        return not is_one and may_be_several(expr.expr)
    if expr.modifier is None:
        return False
    if expr.modifier.type != AggModifierType.By:
        return may_be_several(expr.expr)
    return not _free_labels(expr) <= set()


def _call_is_several(expr: Call) -> bool:
    if expr.func.name == "histogram_quantile":
        return _quantile_is_several(expr.args[-1])
    return expr.func.name not in _ONE and any(map(may_be_several, expr.args))


def _quantile_is_several(buckets: Expr) -> bool:
    while isinstance(buckets, ParenExpr):
        buckets = buckets.expr
    if isinstance(buckets, AggregateExpr) and buckets.modifier and buckets.modifier.type == AggModifierType.By:
        return not _free_labels(buckets) <= {"le"}
    return may_be_several(buckets)


def _free_labels(expr: AggregateExpr) -> set[str]:
    """The labels of ``by`` that may have several values."""
    free = set(expr.modifier.labels) if expr.modifier else set()
    fixed = [exact_labels(selector).keys() for selector in selectors(expr.expr)]
    return {label for label in free if not fixed or any(label not in labels for labels in fixed)}


def _binary_is_several(expr: BinaryExpr) -> bool:
    left, right = may_be_several(expr.lhs), may_be_several(expr.rhs)
    if str(expr.op) in _LEFT_ONLY:
        return left
    if str(expr.op) == "or":
        return left or right or _are_beside(expr)
    if _is_scalar(expr.lhs) or _is_scalar(expr.rhs):
        return left or right
    match str(expr.modifier.card) if expr.modifier is not None else "":
        case "VectorMatchCardinality.ManyToOne":
            return left
        case "VectorMatchCardinality.OneToMany":
            return right
        case _:
            # A vector is matched label by label: what is one series on either side has at most one partner.
            return left and right


def _are_beside(expr: BinaryExpr) -> bool:
    """True when both sides of an ``or`` are in its answer: their labels differ, and all of them are compared."""
    is_matched = expr.modifier is not None and expr.modifier.matching is not None
    left, right = _labels_of(expr.lhs), _labels_of(expr.rhs)
    return not is_matched and left is not None and right is not None and left != right


def _labels_of(expr: Expr) -> frozenset[str] | None:
    """The names of the labels that an answer has, None where the expression does not tell."""
    match expr:
        case ParenExpr() | UnaryExpr():
            return _labels_of(expr.expr)
        case AggregateExpr() if str(expr.op) not in _PICKS:
            return _labels_of_aggregate(expr)
        case BinaryExpr() if _is_scalar(expr.lhs):
            return _labels_of(expr.rhs)
        case BinaryExpr() if _is_scalar(expr.rhs) or expr.modifier is None or expr.modifier.matching is None:
            return _labels_of(expr.lhs)
        case _:
            is_bare = isinstance(expr, Call) and expr.func.name == "vector"
            return frozenset() if is_bare else None


def _labels_of_aggregate(expr: AggregateExpr) -> frozenset[str] | None:
    if expr.modifier is None:
        return frozenset()
    is_by = expr.modifier.type == AggModifierType.By
    # What no selector asks for by its value may not be there, and is no label then.
    return frozenset(expr.modifier.labels) if is_by and not _free_labels(expr) else None


def _is_scalar(expr: Expr) -> bool:
    match expr:
        case ParenExpr() | UnaryExpr():
            return _is_scalar(expr.expr)
        case BinaryExpr():
            return _is_scalar(expr.lhs) and _is_scalar(expr.rhs)
        case Call():
            return expr.func.name in _SCALARS
        case _:
            return isinstance(expr, NumberLiteral)
