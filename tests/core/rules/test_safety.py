"""The rules about rules that need the whole target, and the ones that warn."""

import pytest

from watchdog.core.rules.promql import parse_promql
from watchdog.core.rules.promql_shape import may_be_several, raw_counters
from watchdog.core.rules.promql_share import whole_of
from watchdog.core.rules.rulefile import parse_rule_file

GREEN = 'color="{{ color }}"'


def codes(rule: str, *, top: str = "") -> list[str]:
    """The codes of a file with one rule, whose lines are separated by ``|``."""
    lines = "".join(f"    {line.strip()}\n" for line in rule.split("|"))
    head = 'target: shop\nnamespace: shop\nservices: [{name: web, deployment: "web-{{ color }}"}]\n'
    file = parse_rule_file("f", f"{top}{head}rules:\n  - alert: A\n{lines}")
    return [problem.code for problem in (*file.problems, *file.warnings)]


def prometheus(expr: str, rest: str = "action: rollback | for: 1m") -> str:
    return f"prometheus: {{expr: '{expr}'}} | threshold: {{max: 5}} | {rest}"


def logs(query: str = "a", *, rest: str = "threshold: {max: 0}", **keys: str) -> str:
    told = ", ".join(f"{key}: {value}" for key, value in {"index": "logs", "query": f"'{query}'", **keys}.items())
    return f"elasticsearch: {{{told}}} | {rest}"


def part(part: str, whole: str = GREEN, *, times: str = "", limit: str = "{max: 5}") -> str:
    """A rule on some of the requests divided by others."""
    counted = [f"sum(rate(r_total{{{labels}}}[2m]))" for labels in (part, whole)]
    return f"prometheus: {{expr: '{times}{' / '.join(counted)}'}} | threshold: {limit}"


def burning(errors: str = GREEN, total: str = GREEN, *, acts: bool = True, by: str = "") -> str:
    samples = f"min_samples: {{expr: 'sum(increase(t{{{GREEN}}}[2m]))', value: 200}}"
    return (
        f"burn_rate: {{objective: 99%, pairs: [{{long: 1h, budget: 2%}}], "
        f"error_expr: 'sum {by} (rate(e{{{errors}}}[{{{{ window }}}}]))', "
        f"total_expr: 'sum(rate(t{{{total}}}[{{{{ window }}}}]))'}} | {samples}"
        + (" | action: rollback | for: 1m" if acts else "")
    )


def comparing(labels: str) -> str:
    exprs = [f"{key}_expr: 'sum(increase(x{{{labels}}}[{{{{ window }}}}]))'" for key in ("error", "total")]
    return f"compare: {{baseline: concurrent, {', '.join(exprs)}}}"


@pytest.mark.parametrize(
    "expr",
    [
        "sum(x)",
        "sum(x) / sum(y)",
        "x / sum(y)",
        "max(x) * 100",
        "scalar(x)",
        "time() - max(x)",
        "vector(1)",
        "absent(x)",
        "job:errors:ratio5m{a='b'}",
        "sum by (color) (rate(x{color='green'}[2m]))",
        "histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))",
        "histogram_quantile(0.9, sum by (le, color) (rate(x_bucket{color='green'}[5m])))",
        "topk(1, x)",
        "max_over_time((sum(x) / sum(y))[10m:1m])",
        "sum(x) or vector(0)",
        "clamp_max(sum(x), 1)",
        "sum(x) unless on () y",
        "sum by (color) (x{color='green'}) or on () vector(0)",
        "sum by (color) (x{color='green'}) or sum by (color) (y{color='green'}) * 0",
        "sum(x) * on () group_left () y",
    ],
)
def test_one_series(expr: str) -> None:
    assert not may_be_several(parse_promql(expr))


@pytest.mark.parametrize(
    "expr",
    [
        "x",
        "rate(x[2m])",
        "x / y",
        "100 * x",
        "x / scalar(y)",
        "sum by (pod) (x)",
        "sum by (color, pod) (x{color='green'})",
        "sum by (color) (x{color='green'} + x)",
        "sum without (pod) (x)",
        "histogram_quantile(0.9, rate(x_bucket[5m]))",
        "histogram_quantile(0.9, sum by (le, pod) (rate(x_bucket[5m])))",
        "topk(3, x)",
        "topk(1, x) by (pod)",
        "sum(x) or y",
        "x and sum(y)",
        "sum by (color) (x{color='green'}) or vector(0)",
        "sum by (color) (x{color='green'}) / sum by (color) (y{color='green'}) or (vector(0))",
        "2 * sum(x) or sum by (color) (y{color='green'})",
        "sum by (code) (x) / ignoring (code) group_left sum(x)",
        "sum(x) * on () group_right () y",
    ],
)
def test_F09_perhaps_several_series(expr: str) -> None:
    assert may_be_several(parse_promql(expr))


