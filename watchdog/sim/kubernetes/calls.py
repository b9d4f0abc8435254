"""What a request asks of which object.

Law: it reads paths and headers and knows no object; a path that is not simulated is refused with 501.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from watchdog.sim.kubernetes.errors import StatusError, not_simulated
from watchdog.sim.kubernetes.events import EVENTS_API
from watchdog.sim.kubernetes.kinds import DEPLOYMENT, EVENT, KINDS, Kind

_LONGEST_MANAGER = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a request asks of which object."""

    kind: Kind
    api_version: str
    namespace: str
    name: str
    subresource: str
    query: Mapping[str, str]
    manager: str

    @property
    def dry_run(self) -> bool:
        """True when nothing is to be stored."""
        return self.query.get("dryRun") == "All"

    @property
    def validation(self) -> str:
        """What becomes of unknown fields: Ignore, Warn or Strict."""
        return self.query.get("fieldValidation") or "Warn"

    @property
    def is_event_view(self) -> bool:
        """True when events are asked for by their newer API."""
        return self.api_version == EVENTS_API


def parse_call(parts: list[str], request: web.Request) -> Call:
    """Raises StatusError (501) for a path that is not simulated."""
    if parts[:1] == ["api"]:
        api_version, rest = "/".join(parts[1:2]), parts[2:]
    else:
        api_version, rest = "/".join(parts[1:3]), parts[3:]
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2:  # noqa: PLR2004 - namespaces/{namespace}/{plural}
        namespace, rest = rest[1], rest[2:]
    plural, name, subresource = (*rest, "", "", "")[:3]
    known = [kind for kind in KINDS if kind.plural == plural and api_version in _versions(kind)]
    if not known or (subresource and (plural, subresource) != (DEPLOYMENT.plural, "scale")):
        raise not_simulated(request.path)
    return Call(
        kind=known[0],
        api_version=api_version,
        namespace=namespace,
        name=name,
        subresource=subresource,
        query=request.query,
        manager=request.query.get("fieldManager") or _manager_of(request.headers.get("User-Agent", "")),
    )


def _versions(kind: Kind) -> tuple[str, ...]:
    return ("v1", EVENTS_API) if kind is EVENT else (kind.api_version,)


def _manager_of(user_agent: str) -> str:
    return user_agent.partition("/")[0][:_LONGEST_MANAGER]


def forbidden(call: Call, method: str) -> StatusError:
    """403 for whoever shows no token."""
    verbs = {"GET": "get" if call.name else "list", "POST": "create", "PATCH": "patch", "DELETE": "delete"}
    group = call.api_version.rpartition("/")[0]
    resource = f"{call.kind.plural}.{group}" if group else call.kind.plural
    what = f'{resource} "{call.name}"' if call.name else resource
    place = f' in the namespace "{call.namespace}"' if call.namespace else " at the cluster scope"
    message = (
        f'{what} is forbidden: User "system:anonymous" cannot {verbs.get(method, method.lower())} resource '
        f'"{call.kind.plural}" in API group "{group}"{place}'
    )
    details = ({"name": call.name} if call.name else {}) | ({"group": group} if group else {})
    return StatusError(403, "Forbidden", message, details | {"kind": call.kind.plural})
