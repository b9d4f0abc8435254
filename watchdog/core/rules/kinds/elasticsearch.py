"""What ``elasticsearch:`` may ask: how many documents match, or which share of them, in one of four languages.

Law: matches and what they are a share of are counted by one search, over one half-open window that ends in the past.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

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
