"""The audit log's rows as writes: what was sent, by whom, whether it was committed and at which revision.

Law: nothing here knows the watchdog; a row says what the API server saw.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Object = Mapping[str, Any]

MUTATING = frozenset({"create", "update", "patch", "delete", "deletecollection"})
READING = frozenset({"get", "list", "watch"})
COMMITTED = (200, 201)


@dataclass(frozen=True, slots=True)
class Write:
    """One mutating row; ``ours`` when it is that of the program under test."""

    row: Row
    ours: bool

    @property
    def verb(self) -> str:
        """As RBAC writes it."""
        return str(self.row["verb"])

    @property
    def resource(self) -> str:
        """The plural: ``services``."""
        return str(self._of("resource"))

    @property
    def name(self) -> str:
        """The object's name; that of a created object is in what was sent."""
        sent = self.row.get("requestObject")
        of_sent = sent.get("metadata", {}).get("name", "") if isinstance(sent, dict) else ""
        return str(self._of("name") or of_sent)

    @property
    def subresource(self) -> str:
        """``scale``, or ""."""
        return str(self._of("subresource"))

    @property
    def namespace(self) -> str:
        """Where."""
        return str(self._of("namespace"))

    @property
    def is_json_patch(self) -> bool:
        """True when operations were sent, which alone can carry preconditions."""
        return self.verb == "patch" and isinstance(self.row.get("requestObject"), list)

    @property
    def operations(self) -> list[Row]:
        """Those of a JSON Patch."""
        sent = self.row.get("requestObject")
        return sent if isinstance(sent, list) else []

    @property
    def committed(self) -> bool:
        """True when the API server said so, whoever heard it."""
        return self.row.get("responseStatus", {}).get("code") in COMMITTED

    @property
    def answered(self) -> Object:
        """The object after the write."""
        found = self.row.get("responseObject")
        return found if isinstance(found, dict) else {}

    @property
    def revision(self) -> int:
        """The revision at which it was committed."""
        return int(self.answered["metadata"]["resourceVersion"])

    @property
    def received_at(self) -> float:
        """Unix seconds."""
        return seconds(self.row["requestReceivedTimestamp"])

    @property
    def answered_at(self) -> float:
        """Unix seconds."""
        return seconds(self.row["stageTimestamp"])

    def touches(self, path: str) -> bool:
        """True when an operation changes this path, or something above or below it."""
        return any(_overlap(operation["path"], path) for operation in self.operations if operation["op"] != "test")

    def tests(self, path: str) -> bool:
        """True when the patch is void unless this path has a value that was read before."""
        return any(operation["op"] == "test" and operation["path"] == path for operation in self.operations)

    def __str__(self) -> str:
        where = "/".join(filter(None, (self.resource, self.name, self.subresource)))
        clock = str(self.row["requestReceivedTimestamp"])[11:26]
        code = self.row.get("responseStatus", {}).get("code")
        return f"{self.verb} {where} at {clock}, answered {code} (row {self.row.get('auditID', '?')[:8]})"

    def _of(self, key: str) -> Any:
        return self.row.get("objectRef", {}).get(key, "")


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(other + "/") or other.startswith(one + "/")


def seconds(instant: str) -> float:
    """Unix seconds of an instant in the audit log."""
    return datetime.fromisoformat(instant).timestamp()


def writes_in(rows: Iterable[Row], *, ours: Callable[[Row], bool]) -> list[Write]:
    """The mutating rows in the order in which they arrived."""
    found = [Write(row, ours(row)) for row in rows if row["verb"] in MUTATING]
    return sorted(found, key=lambda write: write.received_at)


def by_field_manager(row: Row) -> bool:
    """True for a row that the watchdog's own name is on: as field manager, or as user."""
    return "fieldManager=canary-watchdog" in row.get("requestURI", "") or by_user("watchdog")(row)


def by_user(name: str) -> Callable[[Row], bool]:
    """Tells the rows of one user."""
    return lambda row: row["user"]["username"] == name


class AuditTail:
    """Reads an audit log as it grows, each row once; `rows` may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._rows: dict[str, list[Row]] = {}
        self._lock = threading.Lock()

    def rows(self, namespace: str) -> list[Row]:
        """The rows of a namespace so far, the oldest first."""
        with self._lock:
            self._read_on()
            return list(self._rows.get(namespace, ()))

    def _read_on(self) -> None:
        with self._path.open("rb") as file:
            file.seek(self._read)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + len(newline)
        for line in whole.splitlines():
            row = json.loads(line)
            self._rows.setdefault(row.get("objectRef", {}).get("namespace", ""), []).append(row)
