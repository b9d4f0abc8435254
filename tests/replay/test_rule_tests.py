"""``watchdog test``: what a file of tests can say, what is refused since it would test nothing, what is printed."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.replay.conftest import Play
from watchdog.commands.rule_tests import Options, run_tests

SHIPPED = Path(__file__).parents[2] / "rules" / "tests"
ERRORS = "  - name: a\n    input_results: [{alert: Errors, values: 0.2x9}]\n"


def test_the_shipped_tests_pass_and_reach_every_outcome_and_phase_of_every_rule(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_tests(Options(paths=(SHIPPED,), coverage=True)) == 0
    said = capsys.readouterr().out
    assert "24 of 24 outcomes and phases of 3 rules were reached" in said
    assert "0 failed" in said
    assert "vacuous" not in said


def test_a_rollback_is_played_to_its_end(play: Play) -> None:
    said = play(
        f"""{ERRORS}
      - {{alert: Errors, color: blue, values: _x3 0x20}}
    exp_actions:
      - {{at: 30s, action: rollback, from: green, to: blue, rules: [Errors]}}
      - {{at: 30s, action: switch, service: web, to: blue}}
      - {{at: 1m, action: scale_down, deployment: web-green}}
      # The rule looks back a minute: so long after the switch it is not looked at, and then it has to be well for 30 s.
      - {{at: 2m1s, action: finished, recovered: true}}
""".replace("[{alert: Errors, values: 0.2x9}]", "\n      - {alert: Errors, values: 0.2x9}")
    )
    assert (said.code, said.out.splitlines()[-1]) == (0, "1 passed, 0 failed"), said.out


def test_an_open_rollback_holds_when_somebody_pauses_it_and_does_again_what_is_undone(play: Play) -> None:
    said = play(f"""{ERRORS}
    events: [{{at: 45s, pause: wait}}, {{at: 1m30s, resume: true}}, {{at: 1m45s, switch: green}}]
    exp_actions:
      - {{at: 30s, action: rollback}}
      - {{at: 30s, action: switch, service: web, to: blue}}
      - {{at: 45s, action: hold, reason: paused}}
      - {{at: 1m30s, action: scale_down, deployment: web-green}}
      - {{at: 1m45s, action: switch, service: web, to: blue}}
