"""How commands speak, and the sentences that several of them say.

Law: data goes to standard output and talk to standard error.
"""

import os
import sys
from pathlib import Path

from watchdog.core.visible import visible
from watchdog.settings import unknown_variables


def say(line: str) -> None:
    """One line of data."""
    sys.stdout.write(line + "\n")


def tell(line: str) -> None:
    """One line of talk."""
    sys.stderr.write(line + "\n")


def missing_paths(*paths: Path, cure: str = "check the path") -> list[str]:
    """A sentence for each path with nothing at it, not even a link."""
    return [f"{visible(str(path))}: no such file or folder; {cure}" for path in paths if _is_missing(path)]


def _is_missing(path: Path) -> bool:
    try:
        return not path.exists() and not path.is_symlink()
    except OSError:
        return False  # whoever reads it says why it cannot be read


def misspelled() -> list[str]:
    """A sentence for each variable of the environment that looks like a setting and is none."""
    return [f"{name} is no setting; is it misspelled?" for name in unknown_variables(os.environ)]
