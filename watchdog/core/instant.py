"""Instants: Unix seconds inside, RFC 3339 wherever people read them.

Law: an instant without a time zone is refused, never guessed.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer


def show_instant(seconds: float) -> str:
    """RFC 3339 in UTC with milliseconds. Raises OverflowError, ValueError or OSError for what no calendar holds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_instant(text: str) -> float:
    """Unix seconds. Raises ValueError."""
    read = datetime.fromisoformat(text)
    if read.tzinfo is None:
        raise ValueError(f"{text} has no time zone; write it as {text}Z")
    return read.timestamp()


def _from_text(given: Any) -> Any:
    return read_instant(given) if isinstance(given, str) else given


Instant = Annotated[float, BeforeValidator(_from_text), PlainSerializer(show_instant, when_used="json-unless-none")]
