"""A parser as the fuzzer sees it.

Law: a target lets the exceptions pass away that its parser declares, and no other; what it raises is a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is called with the bytes of an input.

    ``seeds`` are inputs that get far, from which others are made; ``words`` of at most 64 bytes what a parser asks for
    letter by letter; ``longest`` bytes is an input. ``spoil`` makes another input from one and a number, where chance
    would hardly ever make one that is well-formed and absurd.
    """

    parse: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    words: tuple[str, ...] = ()
    longest: int = 4096
    spoil: Callable[[bytes, int], bytes] | None = None
