"""What the servers know of the things that a rule names: metrics and series, indices and fields.

Law: what is asked costs a server little and says nothing about health; a server that does not answer raises. Every
kind of rule is in `ASKED_BY`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

from promql_parser import VectorSelector

from watchdog.core.model import Measurement
from watchdog.core.placeholders import fill
from watchdog.core.rules.kinds import ElasticsearchQuery
from watchdog.core.rules.language import Rule, Target
from watchdog.core.rules.problem import Finding, KeyPath, quoted
from watchdog.core.rules.promql import parse_promql
from watchdog.core.rules.promql_shape import selectors, written_matcher, written_matchers
from watchdog.sources.compare import source_of
from watchdog.sources.fields import Fault, FieldProblem, needs_of
from watchdog.sources.searches import NoAnswerError, NoIndexError, SearchError

if TYPE_CHECKING:
    from watchdog.sources.elasticsearch import ElasticsearchSource
    from watchdog.sources.prometheus import PrometheusSource

_BACK = "1h"
_WINDOW = "5m"
"""Any window: what is asked for is whether the selectors match at all."""
_ERRORS = frozenset({"error_expr", "baseline_error_expr"})


class ServerUnreachableError(Exception):
    """A server cannot be asked; the text is a sentence."""


class Asked(Enum):
    """Who is asked about a kind of rule. A text says why nobody is."""

    PROMETHEUS = "prometheus"
    ELASTICSEARCH = "elasticsearch"


ASKED_BY: dict[str, Asked | str] = {
    "prometheus": Asked.PROMETHEUS,
    "burn_rate": Asked.PROMETHEUS,
    "compare": Asked.PROMETHEUS,
    "elasticsearch": Asked.ELASTICSEARCH,
    "kubernetes": "check asks no cluster; the daemon looks at it in each tick",
    "http": "a probe is sent from where the daemon runs, and from nowhere else",
}


class PrometheusInquiry:
    """Asks a Prometheus for metrics and series within the last hour."""

    def __init__(self, source: PrometheusSource) -> None:
        self.source = source

    async def findings(self, rule: Rule, target: Target, *, slot: float) -> list[Finding]:
        """What a rule names and Prometheus does not have. Raises ServerUnreachableError."""
        found: list[Finding] = []
        await self._ask("vector(1)", slot)  # an expression may name no series that would be asked for
        for path, text in rule.expressions.items():
            found += [finding async for finding in self._missing(path, text, target, slot=slot)]
        return [each for each in found if not (each.code == "R605" and _may_be_absent(rule, each.path))]

    async def measure(self, rule: Rule, target: Target, *, color: str, slot: float) -> Measurement:
        """What Prometheus says of a color now."""
        source = source_of(rule, self.source, colors=target.colors)
        return await source.measure(rule, color=color, namespace=target.namespace, slot=slot)

    async def _missing(self, path: KeyPath, text: str, target: Target, *, slot: float) -> AsyncIterator[Finding]:
        names = {"namespace": target.namespace, "window": _WINDOW}
        expressions = [parse_promql(fill(text, {**names, "color": color})) for color in target.colors]
        for pair in zip(*map(selectors, expressions), strict=True):
            name = pair[0].name
            if name is not None and not await self._count(f"{{{written_matcher('__name__', '=', name)}}}", slot):
                message = (
                    f"Prometheus has had no metric {quoted(name)} for {_BACK}; check its name, and that it is scraped"
                )
                yield Finding(path=path, code="R601", message=message, offset=place_in(text, name))
            elif not sum([await self._count(_written(selector), slot) for selector in pair]):
                message = (
                    f"neither color has had a series of {_written(pair[0])} for {_BACK}; "
                    "check the labels, or create the series with 0"
                )
                yield Finding(path=path, code="R605", message=message, offset=place_in(text, name or ""))

    async def _count(self, selector: str, slot: float) -> float:
        return await self._ask(f"count(last_over_time({selector}[{_BACK}]))", slot)

    async def _ask(self, expr: str, slot: float) -> float:
        reading = await self.source.ask(expr, slot=slot)
        if reading.error:
            raise ServerUnreachableError(reading.error)
        return reading.value or 0.0


def _may_be_absent(rule: Rule, path: KeyPath) -> bool:
    """True for an expression whose empty answer is 0."""
    if rule.prometheus is not None:
        return rule.prometheus.absent_is_zero
    counted = rule.burn_rate or rule.compare
    return counted is not None and counted.absent_is_zero and path[-1] in _ERRORS


class ElasticsearchInquiry:
    """Asks an Elasticsearch for indices and the types of fields."""

    def __init__(self, source: ElasticsearchSource) -> None:
        self.source = source

    async def findings(self, rule: Rule, target: Target, *, slot: float) -> list[Finding]:  # noqa: ARG002 - of now
        """What a rule names and Elasticsearch does not have. Raises ServerUnreachableError."""
        query = rule.elasticsearch
        if query is None or query.index is None:
            return []  # ES|QL names its indices and fields by itself, and is refused when they are not there
        known = [
            await self._problems(query, {"color": color, "namespace": target.namespace}) for color in target.colors
        ]
        if all(each is None for each in known):
            message = f"nothing has the name {quoted(query.index)}; check the index, alias or pattern"
            return [Finding(path=("elasticsearch", "index"), code="R602", message=message)]
        return list(dict.fromkeys(_finding(problem, query) for each in known for problem in each or ()))

    async def measure(self, rule: Rule, target: Target, *, color: str, slot: float) -> Measurement:
        """What Elasticsearch says of a color now. Raises ServerUnreachableError."""
        try:
            return await self.source.measured(rule, color=color, namespace=target.namespace, slot=slot)
        except NoAnswerError as error:
            raise ServerUnreachableError(str(error)) from error
        except SearchError as error:
            return Measurement.error(str(error), trouble=error.trouble)

    async def _problems(self, query: ElasticsearchQuery, names: Mapping[str, str]) -> list[FieldProblem] | None:
        """What is wrong with the fields of a query; None when there is no such index."""
        try:
            return await self.source.field_problems(fill(query.index or "", names), needs_of(query, names))
        except NoIndexError:
            return None
        except SearchError as error:
            raise ServerUnreachableError(str(error)) from error


_FATAL = {Fault.MISSING: "R603", Fault.TEXT: "R606", Fault.NO_DATE: "R607"}
_CURES = {
    Fault.MISSING: "check its name, or give it a place in the index template",
    Fault.TEXT: "or ask for its words, by match",
    Fault.NO_DATE: "name the field of a document's time",
}


def place_in(text: Any, name: str) -> int | None:
    """Where a query speaks of something, None where that cannot be told."""
    if not isinstance(text, str):
        return None
    word = re.search(rf"(?<![\w.:]){re.escape(name)}(?![\w.])", text) if name else None
    return word.start() if word else None


def _finding(problem: FieldProblem, query: ElasticsearchQuery) -> Finding:
    code, place = _FATAL[problem.fault] if problem.is_fatal else "R608", problem.field.place
    offset = place_in(getattr(query, place), problem.field.name)
    message = f"{problem.said}; {_CURES[problem.fault]}"
    return Finding(path=("elasticsearch", place), code=code, message=message, offset=offset)


def _written(selector: VectorSelector) -> str:
    """The selector as PromQL, without its offset."""
    return f"{selector.name or ''}{{{','.join(written_matchers(selector))}}}"
