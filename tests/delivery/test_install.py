"""The chart on a real control plane: it comes up, and its ServiceAccount may do what the code asks for and no more."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.delivery.chart import RELEASE, Installed, installed
from tests.stack.admin import Admin, ApiError, path_of
from tests.stack.build import PartUnavailableError
from tests.stack.kubernetes import ControlPlane
from tests.stack.tools import helm
from watchdog.cluster.access import (
    Permission,
    census_permission,
    journal_permissions,
    lease_permissions,
    own_event_permission,
    permissions_needed,
    permissions_to_look,
)
from watchdog.core.rules.language import Target
from watchdog.core.sharding import lease_names

RULES = """
target: bank
namespace: SPACE
mode: enforce
services:
  - {name: frontend, deployment: "frontend-{{ color }}"}
rules:
  - alert: Errors
    prometheus: {expr: 'errors{color="{{ color }}"}'}
    threshold: {max: 1}
"""
FORBIDDEN = 403


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The watched namespace with what is in it, the release beside it, and a client with the release's token."""

    space: str
    rules: str
    release: Installed
    client: Admin


@pytest.fixture(scope="module")
def ground(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    try:
        helm()
    except PartUnavailableError as error:
        pytest.skip(f"Helm is not to be had: {error}")
    space = f"bank-{secrets.token_hex(4)}"
    rules = RULES.replace("SPACE", space)
    control_plane.admin.create_namespace(space)
    for name in ("frontend", "other"):
        service = {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], "selector": {"color": "blue"}}}
        control_plane.admin.create(path_of("services", space), service)
    for name in ("frontend-blue", "frontend-green", "other"):
        control_plane.admin.create(path_of("deployments", space), deployment(name))
    with installed(control_plane, tmp_path_factory.mktemp("chart"), rules={"bank.yaml": rules}) as release:
        client = Admin(control_plane.url, control_plane.ca_file, release.token)
        yield Ground(space=space, rules=rules, release=release, client=client)
        client.close()
    control_plane.admin.delete_namespace(space)


def deployment(name: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": "app"}]},
            },
        },
    }


def answer(ground: Ground, verb: str, path: str) -> int:
    """The status of a request that changes nothing, sent with the release's token."""
    full = path.format(space=ground.space, home=ground.release.namespace)
    try:
        match verb:
            case "get" | "list":
                ground.client.get(full)
            case "patch":
                ground.client.patch(f"{full}?dryRun=All", {"metadata": {"labels": {"touched": "yes"}}})
            case "scale":
                ground.client.patch(f"{full}?dryRun=All", [{"op": "replace", "path": "/spec/replicas", "value": 0}])
            case "replace":
                ground.client.replace(f"{full}?dryRun=All", {"metadata": {"name": full.rpartition("/")[2]}})
            case "create":
                ground.client.create(f"{full}?dryRun=All", {"metadata": {"name": "new"}})
            case "delete":
                ground.client.delete(f"{full}?dryRun=All")
            case _:
                pytest.fail(f"unknown verb {verb}")
    except ApiError as error:
        return error.status
    return 200


def test_its_pod_gets_ready(ground: Ground, control_plane: ControlPlane) -> None:
    found = control_plane.admin.get(path_of("deployments", ground.release.namespace, RELEASE))
    assert found["status"]["readyReplicas"] == 1


def test_the_token_may_what_the_code_asks_for_and_nothing_else(ground: Ground, control_plane: ControlPlane) -> None:
    """The API server itself lists what a token may; an account without any rights is what everybody may."""
    nobody = Admin(control_plane.url, control_plane.ca_file, control_plane.admin.create_token(ground.space, "nobody"))
    target = Target.model_validate(yaml.safe_load(ground.rules))
    home = ground.release.namespace
    leases = lease_permissions(home, lease_names(RELEASE, 1))
    own = Permission(verb="get", group="apps", resource="deployments", namespace=home, name=RELEASE)
    for namespace, needed in (
        (ground.space, {*permissions_needed(target), *permissions_to_look(target)}),
        (
            home,
            {own, own_event_permission(home), census_permission(home), *leases, *journal_permissions(home, ["bank"])},
        ),
        ("default", set()),
    ):
        assert permissions_of(ground.client, namespace) - permissions_of(nobody, namespace) == needed
    nobody.close()


