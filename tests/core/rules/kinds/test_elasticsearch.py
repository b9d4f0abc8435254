"""What a rule on logs may ask, in its four languages."""

from __future__ import annotations

import pytest

from tests.core.rules.kinds.checking import problems
from watchdog.core.rules.language import Rule
from watchdog.core.rules.lint import lint

ESQL = 'esql: "FROM logs-* | WHERE color == \\"{{ color }}\\" | STATS value = COUNT(*) '
ACTING = "\nthreshold: {max: 5}\nfor: 1m\naction: rollback"


@pytest.mark.parametrize(
    "rule",
    [
        "elasticsearch: {index: i, dsl: {term: {log.level: ERROR}}}\nthreshold: {max: 5}",
        'elasticsearch: {index: i, dsl: {term: {color: "{{ color }}"}}}' + ACTING,
        'elasticsearch: {index: i, kql: "log.level: ERROR and color: {{ color }}"}' + ACTING,
        'elasticsearch: {index: i, kql: "log.level: ERROR", ratio_of: "*"}\nthreshold: {max: 0.5}\nmin_samples: 500',
        "elasticsearch: {" + ESQL + '"}' + ACTING,
        "elasticsearch: {" + ESQL + ', samples = COUNT(*)"}\nthreshold: {max: 5}\nmin_samples: 500',
        "elasticsearch: {" + ESQL + '/ 2"}\nmin_samples: 500' + ACTING,
    ],
)
def test_well_formed(rule: str) -> None:
    assert problems(rule) == []


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        pytest.param("{index: i}", "the key 'query' is missing; add query: log.level:ERROR", id="nothing asked"),
        pytest.param("{kql: a}", "the key 'index' is missing; add index: \"logs-banking-*\"", id="no index"),
        pytest.param(
            "{index: i, query: a, kql: b}",
            "a search is written in one language, and this is another one; remove it, or make two rules of it",
            id="two languages",
        ),
        pytest.param(
            '{index: i, esql: "FROM a"}',
            "an ES|QL query names its indices by itself, after FROM; remove index",
            id="ES|QL with an index",
        ),
        pytest.param(
            '{esql: "FROM a", ratio_of: "*"}',
            "an ES|QL query divides by itself; remove ratio_of, and yield STATS value = …, samples = COUNT(*)",
            id="ES|QL with ratio_of",
        ),
        pytest.param(
            '{esql: "FROM a"}\nmin_samples: {expr: up, value: 5}',
            "the column samples of the query is what is counted; write the number alone, such as min_samples: 500",
            id="ES|QL with an expression for samples",
        ),
        pytest.param(
            "{index: i, dsl: {term: {a: b}, range: {}}}",
            "a clause of query DSL has one key, its kind; write it such as {term: {log.level: ERROR}}",
            id="two clauses in one",
        ),
        pytest.param(
            '{index: i, dsl: {term: {a: "{{ pod }}"}}}',
            "unknown placeholder {{ pod }}; known are: {{ color }}, {{ namespace }}",
            id="an unknown placeholder inside",
        ),
        pytest.param(
            "{index: i, dsl: a}",
            "'a' is text, and a mapping is needed; write dsl: {term: {log.level: ERROR}}",
            id="text for a clause",
        ),
        pytest.param(
            "{index: i, kql: a}\nfor: 1m\naction: rollback",
            "the query is the same for both colors, so that after a rollback the bad color's errors would go on firing "
            'on the good one; put {{ color }} in filter: [{term: {kubernetes.labels.color: "{{ color }}"}}]',
            id="a rollback without a color",
        ),
        pytest.param(
            "{" + ESQL + '/ SUM(n)"}\nfor: 1m\naction: rollback',
            "a ratio of a handful of documents would roll back; say how many documents it needs: add min_samples: 500",
            id="an ES|QL ratio without samples",
        ),
    ],
)
def test_refused(rule: str, said: str) -> None:
    found = problems(f"elasticsearch: {rule}\nthreshold: {{max: 5}}")
    assert [problem.split(": ", 1)[1] for problem in found] == [said]


COLOR = 'FROM logs-* | WHERE color == "{{ color }}" '


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        pytest.param(COLOR + '| WHERE url.path == "/pay" | STATS value = COUNT(*)', [], id="a path"),
        pytest.param(COLOR + '| WHERE m == "a \\" / b" | STATS value = COUNT(*)', [], id="an escaped quote"),
        pytest.param(COLOR + '| WHERE m == """a " / b""" | STATS value = COUNT(*)', [], id="three quotes"),
        pytest.param(COLOR + "| STATS value = COUNT(*) // errors / requests", [], id="a comment"),
        pytest.param(COLOR + "| STATS /* a / b\n*/ value = COUNT(*)", [], id="a comment inside"),
        pytest.param(COLOR + "| STATS value = COUNT(`a/b`)", [], id="a quoted name"),
        pytest.param(COLOR.replace("logs-*", "<logs-{now/d}>") + "| STATS value = COUNT(*)", [], id="a date"),
        pytest.param(COLOR + "| WHERE bytes / size > 2 | STATS value = COUNT(*)", [], id="a condition"),
        pytest.param(COLOR + "| STATS value = PERCENTILE(took, 95) / 1000000", [], id="a unit"),
        pytest.param(COLOR + '| STATS value = SUM(e) / COUNT(*) // "', ["R502"], id="a ratio"),
        pytest.param(
            COLOR + '| STATS e = COUNT(m == "//"), a = COUNT(*) | EVAL value = e/a', ["R502"], id="a ratio last"
        ),
        pytest.param(COLOR + "| STATS value = COUNT(*) / 2 /SUM(n)", ["R502"], id="a ratio in another unit"),
        pytest.param("FROM logs-* // {{ color }}\n| STATS value = COUNT(*)", ["R504"], id="a color in a comment"),
        pytest.param('FROM logs-* | WHERE u == "//{{ color }}" | STATS value = COUNT(*)', [], id="a color in a text"),
    ],
)
def test_what_an_esql_query_divides(query: str, codes: list[str]) -> None:
    rule = {"alert": "A", "elasticsearch": {"esql": query}, "threshold": {"max": 5}, "for": "1m", "action": "rollback"}
    assert [finding.code for finding in lint(Rule.model_validate(rule))] == codes
