"""What a burn-rate rule makes of Prometheus' answers: hand-made ones, and those of a real one."""

from __future__ import annotations

import math
import secrets
import time
from typing import Any

import pytest

from tests.sources.asking import measured, prometheus
from tests.stack.prometheus import PrometheusServer, Series
from watchdog.core.evaluate import evaluate, evidence, fresh_state, judge
from watchdog.core.model import Measurement, Outcome, Phase
from watchdog.core.rules.language import Rule
from watchdog.sources.burn_rate import expressions, to_measurement
from watchdog.sources.envelope import Reading

FAST = {"long": "1h", "short": "5m", "budget": "2%"}  # 14.4
SLOW = {"long": "6h", "short": "30m", "budget": "5%"}  # 6


def burning(app: str = "", *pairs: dict[str, str], **fields: Any) -> Rule:
    """A rule on an objective of 99.9 %."""
    requests = f'http_requests_total{{app="{app}",color="{{{{ color }}}}"'
    burn = {
        "error_expr": f'sum(rate({requests},code="500"}}[{{{{ window }}}}]))',
        "total_expr": f"sum(rate({requests}}}[{{{{ window }}}}]))",
        "objective": "99.9%",
        "pairs": list(pairs or (FAST, SLOW)),
    }
    return Rule.model_validate({"alert": "Burn", "burn_rate": burn | fields})


def read(*shares: float | None, rule: Rule | None = None, total: float = 100.0) -> Measurement:
    """The measurement of the shares of failed requests, one a window; None for a window without requests."""
    burn = (rule or burning()).burn_rate
    assert burn is not None
    readings = [
        reading
        for share in shares
        for reading in (
            Reading(value=None if share is None else share * total),
            Reading(value=0 if share is None else total),
        )
    ]
    return to_measurement(burn, readings, None, server="P")


def test_the_expressions_name_their_window() -> None:
    burn = burning("shop").burn_rate
    assert burn is not None
    assert expressions(burn, {"color": "green"})[:2] == [
        'sum(rate(http_requests_total{app="shop",color="green",code="500"}[5m]))',
        'sum(rate(http_requests_total{app="shop",color="green"}[5m]))',
    ]


@pytest.mark.parametrize(
    ("shares", "value", "limit", "outcome"),
    [
        pytest.param((0, 0, 0, 0), 0, 14.4, Outcome.OK, id="no error"),
        pytest.param((0.02, 0.02, 0, 0), 20, 14.4, Outcome.BREACH, id="the fast pair"),
        pytest.param((0.5, 0.01, 0, 0), 10, 14.4, Outcome.OK, id="a blip: the long window disagrees"),
        pytest.param((0, 0.5, 0, 0.001), 0, 14.4, Outcome.OK, id="over: the short window disagrees"),
        pytest.param((0.007, 0.007, 0.007, 0.007), 7, 6, Outcome.BREACH, id="the slow pair alone"),
        pytest.param((0.0143, 0.02, 0, 0), 14.3, 14.4, Outcome.OK, id="just below the factor"),
        pytest.param((1, 1, 1, 1), 1000, 6, Outcome.BREACH, id="both: the one that is further beyond its factor"),
    ],
)
def test_a_pair_trips_when_both_windows_do(
    shares: tuple[float, ...], value: float, limit: float, outcome: Outcome
) -> None:
    measurement = read(*shares)
    assert measurement.value == pytest.approx(value)
    assert measurement.limit == pytest.approx(limit)
    assert judge(burning(), measurement)[0] is outcome


def test_people_are_told_the_burn_rate_and_the_factor_of_the_pair() -> None:
    rule, measurement = burning(), read(0.02, 0.03, 0, 0)
    state = evaluate(rule, fresh_state(rule, "green:1"), measurement, slot=0, interval=15)
    assert state.phase is Phase.FIRING
    assert state.reason == "20 is above 14.4: the error budget burns at 20 over 5m and 30 over 1h"
    assert str(evidence(rule, state)) == "Burn is 20, healthy is at most 14.4"


