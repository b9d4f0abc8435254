"""Carries out the steps of a plan.

Law: every patch begins with `test`s of uid, resourceVersion and the old value, replaces whole maps, and goes through
`write`, which sees it done. What no plan may ask for is not sent, whatever has asked for it.
"""

from collections.abc import Mapping, Sequence

from watchdog.cluster.client import Cluster, ClusterError, Json, PatchOperation
from watchdog.cluster.write import tests, write
from watchdog.core.annotations import LAST_TRIP, MANAGED_BY, REPLICAS, TRIP, json_pointer, write_finished, write_trip
from watchdog.core.flux import Owned, pausing, resuming
from watchdog.core.model import DeploymentStatus, FinishedTrip, ServiceStatus
from watchdog.core.steps import CloseTrip, RestoreGood, ResumeFlux, ScaleDown, Step, SwitchSelector


class UnsafeError(ClusterError):
    """A step that would do harm. It is told to people like whatever cannot be written."""


async def apply(cluster: Cluster, namespace: str, step: Step, *, now: float, instance: str = "") -> None:
    """Does one step and has seen it done; a switch also marks the Service as managed by this ``instance``.

    Raises ClusterError; ConflictError says: look again and plan afresh. UnsafeError was not sent.
    """
    if danger := _danger(step):
        raise UnsafeError(f"it is not safe to write {danger}")
    match step:
        case RestoreGood():
            await _restore(cluster, namespace, step)
        case SwitchSelector():
            await _switch(cluster, namespace, step, instance)
        case ScaleDown():
            await _scale_down(cluster, namespace, step)
        case ResumeFlux():
            await _resume_flux(cluster, namespace, step.owned)
        case CloseTrip():
            await _close(cluster, namespace, step, now)


def _danger(step: Step) -> str:
    """What a step would break, of what must never happen (the invariants S1, S2 and S8); "" for nothing."""
    match step:
        case SwitchSelector():
            return _danger_of_switch(step)
        case ScaleDown(deployment=deployment, trip=trip):
            is_undo = f"{deployment.name} to 0, and {trip.id} undoes a rollback: what it leaves keeps its pods"
            return is_undo if trip.undoes else ""
        case RestoreGood(deployment=deployment, replicas=replicas):
            return "" if replicas > deployment.replicas else f"{deployment.name} to {replicas}, which is no scale-up"
        case ResumeFlux() | CloseTrip():
            return ""


def _danger_of_switch(step: SwitchSelector) -> str:
    service, good = step.service, step.service.would_select.get(step.trip.good)
    to = f"{service.name} to {dict(step.to_selector)}"
    if not step.to_selector or step.to_selector.keys() != service.selector.keys():
        return f"{to}, whose keys are not those of {dict(service.selector)}"
    if good is None or step.to_selector != good.selector:
        return f"{to}, which is not what selects {step.trip.good}"
    return f"{to}, which selects no ready pod, or pods of others" if good.ready < 1 or good.foreign else ""


async def _switch(cluster: Cluster, namespace: str, step: SwitchSelector, instance: str) -> None:
    service = step.service
    notes = {TRIP: write_trip(step.trip, was=service.selector)} | _flux(step)
    if instance and MANAGED_BY not in service.annotations:
        notes[MANAGED_BY] = instance
    await write(
        cluster,
        _path(namespace, service),
        [
            *tests(uid=service.uid, resource_version=service.resource_version),
            {"op": "test", "path": "/spec/selector", "value": dict(service.selector)},
            {"op": "replace", "path": "/spec/selector", "value": dict(step.to_selector)},
            # Into a missing map nothing can be added: 422.
            *(_adds(notes) if service.annotated else [{"op": "add", "path": "/metadata/annotations", "value": notes}]),
        ],
        done=lambda seen: _is(seen, service.uid) and seen["spec"].get("selector") == step.to_selector,
    )


async def _restore(cluster: Cluster, namespace: str, step: RestoreGood) -> None:
    if step.pause_flux:
        await _annotate(cluster, namespace, step.deployment, _flux(step))
    await _scale(cluster, namespace, step.deployment, step.replicas)


async def _scale_down(cluster: Cluster, namespace: str, step: ScaleDown) -> None:
    remembered = {REPLICAS: str(step.deployment.replicas)} | _flux(step)
    await _annotate(cluster, namespace, step.deployment, remembered)
    await _scale(cluster, namespace, step.deployment, 0)


async def _annotate(
    cluster: Cluster, namespace: str, deployment: DeploymentStatus, annotations: Mapping[str, str]
) -> None:
    await write(
        cluster,
        _path(namespace, deployment),
        # A Deployment always has annotations: its controller writes the revision there.
        [*tests(uid=deployment.uid, resource_version=deployment.resource_version), *_adds(annotations)],
        done=lambda seen: _is(seen, deployment.uid) and annotations.items() <= seen["metadata"]["annotations"].items(),
    )


async def _resume_flux(cluster: Cluster, namespace: str, owned: Owned) -> None:
    gone = resuming(owned)
    await write(
        cluster,
        _path(namespace, owned),
        [*tests(uid=owned.uid, resource_version=owned.resource_version), *_removes(gone)],
        done=lambda seen: _is(seen, owned.uid) and not set(gone) & set(seen["metadata"].get("annotations") or {}),
    )


async def _scale(cluster: Cluster, namespace: str, deployment: DeploymentStatus, replicas: int) -> None:
    # The scale subresource leaves out what is zero: there null is what a test finds, and an add what sets it.
    await write(
        cluster,
        f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment.name}/scale",
        [
            {"op": "test", "path": "/metadata/uid", "value": deployment.uid},
            {"op": "test", "path": "/spec/replicas", "value": deployment.replicas or None},
            {"op": "add", "path": "/spec/replicas", "value": replicas},
        ],
        done=lambda seen: _is(seen, deployment.uid) and seen["spec"].get("replicas", 0) == replicas,
    )


async def _close(cluster: Cluster, namespace: str, step: CloseTrip, now: float) -> None:
    service = step.service
    finished = FinishedTrip(trip=step.trip, finished_at=now, end=step.end)
    await write(
        cluster,
        _path(namespace, service),
        [
            *tests(uid=service.uid, resource_version=service.resource_version),
            *_removes((TRIP, *(resuming(service) if step.trip.undoes else ()))),
            {"op": "add", "path": json_pointer(LAST_TRIP), "value": write_finished(finished)},
        ],
        done=lambda seen: _is(seen, service.uid) and TRIP not in (seen["metadata"].get("annotations") or {}),
    )


def _flux(step: SwitchSelector | RestoreGood | ScaleDown) -> dict[str, str]:
    return dict(pausing(step.trip)) if step.pause_flux else {}


def _adds(annotations: Mapping[str, str]) -> list[PatchOperation]:
    return [{"op": "add", "path": json_pointer(name), "value": text} for name, text in annotations.items()]


def _removes(annotations: Sequence[str]) -> list[PatchOperation]:
    return [{"op": "remove", "path": json_pointer(name)} for name in annotations]


def _is(seen: Json, uid: str) -> bool:
    return bool(seen["metadata"].get("uid") == uid)


def _path(namespace: str, owned: Owned) -> str:
    if isinstance(owned, ServiceStatus):
        return f"/api/v1/namespaces/{namespace}/services/{owned.name}"
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/{owned.name}"
