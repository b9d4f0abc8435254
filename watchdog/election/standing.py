"""Tells which shards this replica holds: to the log, the metrics and the health.

Law: nothing in here blocks or raises; what the election says twice in a row is told once.
"""

import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from watchdog.core.alert import Alert
from watchdog.core.lease_messages import WHY_LOST, lease_held, lease_lost
from watchdog.web.health import Health
from watchdog.web.metrics import Metrics

_log = structlog.get_logger()


class Standing:
    """The elector's listener. ``targets`` are the names of each shard's targets with the names of their rules."""

    def __init__(
        self,
        targets: Sequence[Mapping[str, Sequence[str]]],
        *,
        digest: str,
        metrics: Metrics,
        health: Health,
        post: Callable[[Alert], None],
        namespace: str,
        me: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``post`` sends an alert; ``namespace`` is where the Leases are, and ``me`` this replica's name."""
        self._post = post
        self._namespace = namespace
        self._me = me
        self._clock = clock
        self._lost_at: dict[int, float] = {}
        self._targets = targets
        self._digest = digest
        self._metrics = metrics
        self._health = health
        self._held: set[int] = set()
        self._failures: dict[str, str] = {}
        metrics.standing_by(len(targets))

    def rules_loaded(self, targets: Sequence[Mapping[str, Sequence[str]]], *, digest: str) -> None:
        """Other rules are in force; the shards are the same."""
        self._targets, self._digest = targets, digest
        self._tell_what_is_held()

    @property
    def holds_the_first(self) -> bool:
        """True for the one replica that tells what concerns all of them."""
        return self.holds(0)

    def holds(self, shard: int) -> bool:
        """True while this replica acts for the shard."""
        return shard in self._held

    def looked(self) -> None:
        """Ready, also without a shard: it stands by."""
        self._failures.pop("", None)
        self._tell_what_is_held()

    def gained(self, shard: int) -> None:
        """It acts for the shard."""
        self._held.add(shard)
        self._changed(shard, "gained")
        _log.info("shard gained", shard=shard, targets=sorted(self._targets[shard]))
        self._tell_holder(shard, "")

    def lost(self, shard: int) -> None:
        """It does not any more, and not by its own will."""
        self._held.discard(shard)
        self._changed(shard, "lost")
        sentence = f"{WHY_LOST}; nothing is written until it is held again"
        _log.warning("shard lost", shard=shard, targets=sorted(self._targets[shard]), sentence=sentence)
        self._lost_at[shard] = now = self._clock()
        self._post(lease_lost(shard, self._targets[shard], me=self._me, namespace=self._namespace, now=now))

    def handed_over(self, shard: int) -> None:
        """It gave the shard back."""
        self._held.discard(shard)
        self._changed(shard, "handed_over")
        _log.info("shard handed over", shard=shard, targets=sorted(self._targets[shard]))

    def taken(self, shard: int, holder: str) -> None:
        """Another replica acts for it: what people were told of a loss is over."""
        name, _, _ = holder.rpartition("_")
        self._tell_holder(shard, name or holder)

    def succeeded(self, lease: str) -> None:
        """A write of the Lease went through."""
        self._failures.pop(lease, None)

    def failed(self, lease: str, sentence: str) -> None:
        """A line for each new sentence: an outage is told once."""
        if self._failures.get(lease) != sentence:
            self._failures[lease] = sentence
            _log.warning("lease call failed", lease=lease or "all", sentence=sentence)

    def _tell_holder(self, shard: int, holder: str) -> None:
        """Once for each loss; "" is this replica again."""
        lost_at = self._lost_at.pop(shard, None)
        if lost_at is not None:
            self._post(
                lease_held(
                    shard,
                    self._targets[shard],
                    holder=holder,
                    me=self._me,
                    namespace=self._namespace,
                    lost_at=lost_at,
                    now=self._clock(),
                )
            )

    def _changed(self, shard: int, transition: str) -> None:
        self._metrics.shard_changed(shard, transition, leads=shard in self._held)
        self._tell_what_is_held()

    def _tell_what_is_held(self) -> None:
        held = {target: rules for shard in self._held for target, rules in self._targets[shard].items()}
        self._health.holds(held)
        self._metrics.rules_loaded(self._digest, held)
