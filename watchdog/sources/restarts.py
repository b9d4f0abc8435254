"""Knows whether Prometheus has restarted, and which measurements have to wait until the gap has left their window.

Law: only what was seen to change is a restart; who does not say when it started (Mimir, VictoriaMetrics) never had one.
"""

import math
import time
from collections.abc import Callable

from watchdog.core.instant import show_instant
from watchdog.core.model import Measurement, Outcome
from watchdog.sources.envelope import Reading

ASK_AGAIN_SECONDS = 10.0
NOT_OFFERED_SECONDS = 600.0
# A gap is a small part of a window that is longer than this, and an hour without a verdict would be the greater harm.
LONGEST_HOLD = 600.0


class Restarts:
    """When the process that answers was started, asked for beside a rule's queries now and then."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = clock()
        self._started: float | None = None
        self._last_up = -math.inf
        self._gap: tuple[float, float] | None = None

    def is_due(self) -> bool:
        """True when it is time to ask again."""
        return self._clock() >= self._next

    def suspect(self) -> None:
        """A query has failed: it may be restarting."""
        self._next = min(self._next, self._clock())

    def note(self, reading: Reading, *, slot: float, others_failed: bool) -> None:
        """Takes the answer; a newer start than the newest one known is a restart, first seen at this slot.

        Two replicas behind one address, each with a start of its own, are no restarts.
        """
        self._next = self._clock() + self._pause(reading, others_failed=others_failed)
        if reading.value is None:
            return
        if self._started is not None and reading.value > self._started:
            self._gap = self._last_up, slot
        self._started = max(reading.value, self._started or 0.0)
        self._last_up = slot

    def _pause(self, reading: Reading, *, others_failed: bool) -> float:
        """For how many seconds nobody asks again: a server that has said it once is none that never does."""
        if reading.value is None and others_failed:
            return 0.0
        is_offered = reading.value is not None or self._started is not None
        return ASK_AGAIN_SECONDS if is_offered else NOT_OFFERED_SECONDS

    def why_held(self, *, at: float, window: float, server: str) -> Measurement | None:
        """What is measured instead while the window of so many seconds before an instant reaches into the gap.

        None when it does not: the instant is of before, or the gap has left the window.
        """
        if self._gap is None:
            return None
        last_up, seen = self._gap
        until = seen + min(window, LONGEST_HOLD)
        if not last_up < at < until:
            return None
        reason = f"{server} has restarted, and the gap in its data is in the window until {show_instant(until)}"
        return Measurement(failure=Outcome.INSUFFICIENT, reason=reason)