def test_a_window_without_requests_says_nothing_and_hides_nothing() -> None:
    assert read(None, 0.5, 0, 0).failure is Outcome.NODATA
    assert read(None, None, None, None).failure is Outcome.NODATA
    assert "5m" in read(None, 0.5, 0, 0).reason
    tripping = read(None, 0.5, 0.5, 0.5)
    assert tripping.value == pytest.approx(500)
    assert tripping.limit == pytest.approx(6)


def test_no_series_of_errors_is_zero_only_when_it_is_said() -> None:
    for absent_is_zero, failure in ((False, Outcome.NODATA), (True, None)):
        burn = burning("", FAST, absent_is_zero=absent_is_zero).burn_rate
        assert burn is not None
        readings = [Reading(), Reading(value=5.0)] * 2
        assert to_measurement(burn, readings, None, server="P").failure is failure


@pytest.mark.parametrize(("errors", "total"), [(-1.0, 5.0), (1.0, -5.0), (math.inf, 5.0)])
def test_impossible_counts_are_an_error(errors: float, total: float) -> None:
    burn = burning("", FAST).burn_rate
    assert burn is not None
    readings = [Reading(value=errors), Reading(value=total)] * 2
    assert to_measurement(burn, readings, None, server="P").failure is Outcome.ERROR


def test_one_query_that_fails_is_an_error() -> None:
    burn = burning("", FAST).burn_rate
    assert burn is not None
    good = Reading(value=0.0)
    failed = to_measurement(burn, [good, good, Reading(error="refused"), good], None, server="P")
    assert failed == Measurement.error("refused")
    uncounted = to_measurement(burn, [good] * 4, Reading(error="refused"), server="P")
    assert uncounted == Measurement.error("min_samples: refused")


@pytest.mark.parametrize(
    ("minutes", "outcome"),
    [
        pytest.param(0, Outcome.OK, id="no errors"),
        pytest.param(3, Outcome.OK, id="errors for three minutes: the hour has not spent 2 %"),
        pytest.param(20, Outcome.BREACH, id="errors for twenty minutes"),
    ],
)
async def test_on_a_real_prometheus(prometheus_server: PrometheusServer, minutes: int, outcome: Outcome) -> None:
    """90 minutes of 10 requests a second; 10 % of them fail in the last minutes."""
    slot, app = float(int(time.time())), f"app{secrets.token_hex(4)}"
    instants = range(0, 5401, 30)
    failed = [max(0.0, at - (5400 - minutes * 60)) for at in instants]
    for code, values in (("500", failed), ("200", [at * 10.0 - bad for at, bad in zip(instants, failed, strict=True)])):
        labels = {"app": app, "color": "green", "code": code}
        points = [(slot - 5400 + at, value) for at, value in zip(instants, values, strict=True)]
        prometheus_server.remote_write(Series("http_requests_total", labels, points))
    rule = burning(app, {**FAST})
    async with prometheus(prometheus_server.url) as source:
        measurement = await measured(source, rule, slot=slot)
    assert judge(rule, measurement)[0] is outcome
    assert measurement.value == pytest.approx(min(100 * min(minutes, 5) / 5, 100 * minutes / 60), rel=0.15)


async def test_an_hour_that_nobody_adds_to_any_more_is_no_data_F07(prometheus_server: PrometheusServer) -> None:
    slot, app = float(int(time.time())), f"app{secrets.token_hex(4)}"
    for code in ("500", "200"):
        labels = {"app": app, "color": "green", "code": code}
        points = [(slot - 3600 + at, float(at)) for at in range(0, 3600 - 180, 30)]
        prometheus_server.remote_write(Series("http_requests_total", labels, points))
    async with prometheus(prometheus_server.url) as source:
        measurement = await measured(source, burning(app, {**FAST}), slot=slot)
        patient = await measured(source, burning(app, {**FAST}, max_age="4m"), slot=slot)
    assert measurement.failure is Outcome.NODATA
    assert "max_age is 120 s" in measurement.reason
    assert patient.failure is None
    assert patient.value is not None
