"""Turns a measurement into an outcome, and outcomes into a phase: the whole state machine of a rule.

Law: everything that moves a phase lives in this file, and only a breach moves it towards firing.

The transitions are Prometheus' (``rules/alerting.go``), with three differences: slots without evidence do not advance
the clock of ``for``, a rule may ask for several real breaches (``datapoints_to_alarm``), and a source that stays
blind ends a pending alert instead of keeping it for ever.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from watchdog.core.eprocess import ALPHA, Comparing, fold
from watchdog.core.model import Measurement, Outcome, Phase, RuleState, TrippedRule
from watchdog.core.rules.language import Rule, Target, Threshold

STARVED_SECONDS = 3600.0
"""Longer than a quiet hour of the night should be told of, and far shorter than a guard that never passes."""


def judge(rule: Rule, measurement: Measurement) -> tuple[Outcome, str]:
    """The outcome of one slot and the sentence that explains it.

    NaN is no data, an infinite value or too small a sample is insufficient. ``no_data`` of the rule speaks for a source
    that answered and had nothing; a source that failed is always an error.
    """
    if measurement.failure in (Outcome.ERROR, Outcome.INSUFFICIENT):
        return measurement.failure, measurement.reason
    if measurement.failure is not None or measurement.value is None:
        return _nothing(rule, measurement.reason or "the source has no value")
    value = measurement.value
    if math.isnan(value):
        return _nothing(rule, "the value is NaN: nothing was divided by nothing")
    if math.isinf(value):
        return Outcome.INSUFFICIENT, f"the value is {value:+}: something was divided by nothing"
    needed = rule.min_samples.value if rule.min_samples else None
    if needed is not None and (measurement.samples or 0.0) < needed:
        return Outcome.INSUFFICIENT, f"{measurement.samples or 0.0:g} samples, {needed:g} are needed"
    return _compare(value, _bounds(rule, measurement.limit), measurement.reason)


def healthy(rule: Rule, limit: float | None) -> str:
    """What is healthy, for people. A rule without a threshold says it with each value: ``limit`` is the newest one."""
    bounds = _bounds(rule, limit)
    return str(bounds) if bounds is not None else "as the rule says"


def _bounds(rule: Rule, limit: float | None) -> Threshold | None:
    return Threshold(max=limit) if limit is not None else rule.threshold


def _compare(value: float, bounds: Threshold | None, detail: str) -> tuple[Outcome, str]:
    detail = f": {detail}" if detail else ""
    if bounds is None:
        return Outcome.ERROR, "nothing says what is healthy: neither the rule nor its source"
    if bounds.max is not None and value > bounds.max:
        return Outcome.BREACH, f"{value:g} is above {bounds.max:g}{detail}"
    if bounds.min is not None and value < bounds.min:
        return Outcome.BREACH, f"{value:g} is below {bounds.min:g}{detail}"
    return Outcome.OK, f"{value:g} is {bounds}{detail}"


def _nothing(rule: Rule, reason: str) -> tuple[Outcome, str]:
    chosen = {"hold": Outcome.NODATA, "ok": Outcome.OK, "breach": Outcome.BREACH}[rule.no_data]
    return chosen, reason if chosen is Outcome.NODATA else f"{reason}; no_data: {rule.no_data} counts it so"


def key_of(rule: Rule, release: str) -> str:
    """What a state has to be of to be the rule's own while it watches a release."""
    return f"{rule.digest}/{release}"


def fresh_state(rule: Rule, release: str) -> RuleState:
    """The state of a rule that has seen nothing of a release yet."""
    return RuleState(alert=rule.alert, key=key_of(rule, release))


def evaluate(rule: Rule, state: RuleState, measurement: Measurement, *, slot: float, interval: float) -> RuleState:
    """The state after one more slot. A slot that was already evaluated changes nothing.

    A state in which nobody has looked for ``no_data_timeout`` is forgotten: what was then is not known to last. So is
    one of the future, which a clock that was set back leaves behind: it would keep the rule from being evaluated.
    """
    if state.slot is not None and state.slot - interval <= slot <= state.slot:
        return state
    if state.slot is not None and not 0 <= slot - state.slot <= max(rule.no_data_timeout, interval):
        state = RuleState(alert=state.alert, key=state.key, comparing=state.comparing)
    if measurement.counts is not None:
        known = state.comparing if state.comparing is not None and state.comparing.end <= slot else None
        state = replace(state, comparing=fold(known, measurement.counts))
        measurement = _compared(state.comparing, measurement)
    outcome, reason = judge(rule, measurement)
    blind_since = (slot if state.blind_since is None else state.blind_since) if outcome.is_blind else None
    seen = replace(
        state,
        slot=slot,
        outcome=outcome,
        reason=reason,
        value=measurement.value if measurement.value is not None and math.isfinite(measurement.value) else None,
        samples=measurement.samples,
        limit=state.limit if measurement.limit is None else measurement.limit,
        blind_since=blind_since,
        unknown_since=(slot if state.unknown_since is None else state.unknown_since) if outcome.is_unknown else None,
        well_since=(slot if state.well_since is None else state.well_since) if outcome is Outcome.OK else None,
        recent=_recent(rule, state.recent, outcome),
    )
    match outcome:
        case Outcome.BREACH:
            return _after_breach(rule, seen, previous=state.slot, interval=interval)
        case Outcome.OK:
            return _after_ok(rule, seen)
        case Outcome.NODATA | Outcome.ERROR if state.phase is Phase.PENDING and is_blind(rule, seen):
            return _at_rest(seen)
        case Outcome.INSUFFICIENT | Outcome.NODATA | Outcome.ERROR:
            return seen  # the clock stands still


