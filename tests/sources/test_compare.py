"""What a comparing rule counts: by hand-made readings, and on a real Prometheus slot by slot."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.sources.asking import prometheus
from tests.stack.prometheus import PrometheusServer, Series
from watchdog.core.eprocess import Counts
from watchdog.core.evaluate import evaluate, evidence, fresh_state, judge
from watchdog.core.journal import Journal, remember, worth_keeping
from watchdog.core.journal_text import read_journal, write_journal
from watchdog.core.model import Measurement, Outcome, Phase
from watchdog.core.rules.language import Rule
from watchdog.sources.compare import ComparingSource
from watchdog.sources.envelope import Reading
from watchdog.sources.questions import Answered, Asked

COLORS = ("blue", "green")
ONE = Reading(value=1.0)


def comparing(app: str = "shop", **fields: Any) -> Rule:
    requests = f'http_requests_total{{app="{app}",color="{{{{ color }}}}"'
    compare = {
        "error_expr": f'sum(increase({requests},code="500"}}[{{{{ window }}}}]))',
        "total_expr": f"sum(increase({requests}}}[{{{{ window }}}}]))",
        "baseline": "concurrent",
    }
    return Rule.model_validate({"alert": "Worse", "compare": compare | fields})


@dataclass
class Script:
    """Answers what it is told, in order, and remembers what it was asked; ``flaws`` are by the number of the question.

    The questions are errors and requests of the color, then, of each part of the baseline, the same and the dispersion.
    """

    readings: list[Reading]
    flaws: Mapping[int, Measurement] = field(default_factory=dict)
    max_age: float = 120.0
    query_offset: float = 0.0
    questions: list[Asked] = field(default_factory=list)

    @property
    def asked(self) -> list[tuple[str, float]]:
        return [(expr, each.at) for each in self.questions for expr in each.exprs]

    async def read(self, asked: Asked, *, newest: float) -> Answered:
        assert asked.at <= newest
        begun, flaw = len(self.asked), self.flaws.get(len(self.questions))
        self.questions.append(asked)
        return Answered(readings=self.readings[begun : begun + len(asked.exprs)], flaw=flaw)


async def measured(
    rule: Rule, *readings: float | None, slot: float = 130.0, flaws: Mapping[int, Measurement] | None = None
) -> tuple[Measurement, Script]:
    script = Script([Reading(value=value) for value in readings], flaws or {})
    source = ComparingSource(script, colors=COLORS)
    return await source.measure(rule, color="green", namespace="bank", slot=slot), script


async def test_the_newest_whole_window_of_both_colors_is_counted() -> None:
    measurement, script = await measured(comparing(), 5, 100, 1, 200, 3)
    wanted = Counts(end=120, errors=5, requests=100, control_errors=1, control_requests=200, dispersion=3)
    assert measurement.counts == wanted
    assert [at for _, at in script.asked] == [120, 120, 120, 120, 60]
    own, _, other, _, history = [expr for expr, _ in script.asked]
    assert own == 'sum(increase(http_requests_total{app="shop",color="green",code="500"}[1m]))'
    assert other == own.replace("green", "blue")
    assert history == f"stdvar_over_time(({other}\n)[1h:1m]) / avg_over_time(({other}\n)[1h:1m])"


async def test_a_window_is_whole_when_its_last_samples_have_arrived() -> None:
    script = Script([ONE] * 5, query_offset=15)
    source = ComparingSource(script, colors=COLORS)
    measurement = await source.measure(comparing(), color="green", namespace="bank", slot=130)
    assert measurement.counts is not None
    assert measurement.counts.end == 60


async def test_the_past_of_both_colors_is_added_up() -> None:
    rule = comparing(baseline="offset", offset="1d")
    measurement, script = await measured(rule, 5, 100, 1, 200, None, 2, 50, 4)
    wanted = Counts(end=120, errors=5, requests=100, control_errors=3, control_requests=250, dispersion=4)
    assert measurement.counts == wanted
    assert {at for _, at in script.asked[2:]} == {120 - 86400, 60 - 86400}
    assert "blue" in script.asked[2][0]
    assert "green" in script.asked[5][0]


async def test_a_preview_has_expressions_of_its_own() -> None:
    rule = comparing(
        baseline="preview",
        baseline_error_expr='pe{c="{{ color }}"}[{{ window }}]',
        baseline_total_expr='pt{c="{{ color }}"}[{{ window }}]',
    )
    _, script = await measured(rule, 5, 100, 1, 200, 1)
    assert [expr for expr, _ in script.asked[2:4]] == ['pe{c="blue"}[1m]', 'pt{c="blue"}[1m]']


@pytest.mark.parametrize(
    ("readings", "outcome"),
    [
        pytest.param((5, 0, 1, 200, 1), Outcome.INSUFFICIENT, id="no requests of the color"),
        pytest.param((5, 100, 1, 0, 1), Outcome.INSUFFICIENT, id="no requests of the baseline"),
        pytest.param((5, 100, None, None, None), Outcome.INSUFFICIENT, id="no baseline at all: a full switch"),
        pytest.param((5, None, 1, 200, 1), Outcome.NODATA, id="no series of the color"),
        pytest.param((None, 100, 1, 200, 1), Outcome.NODATA, id="no series of errors"),
        pytest.param((5, 100, None, 200, 1), Outcome.NODATA, id="no series of the baseline's errors"),
        pytest.param((5, math.nan, 1, 200, 1), Outcome.NODATA, id="NaN"),
        pytest.param((5, math.inf, 1, 200, 1), Outcome.NODATA, id="infinite"),
        pytest.param((-5, 100, 1, 200, 1), Outcome.NODATA, id="negative"),
        pytest.param((5, 1e308, 1, 200, 1), Outcome.NODATA, id="more than anybody can count"),
    ],
)
async def test_what_cannot_be_compared(readings: tuple[float | None, ...], outcome: Outcome) -> None:
    measurement, _ = await measured(comparing(), *readings)
    assert (measurement.counts, measurement.failure) == (None, outcome)


async def test_no_errors_yet_are_zero_when_it_is_said() -> None:
    measurement, _ = await measured(comparing(absent_is_zero=True), 5, 100, None, 200, math.nan)
    assert measurement.counts == Counts(end=120, errors=5, requests=100, control_errors=0, control_requests=200)


OLD = Measurement.nodata("too old")
HELD = Measurement(failure=Outcome.INSUFFICIENT, reason="a gap")
UNKNOWN = Measurement.error("nobody knows how old")


@pytest.mark.parametrize(
    ("flaws", "expected"),
    [
        pytest.param({0: OLD}, OLD, id="F07 the color's samples are old"),
        pytest.param({1: OLD}, OLD, id="F07 those of the only baseline"),
        pytest.param({1: OLD, 0: HELD}, HELD, id="F15 the color's own flaw comes first"),
        pytest.param({1: UNKNOWN}, UNKNOWN, id="F07 how old they are is not known"),
    ],
)
async def test_counts_with_a_flaw_are_not_compared(flaws: dict[int, Measurement], expected: Measurement) -> None:
    measurement, _ = await measured(comparing(), 5, 100, 1, 200, 3, flaws=flaws)
    assert (measurement.counts, measurement.failure, measurement.reason) == (None, expected.failure, expected.reason)


@pytest.mark.parametrize(
    ("flaws", "expected"),
    [
        pytest.param({1: OLD}, (2, 50, 4), id="the other color alone"),
        pytest.param({3: OLD}, (1, 200, 3), id="this color alone"),
        pytest.param({1: OLD, 3: OLD}, OLD, id="neither"),
        pytest.param({1: OLD, 3: UNKNOWN}, UNKNOWN, id="an error of either"),
        pytest.param({2: HELD, 4: HELD}, (3, 250, 4), id="a gap in an hour of dispersion"),
    ],
)
async def test_F07_a_past_that_is_no_evidence_is_left_out(
    flaws: dict[int, Measurement], expected: Measurement | tuple[float, float, float]
) -> None:
    """Of two colors one may have ended before the window did: what it left there is a part of the truth."""
    rule = comparing(baseline="offset", offset="1d")
    measurement, _ = await measured(rule, 5, 100, 1, 200, 3, 2, 50, 4, flaws=flaws)
    if isinstance(expected, Measurement):
        assert (measurement.counts, measurement.failure, measurement.reason) == (
            None,
            expected.failure,
            expected.reason,
        )
    else:
        assert (counts := measurement.counts) is not None
        assert (counts.control_errors, counts.control_requests, counts.dispersion) == expected


async def test_of_a_part_without_requests_nothing_has_to_be_new() -> None:
    rule = comparing(baseline="offset", offset="1d")
    measurement, _ = await measured(rule, 5, 100, None, None, None, 2, 50, 4, flaws={1: OLD})
    assert measurement.counts == Counts(
        end=120, errors=5, requests=100, control_errors=2, control_requests=50, dispersion=4
    )


@pytest.mark.parametrize(
    ("fields", "max_age"),
    [
        pytest.param({}, 30, id="half of the window"),
        pytest.param({"window": "10m"}, 120, id="not longer than elsewhere"),
        pytest.param({"max_age": "50s"}, 50, id="what the rule says"),
    ],
)
async def test_F07_how_old_the_newest_sample_may_be(fields: dict[str, str], max_age: float) -> None:
    _, script = await measured(comparing(**fields), 5, 100, 1, 200, 3, slot=1330)
    assert [each.max_age for each in script.questions] == [max_age, max_age, math.inf]
    assert all(not each.may_be_absent for each in script.questions)
    _, script = await measured(comparing(absent_is_zero=True, **fields), 5, 100, 1, 200, 3, slot=1330)
    assert [list(each.may_be_absent) for each in script.questions[:2]] == [
        [each.exprs[0]] for each in script.questions[:2]
    ]


async def test_one_question_that_fails_is_an_error() -> None:
    script = Script([ONE, ONE, ONE, Reading(error="refused"), ONE])
    source = ComparingSource(script, colors=COLORS)
    failed = await source.measure(comparing(), color="green", namespace="bank", slot=130)
    assert failed == Measurement.error("refused")


def test_counts_alone_are_no_breach_of_any_color() -> None:
    counts = Counts(end=0, errors=90, requests=100, control_errors=0, control_requests=100)
    raw = Measurement(failure=Outcome.INSUFFICIENT, counts=counts)
    assert judge(comparing(), raw)[0] is Outcome.INSUFFICIENT


def test_the_evidence_is_carried_in_the_state_and_survives_the_process() -> None:
    rule = comparing()
    whole, kept = fresh_state(rule, "green:1"), fresh_state(rule, "green:1")
    for number in range(8):
        counts = Counts(end=number * 60, errors=3, requests=100, control_errors=1, control_requests=100)
        measurement = Measurement(failure=Outcome.INSUFFICIENT, counts=counts)
        whole = evaluate(rule, whole, measurement, slot=number * 60.0, interval=60)
        kept = evaluate(rule, kept, measurement, slot=number * 60.0, interval=60)
        journal = worth_keeping(remember(Journal(target="shop"), kept))
        kept = read_journal(write_journal(journal), target="shop").states["Worse"]
        if number == 3:
            assert kept.phase is Phase.INACTIVE
            assert kept.slot is None, "what changes in each slot is not written"
    assert kept.comparing == whole.comparing
    assert whole.comparing is not None
    assert whole.comparing.windows == 8


def test_F79_a_clock_that_was_set_back_begins_to_compare_anew() -> None:
    rule = comparing()
    state = fresh_state(rule, "green:1")
    for now in (7200.0, 60.0):
        counts = Counts(end=now, errors=3, requests=100, control_errors=1, control_requests=100)
        measurement = Measurement(failure=Outcome.INSUFFICIENT, counts=counts)
        state = evaluate(rule, state, measurement, slot=now, interval=60)
    assert state.comparing is not None
    assert (state.comparing.end, state.comparing.windows) == (60.0, 1)


@pytest.mark.parametrize(
    ("bad_share", "phase"),
    [pytest.param(0.01, Phase.INACTIVE, id="alike"), pytest.param(0.08, Phase.FIRING, id="worse")],
)
async def test_on_a_real_prometheus(prometheus_server: PrometheusServer, bad_share: float, phase: Phase) -> None:
    """90 minutes of 300 requests a minute for each color; 1 % of blue's fail, and in the last ten more of green's."""
    end, app = float(int(time.time()) // 60 * 60), f"app{secrets.token_hex(4)}"
    instants = range(0, 5401, 15)
    for color, late in (("blue", 0.01), ("green", bad_share)):
        failed = [at * 5 * 0.01 + max(0, at - 4800) * 5 * (late - 0.01) for at in instants]
        for code, values in (("500", failed), ("200", [at * 5.0 for at in instants])):
            labels = {"app": app, "color": color, "code": code}
            points = [(end - 5400 + at, value) for at, value in zip(instants, values, strict=True)]
            prometheus_server.remote_write(Series("http_requests_total", labels, points))
    rule = comparing(app, window="1m")
    state = fresh_state(rule, "green:1")
    async with prometheus(prometheus_server.url) as asked:
        source = ComparingSource(asked, colors=COLORS)
        for slot in range(int(end) - 540, int(end) + 1, 30):
            measurement = await source.measure(rule, color="green", namespace="bank", slot=slot)
            state = evaluate(rule, state, measurement, slot=slot, interval=30)
    assert state.phase is phase, state.reason
    assert state.comparing is not None
    assert state.comparing.windows == 10, "two slots a window, and each window counts once"
    if phase is Phase.FIRING:
        assert "healthy is at most 50" in str(evidence(rule, state))
        assert "of the baseline, in 10 windows" in state.reason


def requests_of(app: str, color: str, *, start: float, end: float) -> list[Series]:
    """A counter of 5 requests a second, of which a tenth fails, scraped every 5 s."""
    instants = [start + at for at in range(0, int(end - start) + 1, 5)]
    return [
        Series(
            "http_requests_total",
            {"app": app, "color": color, "code": code},
            [(at, (at - start) * rate) for at in instants],
        )
        for code, rate in (("500", 0.5), ("200", 4.5))
    ]


async def compared(server: PrometheusServer, rule: Rule, *, slot: float) -> Measurement:
    async with prometheus(server.url) as asked:
        source = ComparingSource(asked, colors=COLORS)
        return await source.measure(rule, color="green", namespace="bank", slot=slot)


@pytest.mark.parametrize("stopped", ["green", "blue"])
async def test_F07_a_window_that_nobody_added_to_in_its_second_half_is_not_counted(
    prometheus_server: PrometheusServer, stopped: str
) -> None:
    """The scrapes of one color end 40 s before the window does: `increase` still yields a number."""
    end, app = float(int(time.time()) // 60 * 60), f"app{secrets.token_hex(4)}"
    for color in COLORS:
        last = end - 40 if color == stopped else end
        prometheus_server.remote_write(*requests_of(app, color, start=end - 600, end=last))
    left = prometheus_server.value(f'sum(increase(http_requests_total{{app="{app}",color="{stopped}"}}[1m]))', at=end)
    assert left is not None
    assert 0 < left < 250, "less than the 300 of a whole window"
    measurement = await compared(prometheus_server, comparing(app), slot=end + 5)
    assert measurement.failure is Outcome.NODATA
    assert measurement.counts is None
    assert f'color="{stopped}"' in measurement.reason
    assert "max_age is 30 s" in measurement.reason
    patient = await compared(prometheus_server, comparing(app, max_age="50s"), slot=end + 5)
    assert patient.counts is not None
    before = await compared(prometheus_server, comparing(app), slot=end - 55)
    assert before.counts is not None, "the window before was whole"
    assert before.counts.requests == pytest.approx(300, rel=0.01)


async def test_F07_the_past_of_a_color_that_had_ended_then_is_left_out(prometheus_server: PrometheusServer) -> None:
    end, app = float(int(time.time()) // 60 * 60), f"app{secrets.token_hex(4)}"
    for color, last in (("green", end), ("blue", end - 1800 - 40)):
        prometheus_server.remote_write(*requests_of(app, color, start=end - 3000, end=last))
    measurement = await compared(prometheus_server, comparing(app, baseline="offset", offset="30m"), slot=end + 5)
    assert measurement.counts is not None
    assert measurement.counts.control_requests == pytest.approx(300, rel=0.01), "green's alone"


async def test_F15_a_window_that_a_restart_has_left_a_gap_in_is_not_counted(own_prometheus: PrometheusServer) -> None:
    end = float(int(time.time()) // 60 * 60)
    for color in COLORS:
        own_prometheus.remote_write(*requests_of("shop", color, start=end - 600, end=end + 300))
    rule = comparing("shop")
    async with prometheus(own_prometheus.url) as asked:
        source = ComparingSource(asked, colors=COLORS)

        async def counted(slot: float) -> Measurement:
            return await source.measure(rule, color="green", namespace="bank", slot=slot)

        before = await counted(end + 10)
        own_prometheus.kill()
        killed = await counted(end + 25)
        own_prometheus.start()
        after = await counted(end + 40)
        in_gap = await counted(end + 70)
        last_held = await counted(end + 60 + 39)
        next_window = await counted(end + 120)
    assert before.counts is not None
    assert killed.failure is Outcome.ERROR
    assert after.counts == before.counts, "this window had ended before"
    for held in (in_gap, last_held):
        assert (held.failure, held.counts) == (Outcome.INSUFFICIENT, None)
        assert "has restarted, and the gap in its data is in the window until" in held.reason
    assert next_window.counts is not None
    assert next_window.counts.end == end + 120
