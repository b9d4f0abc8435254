"""The fence and the queue on a real API server: what a replica that is not the leader still sends is refused there."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.delivery.chart import RELEASE, Installed, installed
from tests.delivery.test_install import RULES, deployment
from tests.stack.admin import Admin, ApiError, path_of
from tests.stack.build import PartUnavailableError
from tests.stack.kubernetes import ControlPlane
from tests.stack.tools import helm
from tests.stack.wait import wait_until

LEASE = f"{RELEASE}-shard-0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fenced:
    """A release with the fence, the pod that it runs, and a client with that pod's own token."""

    plane: ControlPlane
    space: str
    release: Installed
    pod: str
    client: Admin

    def give_to(self, holder: str) -> None:
        """Makes this the holder of the Lease."""
        leases = path_of("leases", self.release.namespace)
        if self.plane.admin.exists(f"{leases}/{LEASE}"):
            self.plane.admin.patch(f"{leases}/{LEASE}", {"spec": {"holderIdentity": holder}})
        else:
            self.plane.admin.create(leases, {"metadata": {"name": LEASE}, "spec": {"holderIdentity": holder}})

    def refused(self, path: str, *, client: Admin | None = None) -> str:
        """What the API server said against a write that changes nothing; "" when nothing."""
        try:
            (client or self.client).patch(f"{path}?dryRun=All", {"metadata": {"annotations": {"touched": "yes"}}})
        except ApiError as error:
            return str(error)
        return ""


@pytest.fixture(scope="module")
def fenced(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fenced]:
    try:
        helm()
    except PartUnavailableError as error:
        pytest.skip(f"Helm is not to be had: {error}")
    admin, space = control_plane.admin, f"bank-{secrets.token_hex(4)}"
    admin.create_namespace(space)
    service = {"metadata": {"name": "frontend"}, "spec": {"ports": [{"port": 80}], "selector": {"color": "blue"}}}
    admin.create(path_of("services", space), service)
    admin.create(path_of("deployments", space), deployment("frontend-blue"))
    values = {"fence": {"enabled": True}, "flowSchema": {"enabled": True}}
    rules = {"bank.yaml": RULES.replace("SPACE", space)}
    with installed(control_plane, tmp_path_factory.mktemp("fence"), rules=rules, values=values) as release:
        pod = admin.items(path_of("pods", release.namespace))[0]["metadata"]
        bound = {"kind": "Pod", "apiVersion": "v1", "name": pod["name"], "uid": pod["uid"]}
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600, "boundObjectRef": bound},
        }
        account = path_of("serviceaccounts", release.namespace, RELEASE)
        token = admin.create(f"{account}/token", request)["status"]["token"]
        client = Admin(control_plane.url, control_plane.ca_file, token)
        yield Fenced(plane=control_plane, space=space, release=release, pod=pod["name"], client=client)
        client.close()
    admin.delete_namespace(space)


def test_F41_only_the_pod_that_the_lease_names_may_write(fenced: Fenced) -> None:
    service = path_of("services", fenced.space, "frontend")
    blue = path_of("deployments", fenced.space, "frontend-blue")
    unbound = Admin(fenced.plane.url, fenced.plane.ca_file, fenced.release.token)

    fenced.give_to("another-pod_1234")
    wait_until(
        lambda: "not held by the pod" in fenced.refused(service), "the API server knows of the fence and the Lease"
    )
    assert "not held by the pod" in fenced.refused(blue)

    fenced.give_to(f"{fenced.pod}_1234")
    wait_until(lambda: not fenced.refused(service), "it knows of the new holder")
    assert fenced.refused(blue) == ""
    assert "not held by the pod" in fenced.refused(service, client=unbound), "no pod is the holder"
    assert fenced.refused(service, client=fenced.plane.admin) == "", "people are not fenced in"

    fenced.give_to(f"{fenced.pod}0_1234")
    wait_until(lambda: fenced.refused(service), "a name that begins alike is another")
    fenced.plane.admin.delete(path_of("leases", fenced.release.namespace, LEASE))
    wait_until(lambda: "403" in fenced.refused(service) or "failed" in fenced.refused(service), "no Lease, no leader")
    unbound.close()


def test_F31_the_lease_calls_are_queued_with_the_elections(fenced: Fenced) -> None:
    schemas = {
        each["metadata"]["uid"]: each
        for each in fenced.plane.admin.items("/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas")
    }
    (ours,) = [each for each in schemas.values() if each["metadata"]["name"].startswith(fenced.release.namespace)]
    dangling = [each["status"] for each in ours["status"]["conditions"] if each["type"] == "Dangling"]
    assert dangling == ["False"]
    assert ours["spec"]["priorityLevelConfiguration"]["name"] == "leader-election"