def _compared(comparing: Comparing | None, measurement: Measurement) -> Measurement:
    """The evidence that the windows amount to, 0 where the difference is too small to act on however certain it is."""
    if comparing is None:
        return measurement
    share, control = comparing.shares
    value = comparing.evidence if comparing.is_relevant else 0.0
    told = f"{share:.2%} of requests fail against {control:.2%} of the baseline, in {comparing.windows} windows"
    return Measurement(value=value, limit=1 / ALPHA, samples=measurement.samples, reason=told)


def _recent(rule: Rule, recent: tuple[Outcome, ...], outcome: Outcome) -> tuple[Outcome, ...]:
    # A healthy slot resets the evidence: evaluation_periods forgives slots without evidence, never healthy ones.
    return (outcome,) if outcome is Outcome.OK else (*recent, outcome)[-rule.evaluation_periods :]


def _after_breach(rule: Rule, state: RuleState, *, previous: float | None, interval: float) -> RuleState:
    slot = state.slot or 0.0
    if state.phase is Phase.FIRING:
        return replace(state, ok_since=None)
    if state.phase is Phase.INACTIVE:
        state = replace(state, phase=Phase.PENDING, active_at=slot, breached_for=0.0)
    elif previous is not None:
        # At most one interval: time in which nobody looked is not time in which it breached.
        state = replace(state, breached_for=state.breached_for + min(slot - previous, interval))
    breaches = sum(each is Outcome.BREACH for each in state.recent)
    if state.breached_for >= rule.for_ and breaches >= rule.datapoints_to_alarm:
        return replace(state, phase=Phase.FIRING)
    return state


def _after_ok(rule: Rule, state: RuleState) -> RuleState:
    if state.phase is not Phase.FIRING:
        return _at_rest(state)
    slot = state.slot or 0.0
    ok_since = slot if state.ok_since is None else state.ok_since
    if slot - ok_since < rule.keep_firing_for:
        return replace(state, ok_since=ok_since)
    return _at_rest(state)


def _at_rest(state: RuleState) -> RuleState:
    return replace(state, phase=Phase.INACTIVE, active_at=None, breached_for=0.0, ok_since=None, shared=False)


def is_blind(rule: Rule, state: RuleState) -> bool:
    """True when the rule's source has said nothing for ``no_data_timeout``."""
    return (
        state.blind_since is not None
        and state.slot is not None
        and state.slot - state.blind_since >= rule.no_data_timeout
    )


def is_starved(state: RuleState) -> bool:
    """True when no slot has had evidence for `STARVED_SECONDS`, though its source may well have answered."""
    return (
        state.unknown_since is not None
        and state.slot is not None
        and state.slot - state.unknown_since >= STARVED_SECONDS
    )


def breaches_now(state: RuleState, slot: float) -> bool:
    """True when the rule fires and this very slot is a breach: the only evidence that a rollback may rest on."""
    return state.phase is Phase.FIRING and state.outcome is Outcome.BREACH and state.slot == slot


def tripped(target: Target, states: Mapping[str, RuleState], slot: float) -> tuple[TrippedRule, ...]:
    """The rules that ask for a rollback on fresh evidence, in the order of the rule file."""
    return tuple(
        evidence(rule, state)
        for rule in target.rules
        if rule.action == "rollback" and (state := states.get(rule.alert)) and breaches_now(state, slot)
    )


def firing(target: Target, states: Mapping[str, RuleState]) -> tuple[TrippedRule, ...]:
    """The rules that roll back and are firing, on whatever evidence, in the order of the rule file."""
    return tuple(
        evidence(rule, state)
        for rule in target.rules
        if rule.action == "rollback" and (state := states.get(rule.alert)) and state.phase is Phase.FIRING
    )


def evidence(rule: Rule, state: RuleState) -> TrippedRule:
    """What a rule's state says to people."""
    return TrippedRule(
        alert=rule.alert,
        value=state.value,
        threshold=healthy(rule, state.limit),
        since=state.active_at if state.active_at is not None else state.slot or 0.0,
    )


def all_well(rules: Iterable[Rule], states: Mapping[str, RuleState]) -> bool:
    """True when each of these rules has been healthy for its own ``for``, on real evidence in every slot."""
    return all((state := states.get(rule.alert)) is not None and _is_well(rule, state) for rule in rules)


def _is_well(rule: Rule, state: RuleState) -> bool:
    if state.well_since is None or state.slot is None:
        return False
    return state.slot - state.well_since >= rule.for_
