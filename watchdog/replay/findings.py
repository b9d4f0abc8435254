"""What the past says of a rule: when it fired, how near it came otherwise, and what another threshold would have done.

Law: every figure is counted from the slots that were played; what another threshold would have done is evaluated anew
by the core.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import median

from watchdog.core.eprocess import ALPHA
from watchdog.core.evaluate import evaluate, fresh_state, judge
from watchdog.core.model import Outcome, Phase, RuleState
from watchdog.core.rules.language import Rule, Threshold
from watchdog.replay.actions import Action, ActionKind
from watchdog.replay.past import Incident
from watchdog.replay.track import Point, Track, measured_again

FACTORS = (0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0)
EARLY = 1800.0  # seconds before the reported start of an incident in which a trip still belongs to it


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A stretch in which the rule fired. ``did`` is what came of it: rollback, alert, or why it was held."""

    at: float
    until: float
    color: str
    value: float | None
    samples: float | None
    did: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Closest:
    """The slot in which the value was nearest to the threshold, or furthest beyond it, and nothing came of it.

    ``share`` is the value as a share of the threshold: above 1 it breached, but not for long enough.
    """

    at: float
    value: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """The firings against the incidents; ``leads`` are seconds before the reported start, negative after it."""

    hits: tuple[tuple[Incident, Firing, float], ...]
    misses: tuple[Incident, ...]
    false: tuple[Firing, ...]

    @property
    def lead(self) -> float | None:
        """The median of the hits' leads."""
        return median(lead for _, _, lead in self.hits) if self.hits else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release while it had the traffic: its first and last slot, what they came to, and how often it fired."""

    at: float
    until: float
    color: str
    counts: Mapping[Outcome, int]
    firings: int

    @property
    def slots(self) -> int:
        """How many slots it was evaluated in."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Everything that is told of one rule. ``sweep`` is empty where no multiple of its threshold is another one."""

    rule: Rule
    track: Track
    firings: tuple[Firing, ...]
    closest: Closest | None
    sweep: tuple[tuple[float, int], ...]
    matches: Matches | None = None
    releases: tuple[Release, ...] = ()

    @property
    def healthy(self) -> str:
        """What is healthy, for people."""
        if self.rule.burn_rate is not None:
            burn = self.rule.burn_rate
            return f"at most {' and '.join(f'{burn.factor(pair):.4g} over {pair}' for pair in burn.pairs)}"
        return str(self.rule.threshold or Threshold(max=1 / ALPHA))

    @property
    def slots(self) -> int:
        """How many slots it was evaluated in."""
        return len(self.track)

    def share(self, outcome: Outcome) -> float:
        """The share of its slots that came to an outcome."""
        return self.track.counts()[outcome] / self.slots if self.slots else 0.0


def find(track: Track, actions: Sequence[Action], *, interval: float, incidents: Sequence[Incident] | None) -> Finding:
    """What the slots and actions say of the rule."""
    points = [*track]
    firings = tuple(_firings(track.rule, points, actions))
    return Finding(
        rule=track.rule,
        track=track,
        firings=firings,
        closest=_closest(track.rule, points),
        sweep=_sweep(track.rule, points, interval=interval),
        matches=None if incidents is None else match(firings, incidents),
        releases=tuple(_releases(points, firings)),
    )


def _releases(points: Sequence[Point], firings: Sequence[Firing]) -> Iterable[Release]:
    for _, stay in groupby(points, key=lambda point: point.stay):
        slots = [*stay]
        first, last = slots[0], slots[-1]
        counts = Counter(point.outcome for point in slots)
        yield Release(
            at=first.slot,
            until=last.slot,
            color=first.color,
            counts={outcome: counts[outcome] for outcome in Outcome},
            firings=sum(first.slot <= firing.at <= last.slot for firing in firings),
        )


def _firings(rule: Rule, points: Sequence[Point], actions: Sequence[Action]) -> Iterable[Firing]:
    begun: Point | None = None
    last = 0.0
    for point in points:
        is_same = begun is not None and point.stay == begun.stay
        if begun is not None and (point.phase is not Phase.FIRING or not is_same):
            yield _firing(rule, begun, last, actions)
            begun = None
        if begun is None and point.phase is Phase.FIRING:
            begun = point
        last = point.slot
    if begun is not None:
        yield _firing(rule, begun, last, actions)


def _firing(rule: Rule, begun: Point, until: float, actions: Sequence[Action]) -> Firing:
    did = "alert"
    if rule.action == "rollback":
        within = [action for action in actions if begun.slot <= action.at <= until]
        done = next((each for each in within if each.kind is ActionKind.ROLLBACK), None)
        held = next((each for each in within if each.kind is ActionKind.HOLD), None)
        # A rollback is told once, and a reason to hold when it changes: this rule only joined in.
        did = "nothing more: another rule was ahead" if held is None else f"held: {held.told['reason']}"
        if done is not None:
            did = "rollback" if rule.alert in done.told["rules"] else "rollback by another rule"
    return Firing(at=begun.slot, until=until, color=begun.color, value=begun.value, samples=begun.samples, did=did)


