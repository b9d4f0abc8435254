"""The files that a command line names beside the rules: read whole, or written when the work is done.

Law: what could not be written is said before the work, not after it.
"""

import os
from pathlib import Path

from watchdog.commands.exit_codes import USAGE
from watchdog.commands.session import StopError


def text_of(option: str, path: Path) -> str:
    """What is in the file. Raises StopError."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise StopError(f"{option} {path}: cannot be read: it is not UTF-8", USAGE) from None
    except OSError as error:
        raise StopError(f"{option} {path}: cannot be read: {error.strerror}", USAGE) from error


def write_text(option: str, path: Path, text: str) -> None:
    """Writes the file. Raises StopError."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StopError(f"{option} {path}: cannot be written: {error.strerror}", USAGE) from error


def check_place(option: str, path: Path | None) -> None:
    """Raises StopError when no file can be written there; None is no file at all."""
    if path is None:
        return
    try:
        _check(option, path)
    except OSError as error:
        raise StopError(f"{option} {path}: cannot be written: {error.strerror}", USAGE) from error


def _check(option: str, path: Path) -> None:
    if path.is_dir():
        raise StopError(f"{option} {path}: this is a folder; name a file", USAGE)
    if not path.parent.is_dir():
        raise StopError(f"{option} {path}: there is no folder {path.parent}; make it first", USAGE)
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise StopError(f"{option} {path}: may not be written; name another place", USAGE)
