"""The JSON webhook: an alert as plain data, for receivers that people write themselves.

Law: nothing is cut and nothing is formatted; ``key`` lets a receiver drop what it has seen.
"""

import math
from dataclasses import dataclass
from typing import Any

import aiohttp

from watchdog.core.alert import Alert
from watchdog.core.model import TrippedRule
from watchdog.notify.delivery import Address, deliver
from watchdog.notify.instant import iso

VERSION = 1


@dataclass(frozen=True, slots=True)
class WebhookSink:
    """Sends each alert as JSON to one address."""

    address: Address
    name: str = "webhook"

    async def send(self, alert: Alert, session: aiohttp.ClientSession) -> None:
        """Sends it once. Raises DeliveryError."""
        await deliver(session, self.address, payload(alert))


def payload(alert: Alert) -> dict[str, Any]:
    """The document. Instants are ISO 8601 in UTC; a value that is not finite is null, as JSON has no word for it."""
    return {
        "version": VERSION,
        "kind": alert.kind.value,
        "key": alert.key,
        "target": alert.target,
        "namespace": alert.namespace,
        "at": iso(alert.at),
        "text": alert.text,
        "trip": alert.trip,
        "from_color": alert.from_color,
        "to_color": alert.to_color,
        "rules": [_rule(rule) for rule in alert.rules],
        "labels": dict(alert.labels),
        "notes": [{"name": name, "text": text} for name, text in alert.notes],
        "commands": [{"does": does, "command": command} for does, command in alert.commands],
    }


def _rule(rule: TrippedRule) -> dict[str, Any]:
    finite = rule.value is not None and math.isfinite(rule.value)
    return {
        "alert": rule.alert,
        "value": rule.value if finite else None,
        "threshold": rule.threshold,
        "since": iso(rule.since),
    }
