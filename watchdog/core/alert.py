"""What people are told: one alert, before any sink gives it a form.

Law: an alert is complete by itself; a sink adds layout, never facts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from watchdog.core.digest import short_digest
from watchdog.core.instant import Instant
from watchdog.core.model import TrippedRule

WATCHDOG = "canary-watchdog"
"""Whom an alert is about that is about none of the targets."""


class AlertKind(StrEnum):
    """Why people are told."""

    SWITCHED = "switched"
    FINISHED = "finished"
    HELD = "held"
    GIVEN_UP = "given_up"
    FIRING = "firing"
    RESOLVED = "resolved"
    BLIND = "blind"
    PAUSED = "paused"
    LEASE = "lease"
    DIGEST = "digest"
    FORWARD = "forward"
    RULES_REFUSED = "rules_refused"


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


def digest(alerts: Sequence[Alert]) -> Alert:
    """Many alerts as one message that says of each what it was about; its key is that of these alerts together."""
    targets = _distinct(alert.target for alert in alerts)
    key = short_digest("\n".join(alert.key for alert in alerts))
    trips = _distinct(alert.trip for alert in alerts)
    return Alert(
        kind=AlertKind.DIGEST,
        key=f"digest/{key}",
        target=targets[0] if len(targets) == 1 else f"{len(targets)} targets",
        namespace=", ".join(_distinct(alert.namespace for alert in alerts)),
        at=max(alert.at for alert in alerts),
        text=f"{len(alerts)} alerts of {', '.join(targets)}: too many to send one by one. The log has each in full.",
        trip=trips[0] if len(trips) == 1 else None,
        notes=tuple((f"{alert.kind.value} {alert.target}", alert.text) for alert in alerts),
        commands=tuple(_distinct(command for alert in alerts for command in alert.commands)),
    )


_Thing = TypeVar("_Thing")


def _distinct(things: Iterable[_Thing]) -> list[_Thing]:
    return list(dict.fromkeys(things))
