"""PromQL: evaluates an instant query over stored series by walking the parser's tree.

Law: pure. What is not evaluated exactly as Prometheus 3 does is refused with "not simulated".

Simulated are selectors with every matcher, ``offset`` and ``@``, ``rate``, ``increase``, ``sum``, ``avg``, ``min``,
``max``, ``count`` with ``by`` and ``without``, all binary operators but ``atan2`` with every way of matching, ``time``,
``timestamp``, ``vector``, ``scalar`` and ``histogram_quantile``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import promql_parser as parser

from watchdog.sim.prometheus import functions, operators
from watchdog.sim.prometheus.operators import Matching
from watchdog.sim.prometheus.selection import milliseconds, wanted
from watchdog.sim.prometheus.series import STALE, Labels, SeriesStore
from watchdog.sim.prometheus.values import (
    NAME,
    Answer,
    ErrorKind,
    Matrix,
    PromQLError,
    Range,
    Sample,
    Value,
    Vector,
    not_simulated,
    only,
    without,
)

_Elements = TypeVar("_Elements", Vector, Matrix, Vector | Matrix)
LOOKBACK = 5 * 60 * 1000
_AGGREGATIONS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "sum": functions.kahan_sum,
    "avg": functions.mean,
    "min": functions.smallest,
    "max": functions.greatest,
    "count": lambda values: float(len(values)),
}
_COUNTER_SUFFIXES = ("_total", "_sum", "_count", "_bucket")
_STRINGS = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`')
_RATE_CALL = re.compile(r"\b(?:rate|increase)\s*\(\s*", re.IGNORECASE)


def evaluate(store: SeriesStore, query: str, *, at: int) -> Answer:
    """The answer to an instant query at an instant in milliseconds; raises PromQLError."""
    try:
        tree = parser.parse(query)
    except ValueError as error:
        message = f'invalid parameter "query": unknown position: parse error: {error}'
        raise PromQLError(ErrorKind.BAD_DATA, message) from error
    evaluation = _Evaluation(store, query, at)
    value = evaluation.value(tree)
    match value:
        case str():
            return Answer(kind="string", value=value)
        case float():
            return Answer(kind="scalar", value=value)
        case _:
            kind = "matrix" if isinstance(tree, parser.MatrixSelector) else "vector"
            return Answer(kind=kind, value=_unique(value), infos=[*evaluation.infos.values()])


class _Evaluation:
    """One evaluation at one instant."""

    def __init__(self, store: SeriesStore, query: str, at: int) -> None:
        self.infos: dict[str, str] = {}
        self._store = store
        self._at = at
        self._query = query
        masked = _STRINGS.sub(lambda match: " " * len(match[0]), query)
        self._rate_arguments = [match.end() for match in _RATE_CALL.finditer(masked)]

    def value(self, node: Any) -> Value:  # noqa: PLR0911 - one a kind of node
        match node:
            case parser.NumberLiteral():
                return float(node.val)
            case parser.StringLiteral():
                return str(node.val)
            case parser.ParenExpr():
                return self.value(node.expr)
            case parser.UnaryExpr():
                return _negated(self.value(node.expr))
            case parser.VectorSelector():
                return self._instant(node)
            case parser.MatrixSelector():
                return self._range(node)[0]
            case parser.AggregateExpr():
                return self._aggregate(node)
            case parser.BinaryExpr():
                return self._binary(node)
            case parser.Call():
                return self._call(node)
            case _:
                raise not_simulated(type(node).__name__)

    def _instant(self, node: Any) -> Vector:
        at = self._instant_of(node)
        found = []
        for series in self._store.select(wanted(node)):
            newest = None
            for newest in series.between(at - LOOKBACK, at):  # noqa: B007 - the last one is wanted
                pass
            if newest is not None and newest[1] is not STALE:
                found.append(Sample(series.labels, newest[1], newest[0]))
        return found

    def _range(self, node: Any) -> tuple[Matrix, int, int]:
        """The samples of each series, and the range's two ends."""
        end = self._instant_of(node.vector_selector)
        start = end - milliseconds(node.range)
        ranges = []
        for series in self._store.select(wanted(node.vector_selector)):
            points = [(at, value) for at, value in series.between(start, end) if value is not STALE]
            if points:
                ranges.append(Range(series.labels, points))
        return ranges, start, end

    def _instant_of(self, node: Any) -> int:
        at = self._at
        if node.at is not None and node.at.type == parser.AtModifierType.At:
            at = round(node.at.at.timestamp() * 1000)
        return at - (milliseconds(node.offset) if node.offset is not None else 0)

    def _aggregate(self, node: Any) -> Vector:
        reduce = _AGGREGATIONS.get(str(node.op))
        if reduce is None:
            raise not_simulated(f"the aggregation {node.op}")
        groups: dict[Labels, list[float]] = {}
        for sample in _vector(self.value(node.expr)):
            groups.setdefault(_group(sample.labels, node.modifier), []).append(sample.value)
        return [Sample(labels, reduce(values)) for labels, values in groups.items()]

    def _binary(self, node: Any) -> Value:
        name = str(node.op)
        left, right = self.value(node.lhs), self.value(node.rhs)
        as_bool = bool(node.modifier and node.modifier.return_bool)
        if name in operators.SET_OPERATORS:
            return operators.set_operation(name, _vector(left), _vector(right), matching=_matching(node.modifier))
        if name not in operators.ARITHMETIC and name not in operators.COMPARISONS:
            raise not_simulated(f"the operator {name}")
        match left, right:
            case float(), float():
                return operators.between_numbers(name, left, right)
            case list(), float():
                return _unique(operators.with_number(name, _vector(left), right, swapped=False, as_bool=as_bool))
            case float(), list():
                return _unique(operators.with_number(name, _vector(right), left, swapped=True, as_bool=as_bool))
            case _:
                matching = _matching(node.modifier)
                both = _vector(left), _vector(right)
                return operators.between_vectors(name, *both, matching=matching, as_bool=as_bool)

    def _call(self, node: Any) -> Value:
        match node.func.name:
            case "rate" | "increase" as name:
                return self._rate(name, node.args[0])
            case "histogram_quantile":
                share = cast(float, self.value(node.args[0]))
                return _histogram_quantile(share, _vector(self.value(node.args[1])))
            case "timestamp":
                return self._timestamp(node.args[0])
            case "time":
                return self._at / 1000
            case "vector":
                return [Sample((), cast(float, self.value(node.args[0])))]
            case "scalar":
                elements = _vector(self.value(node.args[0]))
                return elements[0].value if len(elements) == 1 else math.nan
            case name:
                raise not_simulated(f"the function {name}")

    def _rate(self, name: str, node: Any) -> Vector:
        place = self._rate_arguments.pop(0)
        if not isinstance(node, parser.MatrixSelector):
            raise not_simulated("rates of anything but a selector")
        ranges, start, end = self._range(node)
        compute = functions.extrapolated_rate if name == "rate" else functions.extrapolated_increase
        computed = [(each.labels, compute(each.points, start=start, end=end)) for each in ranges]
        for metric in {dict(labels).get(NAME, "") for labels, value in computed if value is not None}:
            self._remark(metric, place)
        return _unique([Sample(without(labels, NAME), value) for labels, value in computed if value is not None])

    def _remark(self, metric: str, place: int) -> None:
        if not metric or metric.endswith(_COUNTER_SUFFIXES):
            return
        before = self._query[:place]
        position = f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
        suffixes = "/".join(_COUNTER_SUFFIXES)
        # The last place at which a metric is met is the one that is told.
        self.infos[metric] = (
            f'PromQL info: metric might not be a counter, name does not end in {suffixes}: "{metric}" ({position})'
        )

    def _timestamp(self, node: Any) -> Vector:
        while isinstance(node, parser.ParenExpr):
            node = node.expr
        own = isinstance(node, parser.VectorSelector)
        elements = _vector(self.value(node))
        return _unique([Sample(without(each.labels, NAME), (each.at if own else self._at) / 1000) for each in elements])


