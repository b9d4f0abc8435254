"""The source for Prometheus against a real one: what its answers mean, and what becomes of its failures."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import Callable

import pytest

from tests.sources.asking import measured, prometheus, promql
from tests.stack.ports import free_port
from tests.stack.prometheus import STALE, PrometheusServer, Series
from tests.stack.wait import eventually
from watchdog.core.evaluate import judge
from watchdog.core.model import Measurement, Outcome
from watchdog.core.rules.language import Rule, Threshold


@pytest.fixture
def slot() -> float:
    """A slot that has just been."""
    return float(int(time.time()))


@pytest.fixture
def app(prometheus_server: PrometheusServer, slot: float) -> str:
    """The name of an application with ten minutes of requests: 10 a second, of which 1 fails."""
    name = f"app{secrets.token_hex(4)}"
    prometheus_server.remote_write(counter(name, "200", slot, rate=9), counter(name, "500", slot, rate=1))
    return name


def counter(app: str, code: str, slot: float, *, rate: float) -> Series:
    """Ten minutes of a counter, scraped every 15 s until the slot."""
    labels = {"app": app, "color": "green", "namespace": "bank", "code": code}
    return Series("http_requests_total", labels, [(slot - 600 + at, at * rate) for at in range(0, 601, 15)])


def rate_of(app: str, code: str = ".+", function: str = "rate") -> str:
    """The requests of the color that is asked for."""
    labels = f'app="{app}",color="{{{{ color }}}}",namespace="{{{{ namespace }}}}",code=~"{code}"'
    return f"sum({function}(http_requests_total{{{labels}}}[2m]))"


def ratio(app: str, code: str = "5..") -> str:
    return f"{rate_of(app, code)} / {rate_of(app)}"


def enough(app: str) -> dict[str, object]:
    return {"expr": rate_of(app, function="increase"), "value": 200}


async def ask(server: PrometheusServer, rule: Rule, slot: float, **settings: object) -> Measurement:
    async with prometheus(server.url, **settings) as source:
        return await measured(source, rule, slot=slot)


async def test_a_ratio_with_its_samples(prometheus_server: PrometheusServer, app: str, slot: float) -> None:
    measurement = await ask(prometheus_server, promql(ratio(app), min_samples=enough(app)), slot)
    assert measurement.failure is None
    assert measurement.value == pytest.approx(0.1)
    assert measurement.samples == pytest.approx(1200, rel=0.01)


async def test_a_query_is_answered_for_its_slot_and_not_for_now(
    prometheus_server: PrometheusServer, app: str, slot: float
) -> None:
    assert (await ask(prometheus_server, promql("time()"), slot - 1000.25)).value == slot - 1000.25
    before = await ask(prometheus_server, promql(ratio(app)), slot - 1000)
    assert before.failure is Outcome.NODATA


async def test_what_arrives_late_is_asked_for_later(prometheus_server: PrometheusServer, app: str, slot: float) -> None:
    late = {"query_offset": 45}
    assert (await ask(prometheus_server, promql("time()"), slot, **late)).value == slot - 45
    # Errors of the last 45 s are there, the other requests of that time are still on their way.
    name = f"{app}-late"
    prometheus_server.remote_write(counter(name, "500", slot, rate=1), counter(name, "200", slot - 45, rate=9))
    assert (await ask(prometheus_server, promql(ratio(name)), slot)).value != pytest.approx(0.1, rel=0.05)
    assert (await ask(prometheus_server, promql(ratio(name)), slot, **late)).value == pytest.approx(0.1)
    old = promql(f'max(http_requests_total{{app="{name}",code="200"}})', max_age="40s")
    assert (await ask(prometheus_server, old, slot)).failure is Outcome.NODATA
    assert (await ask(prometheus_server, old, slot, **late)).failure is None, (
        "its age is counted from what is asked for"
    )


async def test_no_error_yet_is_zero_when_requests_are_there_V02(
    prometheus_server: PrometheusServer, app: str, slot: float
) -> None:
    never = promql(ratio(app, code="418"), min_samples=enough(app), absent_is_zero=True)
    measurement = await ask(prometheus_server, never, slot)
    assert measurement.value == 0
    assert measurement.samples == pytest.approx(1200, rel=0.01)


async def test_no_error_yet_is_nothing_when_no_requests_are_there_either_V02(
    prometheus_server: PrometheusServer, slot: float
) -> None:
    never = promql(ratio("nobody"), min_samples=enough("nobody"), absent_is_zero=True)
    measurement = await ask(prometheus_server, never, slot)
    assert measurement.failure is Outcome.NODATA
    assert measurement.samples == 0


@pytest.mark.parametrize(("needed", "outcome"), [(1000, Outcome.BREACH), (2000, Outcome.INSUFFICIENT)])
async def test_fewer_requests_than_are_needed_prove_nothing_V10(
    prometheus_server: PrometheusServer, app: str, slot: float, needed: int, outcome: Outcome
) -> None:
    """Of 1200 requests a tenth has failed."""
    rule = promql(ratio(app), min_samples=enough(app) | {"value": needed})
    assert judge(rule, await ask(prometheus_server, rule, slot))[0] is outcome


async def test_the_first_sample_of_a_counter_is_lost_unless_it_began_with_0_V11(
    prometheus_server: PrometheusServer, app: str, slot: float
) -> None:
    """Forty requests fail a minute ago: what rate() makes of them depends on whether the application has said 0."""
    instants = range(-600, 1, 15)
    labels = {"app": app, "color": "green", "namespace": "bank"}
    born = [(slot + at, 40.0) for at in instants if at >= -60]
    began = [(slot + at, 40.0 if at >= -60 else 0.0) for at in instants]
    prometheus_server.remote_write(
        Series("http_requests_total", labels | {"code": "502"}, born),
        Series("http_requests_total", labels | {"code": "503"}, began),
    )
    assert (await ask(prometheus_server, promql(ratio(app, code="502")), slot)).value == 0
    seen = await ask(prometheus_server, promql(rate_of(app, code="503", function="increase")), slot)
    assert seen.value == pytest.approx(40, rel=0.15)


@pytest.mark.parametrize(
    "expr",
    [
        pytest.param("vector(1) > 2", id="a comparison that is false"),
        pytest.param("no_such_metric_at_all", id="a metric that is absent"),
        pytest.param("(vector(0) / 0) > 2", id="a comparison of NaN"),
    ],
)
async def test_three_queries_that_look_the_same_are_nodata_F04_V01(
    prometheus_server: PrometheusServer, slot: float, expr: str
) -> None:
    assert (await ask(prometheus_server, promql(expr), slot)) == Measurement.nodata(
        f"Prometheus at {prometheus_server.url} has no series for the expression at this instant"
    )


async def test_no_traffic_is_nan_and_no_data_F05_V03(
    prometheus_server: PrometheusServer, app: str, slot: float
) -> None:
    prometheus_server.remote_write(*(counter(f"{app}-idle", code, slot, rate=0) for code in ("200", "500")))
    rule = promql(ratio(f"{app}-idle"))
    measurement = await ask(prometheus_server, rule, slot)
    assert measurement.failure is None
    assert measurement.value is not None
    assert math.isnan(measurement.value)
    assert judge(rule, measurement)[0] is Outcome.NODATA


async def test_division_by_zero_is_infinite_and_insufficient_F06_V04(
    prometheus_server: PrometheusServer, slot: float
) -> None:
    for expr, value in (("vector(1) / 0", math.inf), ("vector(-1) / 0", -math.inf)):
        measurement = await ask(prometheus_server, promql(expr), slot)
        assert measurement.value == value
        assert judge(promql(expr), measurement)[0] is Outcome.INSUFFICIENT


@pytest.mark.parametrize(
    ("expr", "value"), [("3.5", 3.5), ("scalar(vector(2))", 2.0), ("scalar(vector(1) > 2)", math.nan)]
)
async def test_a_scalar_is_a_value_V06(
    prometheus_server: PrometheusServer, slot: float, expr: str, value: float
) -> None:
    assert (await ask(prometheus_server, promql(expr), slot)).value == pytest.approx(value, nan_ok=True)


@pytest.mark.parametrize(
    ("expr", "says"),
    [
        pytest.param("'text'", "answered a string where one number is expected", id="a string"),
        pytest.param("vector(1)[1m:15s]", "answered a matrix where one number is expected", id="a matrix"),
        pytest.param("sum by (", "did not answer the query (HTTP 400): bad_data: ", id="bad syntax"),
        pytest.param("rate(up)", "did not answer the query (HTTP 400): bad_data: ", id="bad types"),
        pytest.param(
            "label_replace(vector(1), 'a', 'b', 'c', '(')",
            "did not answer the query (HTTP 422): execution: ",
            id="an error of the evaluation",
        ),
    ],
)
async def test_what_is_no_number_is_an_error_V06(
    prometheus_server: PrometheusServer, slot: float, expr: str, says: str
) -> None:
    measurement = await ask(prometheus_server, promql(expr), slot)
    assert measurement.failure is Outcome.ERROR
    assert measurement.reason.startswith(f"Prometheus at {prometheus_server.url} {says}")


async def test_several_series_are_named_F09_V05(prometheus_server: PrometheusServer, app: str, slot: float) -> None:
    by_code = promql(f'sum by (code) (rate(http_requests_total{{app="{app}"}}[2m]))')
    measurement = await ask(prometheus_server, by_code, slot)
    assert measurement.failure is Outcome.ERROR
    assert measurement.reason.endswith('They are {code="200"} and {code="500"}')


async def test_labels_that_steer_a_terminal_are_named_and_do_not_F93_V05(
    prometheus_server: PrometheusServer, app: str, slot: float
) -> None:
    shown = {
        "\x1b[2J\x1b]0;owned\x07": "\\x1b[2J\\x1b]0;owned\\x07",
        "a\r\nWARN all is well": "a WARN all is well",
        "\u202etxet": "\\u202etxet",
        "{{ color }} $(id) `id`": "{{ color }} $(id) `id`",
    }
    for number, (pod, expected) in enumerate(shown.items()):
        labels = {"app": app, "case": str(number)}
        prometheus_server.remote_write(
            *(Series("queue", labels | {"pod": each}, [(slot - 1, 1)]) for each in (pod, "zz"))
        )
        reason = (await ask(prometheus_server, promql(f'queue{{app="{app}",case="{number}"}}'), slot)).reason
        assert "answered 2 series where one is expected" in reason
        assert f'pod="{expected}"' in reason, "escaped, on one line, and never filled in or run"
        assert reason.isprintable()


async def test_many_series_are_an_error_of_bearable_length_F09_F13(
    prometheus_server: PrometheusServer, app: str, slot: float
) -> None:
    labels = [{"app": app, "pod": f"{number:04}-{'x' * 200}"} for number in range(6000)]
    prometheus_server.remote_write(*(Series("up_of_many", one, [(slot - 1, 1)]) for one in labels))
    few = await ask(prometheus_server, promql(f'up_of_many{{app="{app}",pod=~"0.*"}}'), slot)
    many = await ask(prometheus_server, promql(f'up_of_many{{app="{app}"}}'), slot)
    assert "answered 1000 series where one is expected" in few.reason
    assert "answered more than 1 MiB; aggregate with sum() or max()" in many.reason
    assert len(few.reason.encode()) <= 400


async def test_a_warning_of_prometheus_is_an_error_F10_V08(prometheus_server: PrometheusServer, slot: float) -> None:
    measurement = await ask(prometheus_server, promql("quantile(2, vector(1))"), slot)
    assert measurement.failure is Outcome.ERROR
    assert "answered with warnings, a part of the truth: PromQL warning: quantile value should be" in measurement.reason


async def test_a_hint_of_prometheus_is_none_F10(prometheus_server: PrometheusServer, app: str, slot: float) -> None:
    prometheus_server.remote_write(Series("bytes_sent", {"app": app}, [(slot - 30, 0), (slot, 30)]))
    expr = f'sum(rate(bytes_sent{{app="{app}"}}[1m]))'
    assert "might not be a counter" in str(prometheus_server.answer(expr, at=slot)["infos"])
    assert (await ask(prometheus_server, promql(expr), slot)).value is not None


async def test_a_sample_of_280_s_ago_is_no_data_F07_V07(
    prometheus_server: PrometheusServer, app: str, slot: float
) -> None:
    prometheus_server.remote_write(Series("queue_length", {"app": app}, [(slot - 280, 7)]))
    old = await ask(prometheus_server, promql(f'max(queue_length{{app="{app}"}})'), slot)
    assert old == Measurement.nodata(
        f'Prometheus at {prometheus_server.url} has no sample of {{__name__="queue_length",app="{app}"}} '
        "younger than 280 s; max_age is 120 s"
    )
    patient = promql(f'max(queue_length{{app="{app}"}})', max_age="300s")
    assert (await ask(prometheus_server, patient, slot)).value == 7
    assert (await ask(prometheus_server, promql(f'max(queue_length{{app="{app}"}})'), slot, max_age=300)).value == 7


async def test_a_range_that_nobody_adds_to_any_more_is_no_data_F07_V07(
    prometheus_server: PrometheusServer, app: str, slot: float
) -> None:
    whole = promql(ratio(app).replace("2m", "10m"), min_samples=enough(app))
    assert (await ask(prometheus_server, whole, slot + 100)).value == pytest.approx(0.1)
    for later in (130, 290, 310):  # the last is beyond Prometheus' own look-back of 5 minutes
        assert (await ask(prometheus_server, whole, slot + later)).failure is Outcome.NODATA


async def test_a_range_over_pods_that_are_gone_is_no_data_F07_F08(
    prometheus_server: PrometheusServer, app: str, slot: float
) -> None:
    labels = {"app": app, "color": "green", "namespace": "bank", "code": "200"}
    ends = [Series("http_requests_total", labels | {"code": code}, [(slot + 1, STALE)]) for code in ("200", "500")]
    prometheus_server.remote_write(*ends)
    gone = await ask(prometheus_server, promql(rate_of(app)), slot + 15)
    assert prometheus_server.value(f'sum(rate(http_requests_total{{app="{app}"}}[2m]))', at=slot + 15)
    assert gone.failure is Outcome.NODATA
    assert gone.reason.endswith(" any more")


async def test_what_may_be_missing_and_what_is_about_the_past_needs_no_present_series_F07(
    prometheus_server: PrometheusServer, app: str, slot: float
) -> None:
    now = f'http_requests_total{{app="{app}"}}'
    for expr in (
        'absent(queue_length{app="nobody"})',
        f'sum({now}) or sum(queue_length{{app="nobody"}})',
        'sum(queue_length{app="nobody"}) or vector(0)',
        f'sum({now}) unless sum(queue_length{{app="nobody"}})',
    ):
        assert (await ask(prometheus_server, promql(expr), slot)).failure is None, expr
    compared = promql(f"sum(rate({now}[2m] offset 10m)) + sum({now} @ {slot - 100:.0f}) or sum({now} @ end())")
    assert (await ask(prometheus_server, compared, slot + 200)).failure is None


async def test_the_proof_reads_any_selector_as_it_was_written_F07(
    prometheus_server: PrometheusServer, app: str, slot: float
) -> None:
    strange = 'a "quoted" \\ and\na second line'
    labels = {"app": app, "path": strange, "with.dot": "x"}
    prometheus_server.remote_write(Series("queue.length", labels, [(slot - 200, 7)]))
    escaped = strange.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    written = f'max({{"queue.length", app=~"{app}", "with.dot"!="y", path="{escaped}"}})'
    assert prometheus_server.value(written, at=slot) == 7
    assert (await ask(prometheus_server, promql(written), slot)).reason.endswith("younger than 200 s; max_age is 120 s")
    assert (await ask(prometheus_server, promql(written), slot - 100)).value == 7


async def test_a_target_that_is_gone_is_nodata_F08(prometheus_server: PrometheusServer, app: str, slot: float) -> None:
    prometheus_server.remote_write(Series("queue_length", {"app": app}, [(slot - 30, 7), (slot - 15, STALE)]))
    gone = await ask(prometheus_server, promql(f'max(queue_length{{app="{app}"}})'), slot)
    assert gone.failure is Outcome.NODATA


async def test_a_rule_about_up_sees_that_a_target_is_gone_F08(prometheus_server: PrometheusServer) -> None:
    address = f"127.0.0.1:{free_port()}"
    up = promql(f'min(up{{instance="{address}"}})').model_copy(update={"threshold": Threshold(min=1)})
    prometheus_server.add_target(address)
    try:
        await eventually(lambda: prometheus_server.query(f'up{{instance="{address}"}}'), "it was scraped")
        measurement = await ask(prometheus_server, up, time.time())
    finally:
        prometheus_server.remove_target(address)
    assert measurement == Measurement(value=0.0)
    assert judge(up, measurement)[0] is Outcome.BREACH


async def test_a_query_over_too_many_samples_says_so_itself_F03(
    own_prometheus_with: Callable[..., PrometheusServer], slot: float
) -> None:
    small = own_prometheus_with("--query.max-samples=30")
    small.remote_write(counter("bank", "200", slot, rate=9), counter("bank", "500", slot, rate=1))
    measurement = await ask(small, promql(ratio("bank").replace("2m", "10m")), slot)
    assert measurement.failure is Outcome.ERROR
    assert "did not answer the query (HTTP 422): execution: query processing would load too many samples" in (
        measurement.reason
    )


async def test_a_query_that_takes_too_long_says_so_itself_F03(prometheus_server: PrometheusServer, slot: float) -> None:
    terms = " + ".join(f"sum(rate(up[{hours}h]))" for hours in range(1, 6))
    endless = promql(f"count_over_time(({terms})[60000h:1s])")
    measurement = await ask(prometheus_server, endless, slot, deadline=20)  # a tenth is left for the answer
    assert measurement.failure is Outcome.ERROR
    assert "did not answer the query (HTTP 503): timeout: query timed out" in measurement.reason


async def test_killed_in_the_middle_is_refused_and_comes_back_F01(own_prometheus: PrometheusServer) -> None:
    slot = float(int(time.time()))
    async with prometheus(own_prometheus.url) as source:
        assert (await measured(source, promql("vector(1)"), slot=slot)).value == 1
        own_prometheus.kill()
        killed = await measured(source, promql("vector(1)"), slot=slot)
        own_prometheus.start()
        again = await measured(source, promql("vector(1)"), slot=slot)
    assert killed == Measurement.error(f"Prometheus at {own_prometheus.url} refuses the connection")
    assert again.value == 1


async def test_frozen_ends_at_the_deadline_and_holds_up_nobody_F02(
    own_prometheus: PrometheusServer, prometheus_server: PrometheusServer
) -> None:
    slot = float(int(time.time()))
    async with (
        prometheus(own_prometheus.url, deadline=5) as frozen,
        prometheus(prometheus_server.url) as well,
    ):
        assert (await measured(frozen, promql("vector(1)"), slot=slot)).value == 1
        own_prometheus.suspend()
        started = time.monotonic()
        stuck = [asyncio.create_task(measured(frozen, promql("vector(1)"), slot=slot)) for _ in range(20)]
        for _ in range(20):
            assert (await measured(well, promql("vector(1)"), slot=slot)).value == 1
        assert not any(task.done() for task in stuck)
        answers = await asyncio.gather(*stuck)
        assert time.monotonic() - started < 8  # the deadline is the subject
        own_prometheus.resume()
        again = await measured(frozen, promql("vector(1)"), slot=slot)
    assert {answer.failure for answer in answers} == {Outcome.ERROR}
    assert f"Prometheus at {own_prometheus.url} did not answer within 5 s" in {answer.reason for answer in answers}
    assert again.value == 1


async def test_restarted_in_a_streak_it_is_held_until_the_gap_has_left_the_window_F15(
    own_prometheus: PrometheusServer,
) -> None:
    slot = float(int(time.time()))
    until = slot + 300
    own_prometheus.remote_write(counter("bank", "200", until, rate=9), counter("bank", "500", until, rate=1))
    rule = promql(ratio("bank"))
    async with prometheus(own_prometheus.url) as source:
        before = await measured(source, rule, slot=slot)
        own_prometheus.kill()
        killed = await measured(source, rule, slot=slot + 1)
        own_prometheus.start()
        after, others = await asyncio.gather(
            measured(source, rule, slot=slot + 2), measured(source, promql(rate_of("bank")), slot=slot + 2)
        )
        instant = await measured(source, promql('sum(http_requests_total{app="bank"})'), slot=slot + 2)
        last_held = await measured(source, rule, slot=slot + 121)
        first_free = await measured(source, rule, slot=slot + 122)
    assert before.value == pytest.approx(0.1)
    assert killed.failure is Outcome.ERROR
    assert {after.failure, others.failure, last_held.failure} == {Outcome.INSUFFICIENT}
    assert "has restarted, and the gap in its data is in the window until" in after.reason
    assert instant.value == 3000  # no range, no gap
    assert first_free.value == pytest.approx(0.1)
