"""Counts the requests of a comparing rule: those of the color, and those of its baseline.

Law: what is asked for a slot is the newest whole window before it, so that every slot of a window, and every replica,
counts the same requests. A window whose samples are not new at its end, or that a restart has left a gap in, is not
counted.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Protocol

from watchdog.core.durations import show_duration
from watchdog.core.eprocess import Counts
from watchdog.core.model import Measurement, Outcome
from watchdog.core.placeholders import fill
from watchdog.core.rules.kinds import Comparison
from watchdog.core.rules.language import Rule
from watchdog.sources.envelope import Reading
from watchdog.sources.prometheus import PrometheusSource
from watchdog.sources.questions import Answered, Asked

HISTORY_WINDOWS = 60
_FRESH_SHARE = 0.5  # of a window, which has four scrapes at least: its newest sample is at most two of them old
_MOST = 1e15  # of requests: whole numbers beyond it are no different from each other as floats


class Prometheus(Protocol):
    """Answers expressions.

    ``max_age`` is how many seconds old their samples may be, ``query_offset`` how many seconds they are late to arrive.
    """

    max_age: float
    query_offset: float

    async def read(self, asked: Asked, *, newest: float) -> Answered:
        """What the expressions yield at their instant; ``newest`` is the newest that anybody may ask for now."""
        ...


def window_end(compare: Comparison, slot: float) -> float:
    """When the newest whole window before a slot ends; Unix seconds both."""
    return slot - slot % compare.window


class ComparingSource:
    """Counts for the rules of one target."""

    def __init__(self, prometheus: Prometheus, *, colors: tuple[str, str]) -> None:
        self.query_offset = prometheus.query_offset
        """Seconds before a slot for which it is asked."""
        self._prometheus = prometheus
        self._colors = colors

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:
        """The counts of the newest whole window before the slot (Unix seconds)."""
        compare = rule.compare
        if compare is None:
            return Measurement.error(f"rule {rule.alert} compares nothing")
        newest = slot - self.query_offset
        end = window_end(compare, newest)
        names = {"namespace": namespace, "window": show_duration(compare.window)}
        exprs = compare.error_expr, compare.total_expr
        asked = [self._requests(compare, exprs, {**names, "color": color}, at=end)]
        for other in self._baseline(compare, color):
            theirs, at = {**names, "color": other}, end - (compare.offset or 0.0)
            asked += [
                self._requests(compare, compare.baseline_exprs, theirs, at=at),
                Asked(exprs=[_dispersion(compare, theirs)], at=at - compare.window),
            ]
        own, *rest = await asyncio.gather(*(self._prometheus.read(each, newest=newest) for each in asked))
        return to_measurement(compare, own, list(zip(rest[::2], rest[1::2], strict=True)), end=end, color=color)

    def _requests(self, compare: Comparison, exprs: tuple[str, str], names: Mapping[str, str], *, at: float) -> Asked:
        """Errors and requests of one color in the window that ends at an instant."""
        errors, requests = (fill(expr, names) for expr in exprs)
        return Asked(
            exprs=[errors, requests],
            at=at,
            max_age=compare.max_age or min(self._prometheus.max_age, compare.window * _FRESH_SHARE),
            may_be_absent=[errors] if compare.absent_is_zero else [],
        )

    def _baseline(self, compare: Comparison, color: str) -> tuple[str, ...]:
        """The colors that the baseline is made of: an offset reaches into the time of whichever was active then."""
        return self._colors if compare.baseline == "offset" else tuple(each for each in self._colors if each != color)


def source_of(
    rule: Rule, prometheus: PrometheusSource, *, colors: tuple[str, str]
) -> PrometheusSource | ComparingSource:
    """Who asks a Prometheus for a rule."""
    return prometheus if rule.compare is None else ComparingSource(prometheus, colors=colors)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stream:
    """What was counted of a stream of requests. ``flaw`` is what is measured instead when that is no evidence."""

    errors: float
    requests: float
    dispersion: float
    flaw: Measurement | None


def to_measurement(
    compare: Comparison, own: Answered, baseline: Sequence[tuple[Answered, Answered]], *, end: float, color: str
) -> Measurement:
    """Counts that are still to be compared, from what was answered about the color and each part of its baseline.

    Of a part there are its errors and requests, and its dispersion.
    """
    answers = [own, *chain(*baseline)]
    if failed := next(_failures(answers), None):
        return failed
    stream, control = _stream(compare, own, who=color), _control(compare, baseline)
    if flaw := stream.flaw or control.flaw:
        return replace(flaw, samples=stream.requests)
    counts = Counts(
        end=end,
        errors=stream.errors,
        requests=stream.requests,
        control_errors=control.errors,
        control_requests=control.requests,
        dispersion=control.dispersion,
    )
    return Measurement(failure=Outcome.INSUFFICIENT, samples=stream.requests, counts=counts, reason="not compared yet")


def _failures(answers: Sequence[Answered]) -> Iterator[Measurement]:
    for answered in answers:
        yield from (reading.failed() for reading in answered.readings if reading.error)
        if answered.flaw is not None and answered.flaw.failure is Outcome.ERROR:
            yield answered.flaw


def _stream(compare: Comparison, counted: Answered, *, who: str, scattered: Answered | None = None) -> _Stream:
    errors, requests = map(_number, counted.readings)
    flaw = counted.flaw
    if requests is None:
        flaw = Measurement.nodata(f"there is no series of requests of {who} in the window")
    elif not requests > 0:
        flaw = _idle(who)
    elif errors is None and not compare.absent_is_zero:
        flaw = Measurement.nodata(f"there is no series of errors of {who} in the window")
    return _Stream(
        errors=errors or 0.0,
        requests=requests or 0.0,
        dispersion=(_number(scattered.readings[0]) if scattered is not None else None) or 0.0,
        flaw=flaw,
    )


def _control(compare: Comparison, baseline: Sequence[tuple[Answered, Answered]]) -> _Stream:
    """The parts of the baseline together, without what has no requests and what is no evidence."""
    who = f"the baseline ({compare.baseline})"
    parts = [_stream(compare, counted, who=who, scattered=scattered) for counted, scattered in baseline]
    busy = [part for part in parts if part.requests > 0]
    sound = [part for part in busy if part.flaw is None]
    flaw = busy[0].flaw if busy else _idle(who)
    return _Stream(
        errors=sum(part.errors for part in sound),
        requests=sum(part.requests for part in sound),
        dispersion=max([compare.dispersion, *(part.dispersion for part in sound)]),
        flaw=None if sound else flaw,
    )


def _idle(who: str) -> Measurement:
    return Measurement(failure=Outcome.INSUFFICIENT, reason=f"{who} has no requests in the window")


def _dispersion(compare: Comparison, names: Mapping[str, str]) -> str:
    """How much the errors of a part of the baseline scatter, in the windows before."""
    errors = fill(compare.baseline_exprs[0], names)
    # The line break ends a comment.
    history = f"({errors}\n)[{show_duration(compare.window * HISTORY_WINDOWS)}:{show_duration(compare.window)}]"
    return f"stdvar_over_time({history}) / avg_over_time({history})"


def _number(reading: Reading) -> float | None:
    """A number of requests or of errors an event; None for nothing, and for what cannot be one."""
    value = reading.value
    return value if value is not None and 0 <= value <= _MOST else None
