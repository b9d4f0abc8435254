"""What the product sees of a target on a real API server."""

import time

import pytest

from tests.cluster.conftest import Bank, make_bank
from tests.stack.admin import path_of
from tests.stack.kubernetes import ControlPlane
from tests.stack.style import BY_APP, BY_APP_AND_COLOR, BY_COLOR, BY_SHARED_APP_AND_COLOR, MIXED, Style
from tests.stack.wait import eventually, eventually_answers
from watchdog.cluster.client import Cluster, ForbiddenError, UnreachableError
from watchdog.cluster.observe import MissingError, Myself, read_namespace, status_of
from watchdog.core.annotations import PAUSED

STYLES = [
    pytest.param(BY_APP, id="app: frontend-green"),
    pytest.param(BY_COLOR, id="color: green"),
    pytest.param(BY_APP_AND_COLOR, id="app: frontend-green, color: green"),
    pytest.param(BY_SHARED_APP_AND_COLOR, id="app: frontend, color: green"),
    pytest.param(MIXED, id="one of each"),
]


@pytest.mark.parametrize("style", STYLES)
async def test_F53_every_style_of_selector_is_understood(
    cluster: Cluster, control_plane: ControlPlane, namespace: str, style: Style
) -> None:
    before = time.time()
    bank = make_bank(control_plane, namespace, style)
    status = await bank.observe(cluster)
    assert status.active == "green"
    for service, app in zip(status.services, ("backend", "frontend"), strict=True):
        assert service.would_select["blue"].selector == style.selector(app, "blue")
        assert (service.would_select["blue"].ready, service.would_select["blue"].foreign) == (2, 0)
        assert service.switched_at is not None
        assert before - 1 <= service.switched_at <= time.time() + 1
    assert {each.ready for each in status.deployments.values()} == {2}
    assert (status.paused, status.trip, status.last_trip, status.unreadable) == ("", None, None, "")


async def test_endpoints_are_counted_by_color(cluster: Cluster, bank: Bank) -> None:
    async def are_counted() -> bool:
        return dict((await bank.observe(cluster)).services[1].endpoints) == {"blue": 0, "green": 2, "": 0}

    await eventually_answers(are_counted, "the EndpointSlices have followed the pods, and are counted by color")


async def test_F53_a_declared_style_that_misses_a_key_would_select_nothing(cluster: Cluster, bank: Bank) -> None:
    """The merge that leaves {app: frontend-green, color: blue}."""
    declared = bank.target.model_copy(
        update={
            "services": [
                each.model_copy(update={"selector": {"color": "{{ color }}"}}) for each in bank.target.services
            ]
        }
    )
    status = status_of(declared, await read_namespace(cluster, bank.namespace, None), now=0)
    assert [service.would_select["blue"].ready for service in status.services] == [0, 0]


async def test_F66_other_services_that_use_the_bad_pods_are_seen(cluster: Cluster, bank: Bank) -> None:
    reports = {"metadata": {"name": "reports"}, "spec": {"selector": {"app": "backend-green"}, "ports": [{"port": 1}]}}
    bank.plane.admin.create(path_of("services", bank.namespace), reports)
    status = await bank.observe(cluster)
    assert {name: borrowers for name, borrowers in status.borrowers.items() if borrowers} == {
        "backend-green": ("reports",)
    }


@pytest.mark.parametrize("place", ["service", "namespace", "watchdog"])
async def test_a_pause_is_seen_wherever_it_is_written(cluster: Cluster, bank: Bank, place: str) -> None:
    paths = {
        "service": bank.service_path("backend-service"),
        "namespace": f"/api/v1/namespaces/{bank.namespace}",
        "watchdog": bank.deployment_path("frontend-blue"),
    }
    bank.plane.admin.annotate(paths[place], **{PAUSED: "true"})
    myself = Myself(namespace=bank.namespace, deployment="frontend-blue")
    status = status_of(bank.target, await read_namespace(cluster, bank.namespace, myself), now=0)
    assert status.paused


async def test_F78_a_pause_that_cannot_be_read_is_a_pause(cluster: Cluster, bank: Bank) -> None:
    myself = Myself(namespace=bank.namespace, deployment="does-not-exist")
    status = status_of(bank.target, await read_namespace(cluster, bank.namespace, myself), now=0)
    assert "cannot be read" in status.paused


