"""``watchdog test`` on a real Prometheus and a real Elasticsearch: the same files come to the same verdicts."""

import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.replay.conftest import Play
from tests.replay.test_counted import RULES as COUNTING
from tests.replay.test_rule_tests import RULES_OF_STDDEV, SHIPPED
from tests.stack.elasticsearch import ElasticsearchServer
from tests.stack.prometheus import PrometheusServer
from watchdog.commands.rule_tests import TERMINATED, Options, run_tests

SERIES = """
  - name: first
    input_series:
      - {series: 'queue{color="green",shard="a"}', values: 1x400}
      - {series: 'queue{color="green",shard="b"}', values: 1x4 9x4 stale}
    exp_state:
      - {eval_time: 1m, rules: {Queue: {phase: inactive, value: 0}}}
      - {eval_time: 2m, rules: {Queue: {phase: firing, value: 4}}}
      - {eval_time: 2m30s, rules: {Queue: {phase: inactive, value: 0}}}
  - name: the second sees nothing of the first
    input_series: [{series: 'queue{color="blue"}', values: 1x9}]
    exp_state: [{eval_time: 1m, rules: {Queue: {outcome: nodata}}}]
"""


def test_series_are_computed_by_a_prometheus_that_the_command_starts(
    play: Play, prometheus_server: PrometheusServer
) -> None:
    binary = Path(str(prometheus_server.child.command[0]))
    said = play(SERIES, rules=RULES_OF_STDDEV, prometheus_binary=binary)
    assert (said.code, said.out.splitlines()[-1]) == (0, "2 passed, 0 failed"), said.out
    assert "computed by Prometheus at http://127.0.0.1:" in said.err


FAR = """
target: shop
namespace: shop
services: [{name: web, deployment: "web-{{ color }}"}]
rules:
  - alert: Queue
    prometheus: {expr: 'EXPR'}
    threshold: {max: 1}
    initial_delay: 0s
"""
TWICE = """
  - {name: first, input_series: [{series: 'x_total{color="green"}', values: '0+4000x10'}], exp_actions: []}
  - name: second
    input_series: [{series: 'x_total{color="green"}', values: '0+2x10'}]
    exp_state: [{eval_time: 2m30s, rules: {Queue: {value: 20}}}]
  - {name: third, input_series: [{series: 'x_total{color="green"}', values: '0+4000x10'}], exp_actions: []}
"""


@pytest.mark.parametrize(
    "expr",
    [
        pytest.param('sum(x_total{color="{{ color }}"} - x_total{color="{{ color }}"} offset 2m30s)', id="near"),
        pytest.param('sum(max_over_time(x_total{color="{{ color }}"}[7d]))', id="a range of a week"),
        pytest.param(
            'sum(x_total{color="{{ color }}"}) * (max_over_time(sum(x_total{color="{{ color }}"})[6d:30s]) < bool 100)',
            id="a subquery",
        ),
        pytest.param(
            'sum(x_total{color="{{ color }}"}) + (sum(max_over_time(x_total{color="{{ color }}"}[1d] offset 4d12h)) or '
            "vector(0))",
            id="an offset",
        ),
    ],
)
def test_no_test_sees_another_however_far_a_rule_looks(
    expr: str, play: Play, prometheus_server: PrometheusServer
) -> None:
    binary = Path(str(prometheus_server.child.command[0]))
    said = play(TWICE, rules=FAR.replace("EXPR", expr), prometheus_binary=binary)
    assert (said.code, said.out.splitlines()[-1]) == (0, "3 passed, 0 failed"), said.out


def test_a_prometheus_on_path_is_used(play: Play, prometheus_server: PrometheusServer) -> None:
    folder = Path(str(prometheus_server.child.command[0])).parent
    assert play(SERIES, rules=RULES_OF_STDDEV, path=str(folder)).code == 0