""")
    assert said.code == 0, said.out


@pytest.mark.parametrize(
    ("expectation", "message"),
    [
        pytest.param(
            "alert_rule_test: [{eval_time: 30s, alertname: Errors, exp_alerts: []}]",
            "t.test.yaml:5:71: Errors fires at 30s: it is firing since 0s, and the slot is breach (0.2 is above 0.05)",
            id="an alert that was not expected",
        ),
        pytest.param(
            "alert_rule_test: [{eval_time: 15s, alertname: Errors, exp_alerts: [{}]}]",
            "Errors does not fire at 15s: it is pending since 0s, and the slot is breach (0.2 is above 0.05)",
            id="an alert that was expected",
        ),
        pytest.param(
            "alert_rule_test: [{eval_time: 30s, alertname: Errors, exp_alerts: [{exp_labels: {severity: low}}]}]",
            "the label severity of Errors is 'critical', expected was 'low'",
            id="another label",
        ),
        pytest.param(
            "alert_rule_test: [{eval_time: 30s, alertname: Errors, exp_alerts: [{exp_annotations: {summary: x}}]}]",
            "the annotation summary of Errors is '0.2 on green', expected was 'x'",
            id="another annotation",
        ),
        pytest.param(
            "exp_state: [{eval_time: 15s, active: blue}]",
            "t.test.yaml:5:42: at 15s the active color is green",
            id="another color",
        ),
        pytest.param(
            "exp_state: [{eval_time: 15s, rules: {Errors: {value: 0.3}}}]",
            "Errors has not the value 0.3 but 0.2",
            id="another value",
        ),
        pytest.param(
            "exp_state: [{eval_time: 30s, decision: paused}]",
            "the decision is rollback",
            id="another decision",
        ),
        pytest.param(
            "exp_actions: []",
            "expected were no actions, and what was done is: rollback at 30s",
            id="a rollback that nobody named",
        ),
        pytest.param(
            "exp_actions: [{at: 45s, action: rollback}]",
            "expected were rollback at 45s, and what was done is: rollback at 30s",
            id="a rollback at another time",
        ),
    ],
)
def test_what_does_not_come_as_expected_is_told_at_its_place(play: Play, expectation: str, message: str) -> None:
    said = play(f"{ERRORS}    {expectation}\n")
    assert said.code == 1
    assert message in said.out
    assert said.out.splitlines()[-1] == "0 passed, 1 failed"


@pytest.mark.parametrize(
    ("test", "message"),
    [
        pytest.param(
            f"{ERRORS}    alert_rule_test: [{{eval_time: 15s, alertname: Erors, exp_alerts: []}}]",
            "t.test.yaml:5:51: shop has no rule 'Erors'; it has Errors, Logs, Queue",
            id="an alert that no rule has",
        ),
        pytest.param(
            f"{ERRORS}    alert_rule_test: [{{eval_time: 20s, alertname: Errors, exp_alerts: []}}]",
            "t.test.yaml:5:35: shop is evaluated each 15s, and this is between two slots; write 15s or 30s",
            id="an instant between two slots",
        ),
        pytest.param(
            f"rule_files: [shop.yaml]\nevaluation_interval: 1m\ntests:\n{ERRORS}    exp_actions: []",
            "t.test.yaml:2:22: shop is evaluated each 15s (its interval); write evaluation_interval: 15s",
            id="an interval that is not the rules'",
        ),
        pytest.param(
            ERRORS,
            "t.test.yaml:3:5: the test expects nothing, so it could not fail; add alert_rule_test, exp_state or",
            id="a test that expects nothing",
        ),
        pytest.param(
            f"{ERRORS}    alert_rule_test: [{{eval_time: 15s, alertname: Queue, exp_alerts: []}}]",
            "t.test.yaml:5:51: no input of this test reaches Queue; add input_series or input_results",
            id="a rule that no input reaches",
        ),
        pytest.param(
            "  - input_results: [{alert: Errors, values: 0.2x9 zero}]\n    exp_actions: []",
            "t.test.yaml:3:51: 'zero' is no value; write a number (0.05), a repeated one (0.05x20)",
            id="a value that is none",
        ),
        pytest.param(
            "  - input_series: [{series: 'rate(x[1m])', values: 1}]\n    exp_actions: []",
            "t.test.yaml:3:52: 1 stands here, and what is needed is text; put it in quotes",
            id="a bare number where values are text",
        ),
        pytest.param(
            "  - input_series: [{series: 'rate(x[1m])', values: '1'}]\n    exp_actions: []",
            "this is an expression, and not the name of a series",
            id="an expression where a series is",
        ),
        pytest.param(
            f"{ERRORS}    exp_action: []",
            "t.test.yaml:5:5: unknown key 'exp_action'; did you mean 'exp_actions'?",
            id="an unknown key",
        ),
        pytest.param(
            f"{ERRORS}    exp_actions: []\n    events: [{{at: 1m, switch: red}}]",
            "'red' is no color of shop; there are blue and green",
            id="a color that is none",
        ),
        pytest.param(
            f"{ERRORS}    exp_actions: []\n    events: [{{at: 1m}}]",
            "an event is one thing; write one of switch: COLOR, deploy: COLOR, pause: WHY, resume: true",
            id="an event in which nothing happens",
        ),
        pytest.param(
            f"{ERRORS}    exp_actions: []\n    faults: [{{fault: tiemout, from: 0s, to: 1m}}]",
            "'tiemout' is not known here; write 'timeout', 'http_503', 'partial', 'empty', 'nan' or 'slow'",
            id="a fault that is none",
        ),
        pytest.param(
            f"{ERRORS}    exp_state: [{{eval_time: 1m}}]",
            "t.test.yaml:5:17: this expects nothing, so it could not fail; add active, decision or rules",
            id="a state that expects nothing",
        ),
        pytest.param(
            f"{ERRORS}    exp_state: [{{eval_time: 1m, rules: {{Errors: {{}}}}}}]",
            "t.test.yaml:5:49: this expects nothing of Errors, so it could not fail; add phase, outcome or value",
            id="a rule of which nothing is expected",
        ),
        pytest.param(
            f"{ERRORS}    interval: 1m\n    exp_actions: []",
            "t.test.yaml:5:15: interval says how far apart the values of input_series are, and there are none; "
            "input_results have one value a slot, each 15s",
            id="an interval of nothing",
        ),
        pytest.param(
            f"{ERRORS}    exp_actions: []\n    faults: [{{fault: timeout, from: 0s, to: 1m, alert: Queue}}]",
            "t.test.yaml:6:14: this fault spoils no answer: no input of this test reaches Queue",
            id="a fault of a rule that no input reaches",
        ),
        pytest.param(
            f"{ERRORS}    exp_actions: []\n    faults: [{{fault: timeout, from: 0s, to: 1m, source: elasticsearch}}]",
            "t.test.yaml:6:14: this fault spoils no answer: no input of this test reaches a rule on elasticsearch",
            id="a fault of a source that no input speaks of",
        ),
        pytest.param(
            "  - exp_actions: []\n    faults: [{fault: timeout, from: 0s, to: 1m}]",
            "t.test.yaml:4:14: this fault spoils no answer: no input of this test reaches a rule",
            id="a fault in a test without inputs",
        ),
        pytest.param(
            f"{ERRORS}    exp_actions: []\n    faults: [{{fault: timeout, from: 2m30s, to: 5m}}]",
            "t.test.yaml:6:14: this fault spoils no answer: from 2m30s to 5m there is no slot; they are each 15s, and "
            "the last one is at 2m15s",
            id="a fault after the end",
        ),
        pytest.param(
            f"{ERRORS}    exp_actions: []\n    faults: [{{fault: timeout, from: 16s, to: 30s}}]",
            "this fault spoils no answer: from 16s to 30s there is no slot; they are each 15s",
            id="a fault between two slots",
        ),
        pytest.param(
            f"{ERRORS}    exp_actions: []\n    restarts: [{{at: 15s, down: 1m}}]\n"
            "    faults: [{fault: timeout, from: 15s, to: 1m}]",
            "this fault spoils no answer: from 15s to 1m nobody looks: the watchdog is down",
            id="a fault while nobody looks",
        ),
        pytest.param(
            "rule_files: [no.yaml]\ntests: [{exp_actions: []}]",
            "no.yaml:1:1: ",
            id="a rule file that is not there",
        ),
    ],
)
def test_what_would_test_nothing_is_refused_with_its_place(play: Play, test: str, message: str) -> None:
    said = play(test)
    assert (said.code, said.out) == (2, "")
    assert message in said.err


def test_documents_need_an_index_to_go_to(play: Play) -> None:
    said = play("  - input_documents: [{to: 1m, document: {}}]\n    exp_actions: []\n", rules=RULES_OF_STDDEV)
    assert (said.code, "no rule of shop names an index; add index:" in said.err) == (2, True)


def test_all_mistakes_are_told_at_once(play: Play) -> None:
    said = play(f"{ERRORS}    alert_rule_test: [{{eval_time: 20s, alertname: Erors, exp_alerts: []}}]\n{ERRORS}")
    assert len(said.err.splitlines()) == 3


def test_an_expectation_that_nothing_was_measured_for_is_called_vacuous(play: Play) -> None:
    said = play(
        "  - input_results: [{alert: Errors, values: _x9}]\n"
        "    alert_rule_test: [{eval_time: 1m, alertname: Errors, exp_alerts: []}]\n"
    )
    assert said.code == 0
    assert "t.test.yaml:4:70: vacuous: nothing was measured for Errors until then" in said.out
    assert said.out.splitlines()[-1] == "1 passed, 0 failed, 1 vacuous"


@pytest.mark.parametrize(
    "expectation",
    ["active: green, decision: nothing_firing", "active: green", "decision: nothing_firing"],
)
def test_a_rest_that_nothing_could_have_disturbed_is_called_vacuous(play: Play, expectation: str) -> None:
    said = play(f"  - exp_state: [{{eval_time: 1m, {expectation}}}]\n")
    assert said.code == 0
    assert said.out.splitlines()[-1] == f"1 passed, 0 failed, {1 + expectation.count(',')} vacuous"
    assert "t.test.yaml:3:" in said.out
    assert "vacuous: nothing was measured for any rule until then" in said.out


@pytest.mark.parametrize(
    "test",
    [
        pytest.param("events: [{at: 30s, switch: blue}], exp_state: [{eval_time: 1m, active: blue}]", id="a switch"),
        pytest.param("events: [{at: 30s, pause: wait}], exp_state: [{eval_time: 1m, active: green}]", id="a pause"),
        pytest.param("exp_state: [{eval_time: 1m, active: green}], restarts: [{at: 30s}]", id="a restart"),
        pytest.param(
            "input_results: [{alert: Errors, values: 0.2x9}], faults: [{fault: timeout, from: 0s, to: 5m}], "
            "exp_state: [{eval_time: 1m, decision: nothing_firing}]",
            id="an outage",
        ),
        pytest.param(
            "input_results: [{alert: Errors, values: 0.01x9}], exp_state: [{eval_time: 1m, decision: nothing_firing}]",
            id="a measurement",
        ),
    ],
)
def test_a_rest_that_something_could_have_disturbed_is_no_vacuous_one(play: Play, test: str) -> None:
    said = play(f"  - {{{test}}}\n")
    assert (said.code, said.out.splitlines()[-1]) == (0, "1 passed, 0 failed"), said.out


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("timeout", "error"),
        ("http_503", "error"),
        ("partial", "error"),
        ("empty", "nodata"),
        ("nan", "nodata"),
        ("slow", "breach"),
        ("slow, seconds: 6.0", "error"),
    ],
)
def test_a_source_that_fails_is_blind_and_a_slow_one_is_not(play: Play, fault: str, outcome: str) -> None:
    said = play(
        f"{ERRORS}    faults: [{{fault: {fault}, from: 15s, to: 30s}}]\n"
        f"    exp_state: [{{eval_time: 15s, rules: {{Errors: {{outcome: {outcome}}}}}}}]\n"
    )
    assert said.code == 0, said.out


def test_the_expressions_are_computed_from_series(play: Play) -> None:
    said = play("""
  - input_series:
      - {series: 'errors_total{color="green"}', values: 0x7 6x3 stale}
      - {series: 'requests_total{color="green"}', values: '0+100x12'}
      - {series: 'queue{color="green",shard="a"}', values: 1x4 400x10}
    exp_state:
      - {eval_time: 1m45s, rules: {Errors: {outcome: ok, value: 0}, Queue: {phase: firing, value: 400}}}
      - {eval_time: 2m, rules: {Errors: {outcome: breach, value: 0.1}}}
