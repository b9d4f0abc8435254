"""Answers log rules for slots of the past: the same searches, over what had arrived by then.

Law: a document counts for a slot only if it was there then: ``event.ingested`` is not after the slot. Where documents
do not carry it, nobody knows how late they were, and they count.
"""

from typing import Any

from watchdog.core.model import Measurement
from watchdog.core.rules.language import Rule
from watchdog.settings import ElasticsearchSettings
from watchdog.sources.elasticsearch import ElasticsearchSource
from watchdog.sources.search import INGESTED
from watchdog.sources.searches import NoAnswerError, SearchError


class ElasticsearchHistory(ElasticsearchSource):
    """An Elasticsearch cluster that is asked about the past.

    ``requests`` counts what it was asked, and ``has_answered`` says whether it has looked at any of it.
    """

    def __init__(self, settings: ElasticsearchSettings) -> None:
        super().__init__(settings)
        self.requests = 0
        self.has_answered = False

    async def measured(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:
        """What the rule's search would have counted at the slot. Raises SearchError."""
        self.requests += 1
        query = rule.elasticsearch
        if query is not None:
            seen = query.model_copy(update={"filter": [*query.filter, _arrived(slot)]})
            rule = rule.model_copy(update={"elasticsearch": seen})
        try:
            found = await super().measured(rule, color=color, namespace=namespace, slot=slot)
        except NoAnswerError:
            raise
        except SearchError:
            self.has_answered = True
            raise
        self.has_answered = True
        return found


def _arrived(slot: float) -> dict[str, Any]:
    in_time = {"range": {INGESTED: {"lte": round(slot * 1000), "format": "epoch_millis"}}}
    unknown = {"bool": {"must_not": [{"exists": {"field": INGESTED}}]}}
    return {"bool": {"should": [in_time, unknown], "minimum_should_match": 1}}
