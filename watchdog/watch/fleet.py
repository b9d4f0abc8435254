"""All targets of the installation: how many of them were rolled back lately.

Law: it counts targets, not rollbacks; what other replicas and earlier processes have journaled counts too.

When many targets trip at once the cause is seldom a release: a database, a network, the monitoring itself.
"""

from collections.abc import Awaitable, Callable, Mapping
from itertools import chain

from watchdog.cluster.client import ForbiddenError
from watchdog.core.decision import STORM_SECONDS

Census = Callable[[], Awaitable[Mapping[str, float]]]
"""When each target was last rolled back, in Unix seconds, as the journals of all replicas say. Raises ClusterError."""


class Fleet:
    """Shared by the watches of one process."""

    def __init__(self, size: int, *, census: Census | None = None, is_shared: bool = False) -> None:
        """``size`` is the number of targets; ``is_shared`` when other processes act on some of them meanwhile."""
        self.size = size
        self.is_shared = is_shared and census is not None
        self._census = census
        self._tripped_at: dict[str, float] = {}
        self._journaled: Mapping[str, float] = {}

    def tripped(self, target: str, at: float) -> None:
        """A rollback of the target was begun then, in Unix seconds."""
        self._tripped_at[target] = max(at, self._tripped_at.get(target, at))

    def spared(self, target: str) -> None:
        """The rollback that was begun has ended without a switch."""
        self._tripped_at.pop(target, None)

    async def look(self) -> None:
        """Counts anew what is journaled. Raises ClusterError; who may not look goes by what this process knows."""
        if self._census is None:
            return
        try:
            self._journaled = await self._census()
        except ForbiddenError:
            self._journaled = {}  # the missing permission is told at the start; a rollback does not hang on it

    def others_tripped(self, target: str, *, now: float) -> int:
        """How many other targets were rolled back within the window of a storm."""
        known = chain(self._tripped_at.items(), self._journaled.items())
        return len({name for name, at in known if name != target and now - at <= STORM_SECONDS})
