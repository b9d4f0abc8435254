"""What a burn-rate rule may ask, and the factors of its pairs."""

from __future__ import annotations

import pytest

from tests.core.rules.kinds.checking import problems
from watchdog.core.durations import parse_duration, show_duration
from watchdog.core.rules.kinds import BurnRate

ERRORS = "sum(rate(e{c='{{ color }}'}[{{ window }}]))"
SLOW = "sum(increase(h{c='{{ color }}'}[{{ window }}]))"
TOTAL = "sum(rate(t{c='{{ color }}'}[{{ window }}]))"
SAMPLES = "min_samples: {expr: \"t{c='{{ color }}'}\", value: 200}\n"


def burn(**fields: object) -> BurnRate:
    given = {"error_expr": ERRORS, "total_expr": TOTAL, "objective": "99.9%", "pairs": [{"long": "1h", "budget": "2%"}]}
    return BurnRate.model_validate(given | fields)


@pytest.mark.parametrize(
    ("period", "pair", "factor"),
    [
        ("30d", ("5m", "1h", "2%"), 14.4),
        ("30d", ("30m", "6h", "5%"), 6),
        ("30d", ("2h", "1d", "10%"), 3),
        ("30d", ("6h", "3d", "10%"), 1),
        ("30d", ("2m", "30m", "1%"), 14.4),
        ("28d", ("5m", "1h", "2%"), 13.44),
        ("28d", ("30m", "6h", "5%"), 5.6),
        ("28d", ("2h", "1d", "10%"), 2.8),
        ("28d", ("6h", "3d", "10%"), 0.9333),
        ("7d", ("5m", "1h", "8%"), 13.44),
        ("7d", ("30m", "6h", "12.5%"), 3.5),
        ("7d", ("2h", "1d", "20%"), 1.4),
        ("7d", ("6h", "3d", "42%"), 0.98),
    ],
)
def test_the_factors_of_the_table(period: str, pair: tuple[str, str, str], factor: float) -> None:
    short, long, budget = pair
    given = burn(period=period, pairs=[{"short": short, "long": long, "budget": budget}])
    assert given.factor(given.pairs[0]) == pytest.approx(factor, abs=5e-5)


@pytest.mark.parametrize(("long", "short"), [("1h", "5m"), ("6h", "30m"), ("1d", "2h"), ("30m", "2m30s")])
def test_a_short_window_is_a_twelfth_unless_it_is_said(long: str, short: str) -> None:
    (pair,) = burn(pairs=[{"long": long, "budget": "2%"}]).pairs
    assert show_duration(pair.short_window) == short
    assert pair.long == parse_duration(long)


def test_every_window_is_asked_once() -> None:
    pairs = [{"long": "1h", "budget": "2%"}, {"long": "6h", "short": "1h", "budget": "5%"}]
    assert burn(pairs=pairs).windows == (300, 3600, 6 * 3600)


def file(burn_rate: str, *rest: str, errors: str = ERRORS, total: str = TOTAL) -> str:
    exprs = f'error_expr: "{errors}", total_expr: "{total}"'
    return "\n".join([f"burn_rate: {{{exprs}, {burn_rate}}}", *rest])


def test_well_formed() -> None:
    given = file("objective: 99.9%, pairs: [{long: 1h, budget: 2%}]")
    assert problems(given) == []
    assert problems(f"{given}\n{SAMPLES}for: 1m\naction: rollback") == []


