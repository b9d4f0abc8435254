"""The watchdog as a process: ``watchdog run``, its log as data, its health over HTTP.

Law: a story knows nothing of the watchdog but what an operator sees: its log, its endpoints, the cluster, the alerts.
"""

import json
import os
import sys
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.stack.banking import REPOSITORY, BankingApp
from tests.stack.ports import free_port
from tests.stack.process import Child
from tests.stack.wait import wait_until
from tests.stories.hooks import Hooks

Line = dict[str, Any]


@dataclass(kw_only=True)
class Watchdog:
    """One ``watchdog run``. A second `start` begins a new process that goes on in the same log."""

    app: BankingApp
    folder: Path
    rules: str
    hooks: Hooks
    kubeconfig: Path
    prometheus_url: str
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    child: Child = field(init=False)

    def __post_init__(self) -> None:
        rules = self.folder / "rules"
        rules.mkdir()
        (rules / "banking-app.yaml").write_text(self.rules)
        environment = {
            "WATCHDOG_RULES": str(rules),
            "WATCHDOG_KUBECONFIG": str(self.kubeconfig),
            "WATCHDOG_PROMETHEUS__URL": self.prometheus_url,
            "WATCHDOG_PROMETHEUS__DEADLINE": "2",
            "WATCHDOG_ELASTICSEARCH__URLS": self.app.elasticsearch.url,
            "WATCHDOG_ELASTICSEARCH__DEADLINE": "2",
            "WATCHDOG_LISTEN": f"127.0.0.1:{self.port}",
            "WATCHDOG_WEBHOOK_URL": self.hooks.url("json"),
            "WATCHDOG_SLACK_WEBHOOK_URL": self.hooks.url("slack"),
            "WATCHDOG_LOG_LEVEL": "debug",
        }
        self.child = Child(
            name="watchdog",
            command=[sys.executable, "-m", "watchdog", "run"],
            folder=self.folder,
            environment=os.environ | {"PYTHONPATH": str(REPOSITORY)} | environment | self.settings,
        )

    def start(self) -> None:
        """Starts it; returns when it is ready: it has seen the cluster."""
        self.child.start()
        wait_until(self._is_ready, "the watchdog is ready")

    def _is_ready(self) -> bool:
        self.child.check()
        return requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=10).ok

    def metrics(self) -> str:
        """What Prometheus would scrape."""
        return requests.get(f"http://127.0.0.1:{self.port}/metrics", timeout=10).text

    def lines(self, event: str = "") -> list[Line]:
        """The log so far as objects, of one event or of all. Whatever is not JSON is a traceback: the test fails."""
        text = self.child.log.read_text() if self.child.log.exists() else ""
        lines = [json.loads(line) for line in text.rpartition("\n")[0].splitlines()]
        return [line for line in lines if event in ("", line["event"])]

    def decisions(self) -> list[str]:
        """The decisions in order: a reason to hold, or ``rollback``."""
        return [line["to"] for line in self.lines("decision")]

    def decided(self, decision: str) -> bool:
        """True when that is the decision now."""
        return self.decisions()[-1:] == [decision]

    def measured(self, alert: str, outcome: str, *, since: float = 0) -> int:
        """How many slots had that outcome."""
        return sum(
            line["rule"] == alert and line["outcome"] == outcome
            for line in self.lines("measured")
            if _unix(line["time"]) >= since
        )

    def first_breach(self, alert: str) -> float:
        """When the rule first saw a breach, in Unix seconds."""
        lines = self.lines("measured")
        return next(_unix(each["time"]) for each in lines if (each["rule"], each["outcome"]) == (alert, "breach"))

    def wait_for_evidence(self, outcome: str = "ok", *alerts: str, slots: int = 3) -> None:
        """Returns when each of the rules has had that outcome in some more slots."""
        before = {alert: self.measured(alert, outcome) for alert in alerts or self.alerts()}
        wait_until(
            lambda: all(self.measured(alert, outcome) >= seen + slots for alert, seen in before.items()),
            f"{' and '.join(before)}: {slots} slots {outcome}",
        )

    def alerts(self) -> list[str]:
        """The names of the rules."""
        return [rule["alert"] for rule in yaml.safe_load(self.rules)["rules"]]

    def writes(self) -> list[Line]:
        """The audit log's rows of what the watchdog wrote in the namespace, or tried to, but for its own journal."""
        rows = self.app.plane.audit(self.app.namespace, verbs=["create", "update", "patch", "delete"])
        ours = [row for row in rows if "fieldManager=canary-watchdog" in row["requestURI"]]
        return [row for row in ours if row["objectRef"]["resource"] != "configmaps"]

    def changes(self) -> list[Line]:
        """Its writes but for the Events, which say and change nothing."""
        return [row for row in self.writes() if row["objectRef"]["resource"] != "events"]

    def finished(self) -> bool:
        """True when a rollback has ended."""
        return bool(self.lines("finished"))


def _unix(instant: str) -> float:
    return datetime.fromisoformat(instant).timestamp()
