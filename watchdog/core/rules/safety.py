"""More rules about rules: the ones that need the whole target.

Law: a warning is about what a careful person may mean all the same; whatever can mean nothing else is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from watchdog.core.durations import show_duration
from watchdog.core.placeholders import names_in
from watchdog.core.rules.bounds import lint_share
from watchdog.core.rules.kinds import ElasticsearchQuery
from watchdog.core.rules.language import Mode, Rule, Target, Threshold
from watchdog.core.rules.lint import texts, tree_of
from watchdog.core.rules.problem import Finding, KeyPath, quoted
from watchdog.core.rules.promql_lint import lint_expressions
from watchdog.core.rules.promql_shape import exact_labels, selectors
from watchdog.core.rules.reach import delay_of, reach_of
from watchdog.core.rules.stand_ins import STAND_IN

_COLOR_LABEL = "color"


def lint_target(target: Target) -> Iterator[Finding]:
    """What does not fit together in a whole target."""
    if target.mode is Mode.ENFORCE and all(rule.action != "rollback" for rule in target.rules):
        message = (
            "nothing is ever rolled back: no rule has action: rollback; give one of them that, or write mode: dry-run"
        )
        yield Finding(path=("mode",), code="R515", message=message)
    for number, rule in enumerate(target.rules):
        yield from (finding.under(("rules", number)) for finding in lint_in_target(target, rule))


def lint_in_target(target: Target, rule: Rule) -> Iterator[Finding]:
    """What does not fit together in a rule and its target; the paths begin at the rule."""
    yield from _lint_colors(target, rule)
    yield from lint_expressions(target, rule)
    if 0 < rule.for_ < target.interval:
        message = (
            f"a slot comes each {show_duration(target.interval)}, so that the rule fires no sooner than that after its "
            f"first breach; write for: {show_duration(target.interval)} or more"
        )
        yield Finding(path=("for",), code="R526", message=message)
    if rule.elasticsearch is not None:
        yield from _lint_search(target, rule, rule.elasticsearch)
    if rule.kubernetes is not None and rule.kubernetes.count == "stuck_rollouts" and rule.threshold is not None:
        yield from _lint_rollouts(target, rule.threshold)
    if rule.action == "rollback":
        yield from _lint_acting(target, rule)


def _lint_acting(target: Target, rule: Rule) -> Iterator[Finding]:
    window, needed = target.rollback.rollback_window, delay_of(rule) + rule.for_
    if window is not None and needed >= window:
        yield Finding(
            path=("for",) if rule.for_ else ("action",),
            code="R514",
            message=f"the rule fires {show_duration(needed)} after a switch at the soonest, and rollback_window "
            f"is over after {show_duration(window)}; lengthen the window, or shorten for and how far it looks back",
        )
    if rule.initial_delay is not None and rule.initial_delay < reach_of(rule):
        message = (
            f"the rule looks back {show_duration(reach_of(rule))}, so that the release before would count against the "
            "new one; remove initial_delay, which is as long then as the rule looks back"
        )
        yield Finding(path=("initial_delay",), code="R528", message=message)
    if rule.no_data == "breach":
        message = "a failing scrape would roll back; write no_data: hold, or action: alert"
        yield Finding(path=("no_data",), code="R509", message=message)


def _lint_search(target: Target, rule: Rule, search: ElasticsearchQuery) -> Iterator[Finding]:
    if search.timeframe < target.interval:
        message = (
            f"documents between two windows are never looked at; write a timeframe of at least the interval, "
            f"{show_duration(target.interval)}"
        )
        yield Finding(path=("elasticsearch", "timeframe"), code="R510", message=message)
    if search.ratio_of is None or search.esql is not None:
        return
    if rule.threshold is not None:
        yield from lint_share(rule.threshold)
    is_narrowed = "color" in names_in(" ".join([search.index or "", search.ratio_of, *texts(search.filter)]))
    if rule.action == "rollback" and "color" in names_in(" ".join(texts(search.asked))) and not is_narrowed:
        message = "ratio_of counts the documents of both colors; put {{ color }} in filter, which narrows both"
        yield Finding(path=("elasticsearch", "ratio_of"), code="R511", message=message)


def _lint_rollouts(target: Target, limit: Threshold) -> Iterator[Finding]:
    if limit.max is not None and limit.max >= len(target.services):
        number = len(target.services)
        has = f"{number} Deployments" if number > 1 else "one Deployment"
        message = f"a color has {has}, so that the rule would never fire; write less, such as 0"
        yield Finding(path=("threshold", "max"), code="R516", message=message)


def _lint_colors(target: Target, rule: Rule) -> Iterator[Finding]:
    for path, color in _literal_colors(rule):
        if color not in target.colors:
            known = " and ".join(target.colors)
            message = f"the target has no color {quoted(color)}, only {known}; write {{{{ color }}}}"
            yield Finding(path=path, code="R507", message=message)
        elif rule.action == "rollback":
            message = f"the rule speaks of {color} whichever color it is asked about; write {{{{ color }}}}"
            yield Finding(path=path, code="R508", message=message)


def _literal_colors(rule: Rule) -> Iterator[tuple[KeyPath, str]]:
    """The colors that a rule names itself, in a label or a field called color."""
    for path, text in rule.expressions.items():
        tree = tree_of(text)
        found = [exact_labels(each).get(_COLOR_LABEL, "") for each in selectors(tree)] if tree is not None else []
        yield from ((path, color) for color in sorted(set(found)) if color and STAND_IN not in color)
    if rule.elasticsearch is not None:
        yield from _colors_in(rule.elasticsearch.filter, ("elasticsearch", "filter"))
        yield from _colors_in(rule.elasticsearch.dsl, ("elasticsearch", "dsl"))


def _colors_in(given: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    match given:
        case {"term": dict(terms)}:
            for field, value in terms.items():
                name = str(field).removesuffix(".keyword").rpartition(".")[2]
                text = value.get("value") if isinstance(value, dict) else value
                if name == _COLOR_LABEL and isinstance(text, str) and "{{" not in text:
                    yield (*path, "term", field), text
        case dict():
            for key, value in given.items():
                yield from _colors_in(value, (*path, key))
        case list():
            for number, value in enumerate(given):
                yield from _colors_in(value, (*path, number))
        case _:
            pass
