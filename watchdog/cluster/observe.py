"""Observes a target: lists what its namespace holds and turns it into a `TargetStatus`.

Law: `read_namespace` asks and does not think; `status_of` thinks and does not ask.
"""

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self, TypeVar

from watchdog.cluster.client import Cluster, ClusterError, Json, NotFoundError
from watchdog.cluster.endpoints import SERVICE_NAME, count_ready, slices_path
from watchdog.cluster.pods import is_mixed, is_ready, troubled, why_stuck
from watchdog.core.annotations import (
    LAST_TRIP,
    TRIP,
    UnreadableRecordError,
    is_flux_off,
    ours,
    read_finished,
    read_trip,
    why_paused,
    why_unfit,
)
from watchdog.core.model import (
    DeploymentStatus,
    FinishedTrip,
    Selected,
    ServiceStatus,
    TargetStatus,
    Trip,
)
from watchdog.core.rules.language import Service, Target
from watchdog.core.selectors import color_of, selector_for, selects

REVISION = "deployment.kubernetes.io/revision"

Answer = TypeVar("Answer")


class MissingError(ClusterError):
    """What is declared does not exist, is about to go, or cannot be switched at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Myself:
    """The watchdog's own Deployment, whose pause annotation pauses everything."""

    namespace: str
    deployment: str

    @classmethod
    def named(cls, namespace: str | None, deployment: str | None) -> Self | None:
        """None for a watchdog that has no Deployment, or does not know it."""
        return cls(namespace=namespace, deployment=deployment) if namespace and deployment else None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceSnapshot:
    """What one namespace held, as raw JSON. ``pauses`` are the places above the target that may pause it.

    A place that could not be read has a sentence instead of annotations: unreadable is paused.
    """

    services: Mapping[str, Json]
    deployments: Mapping[str, Json]
    pods: tuple[Json, ...]
    slices: tuple[Json, ...]
    pauses: tuple[tuple[str, Mapping[str, str] | str], ...]


async def read_namespace(cluster: Cluster, namespace: str, myself: Myself | None) -> NamespaceSnapshot:
    """Lists a namespace, concurrently. Raises ClusterError when a list cannot be had."""
    core, apps = "/api/v1", "/apis/apps/v1"
    spaced = f"namespaces/{namespace}"
    async with asyncio.TaskGroup() as group:

        def begin(call: Coroutine[Any, Any, Answer]) -> asyncio.Task[Answer | ClusterError]:
            return group.create_task(_settled(call))

        services = begin(cluster.get(f"{core}/{spaced}/services"))
        deployments = begin(cluster.get(f"{apps}/{spaced}/deployments"))
        pods = begin(cluster.get(f"{core}/{spaced}/pods"))
        slices = begin(cluster.get(slices_path(namespace)))
        pauses = [begin(_space(cluster, namespace))]
        if myself is not None:
            path = f"{apps}/namespaces/{myself.namespace}/deployments/{myself.deployment}"
            pauses.append(begin(_pause(cluster, path, "the watchdog itself")))
    return NamespaceSnapshot(
        pauses=tuple(map(_result, pauses)),
        services=_by_name(_result(services)),
        deployments=_by_name(_result(deployments)),
        pods=tuple(_items(_result(pods))),
        slices=tuple(_items(_result(slices))),
    )


async def _settled(call: Awaitable[Answer]) -> Answer | ClusterError:
    """A call that fails does not cancel the others: a connection that is cancelled while it is made is left open."""
    try:
        return await call
    except ClusterError as error:
        return error


def _result(settled: asyncio.Task[Answer | ClusterError]) -> Answer:
    answer = settled.result()
    if isinstance(answer, ClusterError):
        raise answer
    return answer


async def _space(cluster: Cluster, namespace: str) -> tuple[str, Mapping[str, str] | str]:
    """The namespace as a place that may pause the target. Raises MissingError for one that is no more."""
    where = f"namespace {namespace}"
    try:
        found = await cluster.get(f"/api/v1/namespaces/{namespace}")
    except NotFoundError:
        raise MissingError(f"the {where} does not exist") from None
    except ClusterError as error:
        return where, _unknown_pause(where, error)
    if found["metadata"].get("deletionTimestamp"):
        raise MissingError(f"the {where} is being deleted: nothing is rolled back in it any more")
    return where, ours(_annotations(found))


