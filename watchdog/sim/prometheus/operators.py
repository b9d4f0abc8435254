"""Binary operators of PromQL, and how the elements of two vectors find each other.

Law: pure. Arithmetic is IEEE's, as Go does it: dividing by zero gives an infinity, never an error.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass

from watchdog.sim.prometheus.series import Labels
from watchdog.sim.prometheus.values import NAME, ErrorKind, PromQLError, Sample, Vector, only, show_labels, without


def _divide(one: float, other: float) -> float:
    if other:
        return one / other
    if not one or math.isnan(one):
        return math.nan
    return math.copysign(math.inf, one) * math.copysign(1, other)


def _modulo(one: float, other: float) -> float:
    return math.nan if not other or math.isinf(one) else math.fmod(one, other)


def _power(one: float, other: float) -> float:
    try:
        return math.pow(one, other)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan if one else math.inf


Operator = Callable[[float, float], float]
ARITHMETIC: dict[str, Operator] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "%": _modulo,
    "^": _power,
}
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
SET_OPERATORS = ("and", "or", "unless")


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """How elements are paired: by the labels ``on``, or by all but ``ignoring``.

    ``many`` is the side of group_left or group_right, "" for one to one; ``include`` are the labels that the one side
    gives to the result.
    """

    on: bool = False
    labels: tuple[str, ...] = ()
    many: str = ""
    include: tuple[str, ...] = ()

    def key(self, labels: Labels) -> Labels:
        """What two elements must share."""
        return only(labels, *self.labels) if self.on else without(labels, NAME, *self.labels)


def between_numbers(name: str, one: float, other: float) -> float:
    """A number for two numbers; a comparison gives 1 or 0."""
    return ARITHMETIC[name](one, other) if name in ARITHMETIC else float(COMPARISONS[name](one, other))


def with_number(name: str, vector: Vector, number: float, *, swapped: bool, as_bool: bool) -> Vector:
    """The vector against a number on its right, or on its left when ``swapped``."""
    result = []
    for sample in vector:
        one, other = (number, sample.value) if swapped else (sample.value, number)
        if name in ARITHMETIC or as_bool:
            result.append(Sample(without(sample.labels, NAME), between_numbers(name, one, other)))
        elif COMPARISONS[name](one, other):
            result.append(Sample(sample.labels, sample.value))
    return result


def between_vectors(name: str, left: Vector, right: Vector, *, matching: Matching, as_bool: bool) -> Vector:
    """Elements that found each other, computed; raises PromQLError where one finds several."""
    many, one, one_side = (right, left, "left") if matching.many == "right" else (left, right, "right")
    partners: dict[Labels, Sample] = {}
    for sample in one:
        if (key := matching.key(sample.labels)) in partners:
            raise _ambiguous(key, one_side, sample, partners[key])
        partners[key] = sample
    result: list[Sample] = []
    taken: set[Labels] = set()
    for sample in many:
        partner = partners.get(matching.key(sample.labels))
        if partner is None:
            continue
        first, second = (partner, sample) if matching.many == "right" else (sample, partner)
        computes = name in ARITHMETIC or as_bool
        if not computes and not COMPARISONS[name](first.value, second.value):
            continue
        value = between_numbers(name, first.value, second.value) if computes else first.value
        labels = _result_labels(sample, partner, matching, drop_name=computes)
        taken_as = labels if matching.many else matching.key(sample.labels)
        if taken_as in taken:
            raise PromQLError(
                ErrorKind.EXECUTION,
                "multiple matches for labels: "
                + ("grouping labels must ensure unique matches" if matching.many else _ONE_TO_MANY),
            )
        taken.add(taken_as)
        result.append(Sample(labels, value))
    return result


_ONE_TO_MANY = "many-to-one matching must be explicit (group_left/group_right)"


def set_operation(name: str, left: Vector, right: Vector, *, matching: Matching) -> Vector:
    """``and``, ``or``, ``unless``."""
    there = {matching.key(sample.labels) for sample in right}
    if name == "or":
        here = {matching.key(sample.labels) for sample in left}
        return left + [sample for sample in right if matching.key(sample.labels) not in here]
    return [sample for sample in left if (matching.key(sample.labels) in there) == (name == "and")]


def _result_labels(many: Sample, one: Sample, matching: Matching, *, drop_name: bool) -> Labels:
    labels = without(many.labels, NAME) if drop_name else many.labels
    if not matching.many:
        return only(labels, *matching.labels) if matching.on else without(labels, *matching.labels)
    given = dict(labels)
    for name in matching.include:
        given.pop(name, None)
    given |= dict(only(one.labels, *matching.include))
    return tuple(sorted(given.items()))


def _ambiguous(key: Labels, side: str, *samples: Sample) -> PromQLError:
    shown = [show_labels(each.labels) for each in samples]
    return PromQLError(
        ErrorKind.EXECUTION,
        f"found duplicate series for the match group {show_labels(key)} on the {side} hand-side of the operation: "
        f"[{', '.join(shown)}];many-to-many matching not allowed: matching labels must be unique on one side",
    )
