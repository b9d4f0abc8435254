"""Whether the watchdog lives and is ready, as its daemon tells and its server answers.

Law: liveness hangs on the heartbeat alone, so that no outage of a cluster or a source ever restarts the watchdog.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """Yes or no, and the sentence that says why."""

    is_well: bool
    sentence: str


class Health:
    """Filled by the daemon, asked by the server; both on one event loop.

    ``heartbeat_bound`` is the age in seconds from which a heartbeat is too old. It is counted from the creation of
    this object until the first beat. ``clock`` is monotonic seconds.
    """

    def __init__(self, *, heartbeat_bound: float = 30.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._bound = heartbeat_bound
        self._clock = clock
        self._beat_at = clock()
        self._expected: frozenset[str] | None = None
        self._held: frozenset[str] | None = None
        self._ticked: set[str] = set()

    def beat(self) -> None:
        """The loop turns."""
        self._beat_at = self._clock()

    def rules_loaded(self, targets: Iterable[str]) -> None:
        """A rule set with these targets is in force."""
        self._expected = frozenset(targets)
        self._ticked &= self._expected

    def holds(self, targets: Iterable[str]) -> None:
        """Of all targets this replica watches these; other replicas watch the rest."""
        self._held = frozenset(targets)
        self._ticked &= self._held

    def tick_completed(self, target: str) -> None:
        """A tick of this target went through, its cluster answering."""
        self._ticked.add(target)

    def live(self) -> Verdict:
        """Well while the heartbeat is younger than the bound."""
        age = self._clock() - self._beat_at
        if age < self._bound:
            return Verdict(is_well=True, sentence=f"The loop turned {age:.1f} s ago.")
        return Verdict(
            is_well=False, sentence=f"The loop has not turned for {age:.1f} s; {self._bound:g} s is too long."
        )

    def ready(self) -> Verdict:
        """Well when rules are loaded and each target that is watched here had a tick with access to its cluster."""
        if self._expected is None:
            return Verdict(is_well=False, sentence="No rule set is loaded.")
        watched = self._expected if self._held is None else self._expected & self._held
        waiting = sorted(watched - self._ticked)
        if waiting:
            return Verdict(is_well=False, sentence=f"No completed tick yet of: {', '.join(waiting)}.")
        standing_by = len(self._expected) - len(watched)
        others = f" Standing by for {standing_by} more." if standing_by else ""
        return Verdict(is_well=True, sentence=f"Watching {len(watched)} target(s).{others}")
