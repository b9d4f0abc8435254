"""Annotates an object as a person asked: by a JSON Patch over exactly what was read, and read back.

Law: nothing but the named annotations changes; who has lost a race reads anew, and a reply that was lost is decided by
reading.
"""

import shlex
from collections.abc import Callable, Mapping

from watchdog.cluster.client import Cluster, ConflictError, Json, PatchOperation, UnreachableError
from watchdog.core.annotations import json_pointer
from watchdog.settings import Settings

TRIES = 5

Changes = Mapping[str, str | None]
"""The wanted annotations; None for one that has to go."""


async def annotate(
    cluster: Cluster, path: str, changes: Changes, *, check: Callable[[Json], None] = lambda _: None
) -> bool:
    """Annotates the object at a path, and has seen it done; False when it was so already.

    ``check`` looks at each reading and raises for one that must not be annotated. Raises ClusterError, ConflictError
    when the object did not stand still.
    """
    last: ConflictError | None = None
    for _ in range(TRIES):
        found = await cluster.get(path)
        check(found)
        if _is_done(found, changes):
            return last is not None
        try:
            await _write(cluster, path, found, changes)
        except ConflictError as conflict:
            last = conflict
            continue
        seen = await cluster.get(path)
        check(seen)
        if _is_done(seen, changes):
            return True
        last = ConflictError(f"{path} is not what was just written: another writer, or an admission webhook")
    raise last or ConflictError(path)


async def _write(cluster: Cluster, path: str, found: Json, changes: Changes) -> None:
    try:
        await cluster.patch(path, _operations(found, changes))
    except UnreachableError:
        # Nobody knows whether it was committed; what is there now decides.
        if not _is_done(await cluster.get(path), changes):
            raise


def annotations_of(found: Json) -> dict[str, str]:
    """All annotations of an object."""
    return dict(found["metadata"].get("annotations") or {})


def _is_done(found: Json, changes: Changes) -> bool:
    present = annotations_of(found)
    return all(present.get(key) == value for key, value in changes.items())


def _operations(found: Json, changes: Changes) -> list[PatchOperation]:
    metadata, present = found["metadata"], annotations_of(found)
    tests = [{"op": "test", "path": f"/metadata/{key}", "value": metadata[key]} for key in ("uid", "resourceVersion")]
    wanted = {key: value for key, value in changes.items() if value is not None}
    if "annotations" not in metadata:
        # Into a missing map nothing can be added: 422.
        return [*tests, {"op": "add", "path": "/metadata/annotations", "value": wanted}]
    adds = [{"op": "add", "path": json_pointer(key), "value": value} for key, value in wanted.items()]
    gone = [key for key, value in changes.items() if value is None and key in present]
    return [*tests, *adds, *({"op": "remove", "path": json_pointer(key)} for key in gone)]


def kubectl(settings: Settings, namespace: str, kind: str, names: list[str], changes: Changes) -> str:
    """The command that does the same, ready for a shell."""
    words = ["kubectl"]
    if settings.kubeconfig is not None:
        words += ["--kubeconfig", str(settings.kubeconfig)]
    if settings.kube_context is not None:
        words += ["--context", settings.kube_context]
    words += ["-n", namespace, "annotate", kind, *names]
    words += [f"{key}-" if value is None else f"{key}={value}" for key, value in changes.items()]
    return shlex.join([*words, "--overwrite"] if any(value is not None for value in changes.values()) else words)
