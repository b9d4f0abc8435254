"""Leaves a server alone for as long as it asked for.

Law: what a server asks for is obeyed up to a bound; without a request nothing waits.
"""

import time
from collections.abc import Callable
from http import HTTPStatus

from watchdog.core import retry_after

LONGEST_WAIT = 300.0
"""Seconds. A rule is told to be blind after that by default, and a number of hours is a mistake."""


def asked_to_wait(status: int, header: str, *, now: float) -> float:
    """The seconds that an answer with this Retry-After asks to wait, 0 when it does not; ``now`` is Unix seconds."""
    if status not in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        return 0.0
    return min(retry_after.read(header, now=now) or 0.0, LONGEST_WAIT)


class Patience:
    """Whether a server may be asked already."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = clock()

    def note(self, seconds: float) -> None:
        """The server asked to wait."""
        self._until = max(self._until, self._clock() + seconds)

    def left(self) -> float:
        """How many seconds it is to be left alone yet."""
        return max(0.0, self._until - self._clock())
