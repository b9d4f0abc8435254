"""Which installation of the watchdog an object is in the hands of: the annotation ``managed-by`` on it.

Law: what is marked by another installation is neither written nor carried on; what is not marked is anybody's.

An instance is ``<namespace of its journals>/<name in its Leases>``: the replicas of one installation, and the next one
by the same name in the same place, are one instance. A person's command knows the namespace and not the name; it acts
for whichever instance keeps its journals there.
"""

from dataclasses import replace

from watchdog.core.annotations import MANAGED_BY, TRIP
from watchdog.core.model import Annotations, TargetStatus


def instance_name(namespace: str, name: str = "") -> str:
    """The instance's name; without a ``name`` that of a person's command."""
    return f"{namespace}/{name}"


def is_another(manager: str, instance: str) -> bool:
    """True when the two are not the same instance. An empty one is nobody in particular."""
    if not manager or not instance:
        return False
    (namespace, _, name), (own_namespace, _, own_name) = manager.partition("/"), instance.partition("/")
    return namespace != own_namespace or bool(name and own_name and name != own_name)


def other_manager(annotations: Annotations, instance: str) -> str:
    """The other instance that these annotations name, "" when they name none."""
    manager = annotations.get(MANAGED_BY, "")
    return manager if is_another(manager, instance) else ""


def without_others(status: TargetStatus, instance: str) -> TargetStatus:
    """The status without the trips of another instance: they are not for us to go on with, or to count from."""
    if any(other_manager(service.annotations, instance) for service in status.services):
        return replace(status, trip=None, last_trip=None)
    return status


def has_switched(status: TargetStatus, instance: str) -> bool:
    """True when an open trip of this instance is on one of the Services."""
    return any(
        TRIP in service.annotations and not other_manager(service.annotations, instance) for service in status.services
    )
