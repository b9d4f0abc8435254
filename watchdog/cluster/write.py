"""Patches one object, and sees it done.

Law: a patch tests what was read, and is read back; a reply that was lost is decided by reading, never by doing it
again, and what an admission has changed on its way is never written a second time.
"""

from collections.abc import Callable, Sequence

from watchdog.cluster.client import AlteredError, Cluster, ConflictError, Json, PatchOperation, UnreachableError


async def write(
    cluster: Cluster, path: str, operations: Sequence[PatchOperation], *, done: Callable[[Json], bool]
) -> None:
    """Returns when the object at a path is ``done``.

    Raises ClusterError: ConflictError says look again and plan afresh, AlteredError leave it alone and tell people.
    """
    try:
        written = await cluster.patch(path, operations)
    except UnreachableError:
        # Nobody knows whether it was committed; what is there now decides.
        if done(await cluster.get(path)):
            return
        raise
    if not done(written):
        raise AlteredError(
            f"{path}: what was written is not what was asked for; an admission webhook or policy changes it on its way "
            "(`kubectl get mutatingwebhookconfigurations,mutatingadmissionpolicies` lists them)"
        )
    if not done(await cluster.get(path)):
        raise ConflictError(f"{path} is not what was just written: another writer was there since")


def tests(*, uid: str, resource_version: str) -> list[PatchOperation]:
    """The beginning of a patch: the object is the one that was read, and nobody has written it since."""
    return [
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": resource_version},
    ]
