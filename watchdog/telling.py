"""Passes on what happens in the loops: to the log, the metrics, the health and the outbox.

Law: nothing in here blocks or raises; a loop must not notice that it is listened to.
"""

import time
from collections.abc import Sequence

import structlog

from watchdog.core.alert import Alert
from watchdog.core.model import Outcome, RuleState
from watchdog.core.rules.language import Rule, Target
from watchdog.core.transition import Event, Problem, Transition
from watchdog.notify.outbox import Outbox
from watchdog.watch.announce import Reporter
from watchdog.web.health import Health
from watchdog.web.metrics import Metrics

_log = structlog.get_logger()
_WARNINGS = frozenset({Event.BLIND, Event.CLUSTER, Event.OUTDATED})


class Telling:
    """The daemon's reporter."""

    def __init__(self, *, metrics: Metrics, health: Health, outbox: Outbox) -> None:
        self._metrics = metrics
        self._health = health
        self._outbox = outbox

    def transition(self, transition: Transition) -> None:
        """One log line, and a count."""
        log = _log.warning if transition.event in _WARNINGS else _log.info
        log(transition.event.value, **_fields(transition))
        match transition.event:
            case Event.DECISION:
                self._metrics.decided(transition.target, transition.after)
            case Event.SELECTOR | Event.REPLICAS:
                self._metrics.written(transition.event)
            case Event.CLUSTER:
                self._metrics.cluster_failed(Problem(transition.after))
            case Event.FINISHED if transition.end is not None:
                self._metrics.rollback_ended(transition.target, transition.end)
            case _:
                pass  # it has no number of its own

    def alert(self, alert: Alert) -> None:
        """Into the outbox, and into the log: a webhook may be down."""
        _log.info("alert", kind=alert.kind.value, target=alert.target, text=alert.text, trip=alert.trip, key=alert.key)
        self._outbox.post(alert)

    def is_settled(self, key: str) -> bool:
        """True when no sink still has it to send."""
        return self._outbox.is_settled(key)

    def measured(self, target: Target, rule: Rule, state: RuleState, *, seconds: float) -> None:
        """The rule's gauges, and how long its source took."""
        self._metrics.rule_evaluated(target.target, state)
        self._metrics.measured(rule.source, duration=seconds, failed=state.outcome is Outcome.ERROR)
        outcome = state.outcome.value if state.outcome else ""
        _log.debug("measured", target=target.target, rule=rule.alert, outcome=outcome, reason=state.reason)

    def ticked(self, target: Target, *, seconds: float, missed: int, complete: bool) -> None:
        """The tick's gauges; readiness once the cluster was seen."""
        self._metrics.due_each(target.target, target.interval)
        self._metrics.slots_missed(target.target, missed)
        if complete:
            self._metrics.tick_completed(target.target, at=time.time(), duration=seconds)
            self._health.tick_completed(target.target)


def _fields(transition: Transition) -> dict[str, object]:
    told = {
        "target": transition.target,
        "subject": transition.subject,
        "value": transition.value,
        "from": transition.before,
        "to": transition.after,
        "sentence": transition.sentence,
        "trip": transition.trip,
        "end": transition.end.value if transition.end else None,
    }
    return {key: value for key, value in told.items() if value not in ("", None)}


class Fanout:
    """Several reporters as one."""

    def __init__(self, *reporters: Reporter) -> None:
        self._reporters: Sequence[Reporter] = reporters

    def transition(self, transition: Transition) -> None:
        """Passed on."""
        for reporter in self._reporters:
            reporter.transition(transition)

    def alert(self, alert: Alert) -> None:
        """Passed on."""
        for reporter in self._reporters:
            reporter.alert(alert)

    def is_settled(self, key: str) -> bool:
        """True when it is settled for all."""
        return all(reporter.is_settled(key) for reporter in self._reporters)

    def measured(self, target: Target, rule: Rule, state: RuleState, *, seconds: float) -> None:
        """Passed on."""
        for reporter in self._reporters:
            reporter.measured(target, rule, state, seconds=seconds)

    def ticked(self, target: Target, *, seconds: float, missed: int, complete: bool) -> None:
        """Passed on."""
        for reporter in self._reporters:
            reporter.ticked(target, seconds=seconds, missed=missed, complete=complete)
