"""The writes of a rollback on a real API server: preconditions, whole selectors, read back."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.cluster.conftest import Bank, make_bank
from tests.cluster.test_observe import STYLES
from tests.core.making import NOW, trip
from tests.stack.kubernetes import ControlPlane
from tests.stack.style import Style
from tests.stack.wait import eventually
from watchdog.cluster.apply import UnsafeError, apply
from watchdog.cluster.client import Cluster, ConflictError
from watchdog.core.annotations import LAST_TRIP, REPLICAS, TRIP, read_finished, read_trip
from watchdog.core.model import End, TargetStatus
from watchdog.core.plan import is_verified, plan
from watchdog.core.steps import CloseTrip, RestoreGood, ScaleDown, Step, SwitchSelector


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


UNDO = trip(bad="blue", good="green", undoes="banking-app-0")


def unsafe_switch(status: TargetStatus, change: dict[str, Any]) -> SwitchSelector:
    """A switch to blue that asks for another selector, or of a Service for which that one has other pods."""
    step = switch(status, 1)
    if "to_selector" in change:
        return replace(step, to_selector=change["to_selector"])
    selected = {"blue": replace(step.service.would_select["blue"], **change)}
    return replace(step, service=replace(step.service, would_select=selected))


UNSAFE: list[Any] = [
    pytest.param(lambda s: unsafe_switch(s, {"to_selector": {}}), "keys", id="S2 an empty selector"),
    pytest.param(lambda s: unsafe_switch(s, {"to_selector": {"app": "frontend-blue"}}), "keys", id="S2 a key is lost"),
    pytest.param(
        lambda s: unsafe_switch(s, {"to_selector": dict.fromkeys(s.services[1].selector, "red")}),
        "not what selects blue",
        id="S2 a color that is not declared",
    ),
    pytest.param(lambda s: unsafe_switch(s, {"ready": 0}), "no ready pod", id="S1 no ready pod"),
    pytest.param(lambda s: unsafe_switch(s, {"foreign": 1}), "pods of others", id="S1 pods of others"),
    pytest.param(
        lambda s: ScaleDown(deployment=s.deployments["backend-service", "blue"], trip=UNDO),
        "keeps its pods",
        id="S8 what an undo leaves",
    ),
    pytest.param(
        lambda s: RestoreGood(deployment=s.deployments["backend-service", "blue"], replicas=1, trip=trip()),
        "no scale-up",
        id="S8 restored to less",
    ),
]


@pytest.mark.parametrize(("make", "said"), UNSAFE)
async def test_what_no_plan_may_ask_for_is_not_sent(
    cluster: Cluster, bank: Bank, make: Callable[[TargetStatus], Step], said: str
) -> None:
    step, before = make(await bank.observe(cluster)), snapshot(bank)
    with pytest.raises(UnsafeError, match=said):
        await apply(cluster, bank.namespace, step, now=NOW)
    assert snapshot(bank) == before


def snapshot(bank: Bank) -> list[Any]:
    deployments = (f"{app}-{color}" for app in ("backend", "frontend") for color in ("blue", "green"))
    specs = [bank.plane.admin.get(bank.deployment_path(each))["spec"] for each in deployments]
    return [*specs, *(bank.service(f"{app}-service")["spec"] for app in ("backend", "frontend"))]


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
