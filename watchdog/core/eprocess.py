"""Whether one stream of requests fails more than another, judged anew after every window without ever peeking.

Law: pure. While the first stream fails at most `MARGIN` times as often as the second, the evidence exceeds 1/ALPHA in
at most a share ALPHA of all runs, however long they are watched; a window counts once.

Given all errors of a window, how many of them are the first stream's is binomial, with a probability that follows from
the two loads: so neither a change of the split nor one of the common error rate moves the evidence. For each
alternative in `RATIOS` the likelihood ratios of the windows are multiplied; the evidence is the mean over alternatives
and over starts (the n-th window starts a product with the weight 1/(n(n+1))), so that a long healthy past is no debt
that a fault has to pay off first. Errors that come in bursts are fewer events than errors, so that the counts are
divided by the control's dispersion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from watchdog.core.instant import Instant

ALPHA = 0.02
MARGIN = 1.25
RATIOS = (2.0, 3.0, 5.0, 10.0, 30.0)
LEAST_RATIO = 2.0
LEAST_DIFFERENCE = 0.005
_MEMORY = 0.8  # of the effect that is shown: about the last five windows
_LARGEST_LOG = math.log(1e6)  # more certain than that is nobody


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Errors and requests of one window, of the stream in question and of its control. Both have requests.

    ``dispersion`` is the variance of the control's errors a window, divided by their mean: 1 for single, independent
    errors, more for bursts.
    """

    end: Instant
    errors: float
    requests: float
    control_errors: float
    control_requests: float
    dispersion: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparing:
    """What the windows until ``end`` have said.

    ``logs`` holds, for each alternative, the logarithm of the started products; ``recent`` the newest errors and
    requests of both streams, the older ones fading.
    """

    end: Instant
    windows: int = 0
    logs: tuple[float, ...] = ()
    recent: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)

    @property
    def evidence(self) -> float:
        """How strongly the windows speak against "at most `MARGIN` times as often"; 1 says nothing."""
        products = [math.exp(min(each, _LARGEST_LOG)) for each in self.logs]
        return sum(products) / len(RATIOS) + 1 / (self.windows + 1)

    @property
    def shares(self) -> tuple[float, float]:
        """The newest shares of failed requests, of the stream in question and of its control."""
        errors, requests, control_errors, control_requests = self.recent
        return errors / requests, control_errors / control_requests

    @property
    def is_relevant(self) -> bool:
        """True when the difference is large enough to act on, however certain it is."""
        share, control = self.shares
        return share >= LEAST_RATIO * control and share - control >= LEAST_DIFFERENCE


def fold(before: Comparing | None, counts: Counts) -> Comparing:
    """What is known after one more window; one that was counted already changes nothing."""
    known = before or Comparing(end=-math.inf)
    if counts.end <= known.end:
        return known
    number = known.windows + 1
    start = -math.log(number * (number + 1))
    steps = _steps(counts)
    logs = known.logs or (-math.inf,) * len(RATIOS)
    fading = zip(
        known.recent,
        (counts.errors, counts.requests, counts.control_errors, counts.control_requests),
        strict=True,
    )
    errors, requests, control_errors, control_requests = (_MEMORY * old + new for old, new in fading)
    return Comparing(
        end=counts.end,
        windows=number,
        logs=tuple(_add(log, start) + step for log, step in zip(logs, steps, strict=True)),
        recent=(errors, requests, control_errors, control_requests),
    )


def _steps(counts: Counts) -> list[float]:
    """The logarithm of the window's likelihood ratio, for each alternative."""
    return [_step(counts, ratio) / max(1.0, counts.dispersion) for ratio in RATIOS]


def _step(counts: Counts, ratio: float) -> float:
    """Of one alternative, when each error is an event of its own.

    The probability that an error is the first stream's is its part of `_weight`. Only weights are divided: beside a
    control of next to no requests that probability is 1, and nothing is left of its opposite to divide by.
    """
    control = math.log(_weight(counts, MARGIN) / _weight(counts, ratio))
    return counts.errors * (math.log(ratio / MARGIN) + control) + counts.control_errors * control


def _weight(counts: Counts, ratio: float) -> float:
    """Of both streams' requests, when the first one's fail so many times as often."""
    return counts.requests * ratio + counts.control_requests


def _add(one: float, other: float) -> float:
    """The logarithm of a sum, from the logarithms of its parts."""
    larger, smaller = max(one, other), min(one, other)
    return larger + math.log1p(math.exp(smaller - larger))
