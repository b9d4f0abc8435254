"""Numbers that a real Prometheus 3.14 computed; the contract test compares many more with one that runs."""

import math

import pytest

from watchdog.sim.prometheus.api import show_number
from watchdog.sim.prometheus.functions import bucket_quantile, extrapolated_increase, kahan_sum, mean
from watchdog.sim.prometheus.promql import evaluate
from watchdog.sim.prometheus.series import STALE, SeriesStore, labels_of
from watchdog.sim.prometheus.values import ErrorKind, PromQLError

MINUTE = 60_000


@pytest.mark.parametrize(
    ("samples", "increase"),
    [
        pytest.param([(10, 5)], None, id="one sample has no slope"),
        pytest.param(
            [(0, 0), (30, 30), (60, 60)], 60, id="samples on both edges: the left one was left out by the range"
        ),
        pytest.param([(10, 110), (20, 120), (50, 150)], 60, id="close to both edges: drawn out to them"),
        pytest.param([(25, 100), (30, 110), (35, 120)], 30, id="far from both edges: half a spacing each"),
        pytest.param([(25, 1), (30, 11), (35, 21)], 26, id="never to before it was zero"),
        pytest.param([(10, 100), (30, 5), (50, 25)], 37.5, id="a reset starts from zero"),
        pytest.param([(10, 7), (30, 7), (50, 7)], 0, id="flat"),
    ],
)
def test_increase_over_a_minute(samples: list[tuple[int, float]], increase: float | None) -> None:
    points = [(seconds * 1000, float(value)) for seconds, value in samples]
    assert extrapolated_increase(points, start=0, end=MINUTE) == (
        increase if increase is None else pytest.approx(increase)
    )


@pytest.fixture
def store() -> SeriesStore:
    filled = SeriesStore()
    for color, errors in (("blue", 0.0), ("green", 3.0)):
        for second in range(301):
            for code, per_second in (("200", 10.0 - errors), ("500", errors)):
                labels = labels_of({"__name__": "http_requests_total", "color": color, "code": code})
                filled.append(labels, second * 1000, second * per_second)
    filled.append(labels_of({"__name__": "gone", "color": "red"}), 290_000, 1.0)
    filled.append(labels_of({"__name__": "gone", "color": "red"}), 295_000, STALE)
    filled.append(labels_of({"__name__": "rare"}), 1_000, 1.0)
    return filled


RATIO = """
    sum(rate(http_requests_total{color="green", code=~"5.."}[2m]))
  / sum(rate(http_requests_total{color="green"}[2m]))
"""


@pytest.mark.parametrize(
    ("query", "values"),
    [
        pytest.param(RATIO, [0.3], id="an error ratio"),
        pytest.param(RATIO.replace("green", "blue"), [0.0], id="a ratio of none"),
        pytest.param(RATIO.replace("green", "red"), [], id="no such series: empty, not zero"),
        pytest.param("sum(rate(nope[2m])) or vector(0)", [0.0], id="a default"),
        pytest.param('http_requests_total{color="green"} > 1e6', [], id="a comparison that is false"),
        pytest.param("vector(0) / vector(0)", [math.nan], id="no traffic"),
        pytest.param("gone", [], id="stale at once"),
        pytest.param("gone offset 8s", [1.0], id="not yet stale then"),
        pytest.param("rare", [1.0], id="as old as the look-back"),
        pytest.param("timestamp(rare)", [1.0], id="its own time"),
        pytest.param("rare offset 1s", [1.0], id="older, but looked back from earlier"),
    ],
)
def test_evaluates(store: SeriesStore, query: str, values: list[float]) -> None:
    answer = evaluate(store, query, at=300_000)
    assert isinstance(answer.value, list)
    found = [each.value for each in answer.value if hasattr(each, "value")]
    assert found == pytest.approx(values, nan_ok=True)


def test_does_not_look_back_further_than_five_minutes(store: SeriesStore) -> None:
    assert evaluate(store, "rare", at=301_000).value == []


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("sum(", ErrorKind.BAD_DATA),
        ('{a="b" or c="d"}', ErrorKind.BAD_DATA),
        ("http_requests_total / on(color) http_requests_total", ErrorKind.EXECUTION),
        ('rate({__name__=~".+"}[1m]) + topk(1, gone)', ErrorKind.NOT_SIMULATED),
        ("absent(gone)", ErrorKind.NOT_SIMULATED),
    ],
)
def test_refuses(store: SeriesStore, query: str, kind: ErrorKind) -> None:
    with pytest.raises(PromQLError) as refusal:
        evaluate(store, query, at=300_000)
    assert refusal.value.kind is kind


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1e21, "1e+21"),
        (1e20, "100000000000000000000"),
        (1.5e-7, "1.5e-07"),
        (1e-6, "0.000001"),
        (0.1 + 0.2, "0.30000000000000004"),
        (math.nan, "NaN"),
        (-math.inf, "-Inf"),
    ],
)
def test_prints_numbers_as_go_does(value: float, shown: str) -> None:
    assert show_number(value) == shown


def test_sums_what_plain_addition_loses() -> None:
    assert kahan_sum([1e16, 1.0, -1e16]) == 1.0
    assert mean([1e308, 1e308]) == 1e308


@pytest.mark.parametrize(
    ("share", "quantile"),
    [
        pytest.param(0.5, 0.3, id="within a bucket"),
        pytest.param(0.99, 1.0, id="in the last: its lower bound"),
        pytest.param(0.05, 0.05, id="in the first: from zero on"),
        pytest.param(2.0, math.inf, id="above one"),
        pytest.param(math.nan, math.nan, id="not a number"),
    ],
)
def test_quantile_of_a_histogram(share: float, quantile: float) -> None:
    buckets = [(0.1, 10.0), (0.5, 90.0), (1.0, 95.0), (math.inf, 100.0)]
    assert bucket_quantile(share, buckets) == pytest.approx(quantile, nan_ok=True)
