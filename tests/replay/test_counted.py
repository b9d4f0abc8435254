"""Rules that count requests over windows, played from ``input_results``: the requests of each slot, and who failed."""

import pytest

from tests.replay.conftest import Play
from watchdog.replay.results import tally_of

RULES = """\
target: shop
namespace: shop
interval: 15s
mode: enforce
services: [{name: web, deployment: "web-{{ color }}"}]
rules:
  - alert: Burn
    burn_rate:
      error_expr: 'sum(rate(errors_total{color="{{ color }}"}[{{ window }}]))'
      total_expr: 'sum(rate(requests_total{color="{{ color }}"}[{{ window }}]))'
      absent_is_zero: true
      objective: 99%
      pairs: [{long: 10m, short: 1m, budget: 0.1%}]   # 4.32 times 1 %
    min_samples: {expr: 'sum(increase(requests_total{color="{{ color }}"}[2m]))', value: 50}
    datapoints_to_alarm: 2
    evaluation_periods: 2
    action: rollback
  - alert: Worse
    compare:
      error_expr: 'sum(increase(errors_total{color="{{ color }}"}[{{ window }}]))'
      total_expr: 'sum(increase(requests_total{color="{{ color }}"}[{{ window }}]))'
      baseline: concurrent
    for: 15s
    action: rollback
  - alert: Down
    http: {url: "http://web-{{ color }}:8080/"}
    threshold: {max: 0}
    for: 15s
    action: rollback
  - alert: Unready
    kubernetes: {count: unready_pods}
    threshold: {max: 1}
    for: 15s
    action: rollback
"""


def passes(play: Play, tests: str) -> None:
    said = play(tests, rules=RULES)
    assert (said.code, said.err) == (0, ""), said.out + said.err
    assert "vacuous" not in said.out


def test_a_burn_rate_is_the_share_of_each_window(play: Play) -> None:
    # After n bad slots 5 of 100 fail in the short window and 5n of (40 + n)·100, at most 40 slots, in the long one.
    passes(
        play,
        """
  - input_results: [{alert: Burn, errors: 0x39 20x39, total: 100x79}]
    alert_rule_test:
      - {eval_time: 11m45s, alertname: Burn, exp_alerts: []}
      - {eval_time: 12m15s, alertname: Burn, exp_alerts: [{}]}
    exp_state:
      - {eval_time: 9m45s, rules: {Burn: {phase: inactive, outcome: ok, value: 0}}}
      - {eval_time: 10m, rules: {Burn: {outcome: ok, value: 0.5}}}
      - {eval_time: 11m45s, rules: {Burn: {outcome: ok, value: 4}}}
      - {eval_time: 12m, rules: {Burn: {phase: pending, outcome: breach, value: 4.5}}}
    exp_actions: [{at: 12m15s, action: rollback, rules: [Burn]}]
""",
    )


def test_a_burst_that_the_long_window_hardly_shows_does_not_burn(play: Play) -> None:
    passes(
        play,
        """
  - input_results: [{alert: Burn, errors: 0x39 60 0x9, total: 100x50}]
    exp_state:
      - {eval_time: 10m, rules: {Burn: {outcome: ok, value: 1.5}}}
      - {eval_time: 11m, rules: {Burn: {outcome: ok, value: 0}}}
    exp_actions: []
""",
    )


def test_too_few_requests_prove_nothing(play: Play) -> None:
    passes(
        play,
        """
  - input_results: [{alert: Burn, errors: 5x20, total: 5x20, samples: 49x20}]
    exp_state: [{eval_time: 5m, rules: {Burn: {phase: inactive, outcome: insufficient}}}]
    exp_actions: []
""",
    )


def test_a_gap_adds_nothing_and_a_window_without_a_count_is_no_data(play: Play) -> None:
    passes(
        play,
        """
  - input_results: [{alert: Burn, errors: 1x9 _x60, total: 100x9 _x60}]
    exp_state:
      - {eval_time: 3m, rules: {Burn: {outcome: ok, value: 1}}}
      - {eval_time: 3m45s, rules: {Burn: {outcome: nodata}}}
""",
    )


