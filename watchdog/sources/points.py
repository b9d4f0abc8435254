"""What a range query said at each of its instants, kept small: a month of one expression is a megabyte.

Law: pure. An instant of a range is believed exactly where the same answer to an instant query would be: one number,
nothing, or an error.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from watchdog.sources.envelope import Reading

Series = tuple[dict[str, str], list[tuple[float, float]]]
"""The labels of a series, and pairs of Unix seconds and number."""

_VALUE, _FIRST_OTHER = 1, 2
_NOTHING = Reading()
_SEVERAL = Reading(error="several series where one is expected; aggregate with sum() or max()")


@dataclass(slots=True)
class Points:
    """The readings of a range, kept small: ``kinds`` is 0 for nothing, 1 for a value, else a reading in ``others``."""

    values: array[float]
    kinds: bytearray
    others: list[Reading]

    @classmethod
    def failed(cls, points: int, reading: Reading) -> Points:
        """The same reading at each instant."""
        return cls(array("d", bytes(8 * points)), bytearray([_FIRST_OTHER]) * points, [reading])

    @classmethod
    def of(cls, points: int, series: Sequence[Series], *, first: float, step: float) -> Points:
        """The one number at each instant, or that there are several."""
        found = cls(array("d", bytes(8 * points)), bytearray(points), [_SEVERAL])
        for _, samples in series:
            for instant, value in samples:
                number = round((instant - first) / step)
                if 0 <= number < points:
                    found.kinds[number] = _FIRST_OTHER if found.kinds[number] else _VALUE
                    found.values[number] = value
        return found

    def then(self, later: Points) -> Points:
        """These and those of the range right after it."""
        moved = bytes(kind + len(self.others) if kind >= _FIRST_OTHER else kind for kind in later.kinds)
        return Points(self.values + later.values, self.kinds + moved, self.others + later.others)

    def reading(self, number: int) -> Reading:
        """The reading at an instant, counted from 0."""
        kind = self.kinds[number]
        if kind == _VALUE:
            return Reading(value=self.values[number])
        return self.others[kind - _FIRST_OTHER] if kind else _NOTHING