def _closest(rule: Rule, points: Sequence[Point]) -> Closest | None:
    best: Closest | None = None
    coming = False  # from the last slot to the first: a pending slot that leads to a firing is no near miss
    for point in reversed(points):
        coming = point.phase is Phase.FIRING or (coming and point.phase is Phase.PENDING)
        if not coming and point.outcome in (Outcome.OK, Outcome.BREACH) and point.value is not None:
            share = severity(bounds_of(rule, point.limit), point.value)
            if share is not None and (best is None or share >= best.share):
                best = Closest(at=point.slot, value=point.value, share=share)
    return best


Bounds = tuple[float | None, float | None]
"""The lowest and the highest healthy value."""


def bounds_of(rule: Rule, limit: float | None) -> Bounds:
    """What a value is compared with; ``limit`` is the highest healthy value of a rule without a threshold."""
    return (None, limit) if rule.threshold is None else (rule.threshold.min, rule.threshold.max)


def limits_of(rule: Rule) -> tuple[float, ...]:
    """Everything that values of the rule are ever compared with, to be drawn beside them."""
    if rule.burn_rate is not None:
        return tuple(dict.fromkeys(map(rule.burn_rate.factor, rule.burn_rate.pairs)))
    limits = (1 / ALPHA,) if rule.threshold is None else (rule.threshold.min, rule.threshold.max)
    return tuple(limit for limit in limits if limit is not None)


def severity(bounds: Bounds, value: float) -> float | None:
    """The value as a share of the bound that it is nearest to; None where that means nothing (at most 0)."""
    lowest, highest = bounds
    shares = []
    if highest is not None and highest > 0:
        shares.append(value / highest)
    if lowest is not None and lowest > 0 and value > 0:
        shares.append(lowest / value)
    return max(shares, default=None)


def scaled(rule: Rule, factor: float) -> Rule:
    """The rule with thresholds this much higher (max) or lower (min): above 1 it is more patient."""
    if rule.threshold is None:
        return rule  # its limit comes with each value
    lowest, highest = rule.threshold.min, rule.threshold.max
    changed = Threshold(
        max=None if highest is None else highest * factor,
        min=None if lowest is None else lowest / factor,
    )
    return rule.model_copy(update={"threshold": changed})


def _sweep(rule: Rule, points: Sequence[Point], *, interval: float) -> tuple[tuple[float, int], ...]:
    limits = () if rule.threshold is None else (rule.threshold.min, rule.threshold.max)
    if limits and not any(limits):
        return ()  # every multiple of 0 is 0
    return tuple((factor, _count(rule, points, factor, interval=interval)) for factor in FACTORS)


def _count(rule: Rule, points: Sequence[Point], factor: float, *, interval: float) -> int:
    """How often the rule would have begun to fire with another threshold."""
    rule = scaled(rule, factor)
    state: RuleState | None = None
    stay, fired = -1, 0
    for point in points:
        if point.stay != stay:
            state, stay = None, point.stay  # another release starts from inactive
        limit = None if point.limit is None else point.limit * factor
        if state is None and point.value is not None and not _is_beyond(bounds_of(rule, limit), point.value):
            continue  # quicker than to judge it
        measurement = measured_again(point, factor=factor)
        if state is None and judge(rule, measurement)[0] is not Outcome.BREACH:
            continue  # at rest, and nothing that would change that
        before = state or fresh_state(rule, "")
        after = evaluate(rule, before, measurement, slot=point.slot, interval=interval)
        fired += after.phase is Phase.FIRING and before.phase is not Phase.FIRING
        is_at_rest = after.phase is Phase.INACTIVE and after.outcome is Outcome.OK
        state = None if is_at_rest else replace(after, reason="")
    return fired


def _is_beyond(bounds: Bounds, value: float) -> bool:
    lowest, highest = bounds
    return (highest is not None and value > highest) or (lowest is not None and value < lowest)


def match(firings: Sequence[Firing], incidents: Sequence[Incident]) -> Matches:
    """Each incident with its first firing, and what belongs to none."""
    hits, misses = [], []
    belonging: set[int] = set()
    for incident in incidents:
        inside = [
            number
            for number, firing in enumerate(firings)
            if firing.at <= incident.end and firing.until >= incident.start - EARLY
        ]
        belonging.update(inside)
        if inside:
            first = firings[inside[0]]
            hits.append((incident, first, incident.start - first.at))
        else:
            misses.append(incident)
    false = tuple(firing for number, firing in enumerate(firings) if number not in belonging)
    return Matches(hits=tuple(hits), misses=tuple(misses), false=false)