def _vector(value: Value) -> Vector:
    if not isinstance(value, list):
        raise not_simulated(f"a {type(value).__name__} where a vector is expected")
    return cast(Vector, value)


def _negated(value: Value) -> Value:
    if isinstance(value, float):
        return -value
    return _unique([Sample(without(each.labels, NAME), -each.value) for each in _vector(value)])


def _group(labels: Labels, modifier: Any) -> Labels:
    if modifier is None:
        return ()
    if modifier.type == parser.AggModifierType.By:
        return only(labels, *modifier.labels)
    return without(labels, NAME, *modifier.labels)


def _matching(modifier: Any) -> Matching:
    if modifier is None:
        return Matching()
    if modifier.fill_values.lhs is not None or modifier.fill_values.rhs is not None:
        raise not_simulated("fill modifiers")
    many = ((parser.VectorMatchCardinality.ManyToOne, "left"), (parser.VectorMatchCardinality.OneToMany, "right"))
    side = next((name for card, name in many if card == modifier.card), "")
    by = modifier.matching
    return Matching(
        on=by is not None and by.type == parser.LabelModifierType.Include,
        labels=tuple(by.labels) if by is not None else (),
        many=side,
        include=tuple(modifier.group_labels or ()),
    )


def _unique(value: _Elements) -> _Elements:
    """The vector itself; raises PromQLError when two elements have become one."""
    if len({each.labels for each in value}) != len(value):
        raise PromQLError(ErrorKind.EXECUTION, "vector cannot contain metrics with the same labelset")
    return value


def _histogram_quantile(share: float, vector: Vector) -> Vector:
    if not 0 <= share <= 1:
        raise not_simulated(f"the warning about the quantile {share}")
    histograms: dict[Labels, list[tuple[float, float]]] = {}
    for sample in vector:
        bound = dict(sample.labels).get("le", "")
        try:
            edge = float(bound)
        except ValueError as error:
            raise not_simulated(f"the bucket bound {bound!r}") from error
        histograms.setdefault(without(sample.labels, NAME, "le"), []).append((edge, sample.value))
    return [Sample(labels, functions.bucket_quantile(share, buckets)) for labels, buckets in histograms.items()]
