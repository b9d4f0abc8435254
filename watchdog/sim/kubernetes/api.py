"""The simulated API server: HTTP in front of a `Cluster`.

Law: it decides nothing about objects; it reads requests, checks who asks and prints answers. A resource, verb or
option that it does not know is answered with 501.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from watchdog.sim.kubernetes.calls import Call, forbidden, parse_call
from watchdog.sim.kubernetes.cluster import Cluster
from watchdog.sim.kubernetes.decoding import unknown_fields
from watchdog.sim.kubernetes.errors import StatusError, bad_request, not_simulated, patch_invalid
from watchdog.sim.kubernetes.events import EVENTS_API, from_core, to_core
from watchdog.sim.kubernetes.kinds import EVENT, KINDS, NAMESPACE, POD, SERVICE, Json, Kind
from watchdog.sim.kubernetes.patches import Change, read_document, read_patch
from watchdog.sim.kubernetes.selectors import parse_field_selector, parse_label_selector

VERSION = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.3",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "go1.26.8",
    "compiler": "gc",
    "platform": "linux/amd64",
}
_CREATABLE = (NAMESPACE.plural, "configmaps", "services", "deployments", "events")
_PATCHABLE = (NAMESPACE.plural, "configmaps", "services", "deployments", "pods")
_DELETABLE = ("configmaps", "services", "deployments", "pods")


def kubernetes_app(cluster: Cluster, *, token: str) -> web.Application:
    """The API server of a cluster, for whoever shows the token."""
    app = web.Application()
    server = _Server(cluster, token)
    app.router.add_route("*", "/{path:.*}", server.answer)
    return app


class _Server:
    def __init__(self, cluster: Cluster, token: str) -> None:
        self._cluster = cluster
        self._token = token

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        try:
            anonymous = self._is_anonymous(request)
            if request.path in ("/readyz", "/livez", "/healthz"):
                return web.Response(text="ok")
            if request.path == "/version":
                return web.json_response(VERSION)
            if request.path == "/apis":
                return web.json_response(_groups())
            return self._answer_resource(request, body, anonymous=anonymous)
        except StatusError as error:
            return web.json_response(error.body, status=error.code)

    def _is_anonymous(self, request: web.Request) -> bool:
        shown = request.headers.get("Authorization", "")
        if shown and shown != f"Bearer {self._token}":
            raise StatusError(401, "Unauthorized", "Unauthorized")
        return not shown

    def _answer_resource(self, request: web.Request, body: bytes, *, anonymous: bool) -> web.Response:
        parts = request.path.strip("/").split("/")
        if parts[:3] == ["apis", "authorization.k8s.io", "v1"] and request.method == "POST":
            return web.json_response(_review(parts[-1], body, allowed=not anonymous), status=201)
        call = parse_call(parts, request)
        if anonymous:
            raise forbidden(call, request.method)
        if "as=" in request.headers.get("Accept", "") or _is_true(call.query.get("watch")):
            raise not_simulated("watches, tables and partial metadata")
        match request.method:
            case "GET" if call.name:
                return web.json_response(_view(call, self._read(call)))
            case "GET":
                return web.json_response(self._list(call))
            case "POST" if not call.name and call.kind.plural in _CREATABLE:
                return _written(call, *self._create(call, read_document(body)), status=201)
            case "PATCH" if call.name and call.kind.plural in _PATCHABLE:
                return _written(call, *self._patch(call, read_patch(request.content_type, body)))
            case "DELETE" if call.name and call.kind.plural in _DELETABLE:
                return web.json_response(self._delete(call))
            case method if method in ("POST", "PATCH", "DELETE") and bool(call.name) == (method == "POST"):
                message = "the server does not allow this method on the requested resource"
                raise StatusError(405, "MethodNotAllowed", message, {})
            case method:
                raise not_simulated(f"{method} of {call.kind.plural}")

    def _read(self, call: Call) -> Json:
        if call.subresource == "scale":
            return self._cluster.read_scale(call.namespace, call.name)
        return self._cluster.read(call.kind, call.namespace, call.name)

    def _list(self, call: Call) -> Json:
        try:
            by_label = parse_label_selector(call.query.get("labelSelector", ""))
            by_field = parse_field_selector(call.query.get("fieldSelector", ""))
        except ValueError as error:
            raise bad_request(str(error)) from error
        items = [
            item
            for item in self._cluster.read_all(call.kind, call.namespace or None)
            if by_label(item["metadata"].get("labels", {})) and by_field(_field_reader(item, call.kind))
        ]
        if call.query.get("continue") or len(items) > int(call.query.get("limit") or len(items)):
            raise not_simulated("lists in pages")
        return {
            "kind": f"{call.kind.kind}List",
            "apiVersion": call.api_version,
            "metadata": {"resourceVersion": self._cluster.resource_version},
            "items": [_without_type(_view(call, item)) for item in items],
        }

    def _create(self, call: Call, document: Any) -> tuple[Json, list[str]]:
        api_version = EVENTS_API if call.is_event_view else None
        unknown: list[str] = []
        if isinstance(document, dict):
            document = to_core(document) if call.is_event_view else document
            unknown = unknown_fields(call.kind, document)
        if unknown and call.validation == "Strict":
            reason = f'strict decoding error: unknown field "{unknown[0]}"'
            named = f'{call.kind.kind} in version "{call.kind.version}" cannot be handled as a {call.kind.kind}'
            raise bad_request(f"{named}: {reason}")
        created = self._cluster.create(
            call.kind,
            call.namespace,
            document,
            manager=call.manager,
            api_version=api_version,
            dry_run=call.dry_run,
        )
        return created, unknown

    def _patch(self, call: Call, change: Change) -> tuple[Json, list[str]]:
        unknown: list[str] = []

        def watched(old: Json) -> Any:
            new = change(old)
            unknown.extend(unknown_fields(call.kind, new) if isinstance(new, dict) else [])
            if unknown and call.validation == "Strict":
                raise patch_invalid(json.dumps(new), f'strict decoding error: unknown field "{unknown[0]}"')
            return new

        if call.subresource == "scale":
            return self._cluster.patch_scale(call.namespace, call.name, change, dry_run=call.dry_run), []
        patched = self._cluster.patch(
            call.kind, call.namespace, call.name, watched, manager=call.manager, dry_run=call.dry_run
        )
        return patched, unknown

    def _delete(self, call: Call) -> Json:
        gone = self._cluster.delete(call.kind, call.namespace, call.name)
        if call.kind in (POD, SERVICE):  # the others are deleted in the background and answer with a Status
            return gone
        details = {"name": call.name, "kind": call.kind.plural, "uid": gone["metadata"]["uid"]}
        if call.kind.group:
            details["group"] = call.kind.group
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _groups() -> Json:
    """The API groups that there are."""
    versions: dict[str, str] = {kind.group: kind.api_version for kind in KINDS if kind.group}
    groups = [
        {
            "name": group,
            "versions": [{"groupVersion": api_version, "version": api_version.partition("/")[2]}],
            "preferredVersion": {"groupVersion": api_version, "version": api_version.partition("/")[2]},
        }
        for group, api_version in versions.items()
    ]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def _written(call: Call, written: Json, unknown: list[str], *, status: int = 200) -> web.Response:
    """The object, and a warning for each field that was dropped."""
    warned = unknown if call.validation == "Warn" else []
    headers = [("Warning", f'299 - "unknown field \\"{field}\\""') for field in warned]
    return web.json_response(_view(call, written), status=status, headers=headers)


def _view(call: Call, item: Json) -> Json:
    return from_core(item) if call.is_event_view else item


def _without_type(item: Json) -> Json:
    return {key: value for key, value in item.items() if key not in ("kind", "apiVersion")}


def _field_reader(item: Json, kind: Kind) -> Callable[[str], str]:
    def read(field: str) -> str:
        simulated = field in ("metadata.name", "metadata.namespace") or (
            kind is EVENT and field.partition(".")[0] in ("involvedObject", "reason", "type")
        )
        if not simulated:
            raise not_simulated(f"the field selector {field}")
        value: Any = item
        for part in field.split("."):
            value = value.get(part, "") if isinstance(value, dict) else ""
        return str(value)

    return read


def _review(plural: str, body: bytes, *, allowed: bool) -> Json:
    if plural != "selfsubjectaccessreviews":
        raise not_simulated(plural)
    spec = read_document(body).get("spec", {})
    named = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1"}
    return named | {"metadata": {}, "spec": spec, "status": {"allowed": allowed}}


def _is_true(text: str | None) -> bool:
    return (text or "").lower() in ("1", "true")