def test_a_command_that_is_ended_leaves_no_prometheus_behind(
    prometheus_server: PrometheusServer, tmp_path: Path
) -> None:
    binary = Path(str(prometheus_server.child.command[0]))
    (tmp_path / "shop.yaml").write_text(RULES_OF_STDDEV)
    # Long enough that it is ended in the middle.
    series = "input_series: [{series: 'queue{color=\"green\"}', values: '1x40000'}]"
    (tmp_path / "t.test.yaml").write_text(f"rule_files: [shop.yaml]\ntests: [{{{series}, exp_actions: []}}]\n")
    command = [sys.executable, "-m", "watchdog", "test", str(tmp_path), "--prometheus-binary", str(binary)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split()[-1]
        assert requests.get(f"{url}/-/ready", timeout=10).ok
        process.terminate()
        assert process.wait(30) == TERMINATED
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/-/ready", timeout=10)


def test_series_are_written_to_a_prometheus_that_is_named(play: Play, own_prometheus: PrometheusServer) -> None:
    said = play(SERIES, rules=RULES_OF_STDDEV, prometheus=own_prometheus.url)
    assert (said.code, said.out.splitlines()[-1]) == (0, "2 passed, 0 failed"), said.out


def test_a_prometheus_that_takes_no_writes_is_an_error_of_the_test(
    play: Play, elasticsearch_server: ElasticsearchServer
) -> None:
    said = play(SERIES, rules=RULES_OF_STDDEV, prometheus=elasticsearch_server.url)
    assert said.code == 1
    assert f"{elasticsearch_server.url}/api/v1/write" in said.out


def indices(server: ElasticsearchServer) -> list[str]:
    """The names of all indices and data streams."""
    return sorted(server.send("GET", "/_mapping"))


def test_documents_are_searched_by_a_real_elasticsearch_and_leave_nothing_behind(
    elasticsearch_server: ElasticsearchServer, capsys: pytest.CaptureFixture[str]
) -> None:
    before = indices(elasticsearch_server)
    options = Options(paths=(SHIPPED,), only="errors in the logs", elasticsearch=elasticsearch_server.url)
    assert run_tests(options) == 0, capsys.readouterr().out
    assert indices(elasticsearch_server) == before


def test_an_index_that_is_there_is_not_written_to(play: Play, elasticsearch_server: ElasticsearchServer) -> None:
    elasticsearch_server.index("logs-shop-kept", [{"@timestamp": "2026-01-01T00:00:00Z", "level": "ERROR"}])
    said = play(
        "  - input_documents: [{index: logs-shop-kept, to: 1m, document: {level: ERROR}}]\n    exp_actions: []\n",
        elasticsearch=elasticsearch_server.url,
    )
    assert said.code == 1
    assert "the index logs-shop-kept cannot be made for the test" in said.out
    assert elasticsearch_server.count("logs-shop-kept", "*") == 1


COUNTERS = """
  - input_series:
      - {series: 'requests_total{color="green"}', values: '0+100x80'}
      - {series: 'errors_total{color="green"}', values: 0+0x39 0+20x40}
      - {series: 'requests_total{color="blue"}', values: '0+100x80'}
      - {series: 'errors_total{color="blue"}', values: '0+1x80'}
    exp_state:
      - {eval_time: 9m45s, rules: {Burn: {outcome: ok, value: 0}, Worse: {outcome: ok, value: 0}}}
      - {eval_time: 10m45s, rules: {Burn: {phase: inactive, outcome: ok}}}
      - {eval_time: 12m30s, active: blue}
    exp_actions: [{at: 11m15s, action: rollback, rules: [Worse]}]
  - name: what both colors share
    input_series:
      - {series: 'requests_total{color="green"}', values: '0+100x80'}
      - {series: 'errors_total{color="green"}', values: 0+0x39 0+20x40}
      - {series: 'requests_total{color="blue"}', values: '0+100x80'}
      - {series: 'errors_total{color="blue"}', values: 0+0x39 0+20x40}
    exp_state:
      - {eval_time: 14m, rules: {Burn: {phase: firing}, Worse: {phase: inactive, outcome: ok, value: 0}}}
    exp_actions: [{at: 12m30s, action: hold, reason: other_color_breaches}]
"""


def test_burn_rates_and_comparisons_are_computed_from_series(play: Play, prometheus_server: PrometheusServer) -> None:
    said = play(COUNTERS, rules=COUNTING, prometheus_binary=Path(str(prometheus_server.child.command[0])))
    assert (said.code, said.out.splitlines()[-1]) == (0, "2 passed, 0 failed"), said.out