@pytest.mark.parametrize(
    ("expr", "names"),
    [
        ("sum(a_total) / sum(b_total)", ["a_total", "b_total"]),
        ("sum(rate(a_total[2m])) / increase(b_total[1m])", []),
        ("max_over_time(a_total[5m:1m])", []),
        ("count(a_total)", []),
        ("absent(a_total) or time() - timestamp(a_total)", []),
        ("sum(a) + max(-(a_total))", ["a_total"]),
    ],
)
def test_counters_that_only_grow(expr: str, names: list[str]) -> None:
    assert list(raw_counters(parse_promql(expr))) == names


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        pytest.param(prometheus(f"sum(rate(x{{{GREEN}}}[2m]))"), [], id="a careful rule"),
        pytest.param(prometheus(f"rate(x{{{GREEN}}}[2m])"), ["R506"], id="F09 several series"),
        pytest.param(prometheus("rate(x[2m])", "action: alert"), [], id="several series of a rule that only alerts"),
        pytest.param(prometheus('sum(x{color="grene"})', "action: alert"), ["R507"], id="F68 an unknown color"),
        pytest.param(prometheus('sum(x{color="green"})', "action: alert"), [], id="one color in an alert"),
        pytest.param(prometheus('sum(x{color="green"})'), ["R504", "R508"], id="one color that rolls back"),
        pytest.param(prometheus('sum(x{color!="grene"})', "action: alert"), [], id="another color than one"),
        pytest.param(prometheus('sum(x{color=~"b.*"})', "action: alert"), [], id="a pattern of colors"),
        pytest.param(prometheus(f"sum(x{{{GREEN}}})", "action: rollback | for: 1m | no_data: breach"), ["R509"]),
        pytest.param(prometheus("sum(x)", "no_data: breach"), [], id="missing data that only alerts"),
        pytest.param(logs(timeframe="5s"), ["R510"], id="gaps between windows"),
        pytest.param(logs(timeframe="15s"), [], id="windows side by side"),
        pytest.param(logs(filter="[{term: {k8s.color: grene}}]"), ["R507"], id="an unknown color in the logs"),
        pytest.param(logs(filter="[{bool: {must: [{term: {color.keyword: {value: grene}}}]}}]"), ["R507"], id="deep"),
        pytest.param(logs(filter="[{term: {team.color_scheme: dark}}]"), [], id="not a color"),
        pytest.param(
            logs(
                "a AND c:{{ color }}",
                ratio_of="'*'",
                rest="threshold: {max: 0.1} | min_samples: 5 | action: rollback | for: 1m",
            ),
            ["R511"],
            id="documents of both colors",
        ),
        pytest.param(
            logs(
                "a AND c:{{ color }}",
                ratio_of="'c:{{ color }}'",
                rest="threshold: {max: 0.1} | min_samples: 5 | action: rollback | for: 1m",
            ),
            [],
            id="documents of one",
        ),
        pytest.param(logs(ratio_of="'*'", rest="threshold: {max: 5}"), ["R513"], id="per cent as a share"),
        pytest.param(logs(ratio_of="'*'", rest="threshold: {min: 0}"), ["R513"], id="never below 0"),
        pytest.param(logs(ratio_of="'*'", rest="threshold: {min: 5}"), ["R513"], id="always below 5"),
        pytest.param(logs(ratio_of="'*'", rest="threshold: {max: -1}"), ["R513"], id="always above -1"),
        pytest.param(logs(rest="threshold: {max: -1}"), ["R516"], id="a count is always above -1"),
        pytest.param(logs(rest="threshold: {min: 0}"), ["R516"], id="a count is never below 0"),
        pytest.param(logs(rest="threshold: {max: 0.05}"), ["R527"], id="a count between two whole numbers"),
        pytest.param(logs(rest="threshold: {min: 1, max: 50}"), [], id="a count in a range"),
        pytest.param(logs(ratio_of="'*'", rest="threshold: {min: 0.9, max: 1}"), [], id="a share of healthy lines"),
        pytest.param(logs(rest="threshold: {max: 5}"), [], id="a count"),
        pytest.param(part(f'{GREEN}, code=~"5.."'), ["R513"], id="per cent as a share of requests"),
        pytest.param(part(f'{GREEN}, code=~"5.."', limit="{max: 0.05}"), [], id="a share of requests"),
        pytest.param(part(f'{GREEN}, code=~"5.."', limit="{min: 99}"), ["R513"], id="requests that are always too few"),
        pytest.param(part(f'{GREEN}, code=~"5.."', times="100 * "), [], id="a percentage of requests"),
        pytest.param(
            part(f'{GREEN}, code=~"5.."', times="100 * ", limit="{max: 100}"), ["R513"], id="all of the percentage"
        ),
        pytest.param(
            part(f'{GREEN}, code=~"5.."', times="100 * ", limit="{max: 0.05}"), ["R524"], id="a share as a percentage"
        ),
        pytest.param(
            "prometheus: {expr: 'round(100 * sum(e) / sum(r), 0.01)'} | threshold: {max: 0.05}",
            ["R524"],
            id="a rounded share as a percentage",
        ),
        pytest.param(
            "prometheus: {expr: 'max(sum by (pod) (rate(e_total[2m])) / sum by (pod) (rate(r_total[2m])))'} | "
            "threshold: {max: 5}",
            ["R524"],
            id="the largest share in per cent",
        ),
        pytest.param(part('a="b"', 'a="c"'), ["R524"], id="one counter by another one, in per cent"),
        pytest.param(part('a="b"', 'a="c"', limit="{max: 0.05}"), [], id="one counter by another one"),
        pytest.param(part("", 'a="c"', limit="{max: 0.5}"), [], id="more than the whole"),
        pytest.param(
            prometheus("sum(rate(d_sum[2m])) / sum(rate(d_count[2m]))", "action: alert"), [], id="an average latency"
        ),
        pytest.param(prometheus('sum(rate(x{code="5.."}[2m]))', "action: alert"), ["R523"], id="a pattern as text"),
        pytest.param(prometheus('sum(rate(x{a="b.*"}[2m]))', "action: alert"), ["R523"], id="any ending as text"),
        pytest.param(prometheus('sum(rate(x{path="/api/*",v="1.2.3"}[2m]))', "action: alert"), [], id="a text"),
        pytest.param(prometheus('sum(rate(x{code!="5.."}[2m]))', "action: alert"), [], id="any text but one"),
        pytest.param(prometheus("sum(rate(x[20s]))", "action: alert"), ["R525"], id="hardly two samples"),
        pytest.param(prometheus("sum(rate(x[30s]))", "action: alert"), [], id="two samples"),
        pytest.param(prometheus("sum(x)", "for: 5s"), ["R526"], id="for within the interval"),
        pytest.param(prometheus("sum(x)", "for: 15s"), [], id="for of one interval"),
        pytest.param(burning(), [], id="a careful burn rate"),
        pytest.param(burning(by="by (pod)"), ["R506"], id="several series of a burn rate"),
        pytest.param(burning(by="by (pod)", acts=False), [], id="several series of a burn rate that only alerts"),
        pytest.param(burning(total='a="b"'), ["R511"], id="the budget of both colors"),
        pytest.param(burning(total='a="b"', acts=False), [], id="the budget of both colors in an alert"),
        pytest.param(burning('color="grene"', acts=False), ["R507"], id="an unknown color in a burn rate"),
        pytest.param(comparing(GREEN), [], id="a careful comparison"),
        pytest.param(comparing('color="grene"'), ["R507", "R507"], id="an unknown color in a comparison"),
        pytest.param(
            "elasticsearch: {index: logs, dsl: {term: {color: grene}}} | threshold: {max: 5}",
            ["R507"],
            id="an unknown color in a clause",
        ),
        pytest.param(
            "elasticsearch: {index: logs, kql: 'a: {{ color }}', ratio_of: '*'} | threshold: {max: 0.1} | "
            "min_samples: 5 | action: rollback | for: 1m",
            ["R511"],
            id="documents of both colors beside KQL",
        ),
        pytest.param("kubernetes: {count: restarts} | threshold: {max: 0}", [], id="what asks no server"),
    ],
)
def test_a_rule(rule: str, found: list[str]) -> None:
    assert codes(rule) == found


