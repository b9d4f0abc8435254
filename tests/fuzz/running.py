"""Starts the fuzzer on a target, and says what came of it.

Law: a run that ends otherwise than by its bound is a finding, and the finding names the input that shows it.
"""

from __future__ import annotations

import os
import pkgutil
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz import targets
from tests.fuzz.kept import last_input

CAN_FUZZ = find_spec("atheris") is not None
WHY_NOT = "atheris has no wheel for this machine or this Python"
_LATE = 120  # seconds: to import, to read the corpus, and for the last input
_LINES_SHOWN = 40


class NotStartedError(Exception):
    """The fuzzer ended before its first input; the text is what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one run.

    ``rate`` is runs a second, ``edges`` how many ways through the code were taken, ``peak`` MiB of the process,
    ``slowest`` whole seconds of one input; ``found`` is the input that shows what is wrong, and ``said`` how the fuzzer
    ended.
    """

    target: str
    runs: int
    rate: int
    edges: int
    slowest: int
    peak: int
    found: Path | None
    said: str

    def __str__(self) -> str:
        figures = f"{self.runs:>10,} runs {self.rate:>7,}/s {self.edges:>6,} edges {self.peak:>5} MiB at most"
        return f"{self.target:<21}{figures}  {'ok' if self.found is None else f'FOUND {self.found}'}"


def names() -> tuple[str, ...]:
    """The targets, one a parser."""
    return tuple(sorted(each.name for each in pkgutil.iter_modules(targets.__path__)))


def fuzz(name: str, folder: Path, *flags: str, seconds: int, is_guided: bool = True) -> Outcome:
    """Runs a target, or ``module:NAME``, with its corpus and its findings in the folder.

    ``seconds`` is what the flags allow: subprocess.TimeoutExpired is raised when it takes far more. Raises
    NotStartedError.
    """
    place = name if ":" in name else f"{targets.__name__}.{name}:TARGET"
    (folder / "found").mkdir(parents=True, exist_ok=True)
    (folder / "current").unlink(missing_ok=True)
    log = folder / "log"
    guide = "guided" if is_guided else "blind"
    with log.open("wb") as output:
        ended = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.engine", place, str(folder), guide, *flags],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONHASHSEED": "0"},  # so that the same seed does the same again
            timeout=seconds + _LATE,
            check=False,
        )
    said = log.read_text(errors="replace")
    return Outcome(
        target=name,
        runs=_number(r"stat::number_of_executed_units: (\d+)", said),
        rate=_number(r"stat::average_exec_per_sec: +(\d+)", said),
        edges=_number(r"cov: (\d+)", said),
        slowest=_number(r"stat::slowest_unit_time_sec: +(\d+)", said),
        peak=_number(r"stat::peak_rss_mb: +(\d+)", said),
        found=None if ended.returncode == 0 else _found(said, folder),
        said="\n".join(said.splitlines()[-_LINES_SHOWN:]),
    )


def _number(pattern: str, said: str) -> int:
    """The last one: libFuzzer tells how far it is as it goes."""
    found: list[str] = re.findall(pattern, said)
    return int(found[-1]) if found else 0


def _found(said: str, folder: Path) -> Path:
    """The fuzzer's own file, or one of what it was at when the process was gone, as by a stack that overflows."""
    if written := re.search(r"Test unit written to (.+)", said):
        return Path(written[1])
    last = last_input(folder / "current")
    if last is None:
        raise NotStartedError(said)
    found = folder / "found" / "gone"
    found.write_bytes(last)
    return found
