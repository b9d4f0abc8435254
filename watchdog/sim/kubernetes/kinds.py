"""The kinds of objects that are simulated, and the names by which messages call them.

Law: values only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


def _fields(text: str) -> frozenset[str]:
    return frozenset(text.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of object. ``fields`` are those of the spec that the server knows, None when they are opaque here."""

    kind: str
    plural: str
    group: str = ""
    version: str = "v1"
    spec_fields: frozenset[str] | None = None
    top_fields: frozenset[str] = frozenset({"spec", "status"})
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """``apps/v1``, ``v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """``deployments.apps``, ``services``: how messages call it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified(self) -> str:
        """``Deployment.apps``, ``Service``: how messages of the validation call it."""
        return f"{self.kind}.{self.group}" if self.group else self.kind


NAMESPACE = Kind(kind="Namespace", plural="namespaces", namespaced=False, spec_fields=frozenset({"finalizers"}))
SERVICE = Kind(
    kind="Service",
    plural="services",
    spec_fields=_fields(
        "allocateLoadBalancerNodePorts clusterIP clusterIPs externalIPs externalName externalTrafficPolicy "
        "healthCheckNodePort internalTrafficPolicy ipFamilies ipFamilyPolicy loadBalancerClass loadBalancerIP "
        "loadBalancerSourceRanges ports publishNotReadyAddresses selector sessionAffinity sessionAffinityConfig "
        "trafficDistribution type"
    ),
)
POD = Kind(kind="Pod", plural="pods")
DEPLOYMENT = Kind(
    kind="Deployment",
    plural="deployments",
    group="apps",
    spec_fields=_fields(
        "minReadySeconds paused progressDeadlineSeconds replicas revisionHistoryLimit selector strategy template"
    ),
)
ENDPOINT_SLICE = Kind(
    kind="EndpointSlice",
    plural="endpointslices",
    group="discovery.k8s.io",
    top_fields=frozenset({"addressType", "endpoints", "ports"}),
)
EVENT = Kind(
    kind="Event",
    plural="events",
    top_fields=_fields(
        "involvedObject reason message source firstTimestamp lastTimestamp count type eventTime series action related "
        "reportingComponent reportingInstance"
    ),
)
SCALE = Kind(kind="Scale", plural="deployments", group="autoscaling", spec_fields=frozenset({"replicas"}))
CONFIG_MAP = Kind(kind="ConfigMap", plural="configmaps", top_fields=_fields("data binaryData immutable"))
KINDS = (NAMESPACE, CONFIG_MAP, SERVICE, POD, DEPLOYMENT, ENDPOINT_SLICE, EVENT)
