"""Runs a command in namespaces of its own: with mounts that nobody else sees, or with a clock that is hours ahead.

Law: nothing of the machine is changed; where the kernel does not allow it to us, the test is skipped and says so.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

Done = subprocess.CompletedProcess[str]
_AS_ROOT = [] if os.getuid() == 0 else ["--map-root-user"]


def with_mount(source: Path, place: Path, command: Sequence[str], environment: Mapping[str, str]) -> Done:
    """What a command says while ``source`` is mounted at ``place``, for it alone."""
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    arguments = ["--mount", "sh", "-c", script, "sh", str(source), str(place)]
    _probe("a mount", [*arguments, "true"])
    return _unshare([*arguments, *command], environment)


def after_sleep(seconds: int, command: Sequence[str], environment: Mapping[str, str]) -> Done:
    """What a command says on a machine that has slept for so long since it was booted."""
    arguments = ["--time", "--fork", "--boottime", str(seconds)]
    _probe("a clock of its own", [*arguments, "true"])
    return _unshare([*arguments, *command], environment)


def _probe(what: str, arguments: Sequence[str]) -> None:
    try:
        done = _unshare(arguments, os.environ)
    except FileNotFoundError:
        pytest.skip(f"{what} needs unshare of util-linux")
    if done.returncode:
        pytest.skip(f"the kernel does not allow us {what}: {done.stderr.strip()}")


def _unshare(arguments: Sequence[str], environment: Mapping[str, str]) -> Done:
    return subprocess.run(
        ["unshare", *_AS_ROOT, *arguments],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
