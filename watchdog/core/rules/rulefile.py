"""A rule file: its text as a target, or everything that is wrong with it.

Law: all problems at once, each at its line and column; a file with a problem has no target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from pydantic import ValidationError

from watchdog.core.placeholders import fill
from watchdog.core.rules.document import Document, read_document
from watchdog.core.rules.explain import empty, explain
from watchdog.core.rules.language import Rule, Target
from watchdog.core.rules.lint import lint, lint_lucene, lint_promql
from watchdog.core.rules.problem import Finding, KeyPath, Problem, quoted
from watchdog.core.rules.safety import lint_target
from watchdog.core.rules.values import is_query

MOST_PROBLEMS = 200
OPTIONAL: tuple[KeyPath, ...] = (
    ("prometheus",),
    ("prometheus", "max_age"),
    ("elasticsearch",),
    ("elasticsearch", "ratio_of"),
    ("threshold", "min"),
    ("threshold", "max"),
    ("min_samples",),
    ("min_samples", "expr"),
)
"""Where a rule may say nothing; a key that is there without a value was forgotten, and is not the same."""

QUERIES: dict[KeyPath, Callable[[str], Iterator[Finding]]] = {
    ("prometheus", "expr"): lint_promql,
    ("min_samples", "expr"): lint_promql,
    ("elasticsearch", "query"): lint_lucene,
    ("elasticsearch", "ratio_of"): lint_lucene,
}

_COUNTED = "min_samples: {expr: sum(increase(…[2m])), value: 200}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What only one target can have, a name, a Service or a Deployment, and the place where a file says so."""

    thing: str
    place: Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """What is known of one rule file. It has a target or problems; its claims are known as far as it is readable.

    ``warnings`` stop nothing.
    """

    target: Target | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    claims: tuple[Claim, ...] = ()


def parse_rule_file(file: str, text: str) -> RuleFile:
    """The rule file in the text; ``file`` is its name in problems. It never raises, whatever the text is."""
    document = read_document(file, text)
    if document.value is None and document.problems:
        return RuleFile(target=None, problems=_cut(document.problems))
    target, findings = _read_target(document)
    whole = lint_target(target) if target is not None else ()
    seen = chain(findings, _check_rules(document.value), _check_names(document), whole)
    told = {finding for finding in seen if not document.is_refused(finding.path)}
    found = sorted({*document.problems, *map(document.places.problem, told)})
    problems = [problem for problem in found if not problem.is_warning]
    return RuleFile(
        target=None if problems else target,
        problems=_cut(problems),
        warnings=_cut([problem for problem in found if problem.is_warning]),
        claims=tuple(_claims(document)),
    )


def clashes(files: Iterable[RuleFile]) -> Iterator[Problem]:
    """What two files both claim, told at the later one, once a place: both colors of a Deployment clash together."""
    first: dict[str, Problem] = {}
    told: set[tuple[str, int, int]] = set()
    for claim in (claim for file in files for claim in file.claims):
        known, here = first.setdefault(claim.thing, claim.place), claim.place
        if known.file != here.file and (here.file, here.line, here.column) not in told:
            told.add((here.file, here.line, here.column))
            where = f"{known.file}:{known.line}:{known.column}"
            message = f"{claim.thing} is in {where} already; keep it in one of the two files"
            yield replace(here, message=message)


def _read_target(document: Document) -> tuple[Target | None, list[Finding]]:
    try:
        return Target.model_validate(document.value, by_alias=True, by_name=False), []
    except ValidationError as error:
        # Python code says for_, a file says for; hence by_name above.
        errors = error.errors(include_url=False)
        return None, [finding for details in errors for finding in explain(details, document)]


def _check_rules(value: Any) -> Iterator[Finding]:
    """What is wrong inside each rule; what is wrong with one thing hides nothing that can be told of another."""
    for number, given in enumerate(_items(value, "rules")):
        yield from (finding.under(("rules", number)) for finding in _check_item(given))


def _check_item(given: Any) -> Iterator[Finding]:
    for path, check in QUERIES.items():
        text = _at(given, path)
        if isinstance(text, str) and is_query(text):
            yield from (finding.under(path) for finding in check(text.strip()))
    forgotten = [path for path in OPTIONAL if _at(given, path, missing="") is None]
    yield from map(empty, forgotten)
    try:
        rule = Rule.model_validate(given, by_alias=True, by_name=False)
    except ValidationError:
        return
    if not forgotten:
        yield from chain(_check_rule(rule), lint(rule))


