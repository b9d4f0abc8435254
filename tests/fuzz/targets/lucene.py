"""Lucene queries: whether they are any, and which fields they need."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from tests.fuzz.target import Target
from watchdog.core.rules.kinds import ElasticsearchQuery
from watchdog.core.rules.lint import lint_lucene
from watchdog.sources.fields import asked_fields, field_problems, needs_of

_NAMES = {"color": "green", "namespace": "bank"}


def _parse(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for finding in lint_lucene(text):
        assert finding.offset is None or 0 <= finding.offset <= len(text)
    try:
        query = ElasticsearchQuery.model_validate({"index": "logs", "query": text, "timeframe": "5m"})
    except ValidationError:
        return
    needs = needs_of(query, _NAMES)
    asked_fields(needs)
    field_problems(needs, {"fields": {}})
    hash(needs)  # it is a key of what is known already


def _seeds() -> Iterator[bytes]:
    yield b'log.level:(error OR fatal) AND kubernetes.labels.color:"{{ color }}"'
    yield b'+status:[500 TO 599} -path:/health.*/ _exists_:trace message:"a b"~2^1.5'
    yield b"a* OR NOT (b?c AND d:>=10) fuzzy~0.5 \\(x\\)"


TARGET = Target(
    parse=_parse,
    seeds=_seeds,
    words=(" AND ", " OR ", " NOT ", "&&", "||", " TO ", "_exists_:", "~", "^", "\\", "/", "{{ color }}", "and", "f:"),
)
