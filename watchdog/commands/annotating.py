"""Annotates an object as a person asked: by a JSON Patch over exactly what was read, and read back.

Law: nothing but the named annotations changes; who has lost a race reads anew.
"""

import shlex
from collections.abc import Callable, Mapping

from watchdog.cluster.client import Cluster, ConflictError, Json, PatchOperation
from watchdog.cluster.write import tests, write
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

    def is_done(seen: Json) -> bool:
        check(seen)
        return _is_done(seen, changes)

    last: ConflictError | None = None
    for _ in range(TRIES):
        found = await cluster.get(path)
        if is_done(found):
            return last is not None
        try:
            await write(cluster, path, _operations(found, changes), done=is_done)
        except ConflictError as conflict:
            last = conflict
        else:
            return True
    raise last or ConflictError(path)


def annotations_of(found: Json) -> dict[str, str]:
    """All annotations of an object."""
    return dict(found["metadata"].get("annotations") or {})


def _is_done(found: Json, changes: Changes) -> bool:
    present = annotations_of(found)
    return all(present.get(key) == value for key, value in changes.items())


def _operations(found: Json, changes: Changes) -> list[PatchOperation]:
    metadata, present = found["metadata"], annotations_of(found)
    unchanged = tests(uid=metadata["uid"], resource_version=metadata["resourceVersion"])
    wanted = {key: value for key, value in changes.items() if value is not None}
    if "annotations" not in metadata:
        # Into a missing map nothing can be added: 422.
        return [*unchanged, {"op": "add", "path": "/metadata/annotations", "value": wanted}]
    adds = [{"op": "add", "path": json_pointer(key), "value": value} for key, value in wanted.items()]
    gone = [key for key, value in changes.items() if value is None and key in present]
    return [*unchanged, *adds, *({"op": "remove", "path": json_pointer(key)} for key in gone)]


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
