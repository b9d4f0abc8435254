"""The simulated API server answers as the real one does."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from kubernetes.aio import client, config
from kubernetes.aio.client.exceptions import ApiException

from tests.contract.kubernetes_exchanges import SCENES, Exchange, Seen, is_settled, lists_ready
from tests.contract.kubernetes_objects import BLUE, DEPLOYMENTS, SERVICES, SLICES, deployment, essence, event, service
from tests.contract.sides import Answer, KubernetesSide
from tests.stack.wait import PATIENCE


async def ask(side: KubernetesSide, exchange: Exchange, seen: Seen) -> Answer:
    body = exchange.body(seen) if callable(exchange.body) else exchange.body
    deadline = time.monotonic() + PATIENCE
    while True:
        answer = await side.send(exchange.method, exchange.path, body, content_type=exchange.content_type)
        if exchange.until is None or exchange.until(answer.body):
            return answer
        assert time.monotonic() < deadline, f"{exchange.method} {exchange.path} never became so: {answer.body}"
        await asyncio.sleep(0.05)


async def play(side: KubernetesSide, scene: list[Exchange]) -> list[dict[str, Any]]:
    """What each exchange of a scene came to: what it was, status, warnings, body."""
    seen: dict[str, Any] = {}
    record = []
    for number, exchange in enumerate(scene):
        answer = await ask(side, exchange, seen)
        if exchange.keep:
            seen[exchange.keep] = answer.body
        look = exchange.look if answer.status < 400 else exchange.look_at_refusal
        record.append(
            {
                "asked": f"{number}: {exchange.method} {exchange.path}",
                "status": answer.status,
                "warnings": sorted(answer.headers.getall("Warning", [])),
                "body": essence(look(answer.body), namespace=side.namespace),
            }
        )
    return record


def lines(told: Any) -> list[str]:
    return json.dumps(told, indent=1, sort_keys=True).splitlines()


@pytest.mark.parametrize("name", SCENES)
async def test_answers_alike(name: str, simulated_kubernetes: KubernetesSide, real_kubernetes: KubernetesSide) -> None:
    real, simulated = await asyncio.gather(
        play(real_kubernetes, SCENES[name]), play(simulated_kubernetes, SCENES[name])
    )
    # As text, line by line, a difference is seen at once.
    for expected, found in zip(real, simulated, strict=True):
        assert lines(found) == lines(expected)


@pytest.fixture
async def shipped(kubernetes: KubernetesSide) -> AsyncIterator[client.ApiClient]:
    """The shipped client, with the Service and a Deployment of two ready pods in the namespace."""
    await kubernetes.send("POST", SERVICES, service(app="frontend", color="blue"))
    await kubernetes.send("POST", DEPLOYMENTS, deployment("blue"))
    await ask(kubernetes, Exchange(method="GET", path=BLUE, until=is_settled), {})
    await config.load_kube_config(config_file=str(kubernetes.kubeconfig))
    async with client.ApiClient() as connected:
        yield connected


def reason_of(refusal: ApiException) -> str:
    reason: str = json.loads(refusal.body or "{}")["reason"]
    return reason


async def test_refuses_the_shipped_client(shipped: client.ApiClient, kubernetes: KubernetesSide) -> None:
    core = client.CoreV1Api(shipped)
    failing = [{"op": "test", "path": "/metadata/uid", "value": "x"}, {"op": "remove", "path": "/spec/selector"}]
    with pytest.raises(ApiException) as refusal:
        await core.patch_namespaced_service("frontend-service", kubernetes.namespace, failing, _request_timeout=5.0)
    assert (refusal.value.status, reason_of(refusal.value)) == (422, "Invalid")
    with pytest.raises(ApiException) as refusal:
        await core.read_namespaced_service("nope", kubernetes.namespace, _request_timeout=5.0)
    assert (refusal.value.status, reason_of(refusal.value)) == (404, "NotFound")


async def test_shows_the_shipped_client_what_a_scale_of_zero_is(
    shipped: client.ApiClient, kubernetes: KubernetesSide
) -> None:
    apps, discovery = client.AppsV1Api(shipped), client.DiscoveryV1Api(shipped)
    down = [
        {"op": "test", "path": "/spec/replicas", "value": 2},
        {"op": "replace", "path": "/spec/replicas", "value": 0},
    ]
    await apps.patch_namespaced_deployment_scale("frontend-blue", kubernetes.namespace, down, _request_timeout=5.0)
    await ask(kubernetes, Exchange(method="GET", path=BLUE, until=is_settled), {})
    scale = await apps.read_namespaced_deployment_scale("frontend-blue", kubernetes.namespace, _request_timeout=5.0)
    assert scale.spec is not None
    assert scale.status is not None
    assert (scale.spec.replicas, scale.status.replicas) == (None, 0)
    await ask(kubernetes, Exchange(method="GET", path=SLICES, until=lists_ready(0)), {})
    slices = await discovery.list_namespaced_endpoint_slice(kubernetes.namespace, _request_timeout=5.0)
    assert [piece.endpoints for piece in slices.items] == [None]


async def test_takes_events_and_reviews_from_the_shipped_client(
    shipped: client.ApiClient, kubernetes: KubernetesSide
) -> None:
    events = client.EventsV1Api(shipped)
    body = json.loads(json.dumps(event("told")).replace("{ns}", kubernetes.namespace))
    await events.create_namespaced_event(kubernetes.namespace, body, _request_timeout=5.0)
    with pytest.raises(ApiException) as refusal:
        await events.create_namespaced_event(kubernetes.namespace, body, _request_timeout=5.0)
    assert (refusal.value.status, reason_of(refusal.value)) == (409, "AlreadyExists")
    attributes = client.V1ResourceAttributes(namespace=kubernetes.namespace, verb="patch", resource="services")
    review = client.V1SelfSubjectAccessReview(spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes))
    answer = await client.AuthorizationV1Api(shipped).create_self_subject_access_review(review, _request_timeout=5.0)
    assert answer.status is not None
    assert answer.status.allowed is True


@pytest.mark.parametrize(
    ("path", "authorization", "status", "said"),
    [
        pytest.param("/readyz", None, 200, "ok", id="readiness is for everybody"),
        pytest.param("/version", None, 200, None, id="the version is for everybody"),
        pytest.param("/version", "Bearer wrong", 401, "Unauthorized", id="a wrong token never is"),
        pytest.param(SERVICES, "Bearer wrong", 401, "Unauthorized", id="a wrong token"),
        pytest.param(
            SERVICES,
            None,
            403,
            'services is forbidden: User "system:anonymous" cannot list resource "services" in API group "" in the '
            'namespace "{ns}"',
            id="a list without a token",
        ),
        pytest.param(
            BLUE,
            None,
            403,
            'deployments.apps "frontend-blue" is forbidden: User "system:anonymous" cannot get resource "deployments" '
            'in API group "apps" in the namespace "{ns}"',
            id="an object without a token",
        ),
    ],
)
async def test_asks_who_asks(
    path: str, authorization: str | None, status: int, said: str | None, kubernetes: KubernetesSide
) -> None:
    answer = await kubernetes.send("GET", path, headers={"Authorization": authorization or ""})
    told = answer.body["message"] if status > 400 else answer.body
    assert answer.status == status
    if said is not None:
        assert told == said.replace("{ns}", kubernetes.namespace)
