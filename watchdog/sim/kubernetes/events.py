"""Events: one object behind two APIs, core/v1 and events.k8s.io/v1.

Law: pure. Events are kept as core/v1 has them; the other API is a view with other names.

The checks are those of ``ValidateEventCreate`` in pkg/apis/core/validation/events.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from watchdog.sim.kubernetes.errors import invalid
from watchdog.sim.kubernetes.kinds import EVENT, Json
from watchdog.sim.kubernetes.validation import NAME_RULE, Cause, subdomain_causes

EVENTS_API = "events.k8s.io/v1"
_TO_CORE = {
    "regarding": "involvedObject",
    "note": "message",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
    "reportingController": "reportingComponent",
}
_FROM_CORE = {core: new for new, core in _TO_CORE.items()}
_LONGEST = {"reportingInstance": 128, "action": 128, "reason": 128, "message": 1024}


def to_core(event: Mapping[str, Any]) -> Json:
    """An event of events.k8s.io/v1 as core/v1 has it."""
    return {_TO_CORE.get(key, key): value for key, value in event.items()} | {"apiVersion": "v1"}


def from_core(event: Mapping[str, Any]) -> Json:
    """An event of core/v1 as events.k8s.io/v1 has it."""
    view: Json = {"eventTime": None} | {_FROM_CORE.get(key, key): value for key, value in event.items()}
    for key in ("reportingController", "reportingInstance"):
        if view.get(key) == "":
            del view[key]
    return view | ({"apiVersion": EVENTS_API} if "apiVersion" in event else {})


def complete_event(event: Json) -> Json:
    """The event with the fields that core/v1 always prints."""
    printed: Json = {
        "source": {},
        "firstTimestamp": None,
        "lastTimestamp": None,
        "eventTime": None,
        "reportingComponent": "",
        "reportingInstance": "",
    }
    return printed | event


def check_event(event: Json, *, namespace: str, strict: bool) -> None:
    """Raises StatusError for an event that the API refuses; ``strict`` is the way of events.k8s.io/v1."""
    controller = "reportingController" if strict else "reportingComponent"
    causes = [*_legacy_causes(event, namespace, controller)]
    if strict:
        causes += _strict_causes(event)
    if causes:
        raise invalid(EVENT.qualified, "", event["metadata"].get("name", ""), causes)


def _legacy_causes(event: Json, namespace: str, controller: str) -> Iterable[Cause]:
    regarding = event.get("involvedObject", {}).get("namespace", "")
    stamped = bool(event.get("eventTime"))
    homeless = not regarding and namespace not in (("default", "kube-system") if stamped else ("default",))
    if homeless or (regarding and not stamped and regarding != namespace):
        yield _bad("involvedObject.namespace", f"{regarding}", "does not match event.namespace")
    if not stamped:
        return
    if not event.get("reportingComponent"):
        yield (controller, "FieldValueRequired", "Required value")
        yield _bad(controller, "", "name part must be non-empty")
        yield _bad(controller, "", NAME_RULE)
    for field in ("reportingInstance", "action", "reason", "message"):
        text = event.get(field) or ""
        if not text and field != "message":
            yield (field, "FieldValueRequired", "Required value")
        if len(text.encode()) > _LONGEST[field]:
            yield _bad(field, "", f"can have at most {_LONGEST[field]} characters")


def _strict_causes(event: Json) -> Iterable[Cause]:
    yield from subdomain_causes("metadata.name", event["metadata"].get("name", ""))
    if not event.get("eventTime"):
        yield ("eventTime", "FieldValueRequired", "Required value")
    if event.get("type") not in ("Normal", "Warning"):
        yield _bad("type", "", f"has invalid value: {event.get('type') or ''}")
    for field in ("firstTimestamp", "lastTimestamp", "count", "source"):
        if event.get(field):
            yield _bad(field, "", "needs to be unset")


def _bad(field: str, shown: str, rule: str) -> Cause:
    return (field, "FieldValueInvalid", f'Invalid value: "{shown}": {rule}')
