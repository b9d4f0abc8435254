"""How far back the evidence of each kind of rule reaches, and what follows for the time after a switch (F17)."""

from typing import Any

import pytest

from watchdog.core.rules.kinds.prometheus import MAX_AGE
from watchdog.core.rules.language import Rule
from watchdog.core.rules.reach import delay_of, reach_of
from watchdog.core.rules.reads import reach_of_promql
from watchdog.settings import PrometheusSettings

WINDOWED = {"error_expr": "sum(increase(e[{{ window }}]))", "total_expr": "sum(increase(t[{{ window }}]))"}


def rule(**fields: Any) -> Rule:
    return Rule.model_validate({"alert": "A", "threshold": {"max": 1}} | fields)


@pytest.mark.parametrize(
    ("expr", "seconds"),
    [
        pytest.param("vector(1)", 0, id="nothing"),
        pytest.param("sum(rate(a[2m])) / sum(rate(a[5m]))", 300, id="the longest range"),
        pytest.param("max(a)", 40, id="the newest sample"),
        pytest.param("sum(rate(a[30s])) / max(b)", 40, id="a newest sample beside a range"),
        pytest.param("max_over_time(rate(a[2m])[1h:1m])", 3720, id="a subquery"),
        pytest.param("max_over_time(a[1h:1m])", 3640, id="a subquery of newest samples"),
        pytest.param("sum(rate(a[2m])) / sum(rate(a[1h] offset 1d))", 120, id="the past by its author's will"),
        pytest.param("sum(rate(a[2m])) - max_over_time(b[1h:1m] offset 1d) + a @ 5", 120, id="all of the past"),
        pytest.param("topk(3, a", 0, id="no expression"),
    ],
)
def test_an_expression_reaches_back(expr: str, seconds: float) -> None:
    assert reach_of_promql(expr, look_back=40) == seconds


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        pytest.param({"prometheus": {"expr": "sum(rate(a{c='{{ color }}'}[3m]))"}}, 180, id="a range"),
        pytest.param({"prometheus": {"expr": "{{ color }}_a"}}, MAX_AGE, id="a placeholder in a name"),
        pytest.param({"prometheus": {"expr": "a", "max_age": "5m"}}, 300, id="max_age"),
        pytest.param(
            {"prometheus": {"expr": "rate(a[1m])"}, "min_samples": {"expr": "increase(a[10m])", "value": 1}},
            600,
            id="the samples",
        ),
        pytest.param({"elasticsearch": {"index": "i", "query": "q"}}, 360, id="logs"),
        pytest.param(
            {"elasticsearch": {"esql": "FROM i", "timeframe": "1m", "query_delay": "5s"}}, 65, id="logs by ES|QL"
        ),
        pytest.param(
            {"burn_rate": WINDOWED | {"objective": "99%", "pairs": [{"long": "1h", "budget": "2%"}] * 2}},
            300,
            id="the short window",
        ),
        pytest.param({"compare": WINDOWED | {"baseline": "concurrent"}}, 120, id="the newest whole window"),
        pytest.param({"kubernetes": {"count": "restarts", "window": "7m"}}, 420, id="restarts"),
        pytest.param({"kubernetes": {"count": "unready_pods"}}, 0, id="pods as they are"),
        pytest.param({"http": {"url": "http://web/"}}, 0, id="a page as it is"),
    ],
)
def test_F17_a_rule_waits_until_its_evidence_is_all_new(fields: dict[str, Any], seconds: float) -> None:
    assert reach_of(rule(**fields)) == seconds
    assert delay_of(rule(**fields)) == seconds
    assert delay_of(rule(**fields, initial_delay="1s")) == 1, "its author says otherwise"


def test_the_usual_age_of_a_sample_is_said_once() -> None:
    assert PrometheusSettings.model_fields["max_age"].default == MAX_AGE
