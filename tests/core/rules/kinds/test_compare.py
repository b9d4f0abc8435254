"""What a comparing rule may ask."""

from __future__ import annotations

import pytest

from tests.core.rules.kinds.checking import problems

ERRORS = "sum(increase(e{c='{{ color }}'}[{{ window }}]))"
TOTAL = "sum(increase(t{c='{{ color }}'}[{{ window }}]))"
BASELINE = f'baseline_error_expr: "{ERRORS}", baseline_total_expr: "{TOTAL}"'


def file(rest: str, more: str = "labels: {a: b}", *, errors: str = ERRORS) -> str:
    return f'compare: {{error_expr: "{errors}", total_expr: "{TOTAL}", {rest}}}\n{more}'


@pytest.mark.parametrize(
    "rule",
    [
        file("baseline: concurrent"),
        file("baseline: offset, offset: 1w, window: 2m"),
        file(f"baseline: preview, {BASELINE}"),
        file("baseline: concurrent, dispersion: 3", "for: 1m\naction: rollback"),
    ],
)
def test_well_formed(rule: str) -> None:
    assert problems(rule) == []


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        pytest.param(file("window: 1m"), "the key 'baseline' is missing; add baseline: concurrent", id="no baseline"),
        pytest.param(
            file("baseline: past"),
            "'past' is not known here; write 'concurrent', 'preview' or 'offset'",
            id="an unknown baseline",
        ),
        pytest.param(file("baseline: offset"), "baseline: offset needs offset; add offset: 1d", id="an offset of what"),
        pytest.param(
            file("baseline: concurrent, offset: 1d"),
            "baseline: concurrent has no use for offset; remove it",
            id="an offset too many",
        ),
        pytest.param(
            file("baseline: offset, offset: 30s"),
            "the baseline would overlap with what is compared; write at least the window, such as 1d",
            id="an overlap",
        ),
        pytest.param(
            file(f'baseline: preview, baseline_error_expr: "{ERRORS}"'),
            "baseline: preview needs baseline_total_expr; "
            'add baseline_total_expr: sum(increase(…{color="{{ color }}"}[{{ window }}]))',
            id="half a preview",
        ),
        pytest.param(
            file("baseline: concurrent", "threshold: {max: 1}"),
            "how strong the evidence has to be is fixed, so that false alarms are rare; remove threshold",
            id="a threshold",
        ),
        pytest.param(
            file("baseline: concurrent", "min_samples: 5"),
            "a rule on compare has no number of samples; remove min_samples",
            id="samples",
        ),
        pytest.param(
            file("baseline: concurrent", errors="sum(rate(e{c='{{ color }}'}[{{ window }}]))"),
            "a rate is no number of requests; write increase(…[{{ window }}])",
            id="a rate",
        ),
        pytest.param(
            file("baseline: concurrent, dispersion: 0.5"),
            "0.5 is out of range; it has to be at least 1, such as 2",
            id="less than one",
        ),
        pytest.param(
            file("baseline: concurrent", "for: 1m\naction: rollback", errors="sum(increase(e[{{ window }}]))"),
            "the expression is the same for both colors, so that after a rollback the bad color's errors would go on "
            'firing on the good one; put color="{{ color }}" in its selectors',
            id="a rollback without a color",
        ),
    ],
)
def test_refused(rule: str, said: str) -> None:
    assert [problem.split(": ", 1)[1] for problem in problems(rule)] == [said]
