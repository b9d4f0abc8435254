"""Looks at the cluster, and brings what is known of one target up to date with what is seen there.

Law: a look writes nothing; what it has learned is in the journal in memory before anybody decides on it.
"""

import math
import time
from dataclasses import replace

from watchdog.clocks import Clock
from watchdog.cluster.client import Cluster
from watchdog.cluster.observe import Myself, read_namespace, status_of
from watchdog.core.evaluate import firing
from watchdog.core.inforce import InForce, in_force, newest, says_the_same
from watchdog.core.journal import see, trips
from watchdog.core.model import TargetStatus
from watchdog.core.ownership import without_others
from watchdog.core.rules.language import Target
from watchdog.watch.announce import Announcer
from watchdog.watch.evidence import Evidence
from watchdog.watch.fleet import Fleet
from watchdog.watch.recollection import Recollection


class Lookout:
    """The eyes of a watch; ``looked_at`` is when the newest look ended, by `time.monotonic`.

    ``rules_since`` is when the target's files came, None to leave what is in force as it is.
    """

    def __init__(
        self,
        target: Target,
        *,
        cluster: Cluster,
        known: Recollection,
        evidence: Evidence,
        announcer: Announcer,
        fleet: Fleet,
        instance: str,
        myself: Myself | None,
        rules_since: float | None,
        clock: Clock,
    ) -> None:
        self._target = target
        self._cluster = cluster
        self._known = known
        self._evidence = evidence
        self._announcer = announcer
        self._fleet = fleet
        self._instance = instance
        self._myself = myself
        self._mine = None if rules_since is None else in_force(target, since=rules_since)
        self._clock = clock
        self.looked_at = -math.inf

    async def look(self) -> TargetStatus:
        """What the cluster looks like now. Raises ClusterError."""
        snapshot = await read_namespace(self._cluster, self._target.namespace, self._myself)
        self.looked_at = time.monotonic()
        now = self._clock()
        status = without_others(status_of(self._target, snapshot, now=now), self._instance)
        self._evidence.saw(status)
        if await self._known.read(status):
            self._take_over()
        if self._known.unreadable:
            return replace(status, unreadable=self._known.unreadable)
        self._put_in_force(now)
        self._see(status, now=now)
        return status

    @property
    def is_outdated(self) -> bool:
        """True when newer rules than the target's are in force."""
        force = self._known.journal.in_force
        return self._mine is not None and force is not None and not says_the_same(self._mine, force)

    def retire(self, since: float) -> None:
        """Since then the rule files do not have this target: no replica that lags may act on it any more."""
        if self._mine is not None:
            self._known.journal = replace(self._known.journal, in_force=InForce(since=since))

    def _take_over(self) -> None:
        """What another process has begun or not told counts as ours."""
        self._announcer.resend(self._known.journal.outbox)
        for trip in trips(self._known.journal):
            self._fleet.tripped(self._target.target, trip.started_at)

    def _put_in_force(self, now: float) -> None:
        """Says by which rules this target is watched, unless a newer set than this one's has said so."""
        if self._mine is not None:
            force = newest(self._known.journal.in_force, self._mine, now=now)
            self._known.journal = replace(self._known.journal, in_force=force)
            self._evidence.obey(force)

    def _see(self, status: TargetStatus, *, now: float) -> None:
        before, rules = self._known.journal, firing(self._target, self._evidence.states())
        self._known.journal = see(before, status, firing=bool(rules), now=now)
        self._announcer.switched_by_others(before, self._known.journal, rules, status)
        self._announcer.paused(status, self._known.journal.paused_since)
