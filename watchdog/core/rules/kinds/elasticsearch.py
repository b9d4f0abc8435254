"""What ``elasticsearch:`` may ask: how many documents match, or which share of them, in one of four languages.

Law: matches and what they are a share of are counted by one search, over one half-open window that ends in the past.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import Field

from watchdog.core.rules.bounds import lint_count
from watchdog.core.rules.problem import Finding
from watchdog.core.rules.strict import Strict
from watchdog.core.rules.values import (
    FieldName,
    IndexPattern,
    PositiveSeconds,
    QueryClause,
    QueryFilter,
    QueryText,
    Seconds,
)

if TYPE_CHECKING:
    from watchdog.core.rules.language import Rule

LANGUAGES = ("query", "dsl", "kql", "esql")
"""The keys of which a search has exactly one."""


class ElasticsearchQuery(Strict):
    """The number of documents that match, or their share of the documents that match ``ratio_of``."""

    index: IndexPattern | None = None
    """The index, data stream or pattern to search; of esql it is in the query."""
    query: QueryText | None = None
    """A Lucene query; its matches are counted."""
    dsl: QueryClause | None = None
    """A clause of query DSL; its matches are counted."""
    kql: QueryText | None = None
    """A KQL query, as in Kibana's search bar; its matches are counted."""
    esql: QueryText | None = None
    """An ES|QL query that yields one row: the value alone, or the columns value and samples."""
    filter: QueryFilter = Field(default_factory=list)
    """Query DSL that narrows the query and ratio_of."""
    ratio_of: QueryText | None = None
    """A Lucene query; the value is the matches of the query divided by the matches of this. Without it, a count."""
    timeframe: PositiveSeconds = 300.0
    """How much time one measurement covers."""
    query_delay: Seconds = 60.0
    """How far behind now the window ends, for documents that arrive late."""
    timestamp_field: FieldName = "@timestamp"
    """The field that holds a document's time."""

    @property
    def language(self) -> str:
        """The key that says what is asked."""
        return next((name for name in LANGUAGES if getattr(self, name) is not None), LANGUAGES[0])

    @property
    def asked(self) -> Any:
        """What is asked, in that language."""
        return getattr(self, self.language)


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
