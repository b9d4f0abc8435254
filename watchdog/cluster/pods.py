"""Reads pods and Deployments: who is ready, who was restarted, which rollout is stuck.

Law: pure. What an object does not say is read as nothing wrong, save readiness, which has to be said.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from watchdog.cluster.client import Json
from watchdog.core.instant import Instant
from watchdog.core.model import ContainerStatus


def is_ready(pod: Json) -> bool:
    """True for a pod that is ready and is not being deleted."""
    if pod["metadata"].get("deletionTimestamp"):
        return False
    return any(each.get("status") == "True" for each in _conditions(pod, "Ready"))


def troubled(pods: Iterable[Json]) -> tuple[ContainerStatus, ...]:
    """The containers of these pods that wait or were restarted; those of pods that are being deleted are left out."""
    staying = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    found = [_container(pod, status) for pod in staying for status in _statuses(pod)]
    return tuple(each for each in found if each.restarts or each.waiting)


def why_stuck(deployment: Json) -> str:
    """Why the rollout of a Deployment makes no progress; "" when it does, or is done."""
    generation = deployment["metadata"].get("generation") or 0
    observed = deployment.get("status", {}).get("observedGeneration") or 0
    for condition in _conditions(deployment, "Progressing"):
        if condition.get("status") == "False":
            return f"Progressing is False ({condition.get('reason') or 'no reason given'})"
    if observed < generation:
        return f"no controller has looked at its generation {generation} yet, the last was {observed}"
    return ""


def is_mixed(deployment: Json) -> bool:
    """True while a rollout has not yet replaced every pod of earlier revisions."""
    status = deployment.get("status", {})
    return (status.get("replicas") or 0) > (status.get("updatedReplicas") or 0)


def _statuses(pod: Json) -> Iterator[Json]:
    status = pod.get("status", {})
    for part in ("initContainerStatuses", "containerStatuses"):
        yield from status.get(part) or ()


def _container(pod: Json, status: Json) -> ContainerStatus:
    state, last = status.get("state") or {}, status.get("lastState") or {}
    has_failed = bool((state.get("terminated") or {}).get("exitCode"))
    ended = (state if has_failed else last).get("terminated")
    began_at, ended_at = _instant(ended, "startedAt"), _instant(ended, "finishedAt")
    return ContainerStatus(
        pod=pod["metadata"]["name"],
        restarts=int(status.get("restartCount") or 0),
        waiting=str((state.get("waiting") or {}).get("reason") or ""),
        running_since=_instant(state.get("running"), "startedAt"),
        ended_at=ended_at,
        lasted=None if began_at is None or ended_at is None else ended_at - began_at,
        has_failed=has_failed,
    )


def _instant(part: Mapping[str, Any] | None, key: str) -> Instant | None:
    text = (part or {}).get(key)
    return datetime.fromisoformat(text).timestamp() if text else None


def _conditions(found: Json, kind: str) -> list[Json]:
    return [each for each in found.get("status", {}).get("conditions") or () if each.get("type") == kind]
