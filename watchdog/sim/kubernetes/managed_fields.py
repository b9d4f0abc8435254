"""Who owns which field: ``metadata.managedFields`` as the API server keeps it for updates.

Law: pure. Sets of paths in, sets of paths out; a path is a tuple of the elements that FieldsV1 prints.

The rules are those of structured-merge-diff's ``Updater.Update``: the writer gains what it added or changed, every
other manager loses what was changed or removed, and an entry's time moves only when its manager gained something.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Path = tuple[str, ...]

# Where lists are maps in disguise.
_LIST_KEYS = {
    ("f:spec", "f:ports"): ("port", "protocol"),
    ("f:spec", "f:template", "f:spec", "f:containers"): ("name",),
    ("f:spec", "f:containers"): ("name",),
    ("f:status", "f:conditions"): ("type",),
    ("f:status", "f:podIPs"): ("ip",),
    ("f:metadata", "f:ownerReferences"): ("uid",),
}
# One value, however large.
_ATOMIC = frozenset(
    {"selector", "endpoints", "clusterIPs", "ipFamilies", "loadBalancer", "involvedObject", "regarding"}
)
# Present in every object of its kind, so that nobody ever adds it.
_ALWAYS = frozenset(
    {
        ("f:metadata",),
        ("f:spec",),
        ("f:status",),
        ("f:spec", "f:strategy"),
        ("f:spec", "f:template"),
        ("f:spec", "f:template", "f:metadata"),
        ("f:spec", "f:template", "f:spec"),
        ("f:spec", "f:template", "f:spec", "f:containers"),
        ("f:spec", "f:containers"),
        ("f:source",),
        ("f:deprecatedSource",),
    }
)
_STRIPPED = frozenset(
    {("f:apiVersion",), ("f:kind",)}
    | {
        ("f:metadata", f"f:{name}")
        for name in (
            "name",
            "namespace",
            "creationTimestamp",
            "uid",
            "generation",
            "managedFields",
            "resourceVersion",
        )
    }
    # Allocators and admission fill these in after ownership has been worked out.
    | {
        ("f:spec", f"f:{name}")
        for name in (
            "clusterIP",
            "clusterIPs",
            "finalizers",
            "ipFamilies",
            "ipFamilyPolicy",
            "nodeName",
            "preemptionPolicy",
            "priority",
            "serviceAccount",
            "serviceAccountName",
        )
    }
)


# What an object prints before anybody has written it.
_EMPTY: dict[Path, Any] = {("f:endpoints",): "null", ("f:ports",): "null"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Who writes, through which version and subresource."""

    manager: str
    api_version: str
    subresource: str = ""

    def wrote(self, entry: Mapping[str, Any]) -> bool:
        """True for this writer's own entry."""
        return (entry["manager"], entry["apiVersion"], entry.get("subresource", "")) == (
            self.manager,
            self.api_version,
            self.subresource,
        )


def record_update(
    entries: Iterable[Mapping[str, Any]], *, old: Any, new: Any, writer: Writer, time: str
) -> list[dict[str, Any]]:
    """The entries after the writer turned ``old`` into ``new`` at ``time`` (RFC 3339)."""
    before, after = (_EMPTY if old is None else _fields(old)), _fields(new)
    gained = {path for path, value in after.items() if before.get(path, _Missing) != value}
    if writer.subresource != "status":
        gained = {path for path in gained if path[0] != "f:status"}
    removed = before.keys() - after.keys()
    kept, own = [], gained
    for entry in entries:
        fields = _parse(entry["fieldsV1"])
        if writer.wrote(entry):
            own = gained | (fields - removed)
            time = time if gained else entry["time"]
        elif rest := fields - gained - removed:
            kept.append({**entry, "fieldsV1": _print(rest)})
    if own:
        kept.append(_entry(writer, own, time))
    return sorted(kept, key=lambda entry: (entry["time"], entry["manager"], entry["apiVersion"]))


def disown(entries: Iterable[Mapping[str, Any]], path: Path) -> list[dict[str, Any]]:
    """The entries after nobody owns the path any more."""
    kept = ({**entry, "fieldsV1": _print(_parse(entry["fieldsV1"]) - {path})} for entry in entries)
    return [entry for entry in kept if entry["fieldsV1"]]


def _entry(writer: Writer, fields: set[Path], time: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "manager": writer.manager,
        "operation": "Update",
        "apiVersion": writer.api_version,
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": _print(fields),
    }
    return entry | ({"subresource": writer.subresource} if writer.subresource else {})


class _Missing:
    """Equal to no value."""


class _Container:
    """Stands for a map or a keyed list, whose members are compared by themselves."""


def _fields(document: Any) -> dict[Path, Any]:
    found: dict[Path, Any] = {}
    if isinstance(document, dict):
        _walk(document, (), found)
    return {path: value for path, value in found.items() if path not in _STRIPPED and path not in _ALWAYS}


def _walk(value: Any, path: Path, found: dict[Path, Any]) -> None:
    name = path[-1].removeprefix("f:") if path else ""
    if path in _STRIPPED or (path[0:1] == path and value in (None, "") and name not in ("endpoints", "ports")):
        return
    if isinstance(value, dict) and name not in _ATOMIC:
        found[path] = _Container
        for key, member in value.items():
            _walk(member, (*path, f"f:{key}"), found)
    elif isinstance(value, list) and path in _LIST_KEYS:
        found[path] = _Container
        for item in value:
            member = (*path, _item_key(item, _LIST_KEYS[path]))
            _walk(item if name != "ownerReferences" else str(item), member, found)
    else:
        found[path] = json.dumps(value, sort_keys=True)
    found.pop((), None)


def _item_key(item: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return "k:" + json.dumps({name: item[name] for name in names if name in item}, separators=(",", ":"))


def _parse(printed: Mapping[str, Any], path: Path = ()) -> set[Path]:
    found = set()
    for key, inner in printed.items():
        if key == ".":
            found.add(path)
        elif inner:
            found |= _parse(inner, (*path, key))
        else:
            found.add((*path, key))
    return found


def _print(fields: set[Path]) -> dict[str, Any]:
    printed: dict[str, Any] = {}
    parents = {path[:length] for path in fields for length in range(1, len(path))}
    for path in sorted(fields):
        node = printed
        for element in path:
            node = node.setdefault(element, {})
        if path in parents:
            node["."] = {}
    return printed
