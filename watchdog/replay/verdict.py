"""Compares what came of a test with what it expects.

Law: each difference is told at the line of the expectation, with what was seen instead and why; an expectation that
nothing was measured for is called vacuous.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from watchdog.core.decision import Decision, Hold, Reason, Rollback
from watchdog.core.durations import show_duration
from watchdog.core.evaluate import evidence
from watchdog.core.messages import fires
from watchdog.core.model import Phase, RuleState
from watchdog.core.rules.language import Rule
from watchdog.replay.actions import Action, ActionKind
from watchdog.replay.mistakes import Mistake
from watchdog.replay.player import Seen
from watchdog.replay.rehearsal import Played
from watchdog.replay.testfile import AlertExpectation, ExpectedAction, ExpectedRule, StateExpectation

_CLOSE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a test came to: it passed when there are no ``failures``. ``vacuous`` passed, and proved nothing."""

    played: Played
    failures: tuple[Mistake, ...]
    vacuous: tuple[Mistake, ...]


def judge_test(played: Played) -> Verdict:
    """Every expectation of the test, against what was seen."""
    failures, vacuous = list[Mistake](), list[Mistake]()
    for number, expected in enumerate(played.test.case.alert_rule_test):
        place = ("alert_rule_test", number, "exp_alerts")
        found = _alert(played, expected)
        failures += [played.test.problem(place, message) for message in found]
        if not found and not expected.exp_alerts and not _is_supported(played, expected.alertname, expected.eval_time):
            vacuous.append(played.test.problem(place, _nothing_measured(expected.alertname)))
    for number, state in enumerate(played.test.case.exp_state):
        for key, message in _state(played, state):
            failures.append(played.test.problem(("exp_state", number, *key), message))
        for alert, rule in state.rules.items():
            is_quiet = rule.phase is Phase.INACTIVE and rule.outcome is None and rule.value is None
            if is_quiet and not _is_supported(played, alert, state.eval_time):
                vacuous.append(played.test.problem(("exp_state", number, "rules", alert), _nothing_measured(alert)))
        vacuous += [
            played.test.problem(("exp_state", number, word), _nothing_measured("any rule"))
            for word in _undisturbed(played, state)
        ]
    failures += [played.test.problem(("exp_actions",), message) for message in _actions(played)]
    if played.test.case.exp_actions == [] and not _is_supported(played, "", None):
        vacuous.append(played.test.problem(("exp_actions",), _nothing_measured("any rule")))
    return Verdict(played=played, failures=tuple(failures), vacuous=tuple(vacuous))


def _nothing_measured(alert: str) -> str:
    return f"vacuous: nothing was measured for {alert} until then, so this would hold whatever the rule says"


def _undisturbed(played: Played, expected: StateExpectation) -> Iterator[str]:
    """The keys that say what every target is like that nothing is measured for and nothing happens to."""
    case = played.test.case
    begins = [event.at for event in case.events]
    begins += [restart.at for restart in case.restarts]
    begins += [fault.from_ for fault in case.faults]
    if any(at <= expected.eval_time for at in begins) or _is_supported(played, "", expected.eval_time):
        return
    if expected.active == played.test.active:
        yield "active"
    if expected.decision == Reason.NOTHING_FIRING.value:
        yield "decision"


def _is_supported(played: Played, alert: str, until: float | None) -> bool:
    """True when a value was measured for the rule ("" for any) in a slot until then."""
    end = None if until is None else played.start + until
    return any(
        state.value is not None
        for seen in played.seen
        if end is None or seen.slot <= end
        for state in seen.states.values()
        if alert in ("", state.alert)
    )


def _at(played: Played, eval_time: float) -> Seen | None:
    slot = played.start + eval_time
    return next((seen for seen in played.seen if seen.slot == slot), None)


def _missed(eval_time: float) -> str:
    return f"nobody looked at {show_duration(eval_time)}: the watchdog was down"


def _alert(played: Played, expected: AlertExpectation) -> list[str]:
    seen = _at(played, expected.eval_time)
    if seen is None:
        return [_missed(expected.eval_time)]
    rule = next(each for each in played.test.target.rules if each.alert == expected.alertname)
    state = seen.states.get(rule.alert)
    fires_now = state is not None and state.phase is Phase.FIRING
    when = show_duration(expected.eval_time)
    if state is None or not fires_now:
        return [f"{rule.alert} does not fire at {when}: {_shown(played, state)}"] if expected.exp_alerts else []
    if not expected.exp_alerts:
        return [f"{rule.alert} fires at {when}: {_shown(played, state)}"]
    return [*_texts(played, rule, state, seen, expected)]


