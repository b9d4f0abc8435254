"""The clocks: the time of day, a clock that nobody sets, and whether the event loop keeps up with them.

Law: the time of day is for slots and for people; how long something has lasted is told by the clock that nobody sets.
"""

import time
from collections.abc import Callable

BEAT_SECONDS = 0.5
MOST_LAG_SECONDS = 2.0
SETTLE_SECONDS = 1.0

Clock = Callable[[], float]


def boot_clock() -> float:
    """Seconds that are never set and that go on while the machine sleeps, where there is such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class EvenClock:
    """The time of day in Unix seconds. While it is held it goes on evenly, whoever sets the time of day meanwhile."""

    def __init__(self, wall: Clock, steady: Clock) -> None:
        self._wall = wall
        self._steady = steady
        self._ahead: float | None = None

    def __call__(self) -> float:
        """Unix seconds."""
        return self._wall() if self._ahead is None else self._steady() + self._ahead

    def hold(self) -> None:
        """From here on by the steady clock alone."""
        if self._ahead is None:
            self._ahead = self._wall() - self._steady()

    def release(self) -> None:
        """By the time of day again."""
        self._ahead = None


class Pulse:
    """Whether the event loop turns as it should. `beat` it every `BEAT_SECONDS` from a task of that loop.

    Whoever was kept waiting with the loop decided on what was seen before: hence nothing is begun just after a stop
    either, until the ticks that were caught in it have ended.
    """

    def __init__(self, *, clock: Clock = boot_clock) -> None:
        self._clock = clock
        self._beat_at = clock()
        self._stood_until = float("-inf")

    def beat(self) -> None:
        """The loop turns."""
        if not self._is_punctual():
            self._stood_until = self._clock()
        self._beat_at = self._clock()

    def is_steady(self) -> bool:
        """True while a write may be begun; to be asked right before each."""
        return self._is_punctual() and self._clock() - self._stood_until >= SETTLE_SECONDS

    def _is_punctual(self) -> bool:
        return self._clock() - self._beat_at <= BEAT_SECONDS + MOST_LAG_SECONDS