ACTING = "min_samples: {expr: 'sum(r{" + GREEN + "})', value: 5} | action: rollback | for: 1m"


@pytest.mark.parametrize(
    ("expr", "found"),
    [
        (f"sum(e{{{GREEN}}}) / sum(r)", ["R511"]),
        (f"round(sum(e{{{GREEN}}}) / sum(r), 0.1)", ["R511"]),
        (f"max(sum by (job) (e{{{GREEN}}}) / sum by (job) (r))", ["R511"]),
        (f"max(e{{{GREEN}}} / ignoring (color) group_left sum without (color) (r))", ["R511"]),
        (f"sum(e{{{GREEN}}}) / scalar(sum(r))", ["R511"]),
        (f"sum(e{{{GREEN}}}) / on () group_left clamp_min(sum(r), 1)", ["R511"]),
        (f"max(e{{{GREEN}}} / r)", []),
        (f"max(rate(e{{{GREEN}}}[2m]) / on (pod) group_left rate(r[2m]))", []),
        (f"sum(sum by (color) (e{{{GREEN}}}) / sum by (color) (r))", []),
        (f"sum(sum without (pod) (e{{{GREEN}}}) / sum without (pod) (r))", []),
        (f"sum(e{{{GREEN}}}) / sum(r{{{GREEN}}})", []),
    ],
)
def test_what_is_divided_by_is_of_the_same_color(expr: str, found: list[str]) -> None:
    assert codes(prometheus(expr, ACTING)) == found


