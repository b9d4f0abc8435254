"""What a typed server keeps of a document: known fields, zero values left out, everything of the right type.

Law: pure; the document that is given is never changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from watchdog.sim.kubernetes.errors import StatusError, bad_request, patch_invalid
from watchdog.sim.kubernetes.kinds import ENDPOINT_SLICE, Json, Kind

_METADATA = frozenset(
    {
        "name",
        "generateName",
        "namespace",
        "selfLink",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "labels",
        "annotations",
        "ownerReferences",
        "finalizers",
        "managedFields",
    }
)
_MAPS = frozenset({"labels", "annotations", "selector"})
_NUMBERS = frozenset({"replicas", "minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit"})


def decode(kind: Kind, given: Any) -> Json:
    """Only what the server's type knows, zero values left out; raises StatusError for a value of the wrong type."""
    if not isinstance(given, dict):
        raise bad_request(f"json: cannot unmarshal {json_type(given)} into Go value of type {kind.kind}")
    decoded: Json = {"kind": kind.kind, "apiVersion": kind.api_version}
    for key, known, struct in (("metadata", _METADATA, "ObjectMeta"), ("spec", kind.spec_fields, f"{kind.kind}Spec")):
        part = given.get(key)
        if part is not None and not isinstance(part, dict):
            raise _wrong_type(given, key, part, f"{kind.kind}.{key}", struct)
        if part is not None or key == "metadata":
            decoded[key] = _decode_struct(given, part or {}, known=known, struct=struct, path=key)
    for key in kind.top_fields - {"spec"}:
        if given.get(key) is not None or (kind is ENDPOINT_SLICE and key in given):
            decoded[key] = given[key]
    return decoded


def unknown_fields(kind: Kind, given: Mapping[str, Any]) -> list[str]:
    """The paths that the server would drop with a warning."""
    known: Iterable[tuple[str, Any, frozenset[str] | None]] = (
        ("", given, kind.top_fields | {"kind", "apiVersion", "metadata", "spec", "status"}),
        ("metadata.", given.get("metadata"), _METADATA),
        ("spec.", given.get("spec"), kind.spec_fields),
    )
    return sorted(
        f"{path}{key}"
        for path, part, names in known
        if isinstance(part, dict) and names is not None
        for key in part
        if key not in names
    )


def _decode_struct(
    whole: Any, part: Mapping[str, Any], *, known: frozenset[str] | None, struct: str, path: str
) -> Json:
    decoded: Json = {}
    for key, value in part.items():
        if value is None or (known is not None and key not in known):
            continue
        if key in _MAPS and not (key == "selector" and struct != "ServiceSpec"):
            value = _decode_map(whole, value, f"{struct}.{path}.{key}")  # noqa: PLW2901 - the decoded value
            if not value:
                continue
        if key in _NUMBERS and type(value) is not int:
            raise _wrong_type(whole, key, value, f"{struct}.{path}.{key}", "int32")
        decoded[key] = value
    if struct == "ScaleSpec" and decoded.get("replicas") == 0:
        del decoded["replicas"]  # the one place where the API leaves a zero out that somebody may ask for
    return decoded


def _decode_map(whole: Any, value: Any, field: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _wrong_type(whole, field, value, field, "map[string]string")
    for key, text in value.items():
        if text is not None and not isinstance(text, str):
            raise _wrong_type(whole, key, text, field, "string")
    return {key: text or "" for key, text in value.items()}


def _wrong_type(whole: Any, key: str, value: Any, field: str, wanted: str) -> StatusError:
    del key
    number = f" {value}" if isinstance(value, float) else ""
    shown = json.dumps(whole, separators=(",", ":"))
    reason = f"json: cannot unmarshal {json_type(value)}{number} into Go struct field {field} of type {wanted}"
    return patch_invalid(shown, reason)


def json_type(value: Any) -> str:
    """What Go's JSON decoder calls a value."""
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
