"""What the servers know of the things that a rule names: metrics and series, indices and fields.

Law: what is asked costs a server little and says nothing about health; a server that does not answer raises.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING

from promql_parser import MatchOp, VectorSelector

from watchdog.core.placeholders import fill
from watchdog.core.rules.fields import fields_in_filter, fields_in_lucene
from watchdog.core.rules.language import ElasticsearchQuery, Rule, Target
from watchdog.core.rules.problem import Finding, KeyPath, quoted
from watchdog.core.rules.promql import parse_promql
from watchdog.core.rules.promql_shape import selectors

if TYPE_CHECKING:
    from watchdog.sources.elasticsearch import ElasticsearchSource, FieldTypes
    from watchdog.sources.prometheus import PrometheusSource

_BACK = "1h"
# A list: the parser's operators compare, and do not hash.
_OPERATORS = [(MatchOp.Equal, "="), (MatchOp.NotEqual, "!="), (MatchOp.Re, "=~"), (MatchOp.NotRe, "!~")]


class UnreachableError(Exception):
    """A server cannot be asked; the text is a sentence."""


class PrometheusInquiry:
    """Asks a Prometheus for metrics and series within the last hour."""

    def __init__(self, source: PrometheusSource) -> None:
        self.source = source

    async def findings(self, rule: Rule, target: Target, *, slot: float) -> list[Finding]:
        """What a rule names and Prometheus does not have. Raises UnreachableError."""
        queries: dict[KeyPath, str | None] = {
            ("prometheus", "expr"): rule.prometheus.expr if rule.prometheus else None,
            ("min_samples", "expr"): rule.min_samples.expr if rule.min_samples else None,
        }
        found: list[Finding] = []
        for path, text in queries.items():
            if text is not None:
                found += [finding async for finding in self._missing(path, text, target, slot=slot)]
        is_absent_zero = rule.prometheus is not None and rule.prometheus.absent_is_zero
        return [each for each in found if not (is_absent_zero and each.code == "R605")]

    async def _missing(self, path: KeyPath, text: str, target: Target, *, slot: float) -> AsyncIterator[Finding]:
        expressions = [
            parse_promql(fill(text, {"color": color, "namespace": target.namespace})) for color in target.colors
        ]
        for pair in zip(*map(selectors, expressions), strict=True):
            name = pair[0].name
            if name is not None and not await self._count(f"{{__name__={_string(name)}}}", slot):
                message = (
                    f"Prometheus has had no metric {quoted(name)} for {_BACK}; check its name, and that it is scraped"
                )
                yield Finding(path=path, code="R601", message=message)
            elif not sum([await self._count(_written(selector), slot) for selector in pair]):
                message = (
                    f"neither color has had a series of {_written(pair[0])} for {_BACK}; "
                    "check the labels, or create the series with 0"
                )
                yield Finding(path=path, code="R605", message=message)

    async def _count(self, selector: str, slot: float) -> float:
        reading = await self.source.ask(f"count(last_over_time({selector}[{_BACK}]))", slot=slot)
        if reading.error:
            raise UnreachableError(reading.error)
        return reading.value or 0.0


class ElasticsearchInquiry:
    """Asks an Elasticsearch for indices and the types of fields."""

    def __init__(self, source: ElasticsearchSource) -> None:
        self.source = source

    async def findings(self, rule: Rule, target: Target, *, slot: float) -> list[Finding]:  # noqa: ARG002 - of now
        """What a rule names and Elasticsearch does not have. Raises UnreachableError."""
        query = rule.elasticsearch
        if query is None:
            return []
        named = list(_named(query))
        known = [await self._fields(query, target, color, {field for _, field in named}) for color in target.colors]
        if not any(each.has_index for each in known):
            message = f"nothing has the name {quoted(query.index)}; check the index, alias or pattern"
            return [Finding(path=("elasticsearch", "index"), code="R602", message=message)]
        types = {name: kinds for each in known for name, kinds in each.types.items()}
        unknown = [
            Finding(path=path, code="R603", message=f"no field {quoted(field)} in {query.index}; check its name")
            for path, field in named
            if field not in types
        ]
        return [*unknown, *_analyzed(query, types)]

    async def _fields(self, query: ElasticsearchQuery, target: Target, color: str, names: set[str]) -> FieldTypes:
        index = fill(query.index, {"color": color, "namespace": target.namespace})
        answer = await self.source.fields(index, names)
        if isinstance(answer, str):
            raise UnreachableError(answer)
        return answer


def _named(query: ElasticsearchQuery) -> Iterator[tuple[KeyPath, str]]:
    """Each field that a log rule names, and where."""
    yield ("elasticsearch", "timestamp_field"), query.timestamp_field
    for key, text in (("query", query.query), ("ratio_of", query.ratio_of)):
        # A placeholder in a query is a value, and any word is.
        filled = fill(text, {"color": "x", "namespace": "x"}) if text is not None else "*"
        yield from ((("elasticsearch", key), field) for field in sorted(set(fields_in_lucene(filled))))
    yield from ((("elasticsearch", "filter"), field) for field in sorted(set(fields_in_filter(query.filter))))


def _analyzed(query: ElasticsearchQuery, types: Mapping[str, frozenset[str]]) -> Iterator[Finding]:
    """The fields of ``term`` that hold analyzed text: a whole value is never equal to one of its words (F24)."""
    for field in sorted(set(fields_in_filter(query.filter, exact=True))):
        if "text" in types.get(field, ()):
            message = (
                f"{quoted(field)} is analyzed text, and term compares whole values; write {field}.keyword, or match"
            )
            yield Finding(path=("elasticsearch", "filter"), code="R606", message=message)


def _written(selector: VectorSelector) -> str:
    """The selector as PromQL, without its offset."""
    matchers = [
        f"{each.name}{sign}{_string(each.value)}"
        for each in selector.matchers.matchers
        for operator, sign in _OPERATORS
        if each.op == operator
    ]
    return f"{selector.name or ''}{{{','.join(matchers)}}}"


def _string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
