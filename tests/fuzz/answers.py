"""An HTTP answer as bytes, so that the fuzzer can change every part of it: a head, an empty line, the body."""

from __future__ import annotations

import json
from typing import Any

from tests.fuzz.spoiling import spoiled
from tests.sources.asking import SLOT
from watchdog.core.visible import visible
from watchdog.sources.answer import Answer
from watchdog.sources.failure import LONGEST_REASON, sentence

WORDS = (
    *("Content-Type", "Date", "Location", "Retry-After", "application/json", "application/problem+json"),
    *("null", "true", "false", "1e999", "-1", "NaN", "Infinity", "\\u0000", "\\ud800", "1." + "0" * 30),
    *('"error":', '"status":', '"reason":', '"type":', "[", "]", "{", "}", "1700000000"),
)


def as_bytes(body: Any, *, status: int = 200, **headers: str) -> bytes:
    """A seed. ``content_type="…"`` is the header Content-Type."""
    lines = [str(status), *(f"{name.replace('_', '-').title()}: {value}" for name, value in headers.items())]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return "\n".join(lines).encode() + b"\n\n" + content


def as_answer(data: bytes) -> Answer:
    """The answer that an input stands for; what its head does not say is as well-behaved servers have it."""
    head, _, body = data.partition(b"\n\n")
    status, *lines = head.decode("latin-1").split("\n")
    headers = dict(line.partition(": ")[::2] for line in lines)
    return Answer(
        status=int(status) if status.isascii() and status.isdigit() and len(status) == len("200") else 200,
        content_type=headers.get("Content-Type", "application/json"),
        date=headers.get("Date", ""),
        location=headers.get("Location", ""),
        retry_after=headers.get("Retry-After", ""),
        body=body,
        received_at=SLOT,
    )


def spoil(data: bytes, number: int) -> bytes:
    """The answer with one value of its JSON replaced; the same answer when its body is none."""
    head, empty, body = data.partition(b"\n\n")
    try:
        return head + empty + json.dumps(spoiled(json.loads(body), number)).encode()
    except (ValueError, RecursionError):
        return data


def check_text(text: str) -> None:
    """What a server said, as people are shown it, is short and steers no terminal."""
    shown = sentence(text)
    assert shown == visible(shown)
    assert len(shown.encode()) <= LONGEST_REASON
