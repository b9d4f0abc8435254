"""JSON Patch, JSON merge patch and strategic merge patch as the API server applies them.

Law: pure. The document that is given is never changed; what the real library refuses is refused, what it lets pass
passes.

The API server applies JSON Patch with gopkg.in/evanphx/json-patch.v4, which is laxer than RFC 6902: ``replace`` of a
missing key adds it, ``test`` for null holds on a missing key, ``copy`` of a missing key adds null, and a negative
index counts from the end.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

_INDEX = re.compile(r"[+-]?\d+")
_DIRECTIVES = ("$patch", "$retainKeys", "$setElementOrder", "$deleteFromPrimitiveList")


class PatchRejectedError(Exception):
    """An operation that does not apply; the API server answers 422 and keeps the reason to itself."""


class PatchNotSimulatedError(Exception):
    """A strategic merge directive that the simulator does not know."""


def apply_json_patch(document: Any, operations: Sequence[Mapping[str, Any]]) -> Any:
    """The document after all operations; raises PatchRejectedError for the first that does not apply."""
    patched = copy.deepcopy(document)
    for operation in operations:
        patched = _apply(patched, operation)
    return patched


def merge_patch(document: Any, patch: Any) -> Any:
    """The document after a JSON merge patch (RFC 7386): null deletes, maps merge, all else replaces."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def strategic_merge(document: Any, patch: Any, keys: Mapping[str, str]) -> Any:
    """The document after a strategic merge patch; ``keys`` names the merge key of each list that has one."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if key.startswith(_DIRECTIVES):
            raise PatchNotSimulatedError(f"the directive {key} of strategic merge patches")
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, list) and key in keys:
            merged[key] = _merge_list(merged.get(key) or [], value, keys, by=keys[key])
        else:
            merged[key] = strategic_merge(merged.get(key), value, keys)
    return merged


def _merge_list(items: list[Any], patch: list[Any], keys: Mapping[str, str], *, by: str) -> list[Any]:
    merged = list(items)
    added = []
    for entry in patch:
        place = next((n for n, item in enumerate(merged) if item.get(by) == entry.get(by)), None)
        if place is None:
            added.append(strategic_merge({}, entry, keys))
        else:
            merged[place] = strategic_merge(merged[place], entry, keys)
    return added + merged


def _apply(document: Any, operation: Mapping[str, Any]) -> Any:
    path, kind, value = operation.get("path"), operation.get("op"), operation.get("value")
    if not isinstance(path, str):
        raise PatchRejectedError(f"{kind} has no path")
    if path == "" and kind == "replace":
        return copy.deepcopy(value)
    if path == "" and kind == "test":
        return _tested(document, same=_same(document, value), path=path)
    holder, key = _find(document, path)
    match kind:
        case "add":
            _add(holder, key, value)
        case "remove":
            _remove(holder, key)
        case "replace":
            _get(holder, key)
            _set(holder, key, value)
        case "test":
            return _tested(document, same=_same(_get(holder, key), value), path=path)
        case "move":
            _move(document, operation)
        case "copy":
            _add(holder, key, _get(*_find(document, _origin(operation))))
        case _:
            raise PatchRejectedError(f"unexpected kind: {kind}")
    return document


def _move(document: Any, operation: Mapping[str, Any]) -> None:
    origin, key = _find(document, _origin(operation))
    value = _get(origin, key)
    _remove(origin, key)
    _add(*_find(document, str(operation["path"])), value)


def _origin(operation: Mapping[str, Any]) -> str:
    origin = operation.get("from")
    if not isinstance(origin, str):
        raise PatchRejectedError(f"{operation.get('op')} has no from")
    return origin


def _tested(document: Any, *, same: bool, path: str) -> Any:
    if not same:
        raise PatchRejectedError(f"testing value {path} failed")
    return document


def _find(document: Any, path: str) -> tuple[Any, str]:
    """The container that holds the last part of the path, and that part."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")]
    if len(parts) < 2:  # noqa: PLR2004 - a path starts with a slash, so it has two parts
        raise PatchRejectedError(f"not a path: {path!r}")
    holder = document
    for part in parts[1:-1]:
        holder = _get(holder, part)
        if not isinstance(holder, dict | list):
            raise PatchRejectedError(f"the document has no {path}")
    return holder, parts[-1]


def _get(holder: Any, key: str) -> Any:
    return holder.get(key) if isinstance(holder, dict) else holder[_index(holder, key)]


def _set(holder: Any, key: str, value: Any) -> None:
    place = key if isinstance(holder, dict) else _index(holder, key)
    holder[place] = copy.deepcopy(value)


def _add(holder: Any, key: str, value: Any) -> None:
    if isinstance(holder, dict):
        holder[key] = copy.deepcopy(value)
    elif key == "-":
        holder.append(copy.deepcopy(value))
    else:
        holder.insert(_index(holder, key, room=1), copy.deepcopy(value))


def _remove(holder: Any, key: str) -> None:
    if isinstance(holder, list):
        del holder[_index(holder, key)]
    elif key in holder:
        del holder[key]
    else:
        raise PatchRejectedError(f"there is no {key} to remove")


def _index(holder: list[Any], key: str, *, room: int = 0) -> int:
    if not _INDEX.fullmatch(key):
        raise PatchRejectedError(f"not an index: {key}")
    size = len(holder) + room
    index = int(key)
    index = index + size if index < 0 else index
    if not 0 <= index < size:
        raise PatchRejectedError(f"index out of range: {key}")
    return index


def _same(one: Any, other: Any) -> bool:
    """Equality as JSON texts have it: 1, 1.0 and true are three different values."""
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
        case list(), list():
            return len(one) == len(other) and all(map(_same, one, other))
        case _:
            return type(one) is type(other) and bool(one == other)
