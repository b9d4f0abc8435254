"""Sees the other writers of a namespace: HorizontalPodAutoscalers, KEDA's ScaledObjects, PodDisruptionBudgets.

Law: what cannot be seen holds nothing up; it is said instead.
"""

import asyncio
from collections.abc import Iterable

from watchdog.cluster.client import Cluster, ClusterError, Json, NotFoundError
from watchdog.core.others import HPA, KEDA, PAUSED_REPLICAS, Autoscaler, Budget, Others

AUTOSCALERS = ("autoscaling/v2", "horizontalpodautoscalers")
SCALED_OBJECTS = ("keda.sh/v1alpha1", "scaledobjects")
BUDGETS = ("policy/v1", "poddisruptionbudgets")
PAUSED = "autoscaling.keda.sh/paused"


async def read_others(cluster: Cluster, namespace: str) -> Others:
    """Lists them, concurrently. A kind that the cluster does not know has no objects; never raises ClusterError."""
    try:
        groups = {str(each["name"]) for each in (await cluster.get("/apis")).get("groups") or ()}
    except ClusterError as error:
        return Others(unseen=(f"who else scales could not be looked at: {error}",))
    asked = (AUTOSCALERS, SCALED_OBJECTS, BUDGETS)
    answers = await asyncio.gather(*(_list(cluster, namespace, *kind, groups=groups) for kind in asked))
    autoscalers, scaled_objects, budgets = (found for found, _ in answers)
    by_keda = tuple(map(_scaled_object, filter(_scales_a_deployment, scaled_objects)))
    by_hpa = tuple(map(_autoscaler, filter(_scales_a_deployment, autoscalers)))
    known = {each.name for each in by_keda}
    return Others(
        # KEDA makes an HPA for what it scales: one whose ScaledObject was seen says nothing new.
        autoscalers=(*by_keda, *(each for each in by_hpa if not (each.kind == KEDA and each.name in known))),
        budgets=tuple(map(_budget, budgets)),
        unseen=tuple(problem for _, problem in answers if problem),
    )


async def _list(cluster: Cluster, namespace: str, api: str, plural: str, *, groups: set[str]) -> tuple[list[Json], str]:
    # Of a group that it does not know the API server says so in a page that could be anybody's.
    if api.partition("/")[0] not in groups:
        return [], ""
    try:
        listed = await cluster.get(f"/apis/{api}/namespaces/{namespace}/{plural}")
    except NotFoundError:
        return [], ""
    except ClusterError as error:
        return [], f"{plural} could not be looked at: {error}"
    return list(listed.get("items") or ()), ""


def _scales_a_deployment(found: Json) -> bool:
    reference = found["spec"].get("scaleTargetRef") or {}
    return str(reference.get("kind", "Deployment")) == "Deployment" and "name" in reference


def _autoscaler(found: Json) -> Autoscaler:
    spec, owner = found["spec"], _keda_owner(found["metadata"].get("ownerReferences") or ())
    return Autoscaler(
        kind=KEDA if owner else HPA,
        name=owner or found["metadata"]["name"],
        deployment=spec["scaleTargetRef"]["name"],
        least=spec.get("minReplicas", 1),
        most=spec["maxReplicas"],
        wants=found.get("status", {}).get("desiredReplicas", 0),
    )


def _keda_owner(owners: Iterable[Json]) -> str:
    return next((str(owner["name"]) for owner in owners if owner.get("kind") == KEDA), "")


def _scaled_object(found: Json) -> Autoscaler:
    spec, annotations = found["spec"], found["metadata"].get("annotations") or {}
    held = annotations.get(PAUSED_REPLICAS, "")
    held_at = int(held) if held.isdecimal() else None
    is_paused = annotations.get(PAUSED, "false").lower() == "true"
    return Autoscaler(
        kind=KEDA,
        name=found["metadata"]["name"],
        deployment=spec["scaleTargetRef"]["name"],
        least=0 if is_paused else spec.get("minReplicaCount", 0),
        most=spec.get("maxReplicaCount", 100),
        held_at=held_at,
        idle=held_at == 0 or (is_paused and held_at is None),
    )


def _budget(found: Json) -> Budget:
    status = found.get("status", {})
    return Budget(
        name=found["metadata"]["name"],
        selector=(found["spec"].get("selector") or {}).get("matchLabels") or {},
        healthy=status.get("currentHealthy", 0),
        needed=status.get("desiredHealthy", 0),
    )
