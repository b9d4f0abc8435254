"""What an object becomes before it is stored.

Law: pure. An object that `admit` returns is what the API server would store, but for its resourceVersion.
"""

from __future__ import annotations

from typing import Any

from watchdog.sim.kubernetes.decoding import decode, json_type
from watchdog.sim.kubernetes.defaults import fill_in
from watchdog.sim.kubernetes.errors import bad_request, conflict, immutable, invalid, other_namespace
from watchdog.sim.kubernetes.kinds import DEPLOYMENT, SCALE, Json, Kind
from watchdog.sim.kubernetes.validation import causes


def admit(kind: Kind, new: Any, *, old: Json | None) -> Json:
    """The object as it would be stored; raises StatusError for what the server refuses."""
    admitted = decode(kind, new)
    if old is not None:
        _check_identity(kind, admitted, old)
    fill_in(kind, admitted)
    if found := [*causes(kind, admitted, old)]:
        raise invalid(kind.qualified, kind.group, str(admitted["metadata"].get("name", "")), found)
    return admitted


def check_type(kind: Kind, document: Any) -> None:
    """Raises StatusError (400) for a document that says it is of another kind, or that is no object."""
    if not isinstance(document, dict):
        reason = f"couldn't get version/kind; json parse error: json: cannot unmarshal {json_type(document)}"
        raise bad_request(f"the object provided is unrecognized (must be of type {kind.kind}): {reason}")
    named, version = document.get("kind", kind.kind), document.get("apiVersion", kind.api_version)
    if (named, version) != (kind.kind, kind.api_version):
        raise bad_request(f'{named} in version "{version}" cannot be handled as a {kind.kind}')


def _check_identity(kind: Kind, new: Json, old: Json) -> None:
    metadata, before = new["metadata"], old["metadata"]
    if metadata.get("name") != before["name"]:
        named = metadata.get("name", "")
        raise bad_request(f"the name of the object ({named}) does not match the name on the URL ({before['name']})")
    if metadata.get("namespace") != before.get("namespace"):
        raise other_namespace()
    if metadata.get("uid", before["uid"]) != before["uid"]:
        if kind is SCALE:
            raise conflict(DEPLOYMENT.resource, DEPLOYMENT.plural, DEPLOYMENT.group, before["name"])
        raise immutable(kind.qualified, kind.group, before["name"], "metadata.uid", metadata["uid"])
    if metadata.get("resourceVersion", before["resourceVersion"]) != before["resourceVersion"]:
        owner = DEPLOYMENT if kind is SCALE else kind
        raise conflict(owner.resource, owner.plural, owner.group, before["name"])
    for key in ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"):
        if key in before:
            metadata[key] = before[key]
