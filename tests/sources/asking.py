"""Sources and rules as the tests of this folder need them, and the answers of well-behaved servers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from hypothesis import strategies as st

from watchdog.core.model import Measurement
from watchdog.core.rules.language import Rule
from watchdog.settings import ElasticsearchSettings, PrometheusSettings
from watchdog.sources.elasticsearch import ElasticsearchSource
from watchdog.sources.prometheus import PrometheusSource

SLOT = 1_700_000_000.0
PRODUCT = {"X-Elastic-Product": "Elasticsearch"}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
Source = PrometheusSource | ElasticsearchSource


def promql(expr: str = "vector(1)", *, min_samples: Any = None, **query: Any) -> Rule:
    """A rule on a PromQL expression."""
    parts = {"alert": "Test", "prometheus": {"expr": expr, **query}, "threshold": {"max": 0.05}}
    return Rule.model_validate(parts | ({"min_samples": min_samples} if min_samples else {}))


def lucene(query: str = "level:error", **rest: Any) -> Rule:
    """A rule on a Lucene query."""
    logs = {"index": "logs-test", "query": query, "timeframe": "5m", "query_delay": "60s", **rest}
    return Rule.model_validate({"alert": "Test", "elasticsearch": logs, "threshold": {"max": 0.05}})


async def measured(source: Source, rule: Rule, *, slot: float = SLOT) -> Measurement:
    """One measurement of the green color."""
    return await source.measure(rule, color="green", namespace="bank", slot=slot)


@contextlib.asynccontextmanager
async def prometheus(url: str, **settings: Any) -> AsyncIterator[PrometheusSource]:
    """A source for the Prometheus at the URL, closed at the end."""
    source = PrometheusSource(PrometheusSettings.model_validate({"url": url, **settings}))
    try:
        yield source
    finally:
        await source.close()


@contextlib.asynccontextmanager
async def elasticsearch(*urls: str, **settings: Any) -> AsyncIterator[ElasticsearchSource]:
    """A source for the Elasticsearch at the URLs, closed at the end."""
    source = ElasticsearchSource(ElasticsearchSettings.model_validate({"urls": list(urls), **settings}))
    try:
        yield source
    finally:
        await source.close()


def vector(*values: str, at: float = SLOT, **envelope: Any) -> dict[str, Any]:
    """What Prometheus answers: one series for each value."""
    result = [{"metric": {"code": str(500 + i)}, "value": [at, value]} for i, value in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": result}, **envelope}


def found(
    *,
    matches: int,
    total: int = 40,
    recent: int | None = None,
    newest: float | None = SLOT - 1,
    ingested: float | None = None,
    **rest: Any,
) -> dict[str, Any]:
    """What Elasticsearch answers to the search of a rule; instants are Unix seconds."""
    instants = {"newest": newest, "ingested": ingested}
    whole: dict[str, Any] = {name: {"value": None if at is None else at * 1000} for name, at in instants.items()}
    whole["window"] = {"doc_count": total, "matches": {"doc_count": matches}}
    whole["recent"] = {"doc_count": total if recent is None else recent}
    return {
        "took": 1,
        "timed_out": False,
        "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
        "hits": {"total": {"value": total, "relation": "eq"}, "max_score": None, "hits": []},
        "aggregations": {"whole": {"doc_count": total, **whole}},
        **rest,
    }
