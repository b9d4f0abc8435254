"""The rules about rules: refused with the reason and the cure."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.core.rules.language import Rule
from watchdog.core.rules.lint import lint, lint_lucene, lint_promql
from watchdog.core.rules.rulefile import parse_rule_file

COMPARES = (
    "the expression compares by itself, so that healthy and no data would look the same; "
    "let it yield the value, and leave the comparison to threshold"
)
NO_VALUE = "the expression yields no single value; wrap it in a function, such as rate(metric[2m])"


def promql(text: str) -> list[str]:
    return [finding.message for finding in lint_promql(text)]


def lucene(text: str) -> list[str]:
    return [finding.message for finding in lint_lucene(text)]


@pytest.mark.parametrize(
    "text",
    [
        'sum(rate(http_requests_total{code=~"5.."}[2m])) / sum(rate(http_requests_total[2m]))',
        "histogram_quantile(0.95, sum by (le) (rate(x_bucket[5m])))",
        "100 * (1 - avg(rate(idle[5m])))",
        "sum(up == bool 0)",
        "sum(x > bool 3) / count(x)",
        "sum(errors) / (sum(requests) > 0)",
        "errors / requests and on () requests > 100",
        "errors unless on () maintenance == 1",
        "errors or vector(0)",
        "max_over_time((errors / requests)[10m:1m])",
        'x{a="}"} + on (b) group_left (c) y',
        "x # why ( [ {",
        "x{a='(',b=`[`}",
        r"x{a=~`5\d\d`}",
        r'x{a=~"5\\d\\d"}',
        "x offset -5m",
        "level:info:rate5m offset 1w",
        '{__name__=~"http_.*"}',
        "sum(rate(x_{{ namespace }}{color='{{color}}'}[2m]))",
        "time() - max(last_success)",
    ],
)
def test_promql_that_yields_a_value_passes(text: str) -> None:
    assert promql(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "sum(rate(x[2m])) > 3",
        "x > bool 3",
        "(x == 3)",
        "-(x != 3)",
        "(x > 3) * 100",
        "100 * (x <= bool 3)",
        "(x > 3) or vector(0)",
        "vector(0) or x < 3",
        "x > 3 and y",
        "(x >= 3) unless y",
        "abs(x > 3)",
        "round(x / y > 0.05, 0.001)",
        "clamp_max(100 * (x > 3), 100)",
        "sort_desc(label_replace(x > bool 3, 'a', 'b', 'c', 'd'))",
    ],
)
def test_F04_a_comparison_belongs_into_the_threshold(text: str) -> None:
    assert promql(text) == [COMPARES]


@pytest.mark.parametrize("text", ["x[5m]", "(x[5m])", "x[5m:1m]", '"text"'])
def test_an_expression_yields_one_value(text: str) -> None:
    assert promql(text) == [NO_VALUE]


OPEN_BRACKETS = "the expression is too deep or too long to check; move parts of it to recording rules"
NO_SPAN = "this is no span of time; write it with a unit, such as 5m"
VAGUE = "something is missing before it, or it is too much"


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        pytest.param("sum(rate(x[2m])", 3, "( is never closed; close it", id="open"),
        pytest.param("sum(x))", 6, ") closes nothing; remove it, or open it before", id="closed too often"),
        pytest.param("sum(x[2m)]", 8, ") stands where ] is due; close it first", id="crossed"),
        pytest.param('x{a="b}', 4, "the string that begins here is never closed; close it", id="open string"),
        pytest.param(
            "rate(x)",
            0,
            "this is not PromQL (expected type matrix in call to function 'rate', got vector); "
            "a range is missing; write the selector with one, such as metric[2m]",
            id="no range",
        ),
        pytest.param(
            "sum(x[2m])",
            5,
            "this is not PromQL (expected type vector in aggregation expression, got matrix); "
            "a range stands where it does not belong; wrap it, such as rate(metric[2m])",
            id="a range too many",
        ),
        pytest.param(
            "rates(x[2m])",
            0,
            "rates is not a PromQL function; did you mean rate?",
            id="unknown function",
        ),
        pytest.param(
            'x{a=~"["}',
            5,
            "this is not PromQL (illegal regex for [); the regular expression is not RE2; mend what follows =~ or !~",
            id="regular expression",
        ),
        pytest.param(
            r'x{a=~"\d"}',
            5,
            "this is not PromQL (unknown escape sequence 'd'); "
            r"a backslash in a string has to be doubled; write \\d for \d",
            id="one backslash",
        ),
        pytest.param("x[1e30]", 1, NO_SPAN, id="a range beyond all clocks, which would panic"),
        pytest.param("x offset Inf", 2, NO_SPAN, id="an offset without end"),
        pytest.param("x y", 2, f"this is not PromQL from 'y' on; {VAGUE}", id="two metrics"),
        pytest.param("sum(x) / / y", 9, f"this is not PromQL from '/ y' on; {VAGUE}", id="an operator too many"),
        pytest.param("sum by pod (x)", 7, f"this is not PromQL from 'pod (x)' on; {VAGUE}", id="by without brackets"),
        pytest.param(
            "histogram_quantile(0.9 sum by (le) (x))",
            23,
            f"this is not PromQL from 'sum by (le) (x))' on; {VAGUE}",
            id="a comma that is missing",
        ),
        pytest.param(
            "sum(x) +", 8, "this is not PromQL; something is missing in it, or too much", id="an operator at the end"
        ),
        pytest.param(
            "x{a={{ color }}}",
            4,
            "this is not PromQL (unexpected identifier '{{ color }}' in label matching, expected string); "
            'the value of a label is text; put it in quotes, such as code="500"',
            id="a placeholder without quotes",
        ),
        pytest.param(
            "x{a~='b'}",
            3,
            "this is not PromQL (unexpected character inside braces: '~'); "
            "~ is no comparison by itself; write =~ for a pattern, or !~",
            id="a matcher the wrong way round",
        ),
        pytest.param(
            "x && y",
            2,
            "this is not PromQL (unexpected character: '&'); PromQL has words for that; write and, or, unless",
            id="the operators of C",
        ),
        pytest.param(
            "rate(x[$__rate_interval])",
            7,
            "this is not PromQL (unexpected character inside brackets: '$'); "
            "Prometheus knows no variables of Grafana's; write the range itself, such as [2m]",
            id="a variable of Grafana's",
        ),
        pytest.param(
            "x{a=\u201cb\u201d}",
            4,
            "this is not PromQL (unexpected character inside braces: '\u201c'); "
            'typographic quotes are none to PromQL; write "',
            id="typographic quotes",
        ),
        pytest.param("rate(x[2])", 6, "[2] has no unit; write it such as [2m]", id="a range without a unit"),
        pytest.param("max_over_time(x[1h:30])", 15, "[1h:30] has no unit; write it such as [1h:30m]", id="a step"),
        pytest.param("x offset 5", 2, "offset 5 has no unit; write it such as offset 5m", id="an offset"),
        pytest.param(
            "# x",
            3,
            "this is not PromQL (no expression found in input); write one, such as sum(rate(metric[2m]))",
            id="only a comment",
        ),
        pytest.param("(" * 51 + "x" + ")" * 51, None, OPEN_BRACKETS, id="deep brackets"),
        pytest.param("-" * 5000 + "x", None, OPEN_BRACKETS, id="a chain of signs, which would end the process"),
        pytest.param("x" + " OR x" * 2000, None, OPEN_BRACKETS, id="a chain of operators, which would end the process"),
    ],
)
def test_what_is_not_promql(text: str, offset: int | None, message: str) -> None:
    (finding,) = lint_promql(text)
    assert (finding.offset, finding.message) == (offset, message)


QUOTE_IT = "put the text in quotes, or escape it as \\/"
NO_OPERATOR = (
    "no operator stands before this, so that Lucene reads OR; write OR or AND, and the field of each word, "
    "such as level:(ERROR OR FATAL)"
)


@pytest.mark.parametrize(
    "text",
    [
        'log.level:ERROR AND NOT logger:"HealthCheck"',
        "*",
        "status:[500 TO 599] OR (level:error AND -logger:x)",
        "message:/time.?out/ AND took:>5",
        "@timestamp:2026-01-01T10:00:00",
        "kubernetes.labels.color:{{ color }}",
        'message:"this and not that"',
        "text:(this AND that)",
        "text:(this that)",
        "text:a=b",
        "level:ERROR -logger:x",
        "level:ERROR && logger:x",
        "timeout",
        r"path:\/var\/log",
        'path:"/var/log"',
        "status:5* AND _exists_:trace",
    ],
)
def test_lucene_passes(text: str) -> None:
    assert lucene(text) == []


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        pytest.param(
            "a AND", 5, "this is not a Lucene query: it breaks off; write the term that is missing", id="breaks off"
        ),
        pytest.param('a:(b OR ")" AND c', 2, "( is never closed; close it", id="an open bracket"),
        pytest.param("a:b AND c:[1 TO", 10, "[ is never closed; close it", id="an open range"),
        pytest.param("message:read/write", 12, f"a / begins a regular expression in Lucene; {QUOTE_IT}", id="a slash"),
        pytest.param(
            "path:/var/log",
            9,
            "a / begins a regular expression in Lucene, and another one ends it; put the text in quotes",
            id="a path that is read as a pattern and a word",
        ),
        pytest.param(
            "a:{{ color }}/x", 13, f"a / begins a regular expression in Lucene; {QUOTE_IT}", id="behind a placeholder"
        ),
        pytest.param(
            "logger:*Check",
            7,
            "a term that begins with a wildcard is compared with every term of the field, in each slot; "
            "name how the terms begin, or index the field as wildcard",
            id="a leading wildcard",
        ),
        pytest.param("level: ERROR FATAL", 13, NO_OPERATOR, id="a second value"),
        pytest.param("level:ERROR logger:x", 12, NO_OPERATOR, id="a second field"),
        pytest.param(
            "log.level=ERROR",
            0,
            "= compares nothing in Lucene, and this is one word; write log.level:ERROR",
            id="an equals sign",
        ),
        pytest.param(
            "{{ color }} AND AND b",
            16,
            "this is not a Lucene query from 'AND b' on; quote the term, or escape with \\",
            id="an operator too many, after a placeholder",
        ),
        pytest.param(
            "a:b)", 3, "this is not a Lucene query from ')' on; quote the term, or escape with \\", id="bracket"
        ),
        pytest.param('a:"b', 2, '" is never closed; close it, or escape it as \\"', id="open quote"),
        pytest.param("/var/log AND /x", 13, "/ is never closed; close it, or escape it as \\/", id="a path"),
        pytest.param(
            "a~1.2.3",
            None,
            "this is not a Lucene query: a number after ~ or ^ is wrong; write it such as ~2 or ^1.5",
            id="a number that is none",
        ),
        pytest.param(
            'level:"ERROR" and not logger:x',
            14,
            "'and' is searched as a word in Lucene (it is an operator in KQL); write AND",
            id="KQL",
        ),
        pytest.param("a:b:c", 2, "a term holds two fields; put the text with the colon in quotes", id="two fields"),
    ],
)
def test_what_is_not_lucene(text: str, offset: int | None, message: str) -> None:
    finding = next(iter(lint_lucene(text)))
    assert (finding.offset, finding.message) == (offset, message)


def test_every_misreading_of_a_query_is_told() -> None:
    assert [(finding.offset, finding.code) for finding in lint_lucene("a:*b and not c:d:e")] == [
        (5, "R402"),
        (9, "R402"),
        (2, "R404"),
        (15, "R403"),
    ]


PROMETHEUS_RATIO = {"expr": 'errors{color="{{ color }}"} / requests{color="{{ color }}"}'}
ENOUGH = {"expr": 'requests{color="{{ color }}"}', "value": 200}
LOG_RATIO = {"index": "logs", "query": "level:ERROR AND color:{{ color }}", "ratio_of": "*"}
ONE_GLANCE = "one single measurement would roll back; add for: 1m, or datapoints_to_alarm: 2 and evaluation_periods: 3"
NO_REQUESTS = (
    "a ratio of a handful of requests would roll back; say how many requests it needs: "
    "add min_samples: {expr: sum(increase(…[2m])), value: 200}; where there are none, {expr: count(…), value: 1}"
)
NO_DOCUMENTS = (
    "a ratio of a handful of documents would roll back; say how many documents it needs: add min_samples: 500"
)


def same(subject: str, cure: str) -> str:
    return (
        f"{subject} is the same for both colors, so that after a rollback the bad color's errors would go on firing on "
        f"the good one; put {cure}"
    )


SELECTORS = 'color="{{ color }}" in its selectors'
FILTER = '{{ color }} in filter: [{term: {kubernetes.labels.color: "{{ color }}"}}]'


@pytest.mark.parametrize(
    ("fields", "findings"),
    [
        pytest.param({"prometheus": PROMETHEUS_RATIO, "min_samples": ENOUGH}, [], id="a ratio with samples"),
        pytest.param({"prometheus": PROMETHEUS_RATIO}, [(("action",), NO_REQUESTS)], id="F05 a ratio without samples"),
        pytest.param(
            {"prometheus": {"expr": '100 * (1 - (ok{color="{{ color }}"} / all))'}},
            [(("action",), NO_REQUESTS)],
            id="F05 a scaled ratio without samples",
        ),
        pytest.param(
            {"prometheus": {"expr": '(errors{color="{{ color }}"} / all) or vector(0)'}},
            [(("action",), NO_REQUESTS)],
            id="a ratio or nothing, without samples",
        ),
        pytest.param({"prometheus": {"expr": 'errors{color="{{ color }}"} / 60'}}, [], id="divided by a number"),
        pytest.param(
            {"prometheus": {"expr": 'errors{color="{{ color }}"} / scalar(vector(60))'}}, [], id="divided by a scalar"
        ),
        pytest.param({"prometheus": {"expr": 'errors{color="{{ color }}"}'}}, [], id="no ratio"),
        pytest.param(
            {"prometheus": {"expr": "errors"}},
            [(("prometheus", "expr"), same("the expression", SELECTORS))],
            id="no color",
        ),
        pytest.param(
            {"prometheus": {"expr": "errors # {{ color }}"}},
            [(("prometheus", "expr"), same("the expression", SELECTORS))],
            id="a color in a comment",
        ),
        pytest.param(
            {"prometheus": {"expr": 'sum(errors) / sum(requests{color="{{ color }}"})'}, "min_samples": ENOUGH},
            [(("prometheus", "expr"), same("what is divided", SELECTORS))],
            id="a color in the divisor alone",
        ),
        pytest.param(
            {"prometheus": PROMETHEUS_RATIO, "min_samples": {"expr": "requests", "value": 200}},
            [
                (
                    ("min_samples", "expr"),
                    (
                        "the requests of both colors are counted, so that one's would be taken for the other's; "
                        'put color="{{ color }}" in its selectors'
                    ),
                )
            ],
            id="samples without a color",
        ),
        pytest.param(
            {"prometheus": PROMETHEUS_RATIO, "min_samples": ENOUGH, "for": "0s"},
            [(("action",), ONE_GLANCE)],
            id="at once",
        ),
        pytest.param(
            {
                "prometheus": PROMETHEUS_RATIO,
                "min_samples": ENOUGH,
                "for": "0s",
                "datapoints_to_alarm": 2,
                "evaluation_periods": 2,
            },
            [],
            id="two breaches and no for",
        ),
        pytest.param({"elasticsearch": LOG_RATIO, "min_samples": {"value": 500}}, [], id="logs with samples"),
        pytest.param({"elasticsearch": LOG_RATIO}, [(("action",), NO_DOCUMENTS)], id="F05 logs without samples"),
        pytest.param(
            {"elasticsearch": {"index": "logs", "query": "a"}},
            [(("elasticsearch", "query"), same("the query", FILTER))],
            id="logs without a color",
        ),
        pytest.param({"elasticsearch": {"index": "logs-{{ color }}", "query": "a"}}, [], id="an index a color"),
        pytest.param(
            {"elasticsearch": {"index": "logs", "query": "a", "filter": [{"terms": {"c": ["{{ color }}"]}}]}},
            [],
            id="a color deep in the filter",
        ),
        pytest.param(
            {"elasticsearch": {"index": "logs", "query": "a", "ratio_of": "{{ color }}"}, "min_samples": {"value": 5}},
            [(("elasticsearch", "query"), same("the query", FILTER))],
            id="a color in ratio_of alone",
        ),
        pytest.param(
            {"prometheus": {"expr": "errors / requests"}, "for": "0s", "action": "alert"},
            [],
            id="a rule that only alerts",
        ),
    ],
)
def test_what_a_rule_that_rolls_back_needs(
    fields: dict[str, object], findings: list[tuple[tuple[str, ...], str]]
) -> None:
    rule = Rule.model_validate({"alert": "A", "threshold": {"max": 1}, "for": "1m", "action": "rollback"} | fields)
    assert [(finding.path, finding.message) for finding in lint(rule)] == findings


E = 'e{color="{{ color }}"}'
X = 'x{color="{{ color }}"}'


@pytest.mark.parametrize(
    "expr",
    [
        f"round({E} / {X}, 0.001)",
        f"clamp_max({E} / {X}, 1)",
        f"max({E} / {X})",
        f"avg({E} / {X})",
        f"avg_over_time(({E} / {X})[5m:15s])",
        f"quantile(0.9, {E} / on (pod) {X})",
        f"sum by (job) ({E} / ignoring (code) group_left {X})",
        f"sum({E}) / sum({X}) - sum({E} offset 1h) / sum({X} offset 1h)",
        f"2 * -max({E} / {X} and {X} > 100)",
        f"count({E} / {X} > bool 0.05)",
        f"sum({E}) or max({E} / {X})",
        f"histogram_fraction(0, 0.2, sum(rate({E}[2m])))",
    ],
)
def test_F05_a_ratio_inside_needs_samples_too(expr: str) -> None:
    rule = {"alert": "A", "prometheus": {"expr": expr}, "threshold": {"max": 1}, "for": "1m", "action": "rollback"}
    assert [finding.code for finding in lint(Rule.model_validate(rule))] == ["R502"]
    assert [*lint(Rule.model_validate(rule | {"min_samples": ENOUGH}))] == []


@pytest.mark.parametrize(
    "expr",
    [
        f"max(rate({E}[2m])) * 60 / 100",
        f"histogram_quantile(0.9, sum by (le) (rate({E}[5m])))",
        f"sum({E}) and on () sum(y) / sum(z) > 0.5",
        f"sum({E}) unless on () max(y / z) > 0.5",
        f"absent({E} / {X})",
        f"sum(rate({E}[2m])) - sum(rate({X}[2m]))",
    ],
)
def test_what_divides_nothing_needs_no_samples(expr: str) -> None:
    rule = {"alert": "A", "prometheus": {"expr": expr}, "threshold": {"max": 1}, "for": "1m", "action": "rollback"}
    assert [*lint(Rule.model_validate(rule))] == []


@pytest.mark.parametrize(
    ("expr", "is_told"),
    [
        (f"sum(errors) / sum({X})", True),
        (f"max(sum(errors) / sum({X}))", True),
        (f"100 * (1 - sum(ok) / sum({X}))", True),
        ("sum(label_replace(errors, 'color', '{{ color }}', '', ''))", True),
        (f"sum({E}) / sum({X}) - sum(e) / sum(x)", False),
        (f"sum({E}) - sum(e) / sum(x)", False),
        (f"sum(errors * on (pod) group_left {X})", False),
        (f"sum(errors) and on () {X} == 1", False),
        (f"max(used / on (pod) {X})", False),
        (f"1 - min(ready / {X})", False),
        (f"sum(rate(errors[5m]) / on (pod) group_left () {X})", False),
        (f"max(sum by (pod) (errors) / on () sum({X}))", True),
    ],
)
def test_an_expression_is_about_one_color(expr: str, *, is_told: bool) -> None:
    rule = {"alert": "A", "prometheus": {"expr": expr}, "threshold": {"max": 1}, "for": "1m", "action": "rollback"}
    found = [finding.code for finding in lint(Rule.model_validate(rule | {"min_samples": ENOUGH}))]
    assert found == ["R504"] * is_told


def test_a_finding_in_a_block_is_told_at_its_character() -> None:
    text = """\