def _check_rule(rule: Rule) -> Iterator[Finding]:
    """What does not fit together in one rule."""
    if rule.prometheus is None and rule.elasticsearch is None:
        message = "the rule asks nobody; add prometheus: {expr: …} or elasticsearch: {query: …}"
        yield Finding(path=(), code="R212", message=message)
    if rule.prometheus is not None and rule.elasticsearch is not None:
        message = "a rule asks one source, and this is the second; make two rules of it"
        yield Finding(path=("elasticsearch",), code="R212", message=message, at_key=True)
    elif rule.prometheus is not None:
        yield from _check_prometheus(rule, absent_is_zero=rule.prometheus.absent_is_zero)
    elif rule.elasticsearch is not None:
        yield from _check_elasticsearch(rule, is_count=rule.elasticsearch.ratio_of is None)
    if rule.datapoints_to_alarm > rule.evaluation_periods:
        yield Finding(
            path=("datapoints_to_alarm",),
            code="R214",
            message=f"{rule.datapoints_to_alarm} breaches cannot be among the last {rule.evaluation_periods} slots; "
            f"write evaluation_periods: {rule.datapoints_to_alarm} or more",
        )


def _check_prometheus(rule: Rule, *, absent_is_zero: bool) -> Iterator[Finding]:
    if rule.min_samples is not None and rule.min_samples.expr is None:
        message = f"a number alone does not say how to count requests; write {_COUNTED}"
        yield Finding(path=("min_samples",), code="R213", message=message)
    if absent_is_zero and rule.min_samples is None:
        message = f"an empty answer is 0 only if requests are known to have come; add {_COUNTED}"
        yield Finding(path=("prometheus", "absent_is_zero"), code="R213", message=message)


def _check_elasticsearch(rule: Rule, *, is_count: bool) -> Iterator[Finding]:
    if rule.min_samples is None:
        return
    if is_count:
        message = "a count has no number of samples; remove min_samples, or add ratio_of"
        yield Finding(path=("min_samples",), code="R213", message=message, at_key=True)
    elif rule.min_samples.expr is not None:
        message = "the documents of ratio_of are what is counted; write the number alone, such as min_samples: 500"
        yield Finding(path=("min_samples", "expr"), code="R213", message=message, at_key=True)


def _check_names(document: Document) -> Iterator[Finding]:
    """Names that stand twice in one file."""
    for section, key, what in (("services", "name", "Service"), ("rules", "alert", "alert")):
        first: dict[str, KeyPath] = {}
        for path, name in _texts(document.value, section, key):
            known = first.setdefault(name, path)
            if known != path:
                line = document.places.problem(Finding(path=known, code="R215", message="")).line
                message = f"the {what} {quoted(name)} is on line {line} already; give each its own name"
                yield Finding(path=path, code="R215", message=message)


def _claims(document: Document) -> Iterator[Claim]:
    value = document.value
    name, namespace = (value.get("target"), value.get("namespace")) if isinstance(value, dict) else (None, None)
    things: list[tuple[KeyPath, str]] = [(("target",), f"the target {quoted(name)}")] if isinstance(name, str) else []
    if isinstance(namespace, str):
        for path, service in _texts(value, "services", "name"):
            things.append((path, f"the Service {quoted(service)} of namespace {quoted(namespace)}"))
        for path, template in _texts(value, "services", "deployment"):
            names = dict.fromkeys(fill(template, {"color": color}) for color in _colors(value))
            things += [(path, f"the Deployment {quoted(name)} of namespace {quoted(namespace)}") for name in names]
    for path, thing in things:
        yield Claim(thing=thing, place=document.places.problem(Finding(path=path, code="R216", message="")))


def _colors(value: dict[str, Any]) -> list[str]:
    given = value.get("colors", Target.model_fields["colors"].default)
    return [color for color in given if isinstance(color, str)] if isinstance(given, list | tuple) else []


def _items(value: Any, section: str) -> list[Any]:
    items = value.get(section) if isinstance(value, dict) else None
    return items if isinstance(items, list) else []


def _texts(value: Any, section: str, key: str) -> Iterator[tuple[KeyPath, str]]:
    """The text at a key of each item of a list, where there is one."""
    for number, item in enumerate(_items(value, section)):
        text = item.get(key) if isinstance(item, dict) else None
        if isinstance(text, str):
            yield (section, number, key), text


def _at(given: Any, path: KeyPath, *, missing: Any = None) -> Any:
    for key in path:
        if not isinstance(given, dict) or key not in given:
            return missing
        given = given[key]
    return given


def _cut(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    if len(problems) <= MOST_PROBLEMS:
        return tuple(problems)
    next_one, left = problems[MOST_PROBLEMS], len(problems) - MOST_PROBLEMS
    rest = replace(next_one, code="R109", message=f"{left} more problems from here on; mend these first")
    return (*problems[:MOST_PROBLEMS], rest)
