"""Recognizes a ConfigMap that is mounted by ``subPath``.

Law: pure but for one file of the kernel's; what cannot be told is no subPath.

Kubernetes never updates such a mount (kubernetes/kubernetes#50345): the rules would be those of the pod's start for
ever, and nobody would notice.
"""

import re
from pathlib import Path

# Fields 4 and 5 of a line are what is mounted, as its own file system names it, and where:
# https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html. A volume as a whole ends with its name.
_PART_OF_VOLUME = re.compile(r"/volumes/kubernetes\.io~(configmap|projected|secret)/[^/]+/.|/volume-subpaths/")
_MOUNTINFO = Path("/proc/self/mountinfo")


class FrozenRulesError(Exception):
    """The rules are mounted in a way that never shows a change."""


def check_mount(folder: Path) -> None:
    """Raises FrozenRulesError."""
    if (place := subpath_mount(folder)) is not None:
        raise FrozenRulesError(
            f"{place} is mounted by subPath, which Kubernetes never updates: a changed rule would not arrive; "
            "mount the ConfigMap as a whole directory"
        )


def subpath_mount(folder: Path, mounts: str | None = None) -> str | None:
    """The place at or in the folder where a part of a volume is mounted; None when there is none.

    ``mounts`` is the text of ``/proc/self/mountinfo``, read when it is not given.
    """
    if mounts is None:
        try:
            mounts = _MOUNTINFO.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return None
    here = folder.resolve()
    for line in mounts.splitlines():
        _, _, _, root, place, *_ = line.split(" ", 5)
        mounted = Path(place.replace("\\040", " "))
        if _PART_OF_VOLUME.search(root) and here in (mounted, mounted.parent):
            return str(mounted)
    return None
