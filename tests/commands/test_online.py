"""`watchdog check --online` against real servers: what is there, what is not, and the value now."""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.commands.typed import type_command
from tests.sources.asking import PRODUCT
from tests.sources.raw_server import http, sending, serving
from tests.stack.elasticsearch import ElasticsearchServer
from tests.stack.prometheus import PrometheusServer, Series
from watchdog.commands.inquiry import ASKED_BY
from watchdog.commands.online import check_online
from watchdog.core.rules.codes import example_files
from watchdog.core.rules.codes.online import ONLINE
from watchdog.core.rules.language import KINDS
from watchdog.core.rules.lint import lint_lucene

Check = Callable[..., int]
HEAD = """\
target: shop
namespace: shop
services: [{name: web, deployment: "web-{{ color }}"}]
rules:
"""
NOBODY = "http://127.0.0.1:1"


TEXT = {"type": "text", "fields": {"keyword": {"type": "keyword"}}}


@pytest.fixture(scope="module")
def filled(prometheus_server: PrometheusServer, elasticsearch_server: ElasticsearchServer) -> None:
    """Both servers with the metrics and the logs of a shop."""
    now = float(int(time.time()))
    for color, rate in (("blue", 1), ("green", 3)):
        labels = {"app": "shop", "color": color}
        samples = [(now - 600 + at, float(at * rate)) for at in range(0, 601, 15)]
        prometheus_server.remote_write(Series("errors_total", labels, samples))
    lines = [
        {
            "@timestamp": datetime.fromtimestamp(now - 120 - second, UTC).isoformat(),
            "level": "ERROR",
            "logger": "Payments",
            "color": "green",
        }
        for second in range(10)
    ]
    elasticsearch_server.send("PUT", "/logs-shop", {"mappings": {"properties": {"logger": TEXT}}})
    elasticsearch_server.index("logs-shop", lines)
    elasticsearch_server.refresh("logs-shop")


