"""Writes the rule file of the banking application for one test: fast, and in the style of its selectors.

Law: a story's rules differ from the shipped file in times, numbers and names only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from tests.stack.banking import APPS, BankingApp

INTERVAL = 1
ERRORS = 'sum(rate(http_requests_total{{namespace="{namespace}",app="frontend",color="{{{{ color }}}}"{code}}}[10s]))'


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The times of a story in seconds, and of how many slots the newest are looked through for two breaches."""

    pending: int = 3
    scale_down_delay: int = 2
    cooldown: int = 600
    periods: int = 4


DEFAULT_PACE = Pace()


def rule_file(app: BankingApp, *, mode: str = "enforce", pace: Pace = DEFAULT_PACE, rules: str = "both") -> str:
    """The text of the file. ``rules`` is ``prometheus``, ``logs`` or ``both``."""
    known = {"prometheus": [_error_ratio(app, pace)], "logs": [_error_logs(app, pace)]}
    document = {
        "target": app.namespace,
        "namespace": app.namespace,
        "mode": mode,
        "interval": f"{INTERVAL}s",
        "services": [_service(app, each) for each in APPS],
        "rollback": {"scale_down_delay": f"{pace.scale_down_delay}s", "cooldown": f"{pace.cooldown}s"},
        "rules": [*known["prometheus"], *known["logs"]] if rules == "both" else known[rules],
    }
    return yaml.safe_dump(document, sort_keys=False)


def _service(app: BankingApp, name: str) -> Mapping[str, Any]:
    blue, green = (app.plan.style.selector(name, color) for color in ("blue", "green"))
    template = app.plan.style.selectors[name]
    by_color = {key: template[key].format(app=name, color="{{ color }}") for key in blue if blue[key] != green[key]}
    return {"name": f"{name}-service", "deployment": f"{name}-{{{{ color }}}}", "selector": by_color}


def _error_ratio(app: BankingApp, pace: Pace) -> Mapping[str, Any]:
    failed = ERRORS.format(namespace=app.namespace, code=',code=~"5.."')
    every = ERRORS.format(namespace=app.namespace, code="")
    return {
        "alert": "FrontendErrorRatio",
        "prometheus": {"expr": f"{failed} / {every}", "absent_is_zero": True},
        "threshold": {"max": 0.05},
        "min_samples": {"expr": every.replace("rate(", "increase("), "value": 20},
        "for": f"{pace.pending}s",
        "initial_delay": "0s",  # the release of a story is seconds old
        "datapoints_to_alarm": 2,
        "evaluation_periods": pace.periods,
        "action": "rollback",
        "annotations": {"summary": "{{ value }} of the requests fail on {{ color }}"},
    }


def _error_logs(app: BankingApp, pace: Pace) -> Mapping[str, Any]:
    return {
        "alert": "BackendErrorLogs",
        "elasticsearch": {
            "index": app.index,
            "query": "log.level:ERROR",
            "filter": [{"term": {"kubernetes.labels.color": "{{ color }}"}}],
            "ratio_of": "*",
            "timeframe": "10s",
            "query_delay": "2s",
        },
        "threshold": {"max": 0.05},
        "min_samples": 20,
        "for": f"{pace.pending}s",
        "initial_delay": "0s",
        "datapoints_to_alarm": 2,
        "evaluation_periods": pace.periods,
        "action": "rollback",
    }
