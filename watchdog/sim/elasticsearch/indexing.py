"""Writing documents, one by one and in bulk.

Law: what is refused is not stored, and of a bulk request the rest is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from watchdog.sim.elasticsearch.documents import Document, DocumentStore, to_milliseconds
from watchdog.sim.elasticsearch.errors import Json, SearchError, illegal, not_simulated


class Indexer:
    """Writes into a store, and counts the versions of each document."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store
        self._versions: dict[tuple[str, str], int] = {}
        self._sequence = -1

    def version(self, index: str, document_id: str) -> int:
        """How often the document was written."""
        return self._versions.get((index, document_id), 1)

    def bulk(self, body: bytes, *, index: str | None, forced: bool) -> Json:
        """The answer to a _bulk request; lines that name no index go to ``index``."""
        if not body.endswith(b"\n"):
            raise illegal("The bulk request must be terminated by a newline [\\n]")
        items = []
        refreshed = {"forced_refresh": True} if forced else {}
        for action, options, source in _bulk_lines(body):
            place = options.get("_index", index)
            if place is None:
                raise SearchError(400, "action_request_validation_exception", "Validation Failed: 1: index is missing;")
            item = self._bulk_item(action, place, options.get("_id"), source)
            items.append({action: item if "error" in item else item | refreshed})
        errors = any("error" in result for item in items for result in item.values())
        return {"errors": errors, "took": 1, "items": items}

    def _bulk_item(self, action: str, index: str, document_id: str | None, source: Any) -> Json:
        known = document_id is not None and (index, document_id) in self._versions
        if action == "create" and known:
            version = self._versions[index, str(document_id)]
            reason = f"[{document_id}]: version conflict, document already exists (current version [{version}])"
            error = {"type": "version_conflict_engine_exception", "reason": reason, "index": index, "shard": "0"}
            return {"_index": index, "_id": document_id, "status": 409, "error": error}
        try:
            result = self.index(index, source, document_id)
        except SearchError as error:
            return {"_index": index, "_id": document_id, "status": error.status, "error": error.cause}
        return result | {"status": 201 if result["result"] == "created" else 200}

    def index(self, index: str, source: Any, given_id: str | None) -> Json:
        """The answer to a single write; raises SearchError."""
        if not isinstance(source, dict):
            raise SearchError(400, "document_parsing_exception", "Malformed content, must start with an object")
        _check_dates(source)
        document: Document = self._store.add(index, source, given_id)
        version = self._versions[index, document.id] = self._versions.get((index, document.id), 0) + 1
        self._sequence += 1
        return {
            "_index": index,
            "_id": document.id,
            "_version": version,
            "result": "created" if version == 1 else "updated",
            "_shards": {"total": 1, "successful": 1, "failed": 0},
            "_seq_no": self._sequence,
            "_primary_term": 1,
        }


def read_json(body: bytes) -> Any:
    """A JSON text; raises SearchError."""
    try:
        return json.loads(body)
    except ValueError as error:
        raise SearchError(400, "x_content_parse_exception", str(error)) from error


def _bulk_lines(body: bytes) -> Iterator[tuple[str, Json, Any]]:
    lines = iter(body.splitlines())
    for line in lines:
        if not line.strip():
            continue
        action, options = next(iter(read_json(line).items()))
        if action not in ("index", "create"):
            raise not_simulated(f"the bulk action {action}")
        yield action, options, read_json(next(lines, b""))


def _check_dates(source: Mapping[str, Any]) -> None:
    stamp = source.get("@timestamp")
    try:
        to_milliseconds(stamp if stamp is not None else 0)
    except ValueError as error:
        reason = f"failed to parse field [@timestamp] of type [date]. Preview of field's value: '{stamp}'"
        raise SearchError(400, "document_parsing_exception", reason) from error
