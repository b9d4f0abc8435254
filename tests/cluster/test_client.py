"""How a call ends: tokens that rotate, an API server that is busy, missing rights, certificates to distrust."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
import yaml
from kubernetes.aio.config import incluster_config

from tests.stack.admin import path_of
from tests.stack.certificates import make_certificates
from tests.stack.fault_proxy import FaultProxy, fault_proxy
from tests.stack.faults import Delay, refusal
from tests.stack.injection import Match
from tests.stack.kubernetes import ControlPlane
from tests.stack.wait import eventually
from watchdog.cluster.client import (
    Cluster,
    ForbiddenError,
    NotFoundError,
    NotLeaderError,
    RejectedError,
    UnreachableError,
)
from watchdog.cluster.credentials import ConfigurationError

READ = frozenset({"GET"})


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[FaultProxy]:
    with fault_proxy(control_plane) as opened:
        yield opened


def edited(kubeconfig: Path, edit: Callable[[dict[str, dict[str, object]]], None]) -> Path:
    """The kubeconfig with another cluster or user in it."""
    content = yaml.safe_load(kubeconfig.read_text())
    edit({"cluster": content["clusters"][0]["cluster"], "user": content["users"][0]["user"]})
    kubeconfig.write_text(yaml.safe_dump(content))
    return kubeconfig


def with_token_file(plane: ControlPlane, file: Path, *, url: str = "") -> Path:
    """A kubeconfig that names a file instead of a token."""

    def edit(parts: dict[str, dict[str, object]]) -> None:
        del parts["user"]["token"]
        parts["user"]["tokenFile"] = str(file)

    return edited(plane.make_kubeconfig("", url=url), edit)


def rotate(plane: ControlPlane, namespace: str, file: Path) -> str:
    """The ServiceAccount is made anew, so that its old token is refused; returns the new one, which nobody has yet."""
    account = path_of("serviceaccounts", namespace, "dog")
    file.write_text(plane.admin.create_token(namespace, "dog"))
    plane.admin.delete(account)
    return plane.admin.create_token(namespace, "dog")


def be_in_a_pod(plane: ControlPlane, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the kubelet gives to a pod, with the token in this file."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", plane.url.rpartition(":")[2])
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(file))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(plane.ca_file))


@pytest.mark.parametrize("kind", ["a kubeconfig with tokenFile", "in a pod"])
async def test_F30_a_rotated_token_is_read_again_and_the_call_tried_again(
    control_plane: ControlPlane, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    file, reviews = tmp_path / "token", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    new = rotate(control_plane, namespace, file)
    kubeconfig: Path | None = with_token_file(control_plane, file)
    if kind == "in a pod":
        kubeconfig = None
        be_in_a_pod(control_plane, file, monkeypatch)
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": namespace}},
    }
    async with await Cluster.connect(kubeconfig, None) as cluster:
        with pytest.raises(ForbiddenError, match=r"401 .*The token was read again and is refused"):
            await cluster.create(reviews, review)
        file.write_text(f"{new}\n")  # as `kubectl create token` writes it
        assert (await cluster.create(reviews, review))["status"]["allowed"] is False


@pytest.mark.parametrize("trouble", ["empty", "gone"])
async def test_F30_a_token_file_that_is_just_being_replaced_fails_no_call(
    control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    file = tmp_path / "token"
    file.write_text(control_plane.admin_token)
    be_in_a_pod(control_plane, file, monkeypatch)

    class AMinuteLater(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Self:
            return super().now(tz) + dt.timedelta(seconds=61)

    async with await Cluster.connect(None, None) as cluster:
        later = SimpleNamespace(datetime=AMinuteLater, timedelta=dt.timedelta)
        monkeypatch.setattr(incluster_config, "datetime", later)
        file.write_text("") if trouble == "empty" else file.unlink()
        await cluster.get("/api/v1/namespaces")


async def test_F30_calls_that_are_refused_at_once_read_one_new_token_and_an_old_one_is_not_sent_twice(
    proxy: FaultProxy, control_plane: ControlPlane, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("wrong")
    async with await Cluster.connect(with_token_file(control_plane, file, url=proxy.url), None) as cluster:
        with pytest.raises(ForbiddenError, match="401"):
            await cluster.get("/api/v1/namespaces")
        assert len(proxy.requests) == 1, "the same token would be refused as well"
        file.write_text(control_plane.admin_token)
        await cluster.get("/api/v1/namespaces")
        await cluster.get("/api/v1/namespaces")
    assert len(proxy.requests) == 1 + 2 + 1


async def test_F30_a_token_is_never_sent_to_another_api_server_than_it_was_loaded_for(
    proxy: FaultProxy, control_plane: ControlPlane, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("wrong")
    kubeconfig = with_token_file(control_plane, file, url=proxy.url)
    async with await Cluster.connect(kubeconfig, None) as cluster:
        file.write_text(control_plane.admin_token)
        edited(kubeconfig, lambda parts: parts["cluster"].update(server="https://127.0.0.1:1"))
        with pytest.raises(ForbiddenError, match="401"):
            await cluster.get("/api/v1/namespaces")


async def test_F30_a_kubeconfig_that_is_half_written_when_the_token_is_refused_fails_that_call_alone(
    control_plane: ControlPlane,
) -> None:
    kubeconfig = control_plane.make_kubeconfig("wrong")
    async with await Cluster.connect(kubeconfig, None) as cluster:
        whole = kubeconfig.read_text().replace("wrong", control_plane.admin_token)
        kubeconfig.write_text(whole[: whole.index("users:")] + "users: [")
        with pytest.raises(ForbiddenError, match="401"):
            await cluster.get("/api/v1/namespaces")
        kubeconfig.write_text(whole)
        await cluster.get("/api/v1/namespaces")


async def test_F31_a_call_that_is_turned_away_is_made_again_when_the_api_server_says_so(
    proxy: FaultProxy, control_plane: ControlPlane
) -> None:
    proxy.inject(refusal(429, headers={"Retry-After": "1"}), Match(methods=READ))
    async with await Cluster.connect(proxy.kubeconfig(control_plane.admin_token), None) as cluster:
        await cluster.get("/api/v1/namespaces")
    first, second = proxy.requests
    assert second.at - first.at >= 1


async def test_F31_a_wait_that_is_longer_than_a_call_may_last_is_kept_as_well(
    proxy: FaultProxy, control_plane: ControlPlane
) -> None:
    proxy.inject(refusal(429, headers={"Retry-After": "20"}), Match(methods=READ))
    async with await Cluster.connect(proxy.kubeconfig(control_plane.admin_token), None) as cluster:
        began = time.monotonic()
        with pytest.raises(RejectedError, match="429"):
            await cluster.get("/api/v1/namespaces")
        with pytest.raises(RejectedError, match="not sent, because the API server was busy: it is asked again in"):
            await cluster.get("/api/v1/namespaces")
        await cluster.get("/api/v1/nodes")
        assert time.monotonic() - began < 20
    assert [seen.target for seen in proxy.requests] == ["/api/v1/namespaces", "/api/v1/nodes"]


async def test_F31_a_write_that_waited_is_not_made_when_the_lease_is_gone_by_then(
    proxy: FaultProxy, control_plane: ControlPlane, namespace: str
) -> None:
    leads = True

    def lose(_: object) -> None:
        nonlocal leads
        leads = False

    proxy.inject(refusal(429, headers={"Retry-After": "1"}), times=None, on_hit=lose)
    async with await Cluster.connect(proxy.kubeconfig(control_plane.admin_token), None) as cluster:
        writer = cluster.guarded(lambda: leads)
        with pytest.raises(NotLeaderError):
            await writer.create(path_of("configmaps", namespace), {"metadata": {"name": "any"}})
    assert len(proxy.writes()) == 1


async def test_F85_who_is_cancelled_in_a_write_waits_for_its_end(
    proxy: FaultProxy, control_plane: ControlPlane, namespace: str
) -> None:
    """Whoever acts next must not meet a write that is still under way."""
    path = path_of("configmaps", namespace)
    proxy.inject(Delay(0.5))
    async with await Cluster.connect(proxy.kubeconfig(control_plane.admin_token), None) as cluster:
        writer = cluster.seeing_writes_out()
        writing = asyncio.create_task(writer.create(path, {"metadata": {"name": "last"}}))
        await eventually(proxy.writes, "it is sent")
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
    assert control_plane.admin.get(f"{path}/last")["metadata"]["name"] == "last"


async def test_F29_a_refusal_names_the_verb_the_resource_and_the_cure(
    control_plane: ControlPlane, namespace: str
) -> None:
    token = control_plane.admin.create_token(namespace, "dog")
    async with await Cluster.connect(control_plane.make_kubeconfig(token), None) as cluster:
        with pytest.raises(ForbiddenError) as caught:
            await cluster.patch(path_of("services", namespace, "frontend-service"), [])
    user = f"system:serviceaccount:{namespace}:dog"
    assert f'User "{user}" cannot patch resource "services"' in str(caught.value)
    assert "Allow it: the verb patch on services in the watchdog's Role" in str(caught.value)
    assert f"kubectl -n {namespace} auth can-i patch services/frontend-service --as {user}" in str(caught.value)


async def test_F91_an_api_version_that_is_not_served_any_more_is_told_as_such(control_plane: ControlPlane) -> None:
    async with await Cluster.connect(control_plane.kubeconfig, None) as cluster:
        with pytest.raises(NotFoundError, match=r"404 .*It does not serve this kind of object in this version"):
            await cluster.get("/apis/apps/v1beta1/namespaces/default/deployments")


@pytest.mark.parametrize(
    ("made", "trusted", "why"),
    [
        pytest.param({"expired": True}, "its own", "certificate has expired", id="expired"),
        pytest.param({}, "another", "unable to get local issuer certificate", id="of another authority"),
        pytest.param({"addresses": ["10.0.0.2"]}, "its own", "IP address mismatch", id="of another name"),
    ],
)
async def test_F92_an_api_server_with_a_certificate_that_is_not_to_be_trusted_hears_nothing(
    control_plane: ControlPlane, tmp_path: Path, made: dict[str, Any], trusted: str, why: str
) -> None:
    ca = make_certificates(tmp_path, **made).ca
    with fault_proxy(control_plane, tmp_path) as proxy:
        kubeconfig = proxy.kubeconfig(control_plane.admin_token)
        if trusted == "its own":
            edited(kubeconfig, lambda parts: parts["cluster"].update({"certificate-authority": str(ca)}))
        async with await Cluster.connect(kubeconfig, None) as cluster:
            with pytest.raises(UnreachableError, match=rf"not to be trusted, and nothing was sent to it: .*{why}"):
                await cluster.get("/api/v1/namespaces")
        assert proxy.requests == []


async def test_F92_a_kubeconfig_that_switches_the_verification_off_is_refused(control_plane: ControlPlane) -> None:
    def edit(parts: dict[str, dict[str, object]]) -> None:
        del parts["cluster"]["certificate-authority"]
        parts["cluster"]["insecure-skip-tls-verify"] = True

    kubeconfig = edited(control_plane.make_kubeconfig("token"), edit)
    with pytest.raises(ConfigurationError, match="insecure-skip-tls-verify"):
        await Cluster.connect(kubeconfig, None)
