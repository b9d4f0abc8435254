"""What Prometheus is asked for one instant, and what it answers, with what speaks against it.

Law: a value is evidence only if nothing does: its samples are new at that instant, and no restart has left a gap in
the range that they come from.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from watchdog.core.model import Measurement
from watchdog.core.rules.reads import Selector, reads_of
from watchdog.sources.envelope import Reading
from watchdog.sources.freshness import companions


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Expressions, and the instant that they are asked for in Unix seconds.

    ``max_age`` is how many seconds old the newest sample of each of their selectors may be then; by default nobody asks
    for it. The series of ``may_be_absent``, which are some of the expressions, need not be there.
    """

    exprs: Sequence[str]
    at: float
    max_age: float = math.inf
    may_be_absent: Collection[str] = ()

    @property
    def window(self) -> float:
        """Seconds: the longest range that is looked at."""
        return max(reads_of(expr).window for expr in self.exprs)

    @property
    def proofs(self) -> Mapping[str, Selector]:
        """The queries beside the expressions that show how new the samples are, and of which selector."""
        return {} if math.isinf(self.max_age) else companions(self.exprs, may_be_absent=self.may_be_absent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The readings of the expressions, in order. ``flaw`` is what is measured instead when they are no evidence."""

    readings: Sequence[Reading]
    flaw: Measurement | None = None

    def proven(self, measurement: Measurement) -> Measurement:
        """The measurement that was made of the readings, or why there is none."""
        if self.flaw is None or measurement.failure is not None:
            return measurement
        return replace(self.flaw, samples=measurement.samples)
