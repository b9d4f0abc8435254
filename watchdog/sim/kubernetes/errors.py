"""The API server's refusals: a Status object and its code.

Law: pure; the wording is the server's own, as the contract tests hold it to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

REJECTED = "the server rejected our request due to an error in our request"


class StatusError(Exception):
    """A refusal. ``body`` is what the server sends as JSON."""

    def __init__(self, code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
        }
        if details is not None:
            self.body["details"] = details
        self.body["code"] = code


def not_found(resource: str, plural: str, group: str, name: str) -> StatusError:
    """404 for an object."""
    return StatusError(404, "NotFound", f'{resource} "{name}" not found', _details(name, plural, group))


def already_exists(resource: str, plural: str, group: str, name: str) -> StatusError:
    """409 for a name that is taken."""
    return StatusError(409, "AlreadyExists", f'{resource} "{name}" already exists', _details(name, plural, group))


def conflict(resource: str, plural: str, group: str, name: str) -> StatusError:
    """409 for a resourceVersion that is not the newest."""
    message = (
        f'Operation cannot be fulfilled on {resource} "{name}": the object has been modified; please apply your '
        "changes to the latest version and try again"
    )
    return StatusError(409, "Conflict", message, _details(name, plural, group))


def bad_request(message: str) -> StatusError:
    """400."""
    return StatusError(400, "BadRequest", message)


def other_namespace() -> StatusError:
    """400 for an object that says it belongs elsewhere."""
    return bad_request("the namespace of the provided object does not match the namespace sent on the request")


def rejected() -> StatusError:
    """422 for a JSON Patch that does not apply: the server does not say why."""
    return StatusError(422, "Invalid", REJECTED, {})


def invalid(qualified: str, group: str, name: str, causes: Sequence[tuple[str, str, str]]) -> StatusError:
    """422 for an object that the validation refuses; causes are (field, reason, message)."""
    shown = [f"{field}: {message}" for field, _, message in causes]
    text = shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"
    details = _details(name, qualified.partition(".")[0], group)
    details["causes"] = [{"reason": reason, "message": message, "field": field} for field, reason, message in causes]
    return StatusError(422, "Invalid", f'{qualified} "{name}" is invalid: {text}', details)


def immutable(qualified: str, group: str, name: str, field: str, value: str) -> StatusError:
    """422 for a field that cannot change; the server names the cause twice."""
    cause = (field, "FieldValueInvalid", f'Invalid value: "{value}": field is immutable')
    error = invalid(qualified, group, name, [cause])
    error.body["details"]["causes"] *= 2
    return error


def patch_invalid(shown: str, reason: str) -> StatusError:
    """422 for a patched document that is not of the object's type."""
    quoted = shown.replace("\\", "\\\\").replace('"', '\\"')
    text = f'Invalid value: "{quoted}": {reason}'
    details = {"causes": [{"reason": "FieldValueInvalid", "message": text, "field": "patch"}]}
    return StatusError(422, "Invalid", f' "" is invalid: patch: {text}', details)


def not_simulated(what: str) -> StatusError:
    """501: the real server would have answered; the simulator does not know what."""
    return StatusError(501, "NotImplemented", f"not simulated: {what}")


def _details(name: str, plural: str, group: str) -> dict[str, Any]:
    return ({"name": name} if name else {}) | ({"group": group} if group else {}) | {"kind": plural}