async def _pause(cluster: Cluster, path: str, where: str) -> tuple[str, Mapping[str, str] | str]:
    try:
        return where, ours(_annotations(await cluster.get(path)))
    except ClusterError as error:
        return where, _unknown_pause(where, error)


def _unknown_pause(where: str, error: ClusterError) -> str:
    return f"whether {where} is paused cannot be read: {error}"


def status_of(target: Target, snapshot: NamespaceSnapshot, *, now: float) -> TargetStatus:
    """The target in a snapshot. Raises MissingError for what is declared and not there."""
    deployments = {
        (service.name, color): _deployment(snapshot, service, color)
        for service in target.services
        for color in target.colors
    }
    services = tuple(_service(target, service, snapshot, deployments) for service in target.services)
    trip, last_trip, unreadable = _trips(target, services)
    return TargetStatus(
        services=services,
        deployments=deployments,
        paused=_paused(services, snapshot, now),
        unreadable=unreadable,
        trip=trip,
        last_trip=last_trip,
        borrowers=_borrowers(target, snapshot),
    )


def _deployment(snapshot: NamespaceSnapshot, service: Service, color: str) -> DeploymentStatus:
    name = service.deployment_of(color)
    found = snapshot.deployments.get(name)
    if found is None:
        raise MissingError(f"Deployment {name} does not exist")
    annotations, pods = _annotations(found), _pods_of(snapshot, found)
    return DeploymentStatus(
        name=name,
        uid=found["metadata"]["uid"],
        resource_version=found["metadata"]["resourceVersion"],
        revision=annotations.get(REVISION, "0"),
        replicas=found["spec"].get("replicas", 1),
        ready=sum(is_ready(pod) for pod in pods),
        annotations=ours(annotations),
        flux_off=is_flux_off(annotations),
        labels=_labels(found["spec"]["template"]),
        grace=found["spec"]["template"]["spec"].get("terminationGracePeriodSeconds", 30),
        scaled_by=_written(found, "f:replicas")[1],
        troubled=troubled(pods),
        stuck=why_stuck(found),
        mixed=is_mixed(found),
    )


def _service(
    target: Target,
    service: Service,
    snapshot: NamespaceSnapshot,
    deployments: Mapping[tuple[str, str], DeploymentStatus],
) -> ServiceStatus:
    found = snapshot.services.get(service.name)
    if found is None:
        raise MissingError(f"Service {service.name} does not exist")
    selector = found["spec"].get("selector") or {}
    if found["spec"].get("type") == "ExternalName" or not selector:
        raise MissingError(f"Service {service.name} selects no pods by labels (ExternalName, or no selector)")
    if found["spec"].get("clusterIP") == "None":
        raise MissingError(
            f"Service {service.name} is headless (clusterIP: None): its clients keep the addresses of pods that they "
            "have looked up, so that a switch would not move them. Declare a Service with a cluster IP"
        )
    written_at, manager = _written(found, "f:selector")
    slices = [piece for piece in snapshot.slices if _labels(piece).get(SERVICE_NAME) == service.name]
    pods = _colors_of_pods(target, service, snapshot)
    return ServiceStatus(
        name=service.name,
        uid=found["metadata"]["uid"],
        resource_version=found["metadata"]["resourceVersion"],
        selector=selector,
        color=color_of(target, service, selector),
        would_select={
            color: _selected(snapshot, selector_for(service, selector, color), deployments[service.name, color].name)
            for color in target.colors
        },
        endpoints=count_ready(slices, pods, target.colors),
        slices=tuple(piece["metadata"]["name"] for piece in slices),
        pods=pods,
        switched_at=written_at,
        selector_manager=manager,
        annotated="annotations" in found["metadata"],
        annotations=ours(_annotations(found)),
        flux_off=is_flux_off(_annotations(found)),
    )