@pytest.mark.parametrize(
    ("counted", "found"),
    [
        pytest.param(f"sum(increase(r_total{{{GREEN}}}[2m]))", [], id="F05 the requests of two minutes"),
        pytest.param(f"sum(r_total{{{GREEN}}})", ["R512"], id="F05 the requests since the process began"),
        pytest.param(f"increase(r_total{{{GREEN}}}[2m])", ["R506"], id="F09 the requests of each pod"),
        pytest.param(f"sum(increase(r_total{{{GREEN}}}[2m])) / sum(ready)", [], id="F05 the requests a pod"),
        pytest.param(f"sum(increase(r_total{{{GREEN}}}[2m]) > 5)", [], id="F05 the requests of busy pods"),
    ],
)
def test_what_counts_the_samples_is_looked_at_too(counted: str, found: list[str]) -> None:
    rest = f"min_samples: {{expr: '{counted}', value: 200}} | action: rollback | for: 1m"
    assert codes(prometheus(f"sum(rate(e{{{GREEN}}}[2m])) / sum(rate(r{{{GREEN}}}[2m]))", rest)) == found


@pytest.mark.parametrize(
    ("expr", "limit", "found"),
    [
        pytest.param(f"absent(up{{{GREEN}}})", "{max: 0}", ["R509"], id="nothing is there"),
        pytest.param(f"absent_over_time(up{{{GREEN}}}[5m])", "{max: 0}", ["R509"], id="nothing was there"),
        pytest.param(f"sum(e{{{GREEN}}}) or absent(up{{{GREEN}}})", "{max: 0}", ["R509"], id="or nothing is there"),
        pytest.param(f"absent(e{{{GREEN}}}) and on () sum(up) > 0", "{max: 0}", [], id="while others are there"),
        pytest.param(f"sum(e{{{GREEN}}}) or absent(e{{{GREEN}}}) * 0", "{max: 0}", [], id="0 in its place"),
        pytest.param(f"sum(e{{{GREEN}}}) unless on () absent(up)", "{max: 0}", [], id="a condition"),
        pytest.param(f"sum(r{{{GREEN}}}) or vector(0)", "{min: 1}", ["R509"], id="0 in its place, which breaches"),
        pytest.param(f"(sum(r{{{GREEN}}}) or vector(9))", "{max: 1}", ["R509"], id="9 in its place, which breaches"),
        pytest.param(f"sum(r{{{GREEN}}}) or vector(0)", "{max: 1}", [], id="0 in its place, which is well"),
    ],
)
def test_F04_missing_data_rolls_nothing_back_without_a_word(expr: str, limit: str, found: list[str]) -> None:
    rule = f"prometheus: {{expr: '{expr}'}} | threshold: {limit}"
    assert codes(f"{rule} | action: rollback | for: 1m") == found
    assert codes(f"{rule} | action: alert") == []


