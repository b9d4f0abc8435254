"""Parsers with a mistake in them, so that the fuzzer can be seen to find one of each kind."""

from __future__ import annotations

import itertools
import os
import signal

from tests.fuzz.target import Target


def _seeds() -> list[bytes]:
    return [b"open sesame"]


def _raise(data: bytes) -> None:
    """Two bytes have to be right, one after the other: chance takes millions of runs, and coverage shows the first."""
    if data[:5] == b"open?" and _ends_right(data[5:6]):
        raise LookupError("planted")


def _ends_right(data: bytes) -> bool:
    return data == b"!"


def _hang(data: bytes) -> None:
    if data[:1] == b"h":
        for _ in itertools.count():
            pass


def _eat(data: bytes) -> None:
    if data[:1] == b"m":
        _ = [bytes(64 << 20) for _ in range(64)]


def _vanish(data: bytes) -> None:
    if data[:1] == b"v":
        os.kill(os.getpid(), signal.SIGKILL)


RAISING = Target(parse=_raise, seeds=_seeds)
HANGING = Target(parse=_hang, seeds=_seeds, words=("h",))
HUNGRY = Target(parse=_eat, seeds=_seeds, words=("m",))
VANISHING = Target(parse=_vanish, seeds=_seeds, words=("v",))