def test_a_worse_color_is_compared_with_its_baseline_window_by_window(play: Play) -> None:
    passes(
        play,
        """
  - input_results:
      - {alert: Worse, errors: 1x19 10x39, total: 100x59, baseline_errors: 1x59, baseline_total: 100x59}
    exp_state:
      - {eval_time: 5m, rules: {Worse: {phase: inactive, outcome: ok, value: 0}}}
      - {eval_time: 8m, active: blue}
""",
    )
    said = play(
        "  - input_results:\n"
        "      - {alert: Worse, errors: 1x19 10x39, total: 100x59, baseline_errors: 1x59, baseline_total: 100x59}\n"
        "    exp_actions: []\n",
        rules=RULES,
    )
    assert "what was done is: rollback at 6m15s" in said.out


def test_what_both_sides_share_is_no_difference(play: Play) -> None:
    passes(
        play,
        """
  - input_results:
      - {alert: Worse, errors: 1x19 20x39, total: 100x59, baseline_errors: 1x19 20x39, baseline_total: 100x59}
    exp_state: [{eval_time: 14m, rules: {Worse: {phase: inactive, outcome: ok, value: 0}}}]
    exp_actions: []
""",
    )


def test_a_color_without_traffic_is_not_compared(play: Play) -> None:
    passes(
        play,
        """
  - input_results:
      - {alert: Worse, errors: 5x40, total: 100x40, baseline_errors: '0x40', baseline_total: '0x40'}
    exp_state: [{eval_time: 10m, rules: {Worse: {outcome: insufficient}}}]
""",
    )


def test_a_test_comes_to_the_same_wherever_it_stands_in_its_file(play: Play) -> None:
    """Windows are cut from the clock: each test has to begin at the same time of a day."""
    test = """
  - input_results:
      - {alert: Worse, errors: 1x19 10x39, total: 100x59, baseline_errors: 1x59, baseline_total: 100x59}
    exp_actions: [{at: 6m15s, action: rollback}]
"""
    odd = "\n  - input_results: [{alert: Unready, values: 1x2}]\n    exp_actions: []\n"
    for before in range(4):
        passes(play, odd * before + test)


@pytest.mark.parametrize("fault", ["http_503", "timeout", "empty", "nan", "partial"])
def test_what_fails_prometheus_fails_them_too(play: Play, fault: str) -> None:
    passes(
        play,
        f"""
  - input_results:
      - {{alert: Burn, errors: 90x40, total: 100x40}}
      - {{alert: Worse, errors: 90x40, total: 100x40, baseline_errors: 1x40, baseline_total: 100x40}}
    faults: [{{fault: {fault}, source: prometheus, from: 0s, to: 10m}}]
    exp_state:
      - eval_time: 9m45s
        rules:
          Burn: {{phase: inactive, outcome: {"nodata" if fault in ("empty", "nan") else "error"}}}
          Worse: {{phase: inactive, outcome: {"nodata" if fault in ("empty", "nan") else "error"}}}
      - {{eval_time: 10m30s, active: blue}}
""",
    )


def test_probes_and_pods_have_values(play: Play) -> None:
    passes(
        play,
        """
  - input_results: [{alert: Down, values: 0x3 1x9}]
    faults: [{fault: timeout, source: http, from: 1m, to: 1m15s}]
    exp_state: [{eval_time: 1m, rules: {Down: {outcome: error}}}]
    exp_actions: [{at: 1m30s, action: rollback, rules: [Down]}]
  - input_results: [{alert: Unready, values: 0x3 3x9}]
    exp_actions: [{at: 1m15s, action: rollback, rules: [Unready]}]
""",
    )


BURN = "{alert: Burn, errors: 1x9, total: 100x9}"