@pytest.mark.parametrize(
    ("expr", "rest", "found"),
    [
        ("count(up == 0)", "", ["R529"]),
        ("sum(r > 0.05)", "", ["R529"]),
        ("max((sum by (pod) (e) / sum by (pod) (r)) > 0.05)", "", ["R529"]),
        ("count_over_time((sum(e) > 5)[10m:1m])", "", ["R529"]),
        ("sum(e > 5) / sum(r)", "", ["R529"]),
        ("sum(e) + (sum(r) > 5)", "", ["R529"]),
        ("count(e > 5) or sum(r > 5)", "", ["R529"]),
        ("count(e > 5) or vector(0)", "", []),
        ("count(e > 5) or count(e) * 0", "", []),
        ("sum(up == bool 0)", "", []),
        ("sum(e) / (sum(r) > 0)", "", []),
        ("sum(e) and on () sum(r) > 100", "", []),
        ("sum(e * on (pod) group_left () (ready == 1))", "", []),
        ("sum(e * on (pod) group_left () max by (pod) (ready == 1))", "", []),
        ("avg(e == e)", "", []),
        ("avg(e >= 0)", "", []),
        ("max(e > -1)", "", []),
        ("max(e < Inf)", "", []),
        ("max(e > 0)", "", ["R529"]),
        ("histogram_quantile(0.9, sum by (le) (rate(e[5m])) > 0)", "", []),
        ("count(up == 0)", " | no_data: ok", []),
    ],
)
def test_F04_a_comparison_inside_leaves_a_value(expr: str, rest: str, found: list[str]) -> None:
    assert codes(prometheus(expr, f"action: alert{rest}")) == found


def test_F04_what_is_empty_and_said_to_be_zero_is_a_value() -> None:
    samples = "min_samples: {expr: sum(r), value: 5}"
    rule = f"prometheus: {{expr: 'count(e > 5)', absent_is_zero: true}} | threshold: {{max: 5}} | {samples}"
    assert codes(rule) == []


@pytest.mark.parametrize(
    ("window", "rest", "found"),
    [
        pytest.param("4m", "for: 1m", ["R514"], id="three minutes back, and one to last"),
        pytest.param("4m1s", "for: 1m", [], id="just within"),
        pytest.param("null", "for: 1m", [], id="always"),
        pytest.param("6m", "for: 1m | initial_delay: 5m", ["R514"], id="a delay of its own"),
        pytest.param("2m", "datapoints_to_alarm: 2 | evaluation_periods: 2", ["R514"], id="without for"),
    ],
)
def test_a_rule_can_fire_within_the_rollback_window(window: str, rest: str, found: list[str]) -> None:
    rule = prometheus(f"sum(rate(x{{{GREEN}}}[3m]))", f"action: rollback | {rest}")
    assert codes(rule, top=f"rollback: {{rollback_window: {window}}}\n") == found


@pytest.mark.parametrize(
    ("rest", "found"),
    [
        pytest.param("action: rollback | for: 1m | initial_delay: 2m59s", ["R528"], id="shorter than its window"),
        pytest.param("action: rollback | for: 1m | initial_delay: 3m", [], id="as long as its window"),
        pytest.param("action: rollback | for: 1m", [], id="not said"),
        pytest.param("action: alert | initial_delay: 0s", [], id="what only tells"),
    ],
)
def test_F17_the_release_before_does_not_count_against_the_new_one(rest: str, found: list[str]) -> None:
    assert codes(prometheus(f"sum(rate(x{{{GREEN}}}[3m]))", rest)) == found


@pytest.mark.parametrize(
    ("interval", "span", "found"),
    [("1s", "2s", []), ("1s", "1s", ["R525"]), ("5m", "1m", ["R510"]), ("5m", "5m", []), ("1m", "1m", [])],
)
def test_a_range_is_held_against_the_interval(interval: str, span: str, found: list[str]) -> None:
    assert codes(prometheus(f"sum(rate(x[{span}]))", "action: alert"), top=f"interval: {interval}\n") == found