@pytest.mark.parametrize(("kind", "name"), [("services", "frontend-service"), ("deployments", "frontend-blue")])
async def test_F56_what_is_declared_and_missing_is_named(cluster: Cluster, bank: Bank, kind: str, name: str) -> None:
    bank.plane.admin.delete(path_of(kind, bank.namespace, name))

    async def missing() -> str:
        try:
            await bank.observe(cluster)
        except MissingError as error:
            return str(error)
        return ""

    assert name in await missing()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        pytest.param({"selector": None}, "frontend-service selects no pods", id="without a selector"),
        pytest.param(
            {"type": "ExternalName", "externalName": "bank.example", "clusterIP": None, "clusterIPs": None},
            "frontend-service selects no pods",
            id="ExternalName",
        ),
        pytest.param({"clusterIP": "None", "clusterIPs": ["None"]}, "frontend-service is headless", id="headless"),
    ],
)
async def test_F55_a_service_that_a_switch_would_not_move_is_refused(
    cluster: Cluster, bank: Bank, spec: dict[str, object], said: str
) -> None:
    path = bank.service_path("frontend-service")
    before = bank.plane.admin.get(path)["spec"]
    wanted = {"selector": before["selector"], "ports": [{"port": 80}]} | spec
    bank.plane.admin.delete(path)
    bank.plane.admin.create(path.rpartition("/")[0], {"metadata": {"name": "frontend-service"}, "spec": wanted})
    with pytest.raises(MissingError, match=said):
        await bank.observe(cluster)


async def test_F91_a_namespace_that_is_being_deleted_is_told_as_such(cluster: Cluster, bank: Bank) -> None:
    path = f"/api/v1/namespaces/{bank.namespace}"
    # What has a finalizer keeps its namespace, as a volume or a load balancer does.
    bank.plane.admin.patch(bank.service_path("frontend-service"), {"metadata": {"finalizers": ["test/stays"]}})
    bank.plane.admin.delete(path)
    try:
        with pytest.raises(MissingError, match=f"the namespace {bank.namespace} is being deleted: nothing is rolled"):
            await bank.observe(cluster)
    finally:
        bank.plane.admin.patch(bank.service_path("frontend-service"), {"metadata": {"finalizers": None}})


async def test_F91_a_namespace_that_does_not_exist_is_told_as_such(cluster: Cluster) -> None:
    with pytest.raises(MissingError, match="the namespace nowhere does not exist"):
        await read_namespace(cluster, "nowhere", None)


async def test_unready_pods_do_not_count(cluster: Cluster, bank: Bank) -> None:
    pods = bank.plane.admin.items(path_of("pods", bank.namespace), labelSelector="app=frontend-blue")
    path = path_of("pods", bank.namespace, pods[0]["metadata"]["name"])
    bank.plane.admin.annotate(path, **{"watchdog.test/ready": "false"})

    def unready() -> bool:
        conditions = bank.plane.admin.get(path)["status"]["conditions"]
        return any(each["type"] == "Ready" and each["status"] == "False" for each in conditions)

    await eventually(unready, "the pod is not ready")
    status = await bank.observe(cluster)
    assert status.deployments["frontend-service", "blue"].ready == 1
    assert status.services[1].would_select["blue"].ready == 1


async def test_a_token_without_rights_is_refused(bank: Bank, control_plane: ControlPlane) -> None:
    token = control_plane.admin.create_token(bank.namespace, "default")
    async with await Cluster.connect(control_plane.make_kubeconfig(token), None) as stranger:
        with pytest.raises(ForbiddenError, match="403"):
            await bank.observe(stranger)


async def test_F37_an_api_server_that_is_gone_is_unreachable(bank: Bank, cluster: Cluster) -> None:
    bank.plane.kill_apiserver()
    try:
        with pytest.raises(UnreachableError):
            await bank.observe(cluster)
    finally:
        bank.plane.start_apiserver()


async def test_F34_an_api_server_that_hangs_is_unreachable_after_the_deadline(bank: Bank, cluster: Cluster) -> None:
    with bank.plane.apiserver.suspended(), pytest.raises(UnreachableError, match="no answer within 3 s"):
        await bank.observe(cluster)
