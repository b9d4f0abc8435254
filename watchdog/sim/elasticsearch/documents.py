"""Documents: what the simulated Elasticsearch has indexed.

Law: a document is immutable; a field is known by its dotted path, whether its source is nested or flat.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

TIMESTAMP = "@timestamp"
Fields = Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document. ``fields`` maps each dotted path to its values, ``at`` is its timestamp in milliseconds."""

    index: str
    id: str
    source: Mapping[str, Any]
    fields: Fields
    at: int | None = None


@dataclass(slots=True)
class DocumentStore:
    """Indices by name, each with its documents in the order in which they came."""

    indices: dict[str, list[Document]] = field(default_factory=dict)

    def add(self, index: str, source: Mapping[str, Any], document_id: str | None = None) -> Document:
        """Indexes a document, making the index when there is none; an id that is known is replaced."""
        fields = flatten(source)
        times = fields.get(TIMESTAMP)
        document = Document(
            index=index,
            id=document_id or secrets.token_urlsafe(15),
            source=source,
            fields=fields,
            at=to_milliseconds(times[0]) if times else None,
        )
        held = self.indices.setdefault(index, [])
        if document_id is not None:
            held[:] = [each for each in held if each.id != document_id]
        held.append(document)
        return document

    def matching(self, pattern: str) -> list[str]:
        """The names of the indices that a name or a wildcard stands for."""
        everything = pattern in ("_all", "*")
        return sorted(name for name in self.indices if everything or fnmatchcase(name, pattern))

    def within(self, names: Iterable[str]) -> Iterator[Document]:
        """The documents of these indices."""
        for name in names:
            yield from self.indices[name]

    def forget(self, before: int) -> None:
        """Drops the documents that are older, by their timestamp."""
        for held in self.indices.values():
            held[:] = [each for each in held if each.at is None or each.at >= before]


def flatten(source: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Every leaf by its dotted path; lists are several values, nulls are none."""
    found: dict[str, tuple[Any, ...]] = {}
    _collect(source, "", found)
    return found


def to_milliseconds(value: Any) -> int:
    """A timestamp as ISO 8601 or as epoch milliseconds; raises ValueError."""
    if isinstance(value, int | float):
        return int(value)
    moment = datetime.fromisoformat(str(value))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def _collect(value: Any, path: str, found: dict[str, tuple[Any, ...]]) -> None:
    match value:
        case dict():
            for key, inner in value.items():
                _collect(inner, f"{path}.{key}" if path else str(key), found)
        case list():
            for inner in value:
                _collect(inner, path, found)
        case None:
            pass
        case _:
            found[path] = (*found.get(path, ()), value)