@pytest.mark.parametrize(
    "errors",
    [
        f"histogram_count({SLOW}) * (1 - histogram_fraction(0, 0.3, {SLOW}))",
        "sum_over_time((sum(rate(e{c='{{ color }}'}[5m])) / sum(rate(t[5m])) > bool 0.05)[{{ window }}:1m])",
        "count(sum by (pod) (rate(e{c='{{ color }}'}[{{ window }}])) / on (pod) cores > 0.5) or vector(0)",
    ],
    ids=["a fraction times its count", "slices of time", "how many pods"],
)
def test_what_counts_is_no_ratio(errors: str) -> None:
    assert problems(file("objective: 99.9%, pairs: [{long: 1h, budget: 2%}]", errors=errors)) == []


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        pytest.param(
            file("objective: 99.9%, pairs: [{long: 1h, budget: 2%}]", "threshold: {max: 1}"),
            "the pairs say what is too much; remove threshold",
            id="a threshold of its own",
        ),
        pytest.param(
            file("objective: 100%, pairs: [{long: 1h, budget: 2%}]"),
            "an objective of 0% or 100% leaves nothing to measure; write one in between, such as 99.9%",
            id="no budget",
        ),
        pytest.param(
            file("objective: 90%, pairs: [{long: 1h, budget: 2%}]"),
            "its factor of 14.4 takes 144% of failed requests, so that the pair never trips; "
            "write a smaller budget, or a longer window",
            id="a pair that never trips",
        ),
        pytest.param(
            file("objective: 99.9%, pairs: [{long: 1h, short: 1h, budget: 2%}]"),
            "the short window is not shorter than the long one; write a twelfth",
            id="two windows that are one",
        ),
        pytest.param(
            file("objective: 99.9%, period: 1h, pairs: [{long: 6h, budget: 2%}]"),
            "the window is longer than period; write a shorter one",
            id="longer than the period",
        ),
        pytest.param(
            file("objective: 99.9%, pairs: [{long: 1h, budget: 0%}]"),
            "0% of the budget is always spent; write how much may be, such as 2%",
            id="nothing may be spent",
        ),
        pytest.param(
            file("objective: 99.9%, pairs: [{long: 1h, budget: 2%}]", "min_samples: 5"),
            "a number alone does not say how to count requests; "
            "write min_samples: {expr: sum(increase(…[2m])), value: 200}",
            id="samples without their expression",
        ),
        pytest.param(
            file("objective: 99.9%, pairs: []"),
            "there is nothing in it; write pairs: [{long: 1h, budget: 2%}]",
            id="no pair",
        ),
        pytest.param(
            file("objective: 99.9%, pairs: [{long: 1h, budget: 2%}]", errors="sum(rate(e[5m]))"),
            "the expression is the same for every window; put {{ window }} in its range, such as [{{ window }}]",
            id="no window",
        ),
        pytest.param(
            file("objective: 99.9%, pairs: [{long: 1h, budget: 2%}]", errors=f"{ERRORS} / {TOTAL}"),
            "the expression is a ratio already, and an average of ratios is not the ratio of the sums; "
            "let it yield a number of requests, and leave the division to the rule",
            id="a ratio",
        ),
        pytest.param(
            file("objective: 99.9%, pairs: [{long: 1h, budget: 2%}]", errors=f"avg({ERRORS} / {TOTAL})"),
            "the expression is a ratio already, and an average of ratios is not the ratio of the sums; "
            "let it yield a number of requests, and leave the division to the rule",
            id="an average of ratios",
        ),
        pytest.param(
            file("objective: 99.9%, pairs: [{long: 1h, budget: 2%}]", errors=f"{ERRORS} > 1"),
            "the expression compares by itself, so that healthy and no data would look the same; "
            "let it yield the value, and leave the comparison to threshold",
            id="a comparison",
        ),
        pytest.param(
            file("objective: 99.9%, pairs: [{long: 1h, budget: 2%}]", total="sum(rate(t[{{ windo }}]))"),
            "unknown placeholder {{ windo }}; known are: {{ color }}, {{ namespace }}, {{ window }}",
            id="an unknown placeholder",
        ),
        pytest.param(
            file("objective: 99.9%, pairs: [{long: 1d, budget: 10%}]", SAMPLES + "for: 1m\naction: rollback"),
            "a window of more than 6h shows a slow leak, and rolls back long after its cause; "
            "make a rule of its own of it, with action: alert",
            id="a rollback on a slow leak",
        ),
        pytest.param(
            file("objective: 99.9%, pairs: [{long: 1h, budget: 2%}]", "for: 1m\naction: rollback"),
            "a ratio of a handful of requests would roll back; say how many requests it needs: "
            "add min_samples: {expr: sum(increase(…[2m])), value: 200}",
            id="a rollback without samples",
        ),
        pytest.param(
            file(
                "objective: 99.9%, pairs: [{long: 1h, budget: 2%}]",
                SAMPLES + "for: 1m\naction: rollback",
                errors="sum(rate(e[{{ window }}]))",
            ),
            "the expression is the same for both colors, so that after a rollback the bad color's errors would go on "
            'firing on the good one; put color="{{ color }}" in its selectors',
            id="a rollback without a color",
        ),
    ],
)
def test_refused(rule: str, said: str) -> None:
    assert [problem.split(": ", 1)[1] for problem in problems(rule)] == [said]
