"""What git knows of rule files: what they were in another revision, and which of them are others there.

Law: it reads; the one thing that it fetches is a commit to compare with that a shallow checkout does not have.
"""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from watchdog.core.rules.problem import quoted

_SECONDS = 120  # a fetch over a slow line; everything else takes milliseconds


class GitError(Exception):
    """Git could not say it; the text is its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Files that are others than in a revision, with absolute paths: those that are here, and those that were there."""

    here: tuple[Path, ...]
    gone: tuple[Path, ...]


def file_at(folder: Path, revision: str, name: str) -> str | None:
    """The text of a file of the folder in a revision, None if it is not there. Raises GitError."""
    commit = _commit(folder, revision)
    if not _git(folder, "ls-tree", "--name-only", commit, f"./{name}"):
        return None
    return _git(folder, "show", f"{commit}:./{name}")


def changed_since(folder: Path, revision: str, paths: Sequence[Path]) -> Changed:
    """What is different at and below these paths; the folder is one of the repository's. Raises GitError."""
    top = Path(_git(folder, "rev-parse", "--show-toplevel").rstrip("\n"))
    below = [str(path.resolve()) for path in paths]
    told = _git(folder, "diff", "--name-status", "--no-renames", "-z", _commit(folder, revision), "--", *below)
    parts = told.split("\0")[:-1]
    found = [(status, top / name) for status, name in zip(parts[::2], parts[1::2], strict=True)]
    return Changed(
        here=tuple(path for status, path in found if status != "D"),
        gone=tuple(path for status, path in found if status == "D"),
    )


def merged_into(folder: Path) -> str:
    """The first parent of the commit that is checked out, "" when it is no merge: a shallow checkout knows it too."""
    lines = _git(folder, "cat-file", "commit", "HEAD").partition("\n\n")[0].splitlines()
    parents = [line.removeprefix("parent ") for line in lines if line.startswith("parent ")]
    return parents[0] if len(parents) > 1 else ""


def head(folder: Path) -> str:
    """The commit that is checked out. Raises GitError."""
    return _commit(folder, "HEAD")


def obtain(folder: Path, revision: str) -> str:
    """The commit of a revision, fetched from ``origin`` if it is not here. Raises GitError."""
    try:
        return _commit(folder, revision)
    except GitError as error:
        if revision.startswith("-"):
            raise
        try:
            _git(folder, "fetch", "--quiet", "--no-tags", "--depth=1", "origin", revision)
        except GitError as failed:
            raise GitError(f"{error}; it cannot be fetched either: {failed}") from failed
        return _commit(folder, "FETCH_HEAD")


def _commit(folder: Path, revision: str) -> str:
    if revision.startswith("-"):  # git would take it for an option
        raise GitError("no revision begins with -; write a branch, a tag or a commit")
    _git(folder, "rev-parse", "--git-dir")
    try:
        return _git(folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").strip()
    except GitError:
        raise GitError(f"there is no revision {quoted(revision)} here") from None


def _git(folder: Path, *words: str) -> str:
    # Nobody is there to be asked for a password; a file's name is no pattern.
    environment = os.environ | {"GIT_TERMINAL_PROMPT": "0", "GIT_LITERAL_PATHSPECS": "1", "LC_ALL": "C"}
    command = ["git", "-C", str(folder), *words]
    try:
        done = subprocess.run(command, capture_output=True, check=False, env=environment, timeout=_SECONDS)
    except FileNotFoundError:
        raise GitError("there is no git on PATH; install it") from None
    except subprocess.TimeoutExpired:
        raise GitError(f"git {words[0]} took more than {_SECONDS} s") from None
    if done.returncode:
        raise GitError(done.stderr.decode(errors="replace").strip() or f"git {words[0]} failed")
    return done.stdout.decode(errors="surrogateescape")
