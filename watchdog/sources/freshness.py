"""Proves that the samples behind a value are new: Prometheus stamps a sample of five minutes ago with the present.

Law: pure. Of each selector the newest sample counts, asked for by a query beside the rule's own; the oldest of these
decides. What a range has left of series that have ended is no evidence of now either.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache

from watchdog.core.model import Measurement
from watchdog.core.rules.reads import Selector, distinct, reads_of
from watchdog.sources.answer import quote
from watchdog.sources.envelope import Reading
from watchdog.sources.failure import sentence

_REMEMBERED = 10_000


def companions(exprs: Iterable[str], *, may_be_absent: Collection[str] = ()) -> Mapping[str, Selector]:
    """The queries that yield when the newest sample of each selector was taken, and the selectors.

    The series of ``may_be_absent``, which are some of the expressions, need not be there.
    """
    return _companions(tuple(exprs), frozenset(may_be_absent))


@lru_cache(maxsize=4096)
def _companions(exprs: tuple[str, ...], may_be_absent: frozenset[str]) -> Mapping[str, Selector]:
    found = [
        replace(selector, is_needed=selector.is_needed and expr not in may_be_absent)
        for expr in exprs
        for selector in reads_of(expr).selectors
    ]
    return {f"max(timestamp({selector}))": selector for selector in distinct(found)}


def why_stale(newest: Mapping[Selector, Reading], *, at: float, max_age: float, server: str) -> Measurement | None:
    """What is measured instead: no data when a selector's newest sample is older than ``max_age`` at an instant.

    None when the samples are new enough.
    """
    failed = next((reading for reading in newest.values() if reading.error), None)
    if failed is not None:
        return failed.failed("how old its samples are is not known: ")
    for selector, reading in newest.items():
        if said := _why_old(selector, reading, at=at, max_age=max_age):
            return Measurement.nodata(sentence(f"{server} {said}"))
    return None


def _why_old(selector: Selector, reading: Reading, *, at: float, max_age: float) -> str:
    if reading.value is None:
        return f"has no series for {quote(str(selector))} any more" if selector.is_needed else ""
    age = at - reading.value
    if not age <= max_age:
        return f"has no sample of {quote(str(selector))} younger than {age:.0f} s; max_age is {max_age:g} s"
    return ""


class Newest:
    """The newest sample that is known of each selector: while it is young enough nobody has to ask again."""

    def __init__(self) -> None:
        self._taken: dict[str, float] = {}

    def unproven(self, queries: Iterable[str], *, at: float, max_age: float) -> list[str]:
        """Those of the companions that have to be asked for this instant."""
        return [query for query in queries if not 0 <= at - self._taken.get(query, -math.inf) <= max_age]

    def note(self, readings: Mapping[str, Reading]) -> None:
        """Takes what companions have answered for the newest slot."""
        for query, reading in readings.items():
            self._taken.pop(query, None)
            if reading.value is not None and not reading.error:
                self._taken[query] = reading.value
        while len(self._taken) > _REMEMBERED:
            del self._taken[next(iter(self._taken))]