def permissions_of(client: Admin, namespace: str) -> set[Permission]:
    review = client.create(
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": namespace},
        },
    )
    assert not review["status"]["incomplete"]
    return {
        Permission(
            verb=verb,
            group=group,
            resource=resource.partition("/")[0],
            subresource=resource.partition("/")[2],
            namespace=namespace,
            name=name,
        )
        for rule in review["status"]["resourceRules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames") or [""]
    }


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        pytest.param("get", "/api/v1/namespaces/{space}", id="read whether the namespace is paused"),
        pytest.param("get", "/apis/apps/v1/namespaces/{home}/deployments/watchdog", id="read whether it is paused"),
        pytest.param("list", "/api/v1/namespaces/{space}/services", id="list services"),
        pytest.param("list", "/api/v1/namespaces/{space}/pods", id="list pods"),
        pytest.param("list", "/apis/apps/v1/namespaces/{space}/deployments", id="list deployments"),
        pytest.param("list", "/apis/discovery.k8s.io/v1/namespaces/{space}/endpointslices", id="list slices"),
        pytest.param("patch", "/api/v1/namespaces/{space}/services/frontend", id="switch a service"),
        pytest.param("patch", "/apis/apps/v1/namespaces/{space}/deployments/frontend-blue", id="annotate blue"),
        pytest.param("patch", "/apis/apps/v1/namespaces/{space}/deployments/frontend-green", id="annotate green"),
        pytest.param("scale", "/apis/apps/v1/namespaces/{space}/deployments/frontend-green/scale", id="scale green"),
    ],
)
def test_allowed(ground: Ground, verb: str, path: str) -> None:
    assert answer(ground, verb, path) == 200


def test_an_event_may_be_created(ground: Ground) -> None:
    # An incomplete Event: invalid is not forbidden.
    assert answer(ground, "create", "/apis/events.k8s.io/v1/namespaces/{space}/events") in (400, 422)


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        pytest.param("list", "/api/v1/namespaces", id="list namespaces"),
        pytest.param("get", "/api/v1/namespaces/{home}", id="get another namespace"),
        pytest.param("patch", "/api/v1/namespaces/{space}", id="patch its namespace"),
        pytest.param("list", "/api/v1/services", id="list services everywhere"),
        pytest.param("list", "/api/v1/namespaces/{home}/pods", id="list pods at home"),
        pytest.param("list", "/api/v1/namespaces/{space}/secrets", id="list secrets"),
        pytest.param("list", "/api/v1/namespaces/{space}/configmaps", id="list config maps"),
        pytest.param("patch", "/api/v1/namespaces/{space}/services/other", id="patch another service"),
        pytest.param("replace", "/api/v1/namespaces/{space}/services/frontend", id="replace its service"),
        pytest.param("delete", "/api/v1/namespaces/{space}/services/frontend", id="delete its service"),
        pytest.param("create", "/api/v1/namespaces/{space}/services", id="create a service"),
        pytest.param("patch", "/apis/apps/v1/namespaces/{space}/deployments/other", id="patch another deployment"),
        pytest.param("scale", "/apis/apps/v1/namespaces/{space}/deployments/other/scale", id="scale another"),
        pytest.param("patch", "/apis/apps/v1/namespaces/{space}/deployments/frontend-blue/status", id="patch status"),
        pytest.param("delete", "/apis/apps/v1/namespaces/{space}/deployments/frontend-green", id="delete green"),
        pytest.param("patch", "/apis/apps/v1/namespaces/{home}/deployments/watchdog", id="patch itself"),
        pytest.param("list", "/apis/events.k8s.io/v1/namespaces/{space}/events", id="list events"),
        pytest.param("create", "/api/v1/namespaces/{space}/pods", id="create a pod"),
        pytest.param(
            "create", "/apis/rbac.authorization.k8s.io/v1/namespaces/{space}/rolebindings", id="grant something"
        ),
    ],
)
def test_forbidden(ground: Ground, verb: str, path: str) -> None:
    assert answer(ground, verb, path) == FORBIDDEN
