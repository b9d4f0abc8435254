"""The image, as far as it is made without a container engine: what its Dockerfile copies makes a wheel that runs."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.delivery.chart import ROOT
from watchdog import __version__

DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
BEFORE, BUILD, _ = re.split(r"^RUN /opt/build/bin/python (-m pip wheel [^&]+)", DOCKERFILE, flags=re.MULTILINE)
COPIED = [name for names in re.findall(r"^COPY (.+) \S+$", BEFORE, re.MULTILINE) for name in names.split()]
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


def run(*command: str, folder: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tracked(*paths: str) -> list[str]:
    return run("git", "ls-files", *paths, folder=ROOT).splitlines()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the command of the Dockerfile, from what the Dockerfile copies before it."""
    folder = tmp_path_factory.mktemp("build")
    for name in tracked(*COPIED):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    run(sys.executable, *shlex.split(BUILD.replace("/build/", f"{folder}/")), folder=folder, **OFFLINE)
    (made,) = (folder / "dist").glob("*.whl")
    return made


def test_the_engine_is_given_what_the_dockerfile_copies() -> None:
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(COPIED) == let_through
    assert "watchdog" in COPIED


def test_the_wheel_of_the_dockerfile_holds_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        members = [name for name in content.namelist() if ".dist-info/" not in name]
    assert sorted(members) == sorted(tracked("watchdog"))


def test_the_command_of_the_wheel_says_its_version_and_checks_rule_files(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    install = ("-m", "pip", "install", "--no-deps", "--no-compile", "--target", str(site), str(wheel))
    run(sys.executable, *install, folder=tmp_path, **OFFLINE)
    command, path = str(site / "bin" / "watchdog"), {"PYTHONPATH": str(site)}
    where = run(sys.executable, "-c", "import watchdog; print(watchdog.__file__)", folder=tmp_path, **path)
    assert where.strip() == str(site / "watchdog" / "__init__.py")
    assert __version__ in run(command, "--version", folder=tmp_path, **path)
    assert "banking-app.yaml: ok" in run(command, "check", str(ROOT / "rules"), folder=tmp_path, **path)
