"""The simulated control plane under a clock that stands still until it is told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from watchdog.sim.kubernetes.cluster import Cluster
from watchdog.sim.kubernetes.errors import StatusError
from watchdog.sim.kubernetes.json_patch import apply_json_patch, merge_patch
from watchdog.sim.kubernetes.kinds import DEPLOYMENT, ENDPOINT_SLICE, NAMESPACE, POD, SERVICE

SPACE = "bank"


@dataclass(slots=True)
class Clock:
    """Seconds that pass when a test says so."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class World:
    """A namespace of a cluster, and what tests do to it."""

    clock: Clock = field(default_factory=Clock)
    cluster: Cluster = field(init=False)

    def __post_init__(self) -> None:
        self.cluster = Cluster(clock=self.clock, pod_ready_delay=2.0, controller_delay=0.1)
        self.cluster.create(NAMESPACE, "", {"metadata": {"name": SPACE}})

    def deploy(self, color: str, replicas: int = 2, ready: str = "true") -> None:
        labels = {"app": "web", "color": color}
        template = {
            "metadata": {"labels": labels, "annotations": {"watchdog.test/ready": ready}},
            "spec": {"containers": [{"name": "app", "image": "web:1"}]},
        }
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
        self.cluster.create(DEPLOYMENT, SPACE, {"metadata": {"name": color}, "spec": spec})

    def serve(self, **selector: str) -> None:
        spec = {"selector": selector, "ports": [{"port": 80}]}
        self.cluster.create(SERVICE, SPACE, {"metadata": {"name": "web"}, "spec": spec})

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds
        self.cluster.settle()

    def status(self, color: str) -> tuple[int, int, int]:
        """Pods that there are, that are of the newest revision, and that are ready."""
        status = self.cluster.read(DEPLOYMENT, SPACE, color)["status"]
        counts = (status.get(key, 0) for key in ("replicas", "updatedReplicas", "readyReplicas"))
        return next(counts), next(counts), next(counts)

    def endpoints(self) -> list[tuple[str, bool]]:
        """The Deployment and the readiness of each endpoint."""
        (piece,) = self.cluster.read_all(ENDPOINT_SLICE, SPACE)
        return sorted(
            (each["targetRef"]["name"].rsplit("-", 2)[0], each["conditions"]["ready"])
            for each in piece["endpoints"] or ()
        )

    def patch_service(self, *operations: dict[str, Any], manager: str = "someone") -> dict[str, Any]:
        def change(old: dict[str, Any]) -> Any:
            return apply_json_patch(old, operations)

        return self.cluster.patch(SERVICE, SPACE, "web", change, manager=manager)


@pytest.fixture
def world() -> World:
    return World()


def merging(change: dict[str, Any]) -> Callable[[dict[str, Any]], Any]:
    return lambda old: merge_patch(old, change)


def replacing(selector: dict[str, str]) -> dict[str, Any]:
    return {"op": "replace", "path": "/spec/selector", "value": selector}


def test_pods_become_ready_after_their_delay(world: World) -> None:
    world.deploy("blue")
    world.wait(1.0)
    assert world.status("blue") == (2, 2, 0)
    world.wait(1.5)
    assert world.status("blue") == (2, 2, 2)


def test_endpoints_follow_the_selector(world: World) -> None:
    world.deploy("blue")
    world.deploy("green", replicas=1)
    world.serve(app="web", color="blue")
    world.wait(5)
    assert world.endpoints() == [("blue", True)] * 2
    world.patch_service(replacing({"app": "web", "color": "green"}))
    assert world.endpoints() == [("blue", True)] * 2
    world.wait(1)
    assert world.endpoints() == [("green", True)]


def test_a_mixed_selector_picks_nobody(world: World) -> None:
    world.deploy("blue")
    world.serve(app="web", color="blue")
    world.wait(5)
    world.patch_service({"op": "add", "path": "/spec/selector/app", "value": "web-blue"})
    world.wait(1)
    assert world.endpoints() == []


def test_an_empty_selector_leaves_the_endpoints_as_they_were(world: World) -> None:
    world.deploy("blue")
    world.serve(app="web", color="blue")
    world.wait(5)
    world.patch_service(replacing({}))
    world.wait(1)
    assert world.endpoints() == [("blue", True)] * 2


