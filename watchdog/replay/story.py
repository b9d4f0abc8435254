"""What happens from outside while slots are played: somebody switches, pauses, deploys; a source fails.

Law: pure values; instants are Unix seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from watchdog.core.model import Measurement
from watchdog.core.rules.language import Rule

DEADLINE = 5.0
"""Seconds that a source has for its answer, as the daemon's settings have it by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """Somebody gives the traffic to a color."""

    at: float
    color: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy:
    """A color gets a new image."""

    at: float
    color: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Somebody pauses the target."""

    at: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Somebody ends the pause."""

    at: float


Event = Switch | Deploy | Pause | Resume


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """The watchdog ends, and another process goes on ``down`` seconds later."""

    at: float
    down: float = 0.0

    def covers(self, slot: float) -> bool:
        """True when nobody is there to look at the slot."""
        return self.at <= slot < self.at + self.down


class FaultKind(StrEnum):
    """How a source fails."""

    TIMEOUT = "timeout"
    HTTP_503 = "http_503"
    PARTIAL = "partial"
    EMPTY = "empty"
    NAN = "nan"
    SLOW = "slow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A failure from ``start`` until ``end``, the end excluded, of one rule's answers, of one server's, or of all.

    ``seconds`` is how late a slow answer is; beyond `DEADLINE` it is a time-out.
    """

    kind: FaultKind
    start: float
    end: float
    alert: str = ""
    source: str = ""
    seconds: float = 1.0

    def hits(self, rule: Rule, slot: float) -> bool:
        """True when it spoils this answer."""
        is_meant = self.alert in ("", rule.alert) and self.source in ("", rule.server)
        return is_meant and self.start <= slot < self.end


_SAID = {
    FaultKind.TIMEOUT: f"did not answer within {DEADLINE:g} s",
    FaultKind.HTTP_503: "did not answer the query (HTTP 503)",
    FaultKind.PARTIAL: "answered a part of the truth",
}


def spoiled(faults: Iterable[Fault], rule: Rule, slot: float) -> Measurement | None:
    """What the first fault that hits makes of the answer, as the sources report it; None when it is left whole."""
    fault = next((each for each in faults if each.hits(rule, slot)), None)
    if fault is None:
        return None
    kind = fault.kind
    if kind is FaultKind.SLOW:
        if fault.seconds < DEADLINE:
            return None  # within its deadline an answer counts for its slot
        kind = FaultKind.TIMEOUT
    if kind is FaultKind.EMPTY:
        return Measurement.nodata(f"{rule.server} has nothing at this instant")
    if kind is FaultKind.NAN:
        return Measurement(value=math.nan)
    return Measurement.error(f"{rule.server} {_SAID[kind]}")
