"""Instants: Unix seconds inside, RFC 3339 wherever people read them.

Law: an instant without a time zone is refused, never guessed.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer


def show_instant(seconds: float) -> str:
    """RFC 3339 in UTC with milliseconds. Raises OverflowError, ValueError or OSError for what no calendar holds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def show_micro_time(seconds: float) -> str:
    """Kubernetes' type MicroTime: RFC 3339 in UTC with six digits."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def read_instant(text: str) -> float:
    """Unix seconds, of which `show_instant` can be told. Raises ValueError."""
    read = datetime.fromisoformat(text)
    if read.tzinfo is None:
        raise ValueError(f"{text} has no time zone; write it as {text}Z")
    return _in_calendar(read.timestamp())


def _in_calendar(seconds: float) -> float:
    """The same instant: one that could not be shown could not be written down again either."""
    try:
        show_instant(seconds)
    except (OverflowError, ValueError, OSError):
        raise ValueError(f"{seconds} is an instant that no calendar holds") from None
    return seconds


def _from_text(given: Any) -> Any:
    if isinstance(given, str):
        return read_instant(given)
    return _in_calendar(given) if isinstance(given, int | float) else given


Instant = Annotated[float, BeforeValidator(_from_text), PlainSerializer(show_instant, when_used="json-unless-none")]