@pytest.mark.parametrize(
    ("ready", "status", "endpoints"),
    [
        pytest.param("false", (2, 2, 0), [("blue", False)] * 2, id="runs unready"),
        pytest.param("pending", (2, 2, 0), [], id="never starts"),
    ],
)
def test_pods_obey_the_annotation(
    world: World, ready: str, status: tuple[int, int, int], endpoints: list[tuple[str, bool]]
) -> None:
    world.deploy("blue", ready=ready)
    world.serve(app="web")
    world.wait(5)
    assert (world.status("blue"), world.endpoints()) == (status, endpoints)


def test_a_pod_turns_at_any_time(world: World) -> None:
    world.deploy("blue")
    world.serve(app="web")
    world.wait(5)
    pod = world.cluster.read_all(POD, SPACE)[0]["metadata"]["name"]
    for ready, expected in (("false", [("blue", False), ("blue", True)]), ("true", [("blue", True)] * 2)):
        change = merging({"metadata": {"annotations": {"watchdog.test/ready": ready}}})
        world.cluster.patch(POD, SPACE, pod, change)
        world.wait(1)
        assert world.endpoints() == expected


def test_scaling_down_and_up(world: World) -> None:
    world.deploy("blue")
    world.serve(app="web")
    world.wait(5)
    scale = world.cluster.patch_scale(SPACE, "blue", merging({"spec": {"replicas": 0}}))
    assert scale["spec"] == {}
    world.wait(1)
    assert (world.status("blue"), world.endpoints()) == ((0, 0, 0), [])
    world.cluster.patch_scale(SPACE, "blue", merging({"spec": {"replicas": 3}}))
    world.wait(5)
    assert (world.status("blue"), world.endpoints()) == ((3, 3, 3), [("blue", True)] * 3)


def test_a_rolling_update_never_serves_with_fewer(world: World) -> None:
    world.deploy("blue", replicas=4)
    world.serve(app="web")
    world.wait(5)
    image = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "web:2"}]
    world.cluster.patch(DEPLOYMENT, SPACE, "blue", lambda old: apply_json_patch(old, image))
    least = 4
    for _ in range(200):
        world.wait(0.1)
        least = min(least, len(world.endpoints()))
    assert least >= 3
    assert world.status("blue") == (4, 4, 4)
    assert world.cluster.read(DEPLOYMENT, SPACE, "blue")["metadata"]["annotations"] == {
        "deployment.kubernetes.io/revision": "2"
    }


def test_only_a_real_change_is_a_new_version(world: World) -> None:
    world.serve(app="web")
    before = world.cluster.read(SERVICE, SPACE, "web")
    world.clock.now += 60
    assert world.patch_service(replacing({"app": "web"})) == before
    changed = world.patch_service(replacing({"app": "x"}))
    assert int(changed["metadata"]["resourceVersion"]) > int(before["metadata"]["resourceVersion"])


def test_the_writer_of_a_field_owns_it(world: World) -> None:
    world.serve(app="web")
    world.clock.now += 60
    patched = world.patch_service(replacing({"app": "x"}), manager="argocd")
    owners = {
        entry["manager"]: (entry["time"], "f:selector" in entry["fieldsV1"]["f:spec"])
        for entry in patched["metadata"]["managedFields"]
    }
    assert owners == {"simulator": ("1970-01-12T13:46:40Z", False), "argocd": ("1970-01-12T13:47:40Z", True)}


def test_a_stale_version_conflicts(world: World) -> None:
    world.serve(app="web")
    with pytest.raises(StatusError) as refusal:
        world.cluster.patch(SERVICE, SPACE, "web", merging({"metadata": {"resourceVersion": "1"}}))
    assert (refusal.value.code, refusal.value.body["reason"]) == (409, "Conflict")


def test_what_is_read_is_a_copy(world: World) -> None:
    world.serve(app="web")
    world.cluster.read(SERVICE, SPACE, "web")["spec"]["selector"]["app"] = "changed"
    assert world.cluster.read(SERVICE, SPACE, "web")["spec"]["selector"] == {"app": "web"}


def test_what_is_owned_goes_with_its_owner(world: World) -> None:
    world.deploy("blue")
    world.serve(app="web")
    world.wait(5)
    world.cluster.delete(SERVICE, SPACE, "web")
    world.cluster.delete(DEPLOYMENT, SPACE, "blue")
    world.wait(5)
    assert (world.cluster.read_all(POD, SPACE), world.cluster.read_all(ENDPOINT_SLICE, SPACE)) == ([], [])
