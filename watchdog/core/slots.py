"""Slots: the aligned instants for which a target is evaluated.

Law: the slots of a target depend on its name and interval alone, so that a restart falls into the same ones.
"""

import hashlib

from watchdog.core.rules.language import Target


def offset(target: Target) -> int:
    """Seconds by which the target's slots are shifted, so that targets do not all ask at once."""
    digest = hashlib.sha256(target.target.encode()).digest()
    return int.from_bytes(digest[:8]) % max(1, int(target.interval))


def slot_at(target: Target, now: float) -> float:
    """The newest slot that is not in the future."""
    shift = offset(target)
    return now - (now - shift) % target.interval


def missed_slots(target: Target, previous: float | None, slot: float) -> int:
    """How many slots lie between two evaluated ones."""
    return 0 if previous is None else max(0, round((slot - previous) / target.interval) - 1)
