"""Who else scales in a namespace, as the real API server shows it, and what cannot be seen."""

from __future__ import annotations

from tests.stack.admin import path_of
from tests.stack.kubernetes import ControlPlane
from watchdog.cluster.autoscalers import read_others
from watchdog.cluster.client import Cluster
from watchdog.core.others import KEDA, Others


async def test_a_namespace_without_others_and_a_cluster_without_keda_are_no_problem(
    cluster: Cluster, namespace: str
) -> None:
    assert await read_others(cluster, namespace) == Others()


async def test_F59_what_may_not_be_listed_is_said(control_plane: ControlPlane, namespace: str) -> None:
    token = control_plane.admin.create_token(namespace, "nobody")
    kubeconfig = control_plane.make_kubeconfig(token, namespace=namespace)
    async with await Cluster.connect(kubeconfig, None) as nobody:
        seen = await read_others(nobody, namespace)
    assert seen.autoscalers == ()
    first, second = seen.unseen
    assert first.startswith("horizontalpodautoscalers could not be looked at")
    assert second.startswith("poddisruptionbudgets could not be looked at")


async def test_F59_keda_is_recognized_by_the_hpa_that_it_made(
    cluster: Cluster, control_plane: ControlPlane, namespace: str
) -> None:
    owner = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "queue", "uid": "u"}
    spec = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 4}
    body = {"metadata": {"name": "keda-hpa-queue", "ownerReferences": [owner]}, "spec": spec}
    control_plane.admin.create(path_of("horizontalpodautoscalers", namespace), body)
    (found,) = (await read_others(cluster, namespace)).autoscalers
    assert (found.kind, found.name, found.deployment, found.least, found.most) == (KEDA, "queue", "web", 1, 4)
