"""Instants as people and machines read them.

Law: every number has a form, since a record edited by hand must not keep an alert from being told.
"""

from watchdog.core.instant import show_instant


def iso(seconds: float) -> str:
    """RFC 3339 in UTC; the bare number when no calendar holds it."""
    try:
        return show_instant(seconds)
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g}"
