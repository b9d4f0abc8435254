"""Log lines for a real Elasticsearch, as a window of the past has them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.sources.asking import elasticsearch, lucene, measured
from tests.stack.elasticsearch import ElasticsearchServer
from watchdog.core.model import Measurement

SLOT = 1_780_000_000.0
START, END = SLOT - 360, SLOT - 60  # the window of 5 m that ends 60 s before the slot
GREEN = [{"term": {"kubernetes.labels.color": "{{ color }}"}}]
ERRORS = "log.level:ERROR"


def documents(
    count: int, level: str, *, color: str = "green", at: float | None = None, late: float | None = None
) -> list[dict[str, Any]]:
    """Log lines, spread evenly over the window or all at one instant, ingested so many seconds late."""
    instants = [at if at is not None else START + (i + 0.5) * (END - START) / count for i in range(count)]
    return [
        {
            "@timestamp": instant_of(instant),
            "log": {"level": level},
            "kubernetes": {"labels": {"color": color}},
            "message": f"a line of level {level}",
        }
        | ({} if late is None else {"event": {"ingested": instant_of(instant + late)}})
        for instant in instants
    ]


def since_then(color: str = "green") -> list[dict[str, Any]]:
    """A line that came after the window: it is complete."""
    return documents(1, "INFO", color=color, at=SLOT - 1)


def instant_of(seconds: float) -> str:
    """As loggers write it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


async def ask(server: ElasticsearchServer, query: str = ERRORS, **rest: Any) -> Measurement:
    """What a new source measures."""
    async with elasticsearch(server.url) as source:
        return await measured(source, lucene(query, **rest), slot=SLOT)
