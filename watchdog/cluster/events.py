"""Kubernetes Events on the objects of a target: what ``kubectl describe`` shows of the watchdog.

Law: an Event has a name made from what it tells, so that telling it twice makes one Event.
"""

from watchdog.cluster.client import FIELD_MANAGER, Cluster, ConflictError
from watchdog.core.digest import short_digest
from watchdog.core.instant import show_micro_time
from watchdog.core.objectevents import ObjectEvent

_API_VERSION = {"Service": "v1", "Deployment": "apps/v1"}
_NOTE_BYTES = 1024


async def emit(cluster: Cluster, namespace: str, event: ObjectEvent, *, now: float) -> bool:
    """Creates the Event; False when it was there already. Raises ClusterError."""
    told = short_digest(f"{event.uid}/{event.reason}/{event.occasion}")
    regarding = {
        "apiVersion": _API_VERSION[event.kind],
        "kind": event.kind,
        "namespace": namespace,
        "name": event.name,
        "uid": event.uid,
    }
    body = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{event.name}.{told}", "namespace": namespace},
        "eventTime": show_micro_time(now),
        "reportingController": FIELD_MANAGER,
        "reportingInstance": FIELD_MANAGER,
        "action": event.reason,
        "reason": event.reason,
        "regarding": regarding,
        "note": event.note.encode()[:_NOTE_BYTES].decode(errors="ignore"),
        "type": "Warning" if event.is_warning else "Normal",
    }
    try:
        await cluster.create(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", body)
    except ConflictError:
        return False  # told before
    return True
