"""Autoscalers and disruption budgets beside a rollback, as the real controllers mind them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.opponents.conftest import APPS, Arena
from tests.stack.kubernetes import ControlPlane
from tests.stack.wait import eventually, wait_until
from watchdog.core.alert import AlertKind
from watchdog.core.transition import Event

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NAMES = {"plural": "scaledobjects", "singular": "scaledobject", "kind": "ScaledObject", "listKind": "ScaledObjectList"}
ANYTHING = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
CRD = {
    "metadata": {"name": "scaledobjects.keda.sh"},
    "spec": {
        "group": "keda.sh",
        "scope": "Namespaced",
        "names": NAMES,
        "versions": [{"name": "v1alpha1", "served": True, "storage": True, "schema": ANYTHING}],
    },
}


def hpa(deployment: str, *, least: int, most: int) -> dict[str, Any]:
    """By CPU, which nobody measures here: what is outside the range is mended all the same."""
    target = {"type": "Utilization", "averageUtilization": 50}
    return {
        "metadata": {"name": deployment},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment},
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    }


def budget(name: str, *, needed: int) -> dict[str, Any]:
    labels = {"app": name}
    return {"metadata": {"name": name}, "spec": {"minAvailable": needed, "selector": {"matchLabels": labels}}}


async def test_F59_F64_F65_an_hpa_is_off_at_0_a_budget_blocks_nothing_and_people_are_told(arena: Arena) -> None:
    arena.create("horizontalpodautoscalers", hpa("backend-green", least=2, most=5))
    arena.create("poddisruptionbudgets", budget("backend-green", needed=2))
    arena.create("poddisruptionbudgets", budget("backend-blue", needed=3))

    def counted() -> bool:
        return bool(arena.get("poddisruptionbudgets", "backend-blue")["status"].get("desiredHealthy") == 3)

    await eventually(counted, "the budgets are counted")
    async with arena.watching():
        await eventually(arena.ear.finished, "the rollback is finished", within=60)

    def scaling_active() -> dict[str, str]:
        conditions = arena.get("horizontalpodautoscalers", "backend-green")["status"].get("conditions", [])
        return {each["status"]: each["reason"] for each in conditions if each["type"] == "ScalingActive"}

    await eventually(lambda: scaling_active() == {"False": "ScalingDisabled"}, "the HPA has seen the 0")
    assert arena.replicas("green") == [0, 0]
    (told,) = arena.ear.of_kind(AlertKind.SWITCHED)
    notes = [text for _, text in told.notes]
    assert any("HorizontalPodAutoscaler backend-green scales backend-green; at 0" in text for text in notes)
    assert any("backend-blue asks for 3 healthy pods of backend-blue and counts 2" in text for text in notes)
    assert any("a pod of frontend-green may take 30s to end" in text for text in notes)
    assert not any(name == "not seen" for name, _ in told.notes), "a cluster without KEDA is no news"


async def test_F60_a_good_color_is_restored_to_what_its_autoscaler_wants(arena: Arena) -> None:
    arena.scale("backend-blue", 0)
    arena.create("horizontalpodautoscalers", hpa("backend-blue", least=3, most=5))
    async with arena.watching():
        await eventually(arena.ear.finished, "the rollback is finished", within=60)
    assert arena.ear.writes("backend-blue") == ["3"], "2 would be enough for the switch"
    assert arena.replicas("blue") == [3, 2]


async def test_F60_a_good_color_that_its_autoscaler_keeps_too_small_is_told_and_not_fought_for(arena: Arena) -> None:
    arena.create("horizontalpodautoscalers", hpa("backend-blue", least=1, most=1))
    await eventually(lambda: arena.replicas("blue") == [1, 2], "the HPA has shrunk the idle color")
    async with arena.watching(ready_timeout="2s"):
        await eventually(lambda: arena.ear.of_kind(AlertKind.GIVEN_UP), "people are told", within=60)
        assert (arena.colors(), arena.ear.writes("backend-blue")) == ({"green"}, [])
        told = arena.ear.of_kind(AlertKind.GIVEN_UP)[0].text
        assert "the HorizontalPodAutoscaler backend-blue keeps backend-blue at 1 at most, 2 are needed" in told

        await eventually(lambda: arena.ear.of_kind(AlertKind.HELD), "it is not tried in a loop", within=60)
        told = arena.ear.of_kind(AlertKind.HELD)[0].text
        assert "scale deployment backend-blue --replicas=2" in told
        arena.patch("horizontalpodautoscalers", "backend-blue", {"spec": {"minReplicas": 2, "maxReplicas": 5}})
        await eventually(lambda: arena.colors() == {"blue"}, "the rollback is done", within=60)
    assert arena.ear.writes("backend-blue") == []


@pytest.fixture
def keda(control_plane: ControlPlane) -> Iterator[None]:
    """The kind that KEDA brings; nobody acts on it."""
    control_plane.admin.create(CRDS, CRD)
    everywhere = "/apis/keda.sh/v1alpha1/scaledobjects"
    wait_until(lambda: control_plane.admin.exists(everywhere), "the API server knows the kind")
    yield
    control_plane.admin.delete(f"{CRDS}/scaledobjects.keda.sh")


@pytest.mark.usefixtures("keda")
async def test_F59_what_keda_would_scale_up_again_is_left_to_keda_until_it_is_paused(arena: Arena) -> None:
    for app in APPS:
        spec = {"scaleTargetRef": {"name": f"{app}-green"}, "minReplicaCount": 1, "triggers": []}
        body = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": app}, "spec": spec}
        arena.create("scaledobjects", body)
    paused = {"metadata": {"annotations": {"autoscaling.keda.sh/paused-replicas": "0"}}}
    arena.patch("scaledobjects", "frontend", paused)
    async with arena.watching():
        await eventually(arena.ear.finished, "the rollback is finished", within=60)
    assert arena.replicas("green") == [2, 0]
    (told,) = arena.ear.of_kind(AlertKind.SWITCHED)
    cure = f"kubectl -n {arena.namespace} annotate scaledobject backend autoscaling.keda.sh/paused-replicas=0"
    assert cure in [command for _, command in told.commands]
    (ended,) = arena.ear.of_kind(AlertKind.FINISHED)
    assert "backend-green keeps running, the ScaledObject backend would scale it up again" in ended.text
    assert arena.ear.told(Event.FINISHED) == ["blue"]
