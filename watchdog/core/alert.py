"""What people are told: one alert, before any sink gives it a form.

Law: an alert is complete by itself; a sink adds layout, never facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from watchdog.core.instant import Instant
from watchdog.core.model import TrippedRule


class AlertKind(StrEnum):
    """Why people are told."""

    SWITCHED = "switched"
    FINISHED = "finished"
    HELD = "held"
    FIRING = "firing"
    RESOLVED = "resolved"
    BLIND = "blind"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One message to people.

    ``key`` is the same for every repetition of the same message: sinks may drop what they have seen. ``text`` is one
    or two sentences; ``commands`` are pairs of (what it does, the command line). ``at`` is Unix seconds.
    """

    kind: AlertKind
    key: str
    target: str
    namespace: str
    at: Instant
    text: str
    trip: str | None = None
    from_color: str | None = None
    to_color: str | None = None
    rules: tuple[TrippedRule, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    commands: tuple[tuple[str, str], ...] = ()
