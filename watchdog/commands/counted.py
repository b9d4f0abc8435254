"""Answers the counting rules of a test from the requests that it says came in each slot.

Law: windows are summed here and nothing more; what a burn rate or a comparison is made of them is the sources' own.
"""

from dataclasses import dataclass
from statistics import fmean, pvariance

from watchdog.core.model import Measurement
from watchdog.core.rules.kinds import BurnRate, Comparison
from watchdog.core.rules.language import Rule
from watchdog.replay.binding import RESULTS, RuleTest
from watchdog.replay.notation import Gap, parse_values
from watchdog.replay.results import Tally, tally_of
from watchdog.sources import burn_rate, compare
from watchdog.sources.compare import HISTORY_WINDOWS, window_end
from watchdog.sources.envelope import Reading
from watchdog.sources.questions import Answered


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What a test says of one rule and color."""

    errors: Tally
    total: Tally
    baseline_errors: Tally
    baseline_total: Tally
    samples: str | None


class Counted:
    """The rules of a test whose requests it counts itself."""

    def __init__(self, test: RuleTest, start: float) -> None:
        self._start, self._interval = start, test.target.interval
        self._given = {
            (each.alert, each.color or test.active): _Given(
                errors=self._tally(each.errors),
                total=self._tally(each.total),
                baseline_errors=self._tally(each.baseline_errors),
                baseline_total=self._tally(each.baseline_total),
                samples=each.samples,
            )
            for each in test.case.input_results
            if each.values is None
        }

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:  # noqa: ARG002
        """What the windows that end with the slot, or before it, come to."""
        given = self._given.get((rule.alert, color))
        if given is None:
            return Measurement.nodata(f"{RESULTS} has nothing for {color}")
        if rule.compare is not None:
            return _compared(rule.compare, given, end=window_end(rule.compare, slot), color=color)
        if rule.burn_rate is not None:
            return _burning(rule.burn_rate, given, slot, samples=self._samples(rule, given, slot))
        raise RuntimeError(f"{rule.alert} counts no requests")

    def _tally(self, text: str | None) -> Tally:
        return tally_of(text, start=self._start, interval=self._interval)

    def _samples(self, rule: Rule, given: _Given, slot: float) -> Reading | None:
        """How much evidence is behind the slot: what the test says, or just enough."""
        if rule.min_samples is None:
            return None
        if given.samples is None:
            return Reading(value=rule.min_samples.value)
        values = parse_values(given.samples)
        number = round((slot - self._start) / self._interval)
        value = values[number] if number < len(values) else Gap.MISSING
        return Reading(value=None if isinstance(value, Gap) else value)


def _burning(burn: BurnRate, given: _Given, slot: float, *, samples: Reading | None) -> Measurement:
    readings = [
        Reading(value=tally.within(slot - window, slot))
        for window in burn.windows
        for tally in (given.errors, given.total)
    ]
    return burn_rate.to_measurement(burn, readings, samples, server=RESULTS)


def _compared(comparison: Comparison, given: _Given, *, end: float, color: str) -> Measurement:
    start = end - comparison.window
    counted = [each.within(start, end) for each in (given.errors, given.total)]
    baseline = [each.within(start, end) for each in (given.baseline_errors, given.baseline_total)]
    scattered = _answered(_dispersion(comparison, given, start))
    return compare.to_measurement(
        comparison, _answered(*counted), [(_answered(*baseline), scattered)], end=end, color=color
    )


def _answered(*values: float | None) -> Answered:
    return Answered(readings=[Reading(value=value) for value in values])


def _dispersion(comparison: Comparison, given: _Given, until: float) -> float | None:
    """The variance of the baseline's errors a window, by their mean, over the windows until then."""
    ends = (until - number * comparison.window for number in range(HISTORY_WINDOWS))
    windows = [given.baseline_errors.within(end - comparison.window, end) for end in ends]
    known = [each for each in windows if each is not None]
    mean = fmean(known) if known else 0.0
    return pvariance(known) / mean if mean else None
