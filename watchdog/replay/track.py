"""What one rule measured and came to over many slots, kept small.

Law: nothing is left out: a slot that nobody could evaluate is in it with the reason why.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from watchdog.core.model import Measurement, Outcome, Phase, RuleState
from watchdog.core.rules.language import Rule

_OUTCOMES = tuple(Outcome)
_PHASES = tuple(Phase)
_MOST_REASONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One slot of one rule. ``limit`` is what was too much then, of a rule that has no threshold of its own.

    ``stay`` counts the releases that were active in its track until then, from 0.
    """

    slot: float
    color: str
    outcome: Outcome
    phase: Phase
    value: float | None
    samples: float | None
    limit: float | None = None
    stay: int = 0


@dataclass(slots=True)
class Track:
    """The slots of one rule, in order. ``reasons`` counts why there was no evidence."""

    rule: Rule
    reasons: Counter[str] = field(default_factory=Counter)
    _slots: array[float] = field(default_factory=lambda: array("d"))
    _values: array[float] = field(default_factory=lambda: array("d"))
    _samples: array[float] = field(default_factory=lambda: array("d"))
    _limits: array[float] = field(default_factory=lambda: array("d"))
    _states: bytearray = field(default_factory=bytearray)
    _stays: list[tuple[int, str]] = field(default_factory=list)
    _key: str = ""

    def __len__(self) -> int:
        return len(self._slots)

    def add(self, state: RuleState, color: str) -> None:
        """One more slot."""
        outcome = state.outcome or Outcome.ERROR
        if not self._stays or self._stays[-1][1] != color or self._key != state.key:
            self._stays.append((len(self), color))  # a state's key is of one release
            self._key = state.key
        self._slots.append(state.slot or 0.0)
        self._values.append(math.nan if state.value is None else state.value)
        self._samples.append(math.nan if state.samples is None else state.samples)
        self._limits.append(math.nan if state.limit is None else state.limit)
        self._states.append(_OUTCOMES.index(outcome) * len(_PHASES) + _PHASES.index(state.phase))
        if outcome.is_blind:
            self.reasons[state.reason] += 1

    def __iter__(self) -> Iterator[Point]:
        stays = [*self._stays, (len(self), "")]
        stay = 0
        for number, slot in enumerate(self._slots):
            if number >= stays[stay + 1][0]:
                stay += 1
            outcome, phase = divmod(self._states[number], len(_PHASES))
            value, samples, limit = self._values[number], self._samples[number], self._limits[number]
            yield Point(
                slot=slot,
                color=stays[stay][1],
                outcome=_OUTCOMES[outcome],
                phase=_PHASES[phase],
                value=None if math.isnan(value) else value,
                samples=None if math.isnan(samples) else samples,
                limit=None if math.isnan(limit) else limit,
                stay=stay,
            )

    def counts(self) -> dict[Outcome, int]:
        """How many slots came to each outcome."""
        found = Counter(state // len(_PHASES) for state in self._states)
        return {outcome: found[number] for number, outcome in enumerate(_OUTCOMES)}

    def commonest_reasons(self) -> list[tuple[str, int]]:
        """Why there was no evidence, the commonest first."""
        return self.reasons.most_common(_MOST_REASONS)


def measured_again(point: Point, *, factor: float) -> Measurement:
    """A measurement that is judged as the one behind the point was, by a limit that is so many times as high.

    Of a failure it has no sentence.
    """
    if point.outcome in (Outcome.ERROR, Outcome.INSUFFICIENT):
        return Measurement(failure=point.outcome, samples=point.samples)
    if point.value is None:
        return Measurement.nodata("", samples=point.samples)
    limit = None if point.limit is None else point.limit * factor
    return Measurement(value=point.value, samples=point.samples, limit=limit)
