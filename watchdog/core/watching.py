"""What a tick concludes from a journal and an answer: the part of the heartbeat that thinks.

Law: whoever plays data through the rules, live or from the past, asks these functions; there is no second reading.
"""

from collections.abc import Iterable

from watchdog.core.durations import show_duration
from watchdog.core.evaluate import fresh_state, judge, key_of, tripped
from watchdog.core.journal import Journal
from watchdog.core.model import Measurement, Outcome, RuleState, TargetStatus, TrippedRule
from watchdog.core.rules.language import Rule, Target
from watchdog.core.rules.reach import delay_of


def release_of(journal: Journal) -> str:
    """The release that is active now, as far as it was seen; "" before anything was."""
    return journal.stays[-1].release if journal.stays else ""


def active_since(journal: Journal) -> float:
    """Since when it alone is active, with no pod of an earlier one; in Unix seconds, 0 before anything was seen."""
    return max(journal.stays[-1].since, journal.mixed_at or 0.0) if journal.stays else 0.0


def states_of(target: Target, journal: Journal) -> dict[str, RuleState]:
    """What is known of the rules about the release that is active now; what was seen of another is no evidence."""
    release = release_of(journal)
    known = {rule.alert: key_of(rule, release) for rule in target.rules}
    return {alert: state for alert, state in journal.states.items() if state.key == known.get(alert)}


def not_yet(rule: Rule, journal: Journal, *, color: str, slot: float) -> Measurement | None:
    """The measurement of a slot in which nobody is asked, because the release is too new; else None (F17).

    ``slot`` is the instant that would be asked for.
    """
    delay = delay_of(rule)
    if slot >= active_since(journal) + delay:
        return None
    why = "which it looks back" if rule.initial_delay is None else "its initial_delay"
    reason = f"{color} has been active for less than {show_duration(delay)}, {why}"
    return Measurement(failure=Outcome.INSUFFICIENT, reason=reason)


def state_of(target: Target, rule: Rule, journal: Journal) -> RuleState:
    """What is known of one rule; a fresh state when that is nothing."""
    return states_of(target, journal).get(rule.alert) or fresh_state(rule, release_of(journal))


def asking_to_leave(
    target: Target, journal: Journal, status: TargetStatus, *, slot: float | None
) -> tuple[TrippedRule, ...]:
    """The rules that ask to leave the active color, on the evidence of the newest slot."""
    return () if slot is None or status.active is None else tripped(target, states_of(target, journal), slot)


def asked_elsewhere(target: Target, status: TargetStatus, rules: Iterable[TrippedRule]) -> tuple[Rule, ...]:
    """Those of the tripped rules that the other color is asked about too.

    A page without pods is down, and no breach of the color: that it can be made ready is asked for elsewhere.
    """
    if status.active is None:
        return ()
    other, alerts = target.other(status.active), {each.alert for each in rules}
    has_pods = all(status.deployments[service.name, other].ready for service in status.services)
    return tuple(rule for rule in target.rules if rule.alert in alerts and (has_pods or rule.http is None))


def breaching_elsewhere(answers: Iterable[tuple[Rule, Measurement]]) -> tuple[str, ...]:
    """The rules that breach on the other color too, from what was measured there.

    What is missing on an idle color is no breach of it, whatever ``no_data`` says; so is nothing divided by nothing.
    """
    held = ((rule.model_copy(update={"no_data": "hold"}), answer) for rule, answer in answers)
    return tuple(rule.alert for rule, answer in held if judge(rule, answer)[0] is Outcome.BREACH)
