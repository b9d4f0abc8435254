"""Time series: what the simulated Prometheus has scraped.

Law: a series is appended to in the order of time, in whole milliseconds; nothing is ever changed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

Labels = tuple[tuple[str, str], ...]
STALE = None
"""The marker that a scrape leaves behind when a series is gone."""


def labels_of(named: Mapping[str, str]) -> Labels:
    """Labels in their one order; a label with an empty value is no label."""
    return tuple(sorted((name, value) for name, value in named.items() if value))


@dataclass(slots=True)
class Series:
    """One series: instants in milliseconds and a value, or `STALE`, for each."""

    labels: Labels
    times: list[int] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)

    def between(self, after: int, until: int) -> Iterator[tuple[int, float | None]]:
        """The samples of the left-open range ``(after, until]``."""
        first, last = bisect_right(self.times, after), bisect_right(self.times, until)
        return zip(self.times[first:last], self.values[first:last], strict=True)


class SeriesStore:
    """All series, by their labels."""

    def __init__(self) -> None:
        self._series: dict[Labels, Series] = {}

    def append(self, labels: Labels, at: int, value: float | None) -> None:
        """Adds a sample; one that is not newer than the last is dropped, as out of order."""
        series = self._series.setdefault(labels, Series(labels))
        if not series.times or at > series.times[-1]:
            series.times.append(at)
            series.values.append(value if value is STALE else float(value))

    def select(self, wanted: Callable[[Mapping[str, str]], bool]) -> list[Series]:
        """The series whose labels are wanted, in the order of their labels."""
        return [series for labels, series in sorted(self._series.items()) if wanted(dict(labels))]

    def forget(self, before: int) -> None:
        """Drops samples older than ``before``, and series that have no other."""
        for labels, series in list(self._series.items()):
            first = bisect_right(series.times, before)
            del series.times[:first], series.values[:first]
            if not series.times:
                del self._series[labels]
