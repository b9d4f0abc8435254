"""Reads a Retry-After header: for how long a server asks to be left alone.

Law: it says what the server asks for, be that an eternity; whoever obeys knows how long is too long.
"""

from datetime import UTC
from email.utils import parsedate_to_datetime


def read(header: str | None, *, now: float) -> float | None:
    """The seconds from ``now`` (Unix seconds) on, 0 for what is over; None when it names no time, or is not there."""
    if not header:
        return None
    if header.isascii() and header.isdigit():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
        return max(0.0, moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now)
    except (ValueError, OverflowError, TypeError):
        return None
