"""The folder of one test run, in which every server keeps its data and its log.

Law: a run's folder goes when the run ends; what a killed run left behind goes when the next one starts.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "canary-watchdog-run-"
KEEP = "CANARY_WATCHDOG_KEEP"


@contextmanager
def run_folder() -> Iterator[Path]:
    """A new folder that any user may enter; ``$CANARY_WATCHDOG_KEEP`` keeps it for a look at the logs."""
    parent = Path(tempfile.gettempdir())
    _remove_leftovers(parent)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=parent))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        if not os.environ.get(KEEP):
            shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers(parent: Path) -> None:
    if os.environ.get(KEEP):
        return
    for folder in parent.glob(f"{PREFIX}*"):
        owner = re.match(rf"{PREFIX}(\d+)-", folder.name)
        if owner and not Path(f"/proc/{owner[1]}").exists():
            shutil.rmtree(folder, ignore_errors=True)
