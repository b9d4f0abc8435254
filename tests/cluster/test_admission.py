"""An admission policy between the watchdog and its objects, on a real API server: it holds, and tells people."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.cluster.conftest import Bank
from tests.cluster.running import PACE, bank_to_watch, watching
from tests.stack.admin import Admin, ApiError, path_of
from tests.stack.kubernetes import ControlPlane
from tests.stack.wait import eventually, wait_until
from watchdog.core.annotations import PAUSED
from watchdog.core.transition import Event

POLICIES = "/apis/admissionregistration.k8s.io/v1"
PROBING = "request.name == 'probe'"
OURS = {"name": "ours", "expression": 'request.userInfo.username == "watchdog"'}


@pytest.fixture
def bank(control_plane: ControlPlane, namespace: str) -> Bank:
    return bank_to_watch(control_plane, namespace)


@contextmanager
def policy(bank: Bank, kind: str, *, resource: str, **spec: Any) -> Iterator[None]:
    """A policy that meets what the watchdog updates in this namespace, inside the block."""
    admin, name, plural = bank.plane.admin, bank.namespace, f"{kind.lower()[:-1]}ies"
    here = {"matchLabels": {"kubernetes.io/metadata.name": bank.namespace}}
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": [resource, "configmaps"]}
    met = {"name": "met", "expression": f"request.resource.resource == {resource.partition('/')[0]!r} || {PROBING}"}
    constraints = {"namespaceSelector": here, "resourceRules": [rule]}
    body = {"matchConstraints": constraints, "failurePolicy": "Fail", "matchConditions": [OURS, met], **spec}
    admin.create(f"{POLICIES}/{plural}", {"metadata": {"name": name}, "spec": body})
    binding = {"policyName": name} | ({"validationActions": ["Deny"]} if kind.startswith("Validating") else {})
    admin.create(f"{POLICIES}/{plural[:-3]}ybindings", {"metadata": {"name": name}, "spec": binding})
    wait_until(lambda: is_in_force(bank), "the policy is in force")
    try:
        yield
    finally:
        admin.delete(f"{POLICIES}/{plural[:-3]}ybindings/{name}")
        admin.delete(f"{POLICIES}/{plural}/{name}")
        wait_until(lambda: not is_in_force(bank), "the policy is gone")


def is_in_force(bank: Bank) -> bool:
    """True when the policy meets an object that is there for nothing else; both kinds refuse to write that one."""
    plane = bank.plane
    admin = Admin(plane.url, plane.ca_file, plane.tokens["watchdog"])
    path = path_of("configmaps", bank.namespace)
    if not plane.admin.exists(f"{path}/probe"):
        plane.admin.create(path, {"metadata": {"name": "probe"}})
    try:
        admin.patch(f"{path}/probe", {"data": {"at": secrets.token_hex(4)}})
    except ApiError:
        return True
    finally:
        admin.close()
    return False


def patches(bank: Bank, resource: str) -> list[dict[str, Any]]:
    """The audit rows of what the watchdog has patched."""
    rows = bank.plane.audit(bank.namespace, verbs=["patch"], user="watchdog")
    done = [row["objectRef"] for row in rows if row["responseStatus"]["code"] == 200]
    return [each for each in done if resource == "/".join(filter(None, (each["resource"], each.get("subresource"))))]


async def test_F90_a_policy_that_denies_is_told_by_name_and_nothing_is_written(bank: Bank) -> None:
    deny = [{"expression": "false", "message": "the platform team owns the selectors"}]
    with policy(bank, "ValidatingAdmissionPolicy", resource="services", validations=deny):
        async with watching(bank, bank.plane.folder / "watchdog.kubeconfig", pace=PACE) as ear:
            await eventually(ear.held, "people are told")
    assert f"ValidatingAdmissionPolicy '{bank.namespace}'" in ear.held()
    assert "the platform team owns the selectors. Let that policy or webhook allow" in ear.held()
    assert ear.told(Event.CLUSTER).count("conflict") == 0, "asking again at once would change nothing"
    assert (patches(bank, "services"), patches(bank, "deployments/scale")) == ([], [])


@pytest.mark.parametrize(
    ("resource", "operation"),
    [
        pytest.param("services", "path: '/spec/selector/app', value: 'canary'", id="the selector of a Service"),
        pytest.param("deployments/scale", "path: '/spec/replicas', value: 1", id="the replicas of a Deployment"),
    ],
)
async def test_F90_what_a_policy_changes_on_its_way_is_not_written_again(
    bank: Bank, resource: str, operation: str
) -> None:
    mutation = {"patchType": "JSONPatch", "jsonPatch": {"expression": f"[JSONPatch{{op: 'add', {operation}}}]"}}
    kubeconfig = bank.plane.folder / "watchdog.kubeconfig"
    with policy(bank, "MutatingAdmissionPolicy", resource=resource, mutations=[mutation], reinvocationPolicy="Never"):
        async with watching(bank, kubeconfig, pace=PACE) as ear:
            await eventually(ear.held, "people are told")
            assert ear.told(Event.DECISION)[-1] == "altered"
        assert "changes it on its way" in ear.held()
        assert f"watchdog pause {bank.namespace} && watchdog resume {bank.namespace}" in ear.held()
        async with watching(bank, kubeconfig, pace=PACE) as ear:
            await eventually(lambda: ear.told(Event.DECISION) == ["altered"], "a new process holds as well")
            seen = ear.ticks
            await eventually(lambda: ear.ticks > seen + 2, "it looks on")
        assert len(patches(bank, resource)) == 1, "written once, and not again"
        async with watching(bank, kubeconfig, pace=PACE) as ear:
            bank.annotate("frontend-service", {PAUSED: "true"})
            await eventually(lambda: ear.told(Event.DECISION)[-1:] == ["paused"], "somebody pauses")
            bank.annotate("frontend-service", {PAUSED: None})
            await eventually(lambda: ear.told(Event.DECISION)[-1:] == ["altered"], "it is changed once more")
            assert ear.alerts[-1].key.endswith("/2"), "that is another alert, which no receiver drops"

    async with watching(bank, kubeconfig, pace=PACE) as ear:
        bank.annotate("frontend-service", {PAUSED: "true"})
        await eventually(lambda: ear.told(Event.DECISION)[-1:] == ["paused"], "it is paused")
        bank.annotate("frontend-service", {PAUSED: None})
        await eventually(lambda: ear.told(Event.FINISHED), "it is finished")
    assert bank.service("backend-service")["spec"]["selector"] == {"app": "backend-blue"}
    assert bank.plane.admin.get(bank.deployment_path("backend-green"))["spec"]["replicas"] == 0
