"""What Elasticsearch answers: to a search, to ES|QL, to `_field_caps`, and with an error."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from tests.fuzz.answers import WORDS, as_answer, as_bytes, check_text, spoil
from tests.fuzz.target import Target
from tests.sources.asking import SLOT, found, lucene
from watchdog.core.model import Measurement
from watchdog.core.rules.kinds import ElasticsearchQuery
from watchdog.sources.answer import AnswerError, believe
from watchdog.sources.esql import read_esql
from watchdog.sources.fields import field_problems, needs_of
from watchdog.sources.search import read_refusal, read_search


def _query(**rest: Any) -> ElasticsearchQuery:
    query = lucene(**rest).elasticsearch
    assert query is not None
    return query


_COUNT, _RATIO = _query(), _query(ratio_of="app:bank AND exact:yes")
_NEEDS = needs_of(_query(filter=[{"term": {"log.level": "Error"}}]), {"color": "green", "namespace": "bank"})


def _parse(data: bytes) -> None:
    answer = as_answer(data)
    try:
        body = believe(answer)
    except AnswerError as error:
        check_text(str(error))
        return
    check_text(str(read_refusal(answer.status, body)))
    if answer.status == HTTPStatus.OK:
        for read in _READINGS:
            try:
                read(body)
            except AnswerError as error:
                check_text(str(error))


def _measured(read: Callable[[Any], Measurement]) -> Callable[[Any], None]:
    """The reading of a measurement, whose numbers are numbers."""

    def check(body: Any) -> None:
        measurement = read(body)
        assert all(each is None or math.isfinite(each) for each in (measurement.value, measurement.samples))

    return check


_READINGS: tuple[Callable[[Any], Any], ...] = (
    _measured(lambda body: read_search(body, _COUNT, slot=SLOT, server="E")),
    _measured(lambda body: read_search(body, _RATIO, slot=SLOT, server="E")),
    _measured(lambda body: read_esql(body, needs_samples=False, server="E")),
    _measured(lambda body: read_esql(body, needs_samples=True, server="E")),
    lambda body: check_text("; ".join(each.said for each in field_problems(_NEEDS, body))),
)


def _seeds() -> Iterator[bytes]:
    yield as_bytes(found(matches=3))
    yield as_bytes(found(matches=0, total=0, newest=None))
    yield as_bytes(found(matches=1, recent=0))
    yield as_bytes(found(matches=1, ingested=SLOT + 90))
    failure = {"reason": {"type": "query_shard_exception", "reason": "no mapping"}}
    yield as_bytes(found(matches=1, _shards={"total": 2, "successful": 1, "failed": 1, "failures": [failure]}))
    yield as_bytes({"columns": [{"name": "value", "type": "long"}], "values": [[7]], "is_partial": False})
    yield as_bytes({"columns": [{"name": "value"}, {"name": "samples"}], "values": [[0.25, 400]]})
    text = {"type": "text", "indices": ["logs-1"]}
    yield as_bytes({"fields": {"log.level": {"text": text, "unmapped": {}}, "@timestamp": {"date": {}}, "log": {}}})
    cause = {"type": "index_not_found_exception", "reason": "no such index"}
    yield as_bytes({"error": {"root_cause": [cause], "caused_by": cause, **cause}, "status": 404}, status=404)
    yield as_bytes({"error": "busy"}, status=429, retry_after="5")


TARGET = Target(
    parse=_parse,
    seeds=_seeds,
    words=(
        *WORDS,
        *('"_shards":', '"failures":', '"hits":', '"total":', '"relation":', '"aggregations":', '"doc_count":'),
        *('"columns":', '"values":', '"is_partial":', '"fields":', '"indices":', '"root_cause":', '"value":'),
    ),
    spoil=spoil,
)
