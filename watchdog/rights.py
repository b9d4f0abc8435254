"""Says, when rules are put in force, what the watchdog will not be allowed to do.

Law: a dry run asks for nothing, because asking is a POST; what cannot be told stops nobody.
"""

from collections.abc import Iterable, Sequence

import structlog

from watchdog.cluster.access import (
    Permission,
    census_permission,
    journal_permissions,
    lease_permissions,
    missing_permissions,
    own_event_permission,
    permissions_needed,
    permissions_to_look,
)
from watchdog.cluster.client import Cluster, ClusterError
from watchdog.core.rules.language import Mode, Target
from watchdog.election.shards import leases_of
from watchdog.settings import Settings

_log = structlog.get_logger()


def enforced(settings: Settings, targets: Iterable[Target]) -> list[Target]:
    """Those of the targets that may be rolled back."""
    return [target for target in targets if target.mode is Mode.ENFORCE and not settings.dry_run]


async def warn_of_missing_permissions(cluster: Cluster, settings: Settings, targets: Sequence[Target]) -> None:
    """A line for each permission without which a rollback fails, or is not told enough of; it never raises."""
    acting = enforced(settings, targets)
    await _warn(cluster, _to_act(settings, acting), without="it cannot roll back")
    # Not every cluster has KEDA.
    looking = [each for target in acting for each in permissions_to_look(target, keda=False)]
    await _warn(cluster, looking, without="it does not see who else scales")


def _to_act(settings: Settings, acting: Sequence[Target]) -> list[Permission]:
    if not acting:
        return []
    needed = [permission for target in acting for permission in permissions_needed(target)]
    for target in acting:
        needed += journal_permissions(settings.namespace or target.namespace, [target.target])
    if settings.namespace is not None:
        needed.append(census_permission(settings.namespace))
    if settings.namespace is not None and settings.deployment is not None:
        needed.append(own_event_permission(settings.namespace))
    if settings.namespace is not None and settings.leader_election:
        needed += lease_permissions(settings.namespace, leases_of(settings))
    return needed


async def _warn(cluster: Cluster, needed: Sequence[Permission], *, without: str) -> None:
    try:
        missing = await missing_permissions(cluster, needed)
    except ClusterError as error:
        _log.warning("permissions unknown", sentence=str(error))
        return
    for permission in missing:
        _log.error("permission missing", sentence=f"the watchdog may not {permission}; {without} without")
