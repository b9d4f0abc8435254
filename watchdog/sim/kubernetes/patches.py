"""What a PATCH asks for, by its content type.

Law: it turns a body into a function over documents; whether the result may be stored is not its concern.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from watchdog.sim.kubernetes.decoding import json_type
from watchdog.sim.kubernetes.errors import StatusError, bad_request, not_simulated, rejected
from watchdog.sim.kubernetes.json_patch import (
    PatchNotSimulatedError,
    PatchRejectedError,
    apply_json_patch,
    merge_patch,
    strategic_merge,
)
from watchdog.sim.kubernetes.kinds import Json

Change = Callable[[Json], Any]
_MERGE_KEYS = {"containers": "name", "ports": "port", "conditions": "type", "ownerReferences": "uid"}


JSON_PATCH = "application/json-patch+json"
_APPLIERS: Mapping[str, Callable[[Json, Any], Any]] = {
    JSON_PATCH: apply_json_patch,
    "application/merge-patch+json": merge_patch,
    "application/strategic-merge-patch+json": lambda old, patch: strategic_merge(old, patch, _MERGE_KEYS),
}


def read_patch(content_type: str, body: bytes) -> Change:
    """The change that a PATCH asks for; raises StatusError (400, 415)."""
    if content_type == "application/apply-patch+yaml":
        raise not_simulated("server-side apply")
    apply = _APPLIERS.get(content_type)
    if apply is None:
        raise StatusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    patch = read_document(body, "error decoding patch: ")
    if content_type == JSON_PATCH:
        fits, type_name = _is_list_of_operations(patch), "[]handlers.jsonPatchOp"
    else:
        fits, type_name = isinstance(patch, dict), "map[string]interface {}"
    if not fits:
        reason = f"json: cannot unmarshal {json_type(patch)} into Go value of type {type_name}"
        raise bad_request(f"error decoding patch: {reason}")

    def change(old: Json) -> Any:
        try:
            return apply(old, patch)
        except PatchRejectedError as error:
            raise rejected() from error
        except PatchNotSimulatedError as error:
            raise not_simulated(str(error)) from error

    return change


def read_document(body: bytes, prefix: str = "") -> Any:
    """A JSON body; raises StatusError (400)."""
    try:
        return json.loads(body)
    except ValueError as error:
        raise bad_request(f"{prefix}{error}") from error


def _is_list_of_operations(patch: Any) -> bool:
    return isinstance(patch, list) and all(isinstance(each, dict) for each in patch)
