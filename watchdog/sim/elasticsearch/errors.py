"""Elasticsearch's refusals: a status and a body.

Law: pure; the wording is the server's own where a person would read it, as the contract tests hold it to be.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class SearchError(Exception):
    """A request that Elasticsearch refuses. ``cause`` is what it calls the root cause."""

    def __init__(self, status: int, kind: str, reason: str, **more: Any) -> None:
        super().__init__(reason)
        self.status = status
        self.cause: Json = {"type": kind, "reason": reason, **more}

    @property
    def body(self) -> Json:
        """The answer's body."""
        return {"error": {"root_cause": [self.cause], **self.cause}, "status": self.status}


class ShardError(SearchError):
    """A query that every shard refuses; with no shard to ask there is nobody to refuse it."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(400, kind, reason)
        self._index = ""

    def found_on(self, index: str) -> None:
        """Adds the index of the first shard that refused."""
        self._index = index
        if self.cause["type"] == "query_shard_exception":
            self.cause |= {"index_uuid": "simulated", "index": index}

    @property
    def body(self) -> Json:
        """The answer's body."""
        failed = [{"shard": 0, "index": self._index, "node": "simulated", "reason": self.cause}]
        error = {
            "root_cause": [self.cause],
            "type": "search_phase_execution_exception",
            "reason": "all shards failed",
            "phase": "query",
            "grouped": True,
            "failed_shards": failed,
        }
        return {"error": error, "status": self.status}


def index_not_found(name: str) -> SearchError:
    """404."""
    more = {"resource.type": "index_or_alias", "resource.id": name, "index_uuid": "_na_", "index": name}
    return SearchError(404, "index_not_found_exception", f"no such index [{name}]", **more)


def illegal(reason: str) -> SearchError:
    """400 for a parameter."""
    return SearchError(400, "illegal_argument_exception", reason)


def parsing(reason: str) -> SearchError:
    """400 for a body of the wrong form."""
    return SearchError(400, "parsing_exception", reason)


def not_simulated(what: str) -> SearchError:
    """501: the real server would have answered; the simulator does not know what."""
    return SearchError(501, "not_simulated", f"not simulated: {what}")
