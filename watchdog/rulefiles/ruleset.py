"""Reads rule files: the set of targets, or the problems of all files at once.

Law: a set is whole or it is not there; whatever goes wrong while reading is a problem, not an exception. Where the
machine has no means to look, nothing is known of the files: that is an OSError.
"""

from __future__ import annotations

import codecs
import errno
import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from watchdog.core.rules.claims import clashes
from watchdog.core.rules.document import MAX_BYTES
from watchdog.core.rules.language import Target
from watchdog.core.rules.problem import Problem
from watchdog.core.rules.rulefile import RuleFile, parse_rule_file

_SUFFIXES = frozenset({".yaml", ".yml"})
_CONFIG_MAP = "..data"
_ATTEMPTS = 3
_NO_MEANS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The targets of all files.

    ``digest`` is a hash of the files' names and contents; ``warnings`` stop nothing. ``since`` is when the files came,
    in Unix seconds: of a mounted ConfigMap when the kubelet brought it, of any other folder when it was read.
    """

    targets: tuple[Target, ...]
    digest: str
    warnings: tuple[Problem, ...] = field(default=(), compare=False)
    since: float = field(default=0.0, compare=False)


def read_rules(*paths: Path) -> RuleSet | tuple[Problem, ...]:
    """The targets of files and of the ``*.yaml`` and ``*.yml`` files of folders, or every problem of all of them."""
    reading = _read(paths)
    files = reading.parsed()
    if problems := reading.all_problems(files):
        return problems
    targets = tuple(file.target for file in files.values() if file.target is not None)
    return RuleSet(targets, reading.digest(), _warnings(files), reading.since)


def fingerprint(folder: Path) -> str:
    """The `RuleSet.digest` that the files would have, and another one for files that cannot be read."""
    reading = _read((folder,))
    return "\n".join([reading.digest(), *map(str, reading.problems)])


def is_swapped_whole(folder: Path) -> bool:
    """True for a mounted ConfigMap: no file of it is ever seen half written."""
    return _is_folder(folder / _CONFIG_MAP)


def _is_folder(path: Path) -> bool:
    """As far as it can be seen; why it cannot is told when it is read."""
    return os.path.isdir(path)  # noqa: PTH112 - the Path's own raises that


def check_rules(*paths: Path) -> tuple[dict[str, Target], tuple[Problem, ...]]:
    """The target of each file that is well, and every problem and warning of all of them."""
    reading = _read(paths)
    files = reading.parsed()
    targets = {name: file.target for name, file in files.items() if file.target is not None}
    return targets, tuple(sorted([*reading.all_problems(files), *_warnings(files)]))


def _warnings(files: Mapping[str, RuleFile]) -> tuple[Problem, ...]:
    return tuple(sorted(problem for file in files.values() for problem in file.warnings))


@dataclass(slots=True)
class _Reading:
    """The texts of files by name, the problems of those that have none, and when they came."""

    texts: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    since: float = field(default_factory=time.time)

    def parsed(self) -> dict[str, RuleFile]:
        return {name: parse_rule_file(name, text) for name, text in self.texts.items()}

    def all_problems(self, files: dict[str, RuleFile]) -> tuple[Problem, ...]:
        found = [problem for file in files.values() for problem in file.problems]
        return tuple(
            sorted([*self.problems, *found, *clashes(claim for file in files.values() for claim in file.claims)])
        )

    def digest(self) -> str:
        digest = hashlib.sha256()
        for name, text in sorted(self.texts.items()):
            for part in (Path(name).name, text):
                content = part.encode("utf-8", "surrogateescape")
                digest.update(len(content).to_bytes(8) + content)
        return digest.hexdigest()[:16]


def _read(paths: Sequence[Path]) -> _Reading:
    whole, seen = _Reading(), set[Path]()
    for path in paths:
        reading = _read_folder(path) if _is_folder(path) else _read_files({str(path): path})
        for name, text in reading.texts.items():
            if (real := Path(name).resolve()) not in seen:
                seen.add(real)
                whole.texts[name] = text
        whole.problems.extend(reading.problems)
        whole.since = reading.since
    return whole


def _read_folder(folder: Path) -> _Reading:
    """All files of one state of the folder: Kubernetes swaps a mounted ConfigMap as a whole, maybe while it is read.

    The kubelet removes a state after the swap, file by file, so that a state that has been swapped meanwhile may have
    shown but some of its files, and those without a complaint.
    """
    for _ in range(_ATTEMPTS):
        state = _state_of(folder)
        reading = _read_state(folder, state)
        reading.since = _since(state, reading.since) if state != folder else reading.since
        if _state_of(folder) == state:
            return reading
    message = "the folder was swapped each time that it was read; read it again when it stands still"
    return _Reading(problems=[Problem(str(folder), 1, 1, "R101", message)])


def _since(state: Path, read_at: float) -> float:
    try:
        return state.stat().st_mtime  # the kubelet makes a new folder for each content, and only for a new one
    except OSError:
        return read_at


def _read_state(folder: Path, state: Path) -> _Reading:
    try:
        files = {str(folder / file.name): file for file in sorted(state.iterdir()) if is_rule_file(file)}
    except OSError as error:
        return _Reading(problems=[_unreadable(folder, error)])
    if not files:
        return _Reading(
            problems=[Problem(str(folder), 1, 1, "R101", "no rule file in this folder; add one ending in .yaml")]
        )
    return _read_files(files)


def _state_of(folder: Path) -> Path:
    return (folder / _CONFIG_MAP).resolve() if is_swapped_whole(folder) else folder


def is_rule_file(path: Path) -> bool:
    """True when a file of that name is one that is read from a folder."""
    return path.suffix in _SUFFIXES and not path.name.startswith(".") and not path.is_dir()


def _read_files(files: dict[str, Path]) -> _Reading:
    reading = _Reading()
    for name, path in files.items():
        text = _read_file(name, path)
        if isinstance(text, Problem):
            reading.problems.append(text)
        else:
            reading.texts[name] = text
    return reading


def _read_file(name: str, path: Path) -> str | Problem:
    try:
        if not path.is_file():
            return Problem(name, 1, 1, "R101", "this is not a file, or a link to nothing; put a YAML file here")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        return _unreadable(name, error)
    if len(content) > MAX_BYTES:
        return Problem(name, 1, 1, "R108", "the file is larger than 1 MiB; a rule file holds one target: split it")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return Problem(name, 1, 1, "R101", "the file is in UTF-16, as PowerShell's > writes it; save it as UTF-8")
        before = content[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        return Problem(
            name, line, column, "R101", f"the byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8"
        )


def _unreadable(name: Path | str, error: OSError) -> Problem:
    if error.errno in _NO_MEANS:
        raise error
    return Problem(str(name), 1, 1, "R101", f"this cannot be read ({error.strerror}); let the watchdog read it")
