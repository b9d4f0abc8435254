"""The writes of a rollback on a real API server: preconditions, whole selectors, read back."""

from dataclasses import replace

import pytest

from tests.cluster.conftest import Bank, make_bank
from tests.cluster.test_observe import STYLES
from tests.core.making import NOW, trip
from tests.stack.kubernetes import ControlPlane
from tests.stack.style import Style
from tests.stack.wait import eventually
from watchdog.cluster.apply import apply
from watchdog.cluster.client import Cluster, ConflictError
from watchdog.core.annotations import LAST_TRIP, REPLICAS, TRIP, read_finished, read_trip
from watchdog.core.model import End, TargetStatus
from watchdog.core.plan import CloseTrip, ScaleDown, SwitchSelector, is_verified, plan


def switch(status: TargetStatus, number: int) -> SwitchSelector:
    service = status.services[number]
    return SwitchSelector(service=service, to_selector=service.would_select["blue"].selector, trip=trip())


@pytest.mark.parametrize("style", STYLES)
async def test_F53_every_style_of_selector_is_switched_whole(
    cluster: Cluster, control_plane: ControlPlane, namespace: str, style: Style
) -> None:
    bank = make_bank(control_plane, namespace, style)
    status = await bank.observe(cluster)
    for step in plan(bank.target, trip(), status, verified_since=None, well=False, now=NOW).steps:
        await apply(cluster, namespace, step, now=NOW)
    assert bank.service("frontend-service")["spec"]["selector"] == style.selector("frontend", "blue")
    assert bank.service("backend-service")["spec"]["selector"] == style.selector("backend", "blue")
    while not is_verified(trip(), status := await bank.observe(cluster)):
        assert status.active == "blue"
    assert status.trip == trip()


async def test_the_trip_is_written_in_the_same_patch(cluster: Cluster, bank: Bank) -> None:
    await apply(cluster, bank.namespace, switch(await bank.observe(cluster), 0), now=NOW)
    written = bank.service("backend-service")
    assert read_trip(written["metadata"]["annotations"][TRIP]) == trip()
    rows = await eventually(
        lambda: bank.plane.audit(bank.namespace, verbs=["patch"], user="admin"), "the audit log has the write"
    )
    assert len(rows) == 1


async def test_annotations_of_others_stay(cluster: Cluster, bank: Bank) -> None:
    bank.annotate("backend-service", {"team": "payments"})
    await apply(cluster, bank.namespace, switch(await bank.observe(cluster), 0), now=NOW)
    assert bank.service("backend-service")["metadata"]["annotations"]["team"] == "payments"


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param({"metadata": {"labels": {"touched": "yes"}}}, id="anything on the Service"),
        pytest.param({"spec": {"selector": {"app": "frontend-blue", "color": "blue"}}}, id="its selector"),
    ],
)
async def test_F28_another_writer_between_read_and_write_is_a_conflict(
    cluster: Cluster, bank: Bank, trouble: dict[str, object]
) -> None:
    status = await bank.observe(cluster)
    bank.plane.admin.patch(bank.service_path("frontend-service"), trouble)
    seen = bank.service("frontend-service")
    with pytest.raises(ConflictError):
        await apply(cluster, bank.namespace, switch(status, 1), now=NOW)
    assert bank.service("frontend-service") == seen


async def test_F56_a_service_made_anew_is_another_one(cluster: Cluster, bank: Bank) -> None:
    status = await bank.observe(cluster)
    path = bank.service_path("frontend-service")
    spec = {"selector": dict(status.services[1].selector), "ports": [{"port": 80}]}
    bank.plane.admin.delete(path)
    bank.plane.admin.create(path.rpartition("/")[0], {"metadata": {"name": "frontend-service"}, "spec": spec})
    new = bank.service("frontend-service")["metadata"]["resourceVersion"]
    step = switch(status, 1)
    step = replace(step, service=replace(step.service, resource_version=new))
    with pytest.raises(ConflictError):
        await apply(cluster, bank.namespace, step, now=NOW)


async def test_F47_scaling_down_remembers_the_replicas_on_the_deployment(cluster: Cluster, bank: Bank) -> None:
    status = await bank.observe(cluster)
    step = ScaleDown(deployment=status.deployments["backend-service", "green"], trip=trip())
    await apply(cluster, bank.namespace, step, now=NOW)
    deployment = bank.plane.admin.get(bank.deployment_path("backend-green"))
    assert deployment["spec"]["replicas"] == 0
    assert deployment["metadata"]["annotations"][REPLICAS] == "2"


async def test_F28_a_deployment_that_somebody_scaled_meanwhile_is_a_conflict(cluster: Cluster, bank: Bank) -> None:
    status = await bank.observe(cluster)
    scale = bank.deployment_path("backend-green") + "/scale"
    bank.plane.admin.patch(scale, {"spec": {"replicas": 5}})
    step = ScaleDown(deployment=status.deployments["backend-service", "green"], trip=trip())
    with pytest.raises(ConflictError):
        await apply(cluster, bank.namespace, step, now=NOW)
    assert bank.plane.admin.get(scale)["spec"]["replicas"] == 5


async def test_closing_a_trip_leaves_it_as_the_last_one(cluster: Cluster, bank: Bank) -> None:
    await apply(cluster, bank.namespace, switch(await bank.observe(cluster), 0), now=NOW)
    status = await bank.observe(cluster)
    await apply(cluster, bank.namespace, CloseTrip(service=status.services[0], trip=trip(), end=End.RECOVERED), now=NOW)
    annotations = bank.service("backend-service")["metadata"]["annotations"]
    assert TRIP not in annotations
    assert read_finished(annotations[LAST_TRIP]).finished_at == NOW
    closed = await bank.observe(cluster)
    assert (closed.trip, closed.last_trip is not None) == (None, True)
