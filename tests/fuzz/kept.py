"""The input that a process is at, in a file that outlives it.

Law: it is there whatever ends the process, without a call of the system for each input.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from pathlib import Path

_LENGTH = 4  # bytes before the input
_NEVER = 0xFFFF_FFFF


def keeping(parse: Callable[[bytes], None], file: Path, *, room: int) -> Callable[[bytes], None]:
    """The same function, which writes its input of at most ``room`` bytes down first."""
    with file.open("wb+") as opened:
        opened.truncate(_LENGTH + room)
        memory = mmap.mmap(opened.fileno(), _LENGTH + room)
    memory[:_LENGTH] = _NEVER.to_bytes(_LENGTH)

    def kept(data: bytes) -> None:
        memory[: _LENGTH + len(data)] = len(data).to_bytes(_LENGTH) + data
        parse(data)

    return kept


def last_input(file: Path) -> bytes | None:
    """The last one; None when there was none."""
    content = file.read_bytes() if file.exists() else _NEVER.to_bytes(_LENGTH)
    length = int.from_bytes(content[:_LENGTH])
    return None if length == _NEVER else content[_LENGTH : _LENGTH + length]
