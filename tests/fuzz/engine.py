"""Runs one target until something is found or the runs are over, in a process of its own.

Law: an input may take `SLOWEST` seconds, and `MOST_MEMORY` beyond what the process had before the first; what takes
more is a finding, and so is every exception that leaves the target.

``python -m tests.fuzz.engine MODULE:NAME FOLDER guided|blind …``: what follows are flags of libFuzzer, or files that
are played once each. Without a guide the target is not instrumented: that starts in a second, and goes by chance.
"""

from __future__ import annotations

import contextlib
import resource
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import atheris

from tests.fuzz.kept import keeping
from tests.fuzz.target import Target

SLOWEST = 10  # seconds; a target takes milliseconds, and the machine may be busy
MOST_MEMORY = 512 << 20  # bytes
_INSTRUMENTED = ("watchdog", "yaml.constructor")  # PyYAML's scanner is five times as slow when it is watched
_LONGEST_PLAYED = 1 << 20  # bytes of a file


def main(name: str, folder: Path, guide: str, *given: str) -> None:
    """Never returns: libFuzzer ends the process."""
    with _watched(name) if guide == "guided" else contextlib.nullcontext():
        target = _load(name)
    corpus, seeds, found = (folder / each for each in ("corpus", "seeds", "found"))
    for each in (corpus, seeds, found):
        each.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (seeds / f"{number:03}").write_bytes(seed)
    words = folder / "words"
    words.write_text("# libFuzzer takes no empty file\n" + "".join(f'"{_escaped(word)}"\n' for word in target.words))
    inputs = () if any(not flag.startswith("-") for flag in given) else (str(corpus), str(seeds))
    flags = (
        f"-max_len={target.longest}",
        f"-timeout={SLOWEST}",
        f"-artifact_prefix={found}/",
        f"-dict={words}",
        "-rss_limit_mb=0",  # it looks once a second, and by then it may be over; the limit below sees everything
        "-print_final_stats=1",
    )
    parse = keeping(target.parse, folder / "current", room=_LONGEST_PLAYED)
    mutator = {} if target.spoil is None else {"custom_mutator": _mutating(target.spoil)}
    atheris.Setup([sys.argv[0], *flags, *given, *inputs], parse, **mutator)
    _limit_memory()
    atheris.Fuzz()


def _watched(name: str) -> contextlib.AbstractContextManager[None]:
    watching: contextlib.AbstractContextManager[None] = atheris.instrument_imports(
        include=[*_INSTRUMENTED, name.partition(":")[0]]
    )
    return watching


def _load(name: str) -> Target:
    module, _, attribute = name.partition(":")
    target = getattr(import_module(module), attribute)
    assert isinstance(target, Target)
    return target


def _mutating(spoil: Callable[[bytes, int], bytes]) -> Callable[[bytes, int, int], bytes]:
    """Every other input is made by the target's own hand."""

    def mutate(data: bytes, longest: int, number: int) -> bytes:
        made: bytes = spoil(data, number)[:longest] if number % 2 else atheris.Mutate(data, longest)
        return made

    return mutate


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