def _texts(played: Played, rule: Rule, state: RuleState, seen: Seen, expected: AlertExpectation) -> Iterator[str]:
    """The labels and annotations that differ from those that people would get."""
    target, (wanted,) = played.test.target, expected.exp_alerts
    told = fires(target, rule, evidence(rule, state), color=seen.active or "", resolved=False, now=seen.slot)
    intrinsic = {"alertname": rule.alert, "target": target.target, "namespace": target.namespace}
    labels = {**intrinsic, "color": seen.active or "", **dict(told.labels)}
    for what, given, want in (
        ("label", labels, wanted.exp_labels),
        ("annotation", dict(told.notes), wanted.exp_annotations),
    ):
        for key, text in want.items():
            if given.get(key) != text:
                is_there = f"is {given[key]!r}" if key in given else "is not there"
                yield f"the {what} {key} of {rule.alert} {is_there}, expected was {text!r}"


def _shown(played: Played, state: RuleState | None) -> str:
    if state is None or state.outcome is None:
        return "nothing was measured for it"
    since = ""
    if state.active_at is not None:
        since = f" since {show_duration(state.active_at - played.start)}"
    return f"it is {state.phase}{since}, and the slot is {state.outcome} ({state.reason})"


def _state(played: Played, expected: StateExpectation) -> Iterator[tuple[tuple[str, ...], str]]:
    seen = _at(played, expected.eval_time)
    when = show_duration(expected.eval_time)
    if seen is None:
        yield (), _missed(expected.eval_time)
        return
    if expected.active is not None and seen.active != expected.active:
        yield ("active",), f"at {when} the active color is {seen.active}"
    decided = decision_name(seen.decision)
    if expected.decision is not None and decided != expected.decision:
        sentence = seen.decision.sentence if seen.decision is not None else "a rollback is under way"
        yield ("decision",), f"at {when} the decision is {decided}: {sentence}"
    for alert, rule in expected.rules.items():
        for message in _rule(seen.states.get(alert), rule):
            yield ("rules", alert), f"at {when} {alert} {message}: {_shown(played, seen.states.get(alert))}"


def decision_name(decision: Decision | None) -> str:
    """A decision by the name that a test knows it by."""
    match decision:
        case Hold(reason=reason):
            return reason.value
        case Rollback():
            return "rollback"
        case None:
            return "under_way"


def _rule(state: RuleState | None, expected: ExpectedRule) -> Iterator[str]:
    phase = Phase.INACTIVE if state is None else state.phase
    if expected.phase is not None and phase is not expected.phase:
        yield f"is not {expected.phase}"
    if expected.outcome is not None and (state is None or state.outcome is not expected.outcome):
        yield f"has not the outcome {expected.outcome}"
    if expected.value is not None:
        value = None if state is None else state.value
        if value is None or abs(value - expected.value) > _CLOSE * max(1.0, abs(expected.value)):
            yield f"has not the value {expected.value:g} but {'none' if value is None else f'{value:.12g}'}"


def _actions(played: Played) -> Iterator[str]:
    expected = played.test.case.exp_actions
    if expected is None:
        return
    # A rollback and a hold always count; the steps of a rollback only where the test names any of their kind.
    kinds = {ActionKind.ROLLBACK, ActionKind.HOLD, *(each.action for each in expected)}
    done = [action for action in played.actions if action.kind in kinds]
    wanted = list(expected)
    if len(done) == len(wanted) and all(map(_is_meant, wanted, done, [played.start] * len(done))):
        return
    seen = "; ".join(_show_action(action, played.start) for action in done) or "nothing"
    yield f"expected were {'; '.join(map(_show_expected, wanted)) or 'no actions'}, and what was done is: {seen}"


def _is_meant(expected: ExpectedAction, action: Action, start: float) -> bool:
    if expected.action is not action.kind or abs(start + expected.at - action.at) > _CLOSE:
        return False
    return all(action.told.get(key) == value for key, value in _particulars(expected).items())


def _particulars(expected: ExpectedAction) -> Mapping[str, Any]:
    given = expected.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"at", "action"})
    return dict(given)


def _show_expected(expected: ExpectedAction) -> str:
    return _show(expected.action, expected.at, _particulars(expected))


def _show_action(action: Action, start: float) -> str:
    shown = _show(action.kind, action.at - start, action.told)
    return f"{shown} ({action.sentence})" if action.kind is ActionKind.HOLD else shown


def _show(kind: ActionKind, at: float, told: Mapping[str, Any]) -> str:
    particulars = " ".join(f"{key}={value}" for key, value in told.items())
    return f"{kind} at {show_duration(at)}{' ' if particulars else ''}{particulars}"