@pytest.mark.parametrize(
    ("results", "message"),
    [
        pytest.param(
            "{alert: Burn, values: 1x9}",
            "t.test.yaml:3:43: Burn is a rule on burn_rate, whose results have no values; write the failed requests",
            id="one value of a rule that counts",
        ),
        pytest.param(
            "{alert: Burn, errors: 1x9}",
            "t.test.yaml:3:21: the results of a rule on burn_rate need total; write the failed requests",
            id="errors without requests",
        ),
        pytest.param(
            "{alert: Worse, errors: 1x9, total: 9x9}",
            "the results of a rule on compare need baseline_errors and baseline_total; write",
            id="a comparison with nothing",
        ),
        pytest.param(
            "{alert: Burn, errors: 1x9, total: 9x9, baseline_errors: 1x9}",
            "Burn is a rule on burn_rate, whose results have no baseline_errors; write",
            id="a baseline of what compares nothing",
        ),
        pytest.param(
            "{alert: Worse, errors: 1x9, total: 9x9, baseline_errors: 1x9, baseline_total: 9x9, samples: 9x9}",
            "Worse is a rule on compare, whose results have no samples; write",
            id="samples of what counts its own",
        ),
        pytest.param(
            "{alert: Down, errors: 1x9, total: 9x9}",
            "Down is a rule on http, whose results have no errors; write values: with one value a slot",
            id="counts of a probe",
        ),
        pytest.param(
            "{alert: Down}",
            "t.test.yaml:3:21: the results of a rule on http need values; write values: with one value a slot",
            id="no values at all",
        ),
        pytest.param(
            "{alert: Burn, errors: 1x9, total: 100x8}",
            "t.test.yaml:3:43: errors has 10 slots and total 9; write both for the same slots",
            id="counts of another length",
        ),
        pytest.param(
            "{alert: Burn, errors: 1x8 101, total: 100x9}",
            "in slot 10 more requests failed than there were; write at most what total has",
            id="more errors than requests",
        ),
        pytest.param(
            "{alert: Burn, errors: 1x8 1, total: 100x8 _}",
            "in slot 10 more requests failed than there were; write at most what total has",
            id="errors of nothing",
        ),
        pytest.param(
            "{alert: Burn, errors: 0-1x9, total: 100x9}",
            "-1 is no number of requests; write how many came since the slot before",
            id="fewer than none",
        ),
        pytest.param(
            "{alert: Burn, errors: 1x9, total: 100x8 Inf}",
            "inf is no number of requests; write how many came since the slot before",
            id="endlessly many",
        ),
        pytest.param(
            f"{BURN}, {{alert: Burn, color: green, errors: 1x9, total: 100x9}}",
            "the results of Burn for green stand here a second time; write color: for the other color",
            id="the same rule and color twice",
        ),
        pytest.param(
            "{alert: Burn, errors: 1x9 zero, total: 100x9}",
            "t.test.yaml:3:47: 'zero' is no value; write a number",
            id="a count that is none",
        ),
        pytest.param(
            f"{BURN}]\n    faults: [{{fault: nan, source: compare, from: 0s, to: 1m}}",
            "no rule asks 'compare'; they ask http, kubernetes, prometheus",
            id="a kind where a server belongs",
        ),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused_with_its_place(play: Play, results: str, message: str) -> None:
    said = play(f"  - input_results: [{results}]\n    exp_actions: []\n", rules=RULES)
    assert (said.code, said.out) == (2, "")
    assert message in said.err


@pytest.mark.parametrize(
    ("after", "until", "counted"),
    [(0, 45, 6.0), (15, 45, 5.0), (0, 1000, 10.0), (-100, 0, None), (30, 45, 3.0), (45, 60, None), (14, 15, 1.0)],
)
def test_a_window_is_open_on_the_left(after: float, until: float, counted: float | None) -> None:
    tally = tally_of("1 2 3 _ 4", start=15.0, interval=15.0)
    assert tally.within(after, until) == counted
