"""The alert rules on the watchdog itself, by Prometheus' own tool, and on the metrics that there are."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from prometheus_client import generate_latest

from tests.delivery.chart import ROOT
from watchdog.web.metrics import Metrics

RULES = ROOT / "docs" / "prometheus-rules.yaml"


def test_F95_a_dead_watchdog_is_noticed_by_the_rules_that_are_shipped(promtool: Path, tmp_path: Path) -> None:
    given = (Path(__file__).parent / "rules-test.yaml").read_text()
    (tmp_path / "test.yaml").write_text(given.replace("RULES", str(RULES)))
    for command in (["check", "rules", "--lint-fatal", str(RULES)], ["test", "rules", str(tmp_path / "test.yaml")]):
        done = subprocess.run([promtool, *command], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


def test_F95_the_rules_ask_for_metrics_that_there_are() -> None:
    asked = set(re.findall(r"watchdog_[a-z_]+", RULES.read_text()))
    described = generate_latest(Metrics().registry).decode()
    assert asked
    for name in asked:
        assert f"# HELP {name} " in described
