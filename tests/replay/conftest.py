"""``play`` writes a file of tests beside a rule file, plays it with this PATH, and returns what the command said."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from watchdog.commands.rule_tests import Options, run_tests

RULES = """\
target: shop
namespace: shop
interval: 15s
mode: enforce
services: [{name: web, deployment: "web-{{ color }}"}]
rules:
  - alert: Errors
    prometheus: {expr: 'sum(rate(errors_total{color="{{ color }}"}[1m]))'}
    threshold: {max: 0.05}
    min_samples: {expr: 'sum(increase(requests_total{color="{{ color }}"}[1m]))', value: 10}
    for: 30s
    datapoints_to_alarm: 2
    evaluation_periods: 3
    action: rollback
    labels: {severity: critical}
    annotations: {summary: "{{ value }} on {{ color }}"}
  - alert: Queue
    prometheus: {expr: 'max(queue{color="{{ color }}"})'}
    threshold: {max: 100}
  - alert: Logs
    elasticsearch: {index: "logs-shop-*", query: "level:ERROR", timeframe: 1m, query_delay: 15s}
    threshold: {max: 5}
"""


@dataclass(frozen=True)
class Said:
    """What the command printed, and its exit code."""

    code: int
    out: str
    err: str


Play = Callable[..., Said]


@pytest.fixture
def play(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Play:
    monkeypatch.chdir(tmp_path)
    Path("shop.yaml").write_text(RULES)

    def run(tests: str, *, rules: str = RULES, path: str = "", **options: object) -> Said:
        Path("shop.yaml").write_text(rules)
        Path("t.test.yaml").write_text(tests if "rule_files" in tests else f"rule_files: [shop.yaml]\ntests:\n{tests}")
        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.setenv("PATH", path)  # no prometheus of this machine's
            code = run_tests(Options(paths=(Path("t.test.yaml"),), **options))  # type: ignore[arg-type] # as named
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return run
