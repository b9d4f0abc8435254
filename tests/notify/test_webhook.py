"""The JSON webhook says everything that an alert says, as plain data."""

import json
import math

import pytest

from tests.notify.alerts import AT, switched
from watchdog.core.alert import Alert, AlertKind
from watchdog.core.model import TrippedRule
from watchdog.notify.webhook import payload


def test_every_field_of_an_alert_is_in_the_document() -> None:
    assert payload(switched()) == {
        "version": 1,
        "kind": "switched",
        "key": "t-1/switched",
        "target": "banking-app",
        "namespace": "banking",
        "at": "2026-01-02T03:04:05.500Z",
        "text": "banking-app was switched from green to blue.",
        "trip": "t-1",
        "from_color": "green",
        "to_color": "blue",
        "rules": [
            {
                "alert": "FrontendErrorRatio",
                "value": 0.25,
                "threshold": "at most 0.05",
                "since": "2026-01-02T03:02:50.500Z",
            }
        ],
        "labels": {"severity": "critical"},
        "notes": [
            {"name": "runbook", "text": "https://wiki.example/a?b=1&c=2"},
            {"name": "log", "text": "boom & <bust>"},
        ],
        "commands": [
            {"does": "pause", "command": "kubectl annotate service frontend-service canary-watchdog/paused=true"}
        ],
    }


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf], ids=str)
def test_a_value_without_a_word_in_json_is_null(value: float | None) -> None:
    rule = TrippedRule(alert="A", value=value, threshold="at most 1", since=AT)
    alert = Alert(kind=AlertKind.FIRING, key="k", target="t", namespace="n", at=AT, text="x", rules=(rule,))
    assert json.loads(json.dumps(payload(alert), allow_nan=False))["rules"][0]["value"] is None


@pytest.mark.parametrize("at", [math.nan, math.inf, 1e300, -1e300], ids=str)
def test_an_instant_that_no_calendar_holds_is_told_as_a_number(at: float) -> None:
    alert = Alert(kind=AlertKind.FIRING, key="k", target="t", namespace="n", at=at, text="x")
    assert payload(alert)["at"] == f"{at:g}"
