"""Finds rollbacks that nobody carries on, because no rule file has their target any more, and tells people.

Law: it only looks; what is told once is not told again by this process.

While a watchdog runs, a target that is taken away is brought to the end of its rollback first. One that ends in
between leaves a journal to which no target belongs.
"""

import asyncio
import time
from collections.abc import Callable

import structlog

from watchdog.cluster.client import Cluster, ClusterError, ForbiddenError
from watchdog.cluster.journal import open_trips
from watchdog.core.alert import Alert
from watchdog.core.inforce import LAG_SECONDS
from watchdog.core.rules_messages import orphaned

LOOK_SECONDS = 60.0

_log = structlog.get_logger()


class Orphans:
    """``is_minded`` says of a target's name that it is watched, or that telling of it is another replica's part."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        *,
        instance: str,
        is_minded: Callable[[str], bool],
        post: Callable[[Alert], None],
    ) -> None:
        """``namespace`` is where the journals are."""
        self._cluster = cluster
        self._namespace = namespace
        self._instance = instance
        self._is_minded = is_minded
        self._post = post
        self._told: set[str] = set()

    async def run(self) -> None:
        """Looks once a minute, for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Tells what is new. A rollback is left the time in which its rule file may still arrive here."""
        now = time.time()
        try:
            found = await open_trips(self._cluster, self._namespace, instance=self._instance)
        except ForbiddenError:
            return  # where everything is dry-run it has no right to look; a right that is missing is told at the start
        except ClusterError as error:
            _log.warning("journals not seen", sentence=str(error))
            return
        for target, trip in found.items():
            if trip.id not in self._told and now - trip.started_at > LAG_SECONDS and not self._is_minded(target):
                self._told.add(trip.id)
                self._post(orphaned(target, trip, namespace=self._namespace, now=now))
