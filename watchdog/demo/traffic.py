"""What the clients of the simulated application see.

Law: it is counted where the answers come from, not where the watchdog measures.
"""

import time
from collections import deque
from dataclasses import dataclass

from watchdog.sim.world import SimulatedWorld

WINDOW_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """One look. ``active`` is the color of each Service; ``error_ratio`` is of the last seconds, ``failed`` of all."""

    active: dict[str, str]
    error_ratio: float
    requests: int
    failed: int


class Clients:
    """Looks at the answers of a world."""

    def __init__(self, world: SimulatedWorld) -> None:
        """Counts from now on."""
        self._world = world
        self._begun = (world.bank.answered, world.bank.failed)
        self._counts: deque[tuple[float, int, int]] = deque()

    def look(self) -> Traffic:
        """What they have seen by now."""
        now, bank = time.monotonic(), self._world.bank
        self._counts.append((now, bank.answered, bank.failed))
        while len(self._counts) > 1 and self._counts[0][0] < now - WINDOW_SECONDS:
            self._counts.popleft()
        _, answered, failed = self._counts[0]
        answered, failed = bank.answered - answered, bank.failed - failed
        return Traffic(
            active=self._world.active_colors(),
            error_ratio=failed / answered if answered else 0.0,
            requests=bank.answered - self._begun[0],
            failed=bank.failed - self._begun[1],
        )
