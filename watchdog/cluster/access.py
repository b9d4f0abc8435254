"""Asks the API server, whenever rules are put in force, whether the watchdog may do what they need.

Law: what is not allowed is named by verb and object, and nobody finds out in the middle of a rollback.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from watchdog.cluster.client import Cluster
from watchdog.core.journal_text import name_of_journal
from watchdog.core.rules.language import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """A verb on a resource, as RBAC writes it."""

    verb: str
    group: str
    resource: str
    namespace: str
    name: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        resource = "/".join(filter(None, (self.resource, self.subresource)))
        return f"{self.verb} {resource}" + (f" {self.name}" if self.name else "") + f" in {self.namespace}"


def permissions_needed(target: Target) -> tuple[Permission, ...]:
    """Every permission that a target in mode ``enforce`` needs."""
    space = target.namespace
    reads = [
        Permission(verb="list", group=group, resource=resource, namespace=space)
        for group, resource in (
            ("", "services"),
            ("", "pods"),
            ("apps", "deployments"),
            ("discovery.k8s.io", "endpointslices"),
        )
    ]
    reads.append(Permission(verb="get", group="", resource="namespaces", namespace=space, name=space))
    patches = [
        Permission(verb="create", group="events.k8s.io", resource="events", namespace=space),
        Permission(verb="get", group="discovery.k8s.io", resource="endpointslices", namespace=space),
    ]
    for service in target.services:
        patches += [
            Permission(verb=verb, group="", resource="services", namespace=space, name=service.name)
            for verb in ("get", "patch")
        ]
        for name in map(service.deployment_of, target.colors):
            patches += _deployment(space, name)
    return (*reads, *patches)


def permissions_to_look(target: Target, *, keda: bool = True) -> tuple[Permission, ...]:
    """What a target in mode ``enforce`` needs to see who else scales its Deployments. A rollback goes without."""
    kinds = [("autoscaling", "horizontalpodautoscalers"), ("policy", "poddisruptionbudgets")]
    kinds += [("keda.sh", "scaledobjects")] if keda else []
    return tuple(
        Permission(verb="list", group=group, resource=resource, namespace=target.namespace) for group, resource in kinds
    )


def journal_permissions(namespace: str, targets: Iterable[str]) -> tuple[Permission, ...]:
    """What the journals of these targets need."""
    anywhere = Permission(verb="create", group="", resource="configmaps", namespace=namespace)
    named = [
        Permission(verb=verb, group="", resource="configmaps", namespace=namespace, name=name_of_journal(target))
        for target in targets
        for verb in ("get", "patch")
    ]
    return (anywhere, *named) if named else ()


def census_permission(namespace: str) -> Permission:
    """What counting the rollbacks of all replicas needs. A list cannot be limited to names."""
    return Permission(verb="list", group="", resource="configmaps", namespace=namespace)


def own_event_permission(namespace: str) -> Permission:
    """What telling on the watchdog's own Deployment needs."""
    return Permission(verb="create", group="events.k8s.io", resource="events", namespace=namespace)


def lease_permissions(namespace: str, names: Iterable[str]) -> tuple[Permission, ...]:
    """What the election needs. What does not exist yet, and a list, cannot be limited to names."""
    group, resource = "coordination.k8s.io", "leases"
    anywhere = [
        Permission(verb=verb, group=group, resource=resource, namespace=namespace) for verb in ("list", "create")
    ]
    named = [
        Permission(verb=verb, group=group, resource=resource, namespace=namespace, name=name)
        for name in names
        for verb in ("get", "patch")
    ]
    return (*anywhere, *named)


def _deployment(namespace: str, name: str) -> list[Permission]:
    return [
        Permission(
            verb=verb, group="apps", resource="deployments", subresource=subresource, namespace=namespace, name=name
        )
        for subresource in ("", "scale")
        for verb in ("get", "patch")
    ]


async def missing_permissions(cluster: Cluster, permissions: Iterable[Permission]) -> tuple[Permission, ...]:
    """Those of the permissions that the API server denies. Raises ClusterError when it cannot be asked."""
    asked = tuple(dict.fromkeys(permissions))
    allowed = await asyncio.gather(*(_is_allowed(cluster, each) for each in asked))
    return tuple(each for each, yes in zip(asked, allowed, strict=True) if not yes)


async def _is_allowed(cluster: Cluster, permission: Permission) -> bool:
    attributes = {
        "verb": permission.verb,
        "group": permission.group,
        "resource": permission.resource,
        "subresource": permission.subresource,
        "namespace": permission.namespace,
        "name": permission.name,
    }
    review = await cluster.create(
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
        },
    )
    # An answer without a clear yes is a no.
    return review.get("status", {}).get("allowed") is True