""")
    assert said.code == 0, said.out
    assert "the simulator" in said.err


def test_what_the_simulator_cannot_compute_is_an_error_that_says_how_to_get_a_prometheus(play: Play) -> None:
    rules = RULES_OF_STDDEV
    said = play(
        "  - input_series: [{series: 'queue{color=\"green\"}', values: 1x9}]\n    exp_actions: []\n", rules=rules
    )
    assert said.code == 1
    assert "the simulator does not compute the aggregation stddev; play the test on a real Prometheus" in said.out
    assert "--prometheus-binary FILE" in said.out


def test_documents_that_arrive_late_are_not_seen_before(play: Play) -> None:
    said = play("""
  - input_documents:
      - {to: 4m, every: 5s, document: {level: INFO}}
      - {to: 2m, every: 5s, document: {level: ERROR}}
      - {from: 2m, to: 4m, every: 5s, late: 2m, document: {level: ERROR}}
    exp_state:
      - {eval_time: 1m45s, rules: {Logs: {phase: firing, value: 12}}}
      - {eval_time: 3m30s, rules: {Logs: {phase: inactive, value: 0}}}
""")
    assert said.code == 0, said.out


def test_only_the_tests_that_match_are_run(play: Play) -> None:
    two = f"{ERRORS}    exp_actions: []\n" + ERRORS.replace("name: a", "name: b") + "    exp_actions: []\n"
    assert play(two, only="^b$").out.splitlines()[-1] == "0 passed, 1 failed"
    assert "no test matches 'c'" in play(two, only="c").err


def test_coverage_counts_what_was_fed_and_lists_what_was_not(play: Play) -> None:
    """Nobody asked Queue and Logs anything; after the switch they are too new to be asked, as every rule is."""
    other = RULES_OF_STDDEV.replace("shop", "till").replace("web", "desk").replace("Queue", "Till")
    Path("till.yaml").write_text(other)
    said = play(
        "rule_files: [shop.yaml, till.yaml]\ntests:\n  - target: shop\n"
        "    input_results: [{alert: Errors, values: 0.01x9}]\n"
        "    events: [{at: 1m, switch: blue}]\n    exp_actions: []\n",
        coverage=True,
    )
    assert said.out.splitlines()[1:-1] == [
        "Errors  4 of 8; never breach, error, pending, firing",
        "Queue   0 of 8; no test feeds it",
        "Logs    0 of 8; no test feeds it",
        "Till    0 of 8; no test feeds it",
        "4 of 32 outcomes and phases of 4 rules were reached",
    ]


def test_a_junit_file_has_a_case_for_each_test(play: Play) -> None:
    play(f"{ERRORS}    exp_actions: []\n", junit=Path("j.xml"))
    root = ET.parse("j.xml").getroot()  # noqa: S314 - our own file
    (suite,) = root
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("t.test.yaml", "1", "1")
    (failure,) = suite.iter("failure")
    assert "rollback at 30s" in str(failure.get("message"))


def test_nothing_is_played_for_a_junit_file_that_cannot_be_written(play: Play) -> None:
    said = play(f"{ERRORS}    exp_actions: []\n", junit=Path("nowhere/j.xml"))
    assert (said.code, said.out) == (2, "")
    assert "--junit nowhere/j.xml: there is no folder nowhere; make it first" in said.err


def test_a_junit_file_that_finds_no_room_is_told_after_the_results(play: Play) -> None:
    said = play(f"{ERRORS}    exp_actions: []\n", junit=Path("/dev/full"))
    assert (said.code, said.err) == (2, "--junit /dev/full: cannot be written: No space left on device\n")
    assert said.out.startswith("FAILED  a\n")


def test_a_folder_without_tests_says_what_they_are_called(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tests.yaml").touch()
    assert run_tests(Options(paths=(tmp_path,))) == 2
    assert "in a folder they end in .test.yaml or .test.yml" in capsys.readouterr().err


RULES_OF_STDDEV = """\
target: shop
namespace: shop
services: [{name: web, deployment: "web-{{ color }}"}]
rules:
  - alert: Queue
    prometheus: {expr: 'stddev(queue{color="{{ color }}"})'}
    threshold: {max: 1}
"""
