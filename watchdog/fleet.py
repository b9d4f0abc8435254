"""All targets of one process: how many of them were rolled back lately.

Law: it counts targets, not rollbacks; what a journal knows of an earlier process counts too.

When many targets trip at once the cause is seldom a release: a database, a network, the monitoring itself.
"""

from watchdog.core.decide import STORM_SECONDS


class Fleet:
    """Shared by the watches of one process."""

    def __init__(self, size: int) -> None:
        """``size`` is the number of targets."""
        self.size = size
        self._tripped_at: dict[str, float] = {}

    def tripped(self, target: str, at: float) -> None:
        """A rollback of the target was begun then, in Unix seconds."""
        self._tripped_at[target] = max(at, self._tripped_at.get(target, at))

    def others_tripped(self, target: str, *, now: float) -> int:
        """How many other targets were rolled back within the window of a storm."""
        return sum(name != target and now - at <= STORM_SECONDS for name, at in self._tripped_at.items())
