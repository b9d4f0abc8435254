"""What does not fit together in a rule on logs."""

from collections.abc import Iterator
from typing import Any

from watchdog.core.rules.bounds import lint_count
from watchdog.core.rules.kinds.elasticsearch import LANGUAGES, ElasticsearchQuery
from watchdog.core.rules.language import Rule
from watchdog.core.rules.problem import Finding


def missing_keys(search: Any) -> Iterator[str]:
    """The keys that a search lacks, whatever else is wrong with it."""
    if isinstance(search, dict):
        if "index" not in search and "esql" not in search:
            yield "index"
        if not search.keys() & set(LANGUAGES):
            yield "query"


def check_elasticsearch(rule: Rule, search: ElasticsearchQuery) -> Iterator[Finding]:
    """What does not fit together in such a rule; the paths begin at the rule."""
    for second in [name for name in LANGUAGES if getattr(search, name) is not None][1:]:
        message = "a search is written in one language, and this is another one; remove it, or make two rules of it"
        yield Finding(path=("elasticsearch", second), code="R217", message=message, at_key=True)
    if search.esql is not None:
        yield from _check_esql(search)
    elif search.ratio_of is None and rule.threshold is not None:
        yield from lint_count(rule.threshold)
    if rule.min_samples is None:
        return
    if search.ratio_of is None and search.esql is None:
        message = "a count has no number of samples; remove min_samples, or add ratio_of"
        yield Finding(path=("min_samples",), code="R213", message=message, at_key=True)
    elif rule.min_samples.expr is not None:
        counted = "the column samples of the query is" if search.esql is not None else "the documents of ratio_of are"
        message = f"{counted} what is counted; write the number alone, such as min_samples: 500"
        yield Finding(path=("min_samples", "expr"), code="R213", message=message, at_key=True)


def _check_esql(search: ElasticsearchQuery) -> Iterator[Finding]:
    if search.index is not None:
        message = "an ES|QL query names its indices by itself, after FROM; remove index"
        yield Finding(path=("elasticsearch", "index"), code="R217", message=message, at_key=True)
    if search.ratio_of is not None:
        message = "an ES|QL query divides by itself; remove ratio_of, and yield STATS value = …, samples = COUNT(*)"
        yield Finding(path=("elasticsearch", "ratio_of"), code="R217", message=message, at_key=True)
