"""The rules about rules: what a rule can say and should not, each with its reason and its cure.

Law: a rule that can roll back says which color it is about, needs evidence, and is never satisfied with one glance.
"""

from collections.abc import Iterator

from promql_parser import Expr

from watchdog.core.placeholders import names_in
from watchdog.core.rules.esql import has_ratio, without_comments
from watchdog.core.rules.kinds import ElasticsearchQuery
from watchdog.core.rules.language import Rule
from watchdog.core.rules.lucene import LuceneError, misreadings
from watchdog.core.rules.problem import Finding, quoted
from watchdog.core.rules.promql import parse_promql, place_of_comparison, place_of_error, yields_one_value
from watchdog.core.rules.promql_color import differs_by_color
from watchdog.core.rules.promql_error import PromqlError
from watchdog.core.rules.promql_value import holds_ratio, is_comparison, is_ratio
from watchdog.core.rules.stand_ins import STAND_IN, as_written, sampled

_QUOTED = 20
"""So many characters of a query are quoted from where it is wrong."""


def lint_promql(text: str, *, locate: bool = True) -> Iterator[Finding]:
    """What is wrong with a PromQL expression by itself; the paths begin at it.

    Without ``locate`` the place of an error is told only if the parser tells it.
    """
    sample = sampled(text)
    try:
        tree = parse_promql(sample)
    except PromqlError as error:
        offset = place_of_error(sample, error) if locate else error.offset
        yield Finding(path=(), code=error.code, message=_refusal(error, text, offset), offset=offset)
        return
    if is_comparison(tree):
        yield Finding(
            path=(),
            code="R501",
            offset=place_of_comparison(sample),
            message="the expression compares by itself, so that healthy and no data would look the same; "
            "let it yield the value, and leave the comparison to threshold",
        )
    if not yields_one_value(tree):
        message = "the expression yields no single value; wrap it in a function, such as rate(metric[2m])"
        yield Finding(path=(), code="R303", message=message)


def _refusal(error: PromqlError, text: str, offset: int | None) -> str:
    rest = text[offset : offset + _QUOTED] if offset is not None else ""
    if error.is_vague and rest:
        return f"this is not PromQL from {quoted(rest)} on; something is missing before it, or it is too much"
    return as_written(str(error))


def lint_lucene(text: str) -> Iterator[Finding]:
    """What is wrong with a Lucene query by itself; the paths begin at it."""
    try:
        misread = misreadings(sampled(text))
    except LuceneError as error:
        yield Finding(path=(), code="R401", message=as_written(str(error)), offset=error.offset)
        return
    for offset, code, message in misread:
        yield Finding(path=(), code=code, message=as_written(message), offset=offset)


def lint(rule: Rule) -> Iterator[Finding]:
    """What a rule that rolls back lacks; the paths begin at the rule."""
    if rule.action != "rollback":
        return
    if rule.for_ == 0 and rule.datapoints_to_alarm == 1:
        yield Finding(
            path=("action",),
            code="R503",
            message="one single measurement would roll back; add for: 1m, or datapoints_to_alarm: 2 and "
            "evaluation_periods: 3",
        )
    if rule.elasticsearch is not None:
        yield from _lint_search(rule, rule.elasticsearch)
    if rule.prometheus is not None and (tree := tree_of(rule.prometheus.expr)) is not None:
        yield from _lint_expression(rule, tree)
    counter = rule.min_samples.expr if rule.min_samples is not None and rule.elasticsearch is None else None
    tree = tree_of(counter) if counter is not None else None
    if tree is not None and STAND_IN not in str(tree):
        yield Finding(
            path=("min_samples", "expr"),
            code="R505",
            message="the requests of both colors are counted, so that one's would be taken for the other's; "
            'put color="{{ color }}" in its selectors',
        )


def _lint_expression(rule: Rule, tree: Expr) -> Iterator[Finding]:
    if rule.min_samples is None and holds_ratio(tree):
        cure = "min_samples: {expr: sum(increase(…[2m])), value: 200}; where there are none, {expr: count(…), value: 1}"
        yield no_evidence("requests", cure)
    if not differs_by_color(tree):
        subject = "what is divided" if STAND_IN in str(tree) else "the expression"
        yield _colorless("prometheus", "expr", subject=subject, cure='color="{{ color }}" in its selectors')


def _lint_search(rule: Rule, search: ElasticsearchQuery) -> Iterator[Finding]:
    esql = search.esql or ""
    is_ratio = search.ratio_of is not None or has_ratio(sampled(esql))
    if is_ratio and rule.min_samples is None:
        yield no_evidence("documents", "min_samples: 500")
    asked = without_comments(esql) if search.language == "esql" else " ".join(texts(search.asked))
    if "color" not in names_in(" ".join([search.index or "", asked, *texts(search.filter)])):
        cure = '{{ color }} in filter: [{term: {kubernetes.labels.color: "{{ color }}"}}]'
        yield _colorless("elasticsearch", search.language, subject="the query", cure=cure)


def has_division(text: str) -> bool:
    """True for an expression whose value is a ratio already."""
    tree = tree_of(text)
    return tree is not None and is_ratio(tree)


def colorless_promql(text: str, path: tuple[str, ...]) -> Iterator[Finding]:
    """What is wrong with an expression that is the same for both colors."""
    tree = tree_of(text)
    if tree is not None and STAND_IN not in str(tree):
        yield _colorless(*path, subject="the expression", cure='color="{{ color }}" in its selectors')


def no_evidence(unit: str, cure: str) -> Finding:
    """A rule that would roll back on a ratio of next to nothing."""
    return Finding(
        path=("action",),
        code="R502",
        message=f"a ratio of a handful of {unit} would roll back; say how many {unit} it needs: add {cure}",
    )


def _colorless(*path: str, subject: str, cure: str) -> Finding:
    return Finding(
        path=path,
        code="R504",
        message=f"{subject} is the same for both colors, so that after a rollback the bad color's errors would go on "
        f"firing on the good one; put {cure}",
    )


def tree_of(text: str) -> Expr | None:
    """The expression's tree, None if there is none: `lint_promql` has said why."""
    try:
        return parse_promql(sampled(text))
    except PromqlError:
        return None


def texts(given: object) -> Iterator[str]:
    """Every text in a piece of query DSL."""
    match given:
        case str():
            yield given
        case dict():
            for value in given.values():
                yield from texts(value)
        case list():
            for value in given:
                yield from texts(value)
        case _:
            pass
