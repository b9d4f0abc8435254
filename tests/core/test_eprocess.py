"""The evidence of a comparison: its false alarms and its power, by simulation, and its laws.

What a z-test that is repeated in every window does on the same streams stands beside it: why it is not used.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from watchdog.core.eprocess import ALPHA, Comparing, Counts, fold

RUNS, WINDOWS, HISTORY = 200, 120, 60
Stream = Callable[[random.Random, int], Counts]


def poisson(chance: random.Random, mean: float) -> int:
    if mean > 30:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    limit, count, product = math.exp(-mean), 0, chance.random()
    while product > limit:
        count, product = count + 1, product * chance.random()
    return count


def errors(chance: random.Random, mean: float, size: int = 1) -> int:
    """Errors that come in bursts of ``size`` on average, each of at least one."""
    if size == 1:
        return poisson(chance, mean)
    shrink = math.log(1 - 1 / size)
    return sum(1 + int(math.log(1 - chance.random()) / shrink) for _ in range(poisson(chance, mean / size)))


def stream(share: float, control: float, *, load: float = 200, size: int = 1, since: int = 0) -> Stream:
    """Two streams of the same load; from a window on the first one fails more often."""

    def window(chance: random.Random, number: int) -> Counts:
        now = share if number >= since else control
        return Counts(
            end=number,
            errors=errors(chance, load * now, size),
            requests=load,
            control_errors=errors(chance, load * control, size),
            control_requests=load,
        )

    return window


def moving(chance: random.Random, number: int) -> Counts:
    """The split, the load and the common share of failed requests all change together."""
    is_busy = (number // 20) % 2
    load, share = 200 * (1 + 0.8 * math.sin(number / 9)), 0.01 + 0.02 * is_busy
    own = load * (0.1 + 0.8 * is_busy)
    return Counts(
        end=number,
        errors=poisson(chance, own * share),
        requests=own,
        control_errors=poisson(chance, (load - own) * share),
        control_requests=load - own,
    )


def dispersion_of(counts: list[float]) -> float:
    mean = sum(counts) / len(counts)
    return sum((each - mean) ** 2 for each in counts) / len(counts) / mean if mean else 1.0


def detection(chance: random.Random, window: Stream, *, measured: bool = True, windows: int = WINDOWS) -> int | None:
    """The window in which a run trips, None if it never does."""
    history = [window(chance, number).control_errors for number in range(-HISTORY, 0)]
    dispersion = dispersion_of(history) if measured else 1.0
    state: Comparing | None = None
    for number in range(windows):
        state = fold(state, replace(window(chance, number), dispersion=dispersion))
        if state.evidence > 1 / ALPHA and state.is_relevant:
            return number
    return None


def detections(window: Stream, *, measured: bool = True, windows: int = WINDOWS) -> list[int]:
    chance = random.Random(7)
    found = (detection(chance, window, measured=measured, windows=windows) for _ in range(RUNS))
    return [number for number in found if number is not None]


def false_alarms_of_a_z_test(window: Stream) -> int:
    """How often the difference of all counts so far was significant at 5 %, and relevant, in some window."""
    chance, alarms = random.Random(7), 0
    for _ in range(RUNS):
        bad, good, of_bad, of_good = 0.0, 0.0, 0.0, 0.0
        for number in range(WINDOWS):
            counts = window(chance, number)
            bad, of_bad = bad + counts.errors, of_bad + counts.requests
            good, of_good = good + counts.control_errors, of_good + counts.control_requests
            pooled = (bad + good) / (of_bad + of_good)
            deviation = math.sqrt(pooled * (1 - pooled) * (1 / of_bad + 1 / of_good))
            if deviation and (bad / of_bad - good / of_good) / deviation > 1.645:
                alarms += 1
                break
    return alarms


@pytest.mark.parametrize(
    "window",
    [
        pytest.param(stream(0.01, 0.01), id="1 % fails on both"),
        pytest.param(stream(0.05, 0.05), id="5 % fails on both"),
        pytest.param(stream(0.025, 0.02), id="at the margin"),
        pytest.param(moving, id="split, load and errors change together"),
        pytest.param(stream(0.01, 0.01, size=3), id="bursts of three"),
        pytest.param(stream(0.01, 0.01, size=5), id="bursts of five"),
        pytest.param(stream(0.01, 0.01, size=10), id="bursts of ten"),
    ],
)
def test_false_alarms_are_rarer_than_alpha(window: Stream) -> None:
    assert len(detections(window)) <= ALPHA * RUNS


def test_bursts_that_nobody_measured_trip_it() -> None:
    assert len(detections(stream(0.01, 0.01, size=5), measured=False)) > 0.65 * RUNS


@pytest.mark.parametrize(
    ("window", "share"),
    [
        pytest.param(stream(0.01, 0.01), 0.139, id="null"),
        pytest.param(moving, 0.895, id="split, load and errors change together"),
    ],
)
def test_a_z_test_in_every_window_raises_many(window: Stream, share: float) -> None:
    assert false_alarms_of_a_z_test(window) > share * RUNS


@pytest.mark.parametrize(
    ("window", "within"),
    [
        pytest.param(stream(0.05, 0.01), 12, id="5 % against 1 %"),
        pytest.param(stream(0.03, 0.01), 60, id="3 % against 1 %"),
        pytest.param(stream(0.10, 0.0), 3, id="10 % against none at all"),
        pytest.param(stream(0.5, 0.01, load=20), 6, id="half of very few requests"),
    ],
)
def test_a_fault_is_found(window: Stream, within: int) -> None:
    found = detections(window)
    assert len(found) >= 0.98 * RUNS
    assert sorted(found)[round(0.95 * len(found)) - 1] <= within


def test_a_long_healthy_past_is_no_debt() -> None:
    found = detections(stream(0.05, 0.01, since=100), windows=140)
    assert len(found) >= 0.98 * RUNS
    assert sorted(found)[len(found) // 2] <= 100 + 15


def test_certain_but_too_small_a_difference_is_not_relevant() -> None:
    state = None
    for number in range(50):
        counts = Counts(end=number, errors=300, requests=1e5, control_errors=100, control_requests=1e5)
        state = fold(state, counts)
    assert state is not None
    assert state.evidence > 1 / ALPHA
    assert not state.is_relevant, "0.3 % against 0.1 % is less than half a point"


NEXT_TO_NOTHING = 5.7e-14
"""What a difference of two sums of floats leaves of nothing."""


def test_against_a_baseline_that_has_next_to_no_requests_nothing_is_proven() -> None:
    state = None
    for number in range(50):
        counts = Counts(end=number, errors=50, requests=1e6, control_errors=0, control_requests=NEXT_TO_NOTHING)
        state = fold(state, counts)
    assert state is not None
    assert state.evidence <= 1.5


COUNT = st.floats(0, 1e6, allow_nan=False)
LOAD = st.floats(1e-14, 1e15, allow_nan=False)


@example([(5.0, 1e6, 1.0, NEXT_TO_NOTHING)])
@example([(5.0, NEXT_TO_NOTHING, 1.0, 1e6)])
@given(st.lists(st.tuples(COUNT, LOAD, COUNT, LOAD), min_size=1, max_size=20))
def test_any_counts_give_finite_evidence_and_a_window_counts_once(
    windows: list[tuple[float, float, float, float]],
) -> None:
    state = None
    for number, (bad, of_bad, good, of_good) in enumerate(windows):
        counts = Counts(end=number, errors=bad, requests=of_bad, control_errors=good, control_requests=of_good)
        state = fold(state, counts)
        assert fold(state, counts) is state
        assert 0 <= state.evidence < math.inf
        assert all(map(math.isfinite, (*state.logs, *state.shares)))
