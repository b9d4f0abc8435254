"""What a test gives to a server: the samples of its series, and its documents in the order of their arrival.

Law: pure; instants are Unix seconds, and None stands for the marker that ends a series.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from watchdog.core.placeholders import fill
from watchdog.replay.binding import RuleTest
from watchdog.replay.notation import Gap, parse_series, parse_values
from watchdog.replay.testfile import InputDocuments

_WILDCARD = "rule-test"


@dataclass(frozen=True, slots=True, kw_only=True)
class FedSeries:
    """One series, its name among the labels as ``__name__``."""

    labels: Mapping[str, str]
    samples: tuple[tuple[float, float | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FedDocument:
    """One document; ``at`` is when it arrives."""

    at: float
    index: str
    source: Mapping[str, Any]


def series_of(test: RuleTest, start: float) -> tuple[FedSeries, ...]:
    """The series of a test that starts then. The inputs are well-formed: they were checked when the test was bound."""
    return tuple(
        FedSeries(
            labels={"__name__": named.name, **named.labels},
            samples=tuple(
                (start + number * test.spacing, None if value is Gap.STALE else float(value))
                for number, value in enumerate(parse_values(each.values))
                if value is Gap.STALE or not isinstance(value, Gap)
            ),
        )
        for each in test.case.input_series
        for named in [parse_series(each.series)]
    )


def documents_of(test: RuleTest, start: float) -> tuple[FedDocument, ...]:
    """The documents of a test that starts then, the first to arrive first."""
    found = [document for given in test.case.input_documents for document in _documents(test, given, start)]
    return tuple(sorted(found, key=lambda each: each.at))


def index_of(test: RuleTest, given: InputDocuments) -> str:
    """The index that documents go to: the one they name, or one that the first log rule looks into."""
    names = {"color": test.active, "namespace": test.target.namespace}
    pattern = given.index or test.log_index or _WILDCARD
    return fill(pattern, names).partition(",")[0].replace("*", _WILDCARD)


def _documents(test: RuleTest, given: InputDocuments, start: float) -> Iterator[FedDocument]:
    index, every = index_of(test, given), given.every or test.target.interval
    for number in range(max(1, -int((given.from_ - given.to) // every))):
        at = start + given.from_ + number * every
        ingested = {**_mapping(given.document.get("event")), "ingested": _stamp(at + given.late)}
        source = {"@timestamp": _stamp(at), **given.document, "event": ingested}
        for _ in range(given.count):
            yield FedDocument(at=at + given.late, index=index, source=source)


def _mapping(given: Any) -> Mapping[str, Any]:
    return given if isinstance(given, dict) else {}


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