target: shop
namespace: shop
services: [{name: web, deployment: "web-{{ color }}"}]
rules:
  - alert: A
    threshold: {max: 1}
    prometheus:
      expr: |
        sum(rate(errors{color="{{ color }}"}[2m]))
          / sum(rate(requests{color="{{ color }}"}[2m]
"""
    (problem,) = parse_rule_file("f", text).problems
    assert str(problem) == "f:10:21: R301: ( is never closed; close it"


def test_a_reader_of_the_shipped_file_finds_no_fault() -> None:
    shipped = Path(__file__).parents[3] / "rules" / "banking-app.yaml"
    target = parse_rule_file("f", shipped.read_text(encoding="utf-8")).target
    assert target is not None
    assert [finding for rule in target.rules for finding in lint(rule)] == []


GOOD = (
    'sum(rate(errors{color="a",code=~"5.."}[2m])) / sum(rate(requests{color="a"}[2m]))',
    'histogram_quantile(0.95, sum by (le) (rate(x_bucket{a="b", c!="d"}[5m])))',
    "100 * (1 - avg(rate(idle[5m]))) + on (b) group_left (c) y",
    "max_over_time((sum(x) / sum(y))[10m:1m]) and z offset 5m unless w",
    "topk(3, x @ 1234) or vector(0)",
)


@pytest.mark.parametrize("text", GOOD)
def test_what_is_not_promql_is_told_where_it_begins(text: str) -> None:
    assert promql(text) == []
    for break_at in (number for number, char in enumerate(text) if char == " "):
        broken = f"{text[:break_at]} ? {text[break_at:]}"
        (finding,) = lint_promql(broken)
        assert finding.offset is not None
        # ``by`` alone begins nothing that could be completed, so that it is told instead of what follows it.
        assert break_at - 2 <= finding.offset <= break_at + 1, broken


def test_a_place_is_not_looked_for_without_need() -> None:
    (finding,) = lint_promql("x y", locate=False)
    assert finding.offset is None
    assert finding.message == "this is not PromQL; something is missing in it, or too much"


WORDS = """x rate sum by ( ) [ ] { } 5m : , = =~ != > bool + - * / and or unless offset @ " ' ` # 1 1e9
AND OR NOT TO ~ ^ . \\ {{ color }} a: le on group_left"""
TOKENS = st.lists(st.sampled_from(WORDS.split()) | st.text(max_size=3), max_size=30).map(" ".join)


@given(TOKENS)
def test_any_promql_passes_or_is_told(text: str) -> None:
    assert all("; " in finding.message for finding in lint_promql(text))


@given(TOKENS)
def test_any_lucene_passes_or_is_told(text: str) -> None:
    assert all("; " in finding.message for finding in lint_lucene(text))


@pytest.mark.parametrize("unit", ["(", "NOT ", "a OR ", "-", "a:", '"', "/", "a~", "[", "\\", "(a "])
def test_a_hostile_query_is_answered(unit: str) -> None:
    text = (unit * 10_000)[:10_000]
    list(lint_lucene(text))
    list(lint_promql(text))