@pytest.mark.parametrize(
    ("interval", "pair", "found"),
    [
        pytest.param("15s", "long: 1m", ["R525"], id="a twelfth of a minute"),
        pytest.param("15s", "long: 6m", [], id="a twelfth of six minutes"),
        pytest.param("15s", "long: 1h, short: 29s", ["R525"], id="a short window that is said"),
        pytest.param("15s", "long: 1h, short: 30s", [], id="two scrapes"),
        pytest.param("1s", "long: 24s", [], id="scrapes that are as quick as the slots"),
        pytest.param("10m", "long: 1h", [], id="a slow slot"),
    ],
)
def test_a_window_of_a_burn_rate_holds_two_samples(interval: str, pair: str, found: list[str]) -> None:
    rule = burning(acts=False).replace("long: 1h, budget: 2%", f"{pair}, budget: 0.01%").replace("[2m]", "[10m]")
    assert codes(rule, top=f"interval: {interval}\n") == found


@pytest.mark.parametrize(
    ("interval", "window", "found"),
    [("15s", "5s", ["R525"]), ("15s", "30s", []), ("2s", "5s", []), ("10m", "1m", [])],
)
def test_a_window_that_is_compared_holds_two_samples(interval: str, window: str, found: list[str]) -> None:
    rule = comparing(GREEN).replace("compare: {", f"compare: {{window: {window}, ")
    assert codes(rule, top=f"interval: {interval}\n") == found


def test_a_range_beside_the_window_is_told_too() -> None:
    rule = burning(acts=False).replace("sum  (rate", "sum(rate(a[5s])) + sum(rate")
    assert codes(rule) == ["R525"]


@pytest.mark.parametrize(
    ("expr", "whole"),
    [
        ('sum(rate(x{a="b"}[2m])) / sum(rate(x[2m]))', 1),
        ('100 * sum(rate(x{a="b"}[2m])) / sum(rate(x[2m]))', 100),
        ('(sum(rate(x{a="b"}[2m])) / sum(rate(x[2m]))) * 100', 100),
        ('1 - sum(increase(x{a="b"}[2m])) / sum(increase(x[2m]))', 1),
        ('100 - 100 * (count(x{a="b"}) / count(x))', 100),
        ('sum by (c) (x{a="b"}) / sum by (c) (x) or vector(0)', 1),
        ('round(sum(x{a="b"}) / sum(x), 0.001)', 1),
        ('round(100 * sum(x{a="b"}) / sum(x))', 100),
        ('100 * max(sum by (c) (x{a="b"}) / sum by (c) (x))', 100),
        ('max_over_time((sum(x{a="b"}) / sum(x))[10m:1m])', 1),
        ('avg(1 - x{a="b"} / x)', 1),
        ('clamp_max(sum(x{a="b"}) / sum(x), 1)', 1),
        ('sum(x{a="b"}) / sum(x) and on () sum(x) > 100', 1),
        ('sum(x{a="b"}) / sum(x) or sum(y)', None),
        ('round(sum(x{a="b"}) / sum(x), 0.6)', None),
        ('round(sum(x{a="b"}) / sum(x), 0)', None),
        ('sum(x{a="b"} / x)', None),
        ('max(x{a="b"}) / x', None),
        ("max_over_time(x[5m])", None),
        ('sum(rate(x{a="b"}[2m])) / sum(rate(x[5m]))', None),
        ('sum(rate(x{a="b"}[2m])) / sum(rate(y[2m]))', None),
        ('sum(rate(x[2m])) / sum(rate(x{a="b"}[2m]))', None),
        ('sum(rate(x{a="b"}[2m])) / sum(rate(x{a="c"}[2m]))', None),
        ('avg(x{a="b"}) / avg(x)', None),
        ('sum by (c) (x{a="b"}) / sum by (d) (x)', None),
        ('sum(x{a="b"} offset 5m) / sum(x)', None),
        ('sum(x{a="b"}) / sum(x) / 0', None),
        ("sum(x) / 100", None),
        ("x", None),
    ],
)
def test_what_a_share_cannot_exceed(expr: str, whole: float | None) -> None:
    assert whole_of(parse_promql(expr)) == whole


def test_an_enforced_target_has_a_rule_that_acts() -> None:
    assert codes(prometheus("sum(x)", "action: alert"), top="mode: enforce\n") == ["R515"]
    assert codes(prometheus(f"sum(x{{{GREEN}}})"), top="mode: enforce\n") == []
