"""Rule files as a kubelet mounts them from a ConfigMap, in a folder for each replica.

Law: what is changed in a replica's folder arrives there alone: kubelets bring a change each in its own time.
"""

from __future__ import annotations

import itertools
import shutil
import textwrap
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Mount:
    """One pod's copy of the ConfigMap: https://pkg.go.dev/k8s.io/kubernetes/pkg/volume/util#AtomicWriter."""

    folder: Path
    states: itertools.count[int] = field(default_factory=itertools.count)

    def bring(self, **files: str) -> None:
        """The whole new content: a hidden folder, to which ``..data`` is swung by a rename; the one before it goes."""
        state = self.folder / f"..2026_11_28_{next(self.states)}"
        state.mkdir(parents=True)
        before = (self.folder / "..data").resolve()
        for name, text in files.items():
            (state / f"{name}.yaml").write_text(textwrap.dedent(text))
        (self.folder / "..data_tmp").symlink_to(state.name)
        (self.folder / "..data_tmp").rename(self.folder / "..data")
        for name in files:
            link = self.folder / f"{name}.yaml"
            if not link.is_symlink():
                link.symlink_to(Path("..data") / link.name)
        for link in self.folder.glob("*.yaml"):
            if not link.exists():
                link.unlink()
        if before != self.folder / "..data":
            shutil.rmtree(before)
