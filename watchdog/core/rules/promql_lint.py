"""More rules about rules: what a PromQL expression says and hardly means, seen with its rule and its target.

Law: what can mean nothing else is an error; what a careful person may mean all the same is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from promql_parser import Expr

from watchdog.core.durations import show_duration
from watchdog.core.rules.bounds import lint_share
from watchdog.core.rules.language import Rule, Target
from watchdog.core.rules.lint import tree_of
from watchdog.core.rules.problem import Finding, KeyPath, quoted
from watchdog.core.rules.promql import place_of_comparison
from watchdog.core.rules.promql_color import divides_by_both
from watchdog.core.rules.promql_shape import exact_labels, may_be_several, ranges, raw_counters, selectors
from watchdog.core.rules.promql_share import quotient_of, whole_of
from watchdog.core.rules.promql_value import absences, fallbacks, filters, is_comparison
from watchdog.core.rules.stand_ins import STAND_IN, sampled

_TWO_SCRAPES = 30.0
"""Seconds: two samples of what is scraped each 15 s, which few scrape more often than."""
_A_PATTERN = re.compile(r"\.[*+]|\.\.|[\w)]\|[\w(]|^\d+\*$|^\^|\$$")
_EXPR = ("prometheus", "expr")
_BURN_TOTAL = ("burn_rate", "total_expr")


def lint_expressions(target: Target, rule: Rule) -> Iterator[Finding]:
    """What is odd about the expressions of a rule; the paths begin at the rule."""
    trees = {path: tree for path, text in rule.expressions.items() if (tree := tree_of(text)) is not None}
    values = {path: tree for path, tree in trees.items() if path[0] != "min_samples"}
    for path, tree in trees.items():
        found = chain(_lint_selectors(tree), _lint_ranges(tree, target.interval))
        for part, code, message in found:
            at = rule.expressions[path].find(part)
            yield Finding(path=path, code=code, message=message, offset=at if at >= 0 else None)
        yield from _lint_counters(path, tree)
        if rule.action == "rollback":
            yield from _lint_series(path, tree)
    for path, tree in values.items():
        yield from _lint_filters(rule, path, tree)
        if rule.action == "rollback" and divides_by_both(tree):
            yield _of_both_colors(path)
    if (tree := trees.get(_EXPR)) is not None:
        yield from _lint_quotient(rule, tree)
        if rule.action == "rollback":
            yield from _lint_absence(rule, tree)
    yield from _lint_windows(rule, target.interval)
    total = trees.get(_BURN_TOTAL)
    if rule.action == "rollback" and total is not None and STAND_IN not in str(total):
        yield _of_both_colors(_BURN_TOTAL)


Oddity = tuple[str, str, str]
"""A part of an expression as it is mostly written, a code, and a sentence."""


def _lint_selectors(tree: Expr) -> Iterator[Oddity]:
    labels = {(name, value) for selector in selectors(tree) for name, value in exact_labels(selector).items()}
    for name, value in sorted(labels):
        if _A_PATTERN.search(value):
            message = f'= compares {name} with {quoted(value)} as text; write =~ for a pattern, such as code=~"5.."'
            yield f'"{value}"', "R523", message


def _lint_ranges(tree: Expr, interval: float) -> Iterator[Oddity]:
    shortest = min(ranges(tree), default=None)
    if shortest is None:
        return
    if shortest < _two_scrapes(interval):
        message = f"a range of {_hardly_two(shortest)}, such as [2m]"
        yield f"[{show_duration(shortest)}", "R525", message
    elif shortest < interval:
        message = (
            f"what happens between two ranges is never looked at; write a range of at least the interval, "
            f"{show_duration(interval)}"
        )
        yield f"[{show_duration(shortest)}", "R510", message


def _lint_windows(rule: Rule, interval: float) -> Iterator[Finding]:
    """What is odd about the windows that a kind of rule asks for by itself."""
    for number, pair in enumerate(rule.burn_rate.pairs if rule.burn_rate is not None else ()):
        key, window = ("long", pair.long) if pair.short is None else ("short", pair.short)
        shortest = min(pair.short_window, pair.long)
        if shortest < _two_scrapes(interval):
            which = "a twelfth of it is the short window, and " if shortest < window else ""
            message = f"{which}a window of {_hardly_two(shortest)}, such as short: 2m"
            yield Finding(path=("burn_rate", "pairs", number, key), code="R525", message=message)
    if rule.compare is not None and rule.compare.window < _two_scrapes(interval):
        message = f"a window of {_hardly_two(rule.compare.window)}, such as window: 1m"
        yield Finding(path=("compare", "window"), code="R525", message=message)


def _two_scrapes(interval: float) -> float:
    """Seconds that hold two samples of what is scraped as often as it may well be."""
    return min(_TWO_SCRAPES, 2 * interval)


def _hardly_two(span: float) -> str:
    shown = show_duration(span)
    return f"{shown} holds two samples only if they come more often than that; write four scrapes or more"


def _lint_counters(path: KeyPath, tree: Expr) -> Iterator[Finding]:
    for name in sorted(set(raw_counters(tree))):
        message = f"{quoted(name)} counts since its process began; write rate({name}[2m]) or increase({name}[2m])"
        yield Finding(path=path, code="R512", message=message)


def _lint_filters(rule: Rule, path: tuple[str, str], tree: Expr) -> Iterator[Finding]:
    """A comparison inside, which leaves no value where nothing passes it, unless that is said to be well."""
    section, key = path
    is_zero = key in ("expr", "error_expr") and getattr(getattr(rule, section), "absent_is_zero", False)
    if rule.no_data == "ok" or is_zero or is_comparison(tree) or not any(filters(tree)):
        return
    message = (
        "the expression has no value while nothing passes its comparison, so that healthy and no data look the same; "
        "count with sum(… > bool …), or leave the comparison to threshold"
    )
    offset = place_of_comparison(sampled(rule.expressions[path]))
    yield Finding(path=path, code="R529", message=message, offset=offset)


def _lint_absence(rule: Rule, tree: Expr) -> Iterator[Finding]:
    """Missing data that a rule takes for a value, and would roll back for."""
    for function in sorted(set(absences(tree))):
        message = (
            f"a scrape that stops makes {function}() 1, and that would roll back; count the pods that are dead: "
            "kubernetes: {count: unready_pods}, or write action: alert"
        )
        yield Finding(path=_EXPR, code="R509", message=message, offset=rule.expressions[_EXPR].find(function))
    limit = rule.threshold
    if limit is None:
        return
    for number in fallbacks(tree):
        if (limit.max is not None and number > limit.max) or (limit.min is not None and number < limit.min):
            message = (
                f"where nothing is measured the expression is {number:g}, which threshold takes for a breach, so that "
                "a failing scrape would roll back; remove or vector(…), or write action: alert"
            )
            yield Finding(path=_EXPR, code="R509", message=message, offset=rule.expressions[_EXPR].find("vector"))


def _lint_series(path: KeyPath, tree: Expr) -> Iterator[Finding]:
    if may_be_several(tree):
        message = (
            "the expression may yield several series, and then the rule is blind; wrap it in sum(), max() or the like"
        )
        yield Finding(path=path, code="R506", message=message)


def _of_both_colors(path: KeyPath) -> Finding:
    message = 'what it is divided by is that of both colors; put color="{{ color }}" in its selectors too'
    return Finding(path=path, code="R511", message=message)


def _lint_quotient(rule: Rule, tree: Expr) -> Iterator[Finding]:
    """What is odd about the threshold of one quantity divided by another."""
    threshold = rule.threshold
    if threshold is None:
        return
    impossible = [] if (whole := whole_of(tree)) is None else [*lint_share(threshold, whole)]
    yield from impossible
    quotient, most = quotient_of(tree), threshold.max
    if impossible or quotient is None or most is None:
        return
    if quotient.is_percentage and 0 < most < 1:
        message = f"the expression is in percent, so that this is {most:g} %; write {most * 100:g} for {most * 100:g} %"
        yield Finding(path=("threshold", "max"), code="R524", message=message)
    elif quotient.is_of_counters and most >= 1:
        message = f"the expression is no percentage, so that this is {most:.0%}; write {most / 100:g} for {most:g} %"
        yield Finding(path=("threshold", "max"), code="R524", message=message)