def _selected(snapshot: NamespaceSnapshot, selector: Mapping[str, str], deployment: str) -> Selected:
    own = _match_labels(snapshot.deployments[deployment])
    picked = [pod for pod in snapshot.pods if selects(selector, _labels(pod))]
    return Selected(
        selector=selector,
        ready=sum(is_ready(pod) for pod in picked if selects(own, _labels(pod))),
        foreign=sum(not selects(own, _labels(pod)) for pod in picked),
    )


def _colors_of_pods(target: Target, service: Service, snapshot: NamespaceSnapshot) -> dict[str, str]:
    return {
        pod["metadata"]["name"]: color
        for color in target.colors
        for pod in _pods_of(snapshot, snapshot.deployments[service.deployment_of(color)])
    }


def _written(found: Json, field: str) -> tuple[float | None, str]:
    """When a field of the spec was last written, and by whom, as the API server noted it for the fields' managers."""
    writes = [
        (datetime.fromisoformat(entry["time"]).timestamp(), str(entry.get("manager", "")))
        for entry in found["metadata"].get("managedFields") or ()
        if entry.get("time") and field in entry.get("fieldsV1", {}).get("f:spec", {})
    ]
    return max(writes, default=(None, ""))


def _trips(target: Target, services: Iterable[ServiceStatus]) -> tuple[Trip | None, FinishedTrip | None, str]:
    opened: dict[str, Trip] = {}
    finished: list[FinishedTrip] = []
    for service in services:
        try:
            if TRIP in service.annotations:
                trip = _open_trip(target, service)
                opened[trip.id] = trip
            if LAST_TRIP in service.annotations:
                finished.append(read_finished(service.annotations[LAST_TRIP]))
        except UnreadableRecordError as error:
            return None, None, f"Service {service.name} carries a record that cannot be read: {error}"
    if len(opened) > 1:
        return None, None, f"the Services carry several open rollbacks: {', '.join(sorted(opened))}"
    last = max(finished, key=lambda each: each.finished_at, default=None)
    return next(iter(opened.values()), None), last, ""


def _open_trip(target: Target, service: ServiceStatus) -> Trip:
    trip = read_trip(service.annotations[TRIP])
    if why := why_unfit(trip, target.colors):
        command = f"kubectl -n {target.namespace} annotate service {service.name} {TRIP}-"
        raise UnreadableRecordError(f"{TRIP}: {why}; or take it off, and it is ended as it is: {command}")
    return trip


def _paused(services: Iterable[ServiceStatus], snapshot: NamespaceSnapshot, now: float) -> str:
    places = [*snapshot.pauses, *((f"Service {each.name}", each.annotations) for each in services)]
    for where, found in places:
        why = found if isinstance(found, str) else why_paused(found, where=where, now=now)
        if why:
            return why
    return ""


def _borrowers(target: Target, snapshot: NamespaceSnapshot) -> dict[str, tuple[str, ...]]:
    declared = {service.name for service in target.services}
    others = {
        name: found["spec"].get("selector") or {} for name, found in snapshot.services.items() if name not in declared
    }
    deployments = {service.deployment_of(color) for service in target.services for color in target.colors}
    return {
        deployment: tuple(
            sorted(
                name
                for name, selector in others.items()
                if any(selects(selector, _labels(pod)) for pod in _pods_of(snapshot, snapshot.deployments[deployment]))
            )
        )
        for deployment in deployments
    }


def _pods_of(snapshot: NamespaceSnapshot, deployment: Json) -> list[Json]:
    own = _match_labels(deployment)
    return [pod for pod in snapshot.pods if selects(own, _labels(pod))]


def _match_labels(deployment: Json) -> Mapping[str, str]:
    return deployment["spec"]["selector"].get("matchLabels") or {}


def _labels(found: Json) -> Mapping[str, str]:
    return found.get("metadata", {}).get("labels") or {}


def _annotations(found: Json) -> Mapping[str, str]:
    return found["metadata"].get("annotations") or {}


def _by_name(listed: Json) -> dict[str, Json]:
    return {item["metadata"]["name"]: item for item in _items(listed)}


def _items(listed: Json) -> list[Any]:
    return list(listed.get("items") or ())
