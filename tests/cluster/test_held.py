"""What the API server does not let through, with real refusals: it is held, and people are told what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.conftest import Bank
from tests.cluster.running import PACE, bank_to_watch, watching
from tests.stack.admin import Admin, path_of
from tests.stack.fault_proxy import fault_proxy
from tests.stack.faults import Delay
from tests.stack.injection import Match, Seen
from tests.stack.kubernetes import ControlPlane
from tests.stack.wait import eventually
from watchdog.core.transition import Event, Transition
from watchdog.watch.loop import TRIES

PATCH = frozenset({"PATCH"})


@pytest.fixture
def bank(control_plane: ControlPlane, namespace: str) -> Bank:
    return bank_to_watch(control_plane, namespace)


async def test_F28_a_race_that_is_lost_each_time_is_held_after_five_tries_and_told(bank: Bank) -> None:
    """Another writer is quicker each time: between the look and the write the Service changes."""
    plane = bank.plane
    other = Admin(plane.url, plane.ca_file, plane.tokens["load"])
    writes = 0

    def be_quicker(_: Seen) -> None:
        nonlocal writes
        writes += 1
        other.patch(bank.service_path("backend-service"), {"metadata": {"labels": {"writes": str(writes)}}})

    with fault_proxy(plane) as proxy:
        match = Match(methods=PATCH, path="/services/backend-service")
        proxy.inject(Delay(0), match, times=None, on_hit=be_quicker)
        async with watching(bank, proxy.kubeconfig(plane.tokens["watchdog"]), pace=PACE) as ear:
            await eventually(ear.held, "people are told")
            before = ear.heard[: ear.heard.index(ear.alerts[0])]
            tries = [each.after for each in before if isinstance(each, Transition) and each.event is Event.CLUSTER]
            assert "422" in ear.held()
            assert bank.service("backend-service")["spec"]["selector"] == {"app": "backend-green"}
            assert bank.service("backend-service")["metadata"]["labels"] == {"writes": str(writes)}
            proxy.clear()
            await eventually(lambda: ear.told(Event.FINISHED), "it is finished")
    other.close()
    assert set(tries) == {"conflict"}
    assert len(tries) % TRIES == 0, "each tick tries as often, and no more"


async def test_F29_a_role_without_a_verb_is_told_with_the_verb_and_the_cure(bank: Bank) -> None:
    admin, space = bank.plane.admin, bank.namespace
    everything_but = [
        {"apiGroups": ["apps", "events.k8s.io", "discovery.k8s.io"], "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["configmaps", "pods", "namespaces"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["services"], "verbs": ["get", "list"]},
    ]
    subject = {"kind": "ServiceAccount", "name": "dog", "namespace": space}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "dog"}
    admin.create(path_of("roles", space), {"metadata": {"name": "dog"}, "rules": everything_but})
    binding = {"metadata": {"name": "dog"}, "roleRef": role, "subjects": [subject]}
    admin.create(path_of("rolebindings", space), binding)
    kubeconfig: Path = bank.plane.make_kubeconfig(admin.create_token(space, "dog"))
    async with watching(bank, kubeconfig, pace=PACE) as ear:
        user = f"system:serviceaccount:{space}:dog"
        refused = f'User "{user}" cannot patch resource "services"'
        await eventually(lambda: refused in ear.held(), "people are told")
        assert "Allow it: the verb patch on services in the watchdog's Role" in ear.held()
        assert f"kubectl -n {space} auth can-i patch services/backend-service --as {user}" in ear.held()
        everything_but[2]["verbs"] = ["*"]
        admin.patch(f"{path_of('roles', space)}/dog", {"rules": everything_but})
        await eventually(lambda: ear.told(Event.FINISHED), "it is finished")