@pytest.fixture
def at_servers(
    filled: None,
    prometheus_server: PrometheusServer,
    elasticsearch_server: ElasticsearchServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The settings that say where they are."""
    monkeypatch.setenv("WATCHDOG_PROMETHEUS__URL", prometheus_server.url)
    monkeypatch.setenv("WATCHDOG_ELASTICSEARCH__URLS", elasticsearch_server.url)


def written(folder: Path, text: str) -> Path:
    """A rule file."""
    file = folder / "shop.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.usefixtures("at_servers")
def test_the_examples_of_what_servers_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def codes(example: str) -> set[str]:
        (text,) = example_files(example)
        check_online([written(tmp_path, text)], form="json")
        return {problem["code"] for problem in json.loads(capsys.readouterr().out)["problems"]}

    assert {code.id: codes(code.wrong) for code in ONLINE} == {code.id: {code.id} for code in ONLINE}
    assert {code.id: codes(code.right) for code in ONLINE} == {code.id: set[str]() for code in ONLINE}


RULES = (
    HEAD
    + """\
  - alert: Errors
    prometheus: {expr: 'sum(rate(errors_total{color="{{ color }}"}[2m]))'}
    threshold: {max: 2}
  - alert: Logs
    elasticsearch: {index: logs-shop, query: "level:ERROR AND color:{{ color }}"}
    threshold: {max: 100}
"""
)


@pytest.mark.usefixtures("at_servers")
def test_a_table_of_the_values_now(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, RULES)
    assert check_online([file], form="text") == 0
    first, gap, *table = capsys.readouterr().out.splitlines()
    assert (first, gap) == (f"{file}: ok, target shop (dry-run), 2 rules, 0 roll back", "")
    assert [re.split(r" {2,}", line) for line in table] == [
        ["target", "rule", "color", "value", "samples", "outcome"],
        ["shop", "Errors", "blue", "1", "-", "ok", "1 is at most 2"],
        ["shop", "Errors", "green", "3", "-", "breach", "3 is above 2"],
        ["shop", "Logs", "blue", "0", "-", "ok", "0 is at most 100"],
        ["shop", "Logs", "green", "10", "-", "ok", "10 is at most 100"],
    ]


ESQL = """\
  - alert: Counted
    elasticsearch: {esql: "FROM logs-shop | STATS COUNT(*)"}
    threshold: {max: 100}
"""
EVERY_KIND = (
    HEAD
    + """\
  - alert: Burn
    burn_rate:
      error_expr: 'sum(rate(error_total{color="{{ color }}"}[{{ window }}]))'
      total_expr: 'sum(rate(errors_total{color="{{ color }}"}[{{ window }}]))'
      objective: 99%
      pairs: [{long: 5m, short: 1m, budget: 0.1%}]
  - alert: Budget
    burn_rate:
      error_expr: 'sum(rate(errors_total{color="{{ color }}",code="500"}[{{ window }}]))'
      total_expr: 'sum(rate(errors_total{color="{{ color }}"}[{{ window }}]))'
      absent_is_zero: true
      objective: 99%
      pairs: [{long: 5m, short: 1m, budget: 0.1%}]
  - alert: Worse
    compare:
      error_expr: 'sum(increase(errors_total{color="{{ color }}"}[{{ window }}]))'
      total_expr: 'sum(increase(errors_total{color="{{ color }}"}[{{ window }}]))'
      baseline: concurrent
  - alert: Dead
    kubernetes: {count: crash_loops}
    threshold: {max: 0}
  - alert: Down
    http: {url: "http://web-{{ color }}/"}
    threshold: {max: 0}
  - alert: Clause
    elasticsearch: {index: logs-shop, dsl: {term: {levle: ERROR}}}
    threshold: {max: 100}
  - alert: Nowhere
    elasticsearch: {esql: "FROM logs-shopp | STATS COUNT(*)"}
    threshold: {max: 100}
"""
)


@pytest.mark.usefixtures("at_servers")
def test_every_kind_is_asked_or_said_not_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_online([written(tmp_path, EVERY_KIND)], form="json") == 1
    told = json.loads(capsys.readouterr().out)
    assert [(problem["line"], problem["code"]) for problem in told["problems"]] == [
        (7, "R601"),
        (30, "R603"),
        (33, "R604"),
    ]
    outcomes = {(value["alert"], value["color"]): value["outcome"] for value in told["values"]}
    assert outcomes == {
        ("Burn", "blue"): "nodata",
        ("Burn", "green"): "nodata",
        ("Budget", "blue"): "ok",
        ("Budget", "green"): "ok",
        ("Worse", "blue"): "insufficient",
        ("Worse", "green"): "insufficient",
        ("Dead", "-"): "not asked",
        ("Down", "-"): "not asked",
        ("Clause", "blue"): "error",
        ("Clause", "green"): "error",
        ("Nowhere", "blue"): "error",
        ("Nowhere", "green"): "error",
    }


def test_every_kind_of_rule_has_somebody_to_ask_or_says_why_not() -> None:
    assert set(ASKED_BY) == set(KINDS)


@pytest.mark.usefixtures("at_servers")
def test_what_is_missing_is_told_at_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, RULES.replace("errors_total", "error_total").replace("level:", "levle:"))
    assert check_online([file], form="text") == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(";")[0] for line in lines if line.startswith(str(file))] == [
        f"{file}:6:34: R601: Prometheus has had no metric 'error_total' for 1h",
        f"{file}:9:47: R603: no index has the field 'levle' of query",
    ]


def test_F01_a_server_that_is_not_there_is_no_mistake_of_the_file(
    filled: None,
    prometheus_server: PrometheusServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WATCHDOG_PROMETHEUS__URL", prometheus_server.url)
    monkeypatch.setenv("WATCHDOG_ELASTICSEARCH__URLS", NOBODY)
    file = written(tmp_path, RULES + ESQL)
    assert check_online([file], form="text") == 3
    told = capsys.readouterr()
    assert "R60" not in told.out
    assert [re.split(r" {2,}", line)[1:6] for line in told.out.splitlines()[-4:]] == [
        ["Errors", "blue", "1", "-", "ok"],
        ["Errors", "green", "3", "-", "breach"],
        ["Logs", "-", "-", "-", "unreachable"],
        ["Counted", "-", "-", "-", "unreachable"],
    ]
    assert "Elasticsearch at http://127.0.0.1:1 refuses the connection" in told.err


def test_F01_a_prometheus_that_is_not_there_is_no_mistake_of_an_expression_without_a_series(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WATCHDOG_PROMETHEUS__URL", NOBODY)
    monkeypatch.delenv("WATCHDOG_ELASTICSEARCH__URLS", raising=False)
    rule = "  - {alert: Constant, prometheus: {expr: vector(1)}, threshold: {max: 2}}\n"
    assert check_online([written(tmp_path, HEAD + rule)], form="text") == 3
    assert "R604" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(http({"error": "who?"}, status=401, headers=PRODUCT), 3, id="no credentials"),
        pytest.param(http({"error": "busy"}, status=429, headers=PRODUCT), 3, id="too busy"),
        pytest.param(http("<p>bad gateway", status=502, content_type="text/html"), 3, id="a proxy in its place"),
        pytest.param(http({"version": "1"}), 3, id="something else in its place"),
        pytest.param(http({"error": "no such index"}, status=404, headers=PRODUCT), 1, id="no such index"),
        pytest.param(http({"error": "cannot parse"}, status=400, headers=PRODUCT), 1, id="no query"),
        pytest.param(http({"columns": 1}, headers=PRODUCT), 1, id="no number"),
    ],
)
async def test_a_refused_query_is_a_mistake_of_the_file_and_a_refused_question_is_none(
    answer: bytes, code: int, tmp_path: Path
) -> None:
    async with serving(sending(answer)) as server:
        done = await type_command(
            "check", "--online", written(tmp_path, HEAD + ESQL), WATCHDOG_ELASTICSEARCH__URLS=server.url
        )
    assert (done.exit_code, "R604" in done.stdout) == (code, code == 1), done.output


LUCENE = (
    "level:(ERROR OR FATAL)",
    'level:ERROR AND NOT logger:"Health/Check"',
    r"path:\/var\/log",
    "path:/var.*log/",
    "took:>=5 || a:{1 TO 5]",
    "a:b^2.5 && !c:d~1",
    "_exists_:trace",
    "*:*",
    "path:/read/write",
    "message:read/write",
    "a AND",
    "a:b &&",
    "a:(b OR c",
    'a:"b',
    "a:b)",
    "a:[1 TO",
    "a:b:c",
    "a:()",
)


def test_lucene_is_what_elasticsearch_takes_for_it(filled: None, elasticsearch_server: ElasticsearchServer) -> None:
    def is_taken(query: str) -> bool:
        asked = {"query": {"query_string": {"query": query}}}
        return bool(elasticsearch_server.send("GET", "/logs-shop/_validate/query", asked)["valid"])

    passed = {query for query in LUCENE if not any(lint_lucene(query))}
    taken = {query for query in LUCENE if is_taken(query)}
    assert taken - passed == {"path:/read/write"}  # a pattern, and a word that is looked for in every field
    assert passed <= taken


def test_files_that_are_not_well_are_told_without_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WATCHDOG_PROMETHEUS__URL", NOBODY)
    assert check_online([written(tmp_path, RULES.replace("max: 2", "mxa: 2"))], form="text") == 1
    assert "the servers were not asked" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["WATCHDOG_PROMETHEUS__URL", "WATCHDOG_ELASTICSEARCH__URLS"])
def test_a_source_that_nobody_named_is_wrong_usage(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for each in ("WATCHDOG_PROMETHEUS__URL", "WATCHDOG_ELASTICSEARCH__URLS"):
        monkeypatch.setenv(each, NOBODY)
    monkeypatch.delenv(name)
    assert check_online([written(tmp_path, RULES)], form="text") == 2
    assert name in capsys.readouterr().err


def test_a_path_that_does_not_exist_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_online([tmp_path / "rulez"], form="text") == 2
    assert "no such file or folder" in capsys.readouterr().err
