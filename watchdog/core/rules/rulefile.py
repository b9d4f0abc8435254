"""A rule file: its text as a target, or everything that is wrong with it.

Law: all problems at once, each at its line and column; a file with a problem has no target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

from pydantic import ValidationError

from watchdog.core.rules.checks import check_kind
from watchdog.core.rules.checks.elasticsearch import missing_keys
from watchdog.core.rules.claims import Claim, claims_of, items_of, texts_of
from watchdog.core.rules.document import Document, read_document
from watchdog.core.rules.explain import empty, explain, missing_key
from watchdog.core.rules.keys import foreign
from watchdog.core.rules.language import BOUND_THEMSELVES, EXPRESSIONS, Rule, Target
from watchdog.core.rules.lint import lint, lint_lucene, lint_promql
from watchdog.core.rules.problem import Finding, KeyPath, Problem, quoted
from watchdog.core.rules.readable import Readable, readable_rule
from watchdog.core.rules.safety import lint_in_target, lint_target
from watchdog.core.rules.values import is_query

MOST_PROBLEMS = 200
MOST_LOCATED = 50
"""So many rules of a file are worth a look for the place where an expression stops being PromQL."""
OPTIONAL: tuple[KeyPath, ...] = (
    ("prometheus",),
    ("prometheus", "max_age"),
    ("elasticsearch",),
    ("elasticsearch", "index"),
    ("elasticsearch", "query"),
    ("elasticsearch", "dsl"),
    ("elasticsearch", "kql"),
    ("elasticsearch", "esql"),
    ("elasticsearch", "ratio_of"),
    ("kubernetes",),
    ("burn_rate",),
    ("burn_rate", "max_age"),
    ("burn_rate", "pairs", "short"),
    ("http",),
    ("http", "body"),
    ("compare",),
    ("compare", "baseline_error_expr"),
    ("compare", "baseline_total_expr"),
    ("compare", "offset"),
    ("compare", "max_age"),
    ("threshold",),
    ("threshold", "min"),
    ("threshold", "max"),
    ("min_samples",),
    ("min_samples", "expr"),
    ("initial_delay",),
)
"""Where a rule may say nothing, in each item of a list; a key without a value was forgotten, and is not the same."""

Checks = Mapping[KeyPath, Callable[[str], Iterator[Finding]]]

QUERIES: Checks = {
    **dict.fromkeys(EXPRESSIONS, lint_promql),
    ("elasticsearch", "query"): lint_lucene,
    ("elasticsearch", "ratio_of"): lint_lucene,
}
UNLOCATED: Checks = {**QUERIES, **dict.fromkeys(EXPRESSIONS, partial(lint_promql, locate=False))}
"""The same without a look for places, which takes many parses."""


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
    if (finding := foreign(document.value)) is not None:
        return RuleFile(target=None, problems=_cut([document.places.problem(finding), *document.problems]))
    target, findings = _read_target(document)
    rules = _readable_rules(document.value)
    in_rules, in_whole = _check_rules(rules, document.value), _check_whole(rules, document.value, target)
    seen = chain(findings, in_rules, _check_names(document), in_whole)
    told = _without_consequences([finding for finding in seen if not document.is_refused(finding.path)], document)
    found = sorted({*document.problems, *map(document.places.problem, told)})
    problems = [problem for problem in found if not problem.is_warning]
    return RuleFile(
        target=None if problems else target,
        problems=_cut(problems),
        warnings=_cut([problem for problem in found if problem.is_warning]),
        claims=tuple(claims_of(document)),
    )


def _read_target(document: Document) -> tuple[Target | None, list[Finding]]:
    try:
        return Target.model_validate(document.value, by_alias=True, by_name=False), []
    except ValidationError as error:
        # Python code says for_, a file says for; hence by_name above.
        errors = error.errors(include_url=False)
        return None, [finding for details in errors for finding in explain(details, document)]


def _without_consequences(findings: Sequence[Finding], document: Document) -> set[Finding]:
    """The findings without the missing keys that were written wrongly or hidden in a merge key, which is told."""
    meant = {finding.meant for finding in findings}
    return {
        finding
        for finding in findings
        if finding.code != "R202" or not (finding.path in meant or document.is_refused((*finding.path[:-1], "<<")))
    }


def _check_rules(rules: Mapping[int, Readable], value: Any) -> Iterator[Finding]:
    """What is wrong inside each rule; what is wrong with one thing hides nothing that can be told of another."""
    for number, given in enumerate(items_of(value, "rules")):
        checks = QUERIES if number < MOST_LOCATED else UNLOCATED
        found = chain(_check_item(given, checks), _check_readable(rules[number]) if number in rules else ())
        yield from (finding.under(("rules", number)) for finding in found)


def _check_item(given: Any, checks: Checks) -> Iterator[Finding]:
    for path, check in checks.items():
        for place, text in _places(given, path):
            if isinstance(text, str) and is_query(text):
                yield from (finding.under(place) for finding in check(text.strip()))
    yield from map(missing_key, _missing(given))
    yield from map(empty, _forgotten(given))


def _forgotten(given: Any) -> list[KeyPath]:
    """The keys of a rule that have no value."""
    return [place for path in OPTIONAL for place, value in _places(given, path) if value is None]


def _readable_rules(value: Any) -> dict[int, Readable]:
    """What can be read of each rule, by its number."""
    read = {number: readable_rule(given, _forgotten(given)) for number, given in enumerate(items_of(value, "rules"))}
    return {number: rule for number, rule in read.items() if rule is not None}


def _check_readable(readable: Readable) -> Iterator[Finding]:
    yield from filter(readable.tells, chain(_check_rule(readable.rule), lint(readable.rule)))


def _missing(given: Any) -> Iterator[KeyPath]:
    """What a rule lacks, and may not, because of the kind that it is of."""
    if isinstance(given, dict):
        if "threshold" not in given and not BOUND_THEMSELVES & given.keys():
            yield ("threshold",)
        yield from (("elasticsearch", key) for key in missing_keys(given.get("elasticsearch")))


def _check_rule(rule: Rule) -> Iterator[Finding]:
    """What does not fit together in one rule."""
    kinds = rule.kinds
    if not kinds:
        message = "the rule asks nobody; add prometheus: {expr: …} or elasticsearch: {query: …}"
        yield Finding(path=(), code="R212", message=message)
    for second in [*kinds][1:2]:
        message = "a rule asks one source, and this is the second; make two rules of it"
        yield Finding(path=(second,), code="R212", message=message, at_key=True)
    if len(kinds) == 1:
        yield from check_kind(rule, *kinds.values())
    if rule.datapoints_to_alarm > rule.evaluation_periods:
        yield Finding(
            path=("datapoints_to_alarm",),
            code="R214",
            message=f"{rule.datapoints_to_alarm} breaches cannot be among the last {rule.evaluation_periods} slots; "
            f"write evaluation_periods: {rule.datapoints_to_alarm} or more",
        )


def _check_whole(rules: Mapping[int, Readable], value: Any, target: Target | None) -> Iterator[Finding]:
    """What does not fit together in the whole target; what is wrong with one rule does not hide it of the others."""
    if target is not None:
        yield from lint_target(target)
        return
    readable = [each.rule for each in rules.values()]
    try:
        rest = Target.model_validate({**value, "rules": readable} if readable else None, by_alias=True, by_name=False)
    except ValidationError:
        return
    for number, each in rules.items():
        yield from (
            finding.under(("rules", number)) for finding in lint_in_target(rest, each.rule) if each.tells(finding)
        )


def _check_names(document: Document) -> Iterator[Finding]:
    """Names that stand twice in one file, or that only their case tells apart."""
    for section, key, what in (("services", "name", "Service"), ("rules", "alert", "alert")):
        first: dict[str, tuple[KeyPath, str]] = {}
        for path, name in texts_of(document.value, section, key):
            known, known_name = first.setdefault(name.lower(), (path, name))
            if known == path:
                continue
            line = document.places.problem(Finding(path=known, code="R215", message="")).line
            if known_name == name:
                message = f"the {what} {quoted(name)} is on line {line} already; give each its own name"
                yield Finding(path=path, code="R215", message=message)
            else:
                message = f"only its case tells this from {quoted(known_name)} on line {line}; give each its own name"
                yield Finding(path=path, code="R221", message=message)


def _places(given: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """Where a path leads to, and what is there; a list on the way leads to each of its items."""
    if not path:
        yield (), given
    elif isinstance(given, list):
        for number, item in enumerate(given):
            yield from (((number, *rest), value) for rest, value in _places(item, path))
    elif isinstance(given, dict) and path[0] in given:
        yield from (((path[0], *rest), value) for rest, value in _places(given[path[0]], path[1:]))


def _cut(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    if len(problems) <= MOST_PROBLEMS:
        return tuple(problems)
    next_one, left = problems[MOST_PROBLEMS], len(problems) - MOST_PROBLEMS
    rest = replace(next_one, code="R109", message=f"{left} more problems from here on; mend these first")
    return (*problems[:MOST_PROBLEMS], rest)
