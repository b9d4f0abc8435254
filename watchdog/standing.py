"""Tells which shards this replica holds: to the log, the metrics and the health.

Law: nothing in here blocks or raises; what the election says twice in a row is told once.
"""

from collections.abc import Mapping, Sequence

import structlog

from watchdog.web.health import Health
from watchdog.web.metrics import Metrics

_log = structlog.get_logger()


class Standing:
    """The elector's listener. ``targets`` are the names of each shard's targets with the names of their rules."""

    def __init__(
        self, targets: Sequence[Mapping[str, Sequence[str]]], *, digest: str, metrics: Metrics, health: Health
    ) -> None:
        self._targets = targets
        self._digest = digest
        self._metrics = metrics
        self._health = health
        self._held: set[int] = set()
        self._failures: dict[str, str] = {}
        metrics.standing_by(len(targets))

    def looked(self) -> None:
        """Ready, also without a shard: it stands by."""
        self._failures.pop("", None)
        self._tell_what_is_held()

    def gained(self, shard: int) -> None:
        """It acts for the shard."""
        self._held.add(shard)
        self._changed(shard, "gained")
        _log.info("shard gained", shard=shard, targets=sorted(self._targets[shard]))

    def lost(self, shard: int) -> None:
        """It does not any more, and not by its own will."""
        self._held.discard(shard)
        self._changed(shard, "lost")
        sentence = (
            "the Lease was not renewed in time, or names another holder; nothing is written until it is held again"
        )
        _log.warning("shard lost", shard=shard, targets=sorted(self._targets[shard]), sentence=sentence)

    def handed_over(self, shard: int) -> None:
        """It gave the shard back."""
        self._held.discard(shard)
        self._changed(shard, "handed_over")
        _log.info("shard handed over", shard=shard, targets=sorted(self._targets[shard]))

    def succeeded(self, lease: str) -> None:
        """A write of the Lease went through."""
        self._failures.pop(lease, None)

    def failed(self, lease: str, sentence: str) -> None:
        """A line for each new sentence: an outage is told once."""
        if self._failures.get(lease) != sentence:
            self._failures[lease] = sentence
            _log.warning("lease call failed", lease=lease or "all", sentence=sentence)

    def _changed(self, shard: int, transition: str) -> None:
        self._metrics.shard_changed(shard, transition, leads=shard in self._held)
        self._tell_what_is_held()

    def _tell_what_is_held(self) -> None:
        held = {target: rules for shard in self._held for target, rules in self._targets[shard].items()}
        self._health.holds(held)
        self._metrics.rules_loaded(self._digest, held)
