"""The metrics of the watchdog, in a registry of their own.

Law: a series never outlives what it speaks of: with a new rule set, the phases of rules and targets that are gone go
too, and the last ticks of a watch that has to leave bring none of them back. A target whose last tick is of some time
ago is paged as unwatched.

Names and types: https://prometheus.io/docs/practices/naming/.
"""

import math
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Literal

import prometheus_client
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
)

from watchdog import __version__
from watchdog.core.model import End, Phase, RuleState
from watchdog.core.transition import Event, Problem

_PHASES = {Phase.INACTIVE: 0, Phase.PENDING: 1, Phase.FIRING: 2}
_WRITES = (Event.SELECTOR, Event.REPLICAS)
_MEASURE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_TICK_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30)


class Metrics:
    """What an operator sees of the watchdog in Prometheus; ``registry`` is what the server exposes."""

    def __init__(self) -> None:
        # When a counter was created tells nobody anything, and would double the series.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        Info("watchdog_build", "The version of the watchdog.", registry=registry).info({"version": __version__})
        self._ticks = _TickMetrics(registry)
        self._rules = _RuleMetrics(registry)
        self._decisions = _DecisionMetrics(registry)
        self._rule_set = Info("watchdog_rule_set", "The rule set in force.", registry=registry)
        self._reload_succeeded = Gauge(
            "watchdog_rules_last_reload_successful",
            "1 when the rule files that were read last are in force.",
            registry=registry,
        )
        self._reloaded_at = Gauge(
            "watchdog_rules_last_reload_success_timestamp_seconds",
            "When rule files were last put in force.",
            registry=registry,
        )
        self._rollbacks = _RollbackMetrics(registry)
        self._source_errors = Counter(
            "watchdog_source_errors", "Measurements that a source failed.", ["source"], registry=registry
        )
        self._measure_duration = Histogram(
            "watchdog_measure_duration_seconds",
            "How long a measurement took.",
            ["source"],
            buckets=_MEASURE_BUCKETS,
            registry=registry,
        )
        self._writes = Counter(
            "watchdog_writes",
            "Writes of rollbacks that were done: selectors and replicas.",
            ["kind"],
            registry=registry,
        )
        self._cluster_errors = Counter(
            "watchdog_cluster_errors",
            "Calls to the API server that came to nothing, by what that led to.",
            ["problem"],
            registry=registry,
        )
        self._count_from_0()
        self._leader = Gauge(
            "watchdog_leader", "1 while this replica acts for the shard.", ["shard"], registry=registry
        )
        self._lease_transitions = Counter(
            "watchdog_lease_transitions",
            "Shards that this replica gained, lost or handed over.",
            ["shard", "transition"],
            registry=registry,
        )
        self._alerts = Counter(
            "watchdog_alerts", "What became of alerts, by sink and result.", ["sink", "result"], registry=registry
        )

    def _count_from_0(self) -> None:
        """What is there from the start lets rate() and increase() see its first step."""
        for kind in _WRITES:
            self._writes.labels(kind.value)
        for problem in Problem:
            self._cluster_errors.labels(_label(problem))

    def rules_loaded(self, digest: str, rules: Mapping[str, Iterable[str]]) -> None:
        """A rule set is in force; ``rules`` names the alerts of each target, and of no other anything is shown."""
        self._rule_set.info({"digest": digest})
        self._ticks.keep(rules)
        self._rules.keep({(target, alert) for target, alerts in rules.items() for alert in alerts})
        self._decisions.keep(rules)
        self._rollbacks.keep(rules)

    def rules_reloaded(self, *, at: float) -> None:
        """What the rule files say is in force; ``at`` is Unix seconds."""
        self._reload_succeeded.set(1)
        self._reloaded_at.set(at)

    def rules_refused(self) -> None:
        """The rule files say something that is not in force."""
        self._reload_succeeded.set(0)

    def standing_by(self, shards: int) -> None:
        """There are that many shards, and this replica holds none of them yet."""
        for shard in range(shards):
            self._leader.labels(shard).set(0)

    def shard_changed(self, shard: int, transition: str, *, leads: bool) -> None:
        """A shard was ``gained``, ``lost`` or ``handed_over``."""
        self._leader.labels(shard).set(leads)
        self._lease_transitions.labels(shard, transition).inc()

    def tick_completed(self, target: str, *, at: float, duration: float) -> None:
        """A tick went through; ``at`` is its end in Unix seconds, ``duration`` is seconds."""
        self._ticks.completed(target, at=at, duration=duration)

    def due_each(self, target: str, interval: float) -> None:
        """How many seconds lie between two slots of this target."""
        self._ticks.due_each(target, interval)

    def slots_missed(self, target: str, count: int) -> None:
        """That many slots passed without a tick."""
        self._ticks.missed(target, count)

    def rule_evaluated(self, target: str, state: RuleState) -> None:
        """A rule was evaluated; call it once a slot, with the state after it."""
        self._rules.evaluated(target, state)

    def decided(self, target: str, decision: str) -> None:
        """The decision of a tick: a hold's reason, or the word for a rollback. Repetitions are not counted."""
        self._decisions.decided(target, decision)

    def rollback_ended(self, target: str, end: End) -> None:
        """A rollback that was decided has ended, also one that was given up before it switched anything."""
        self._rollbacks.ended(target, end)

    def measured(self, source: str, *, duration: float, failed: bool) -> None:
        """A source answered, or failed to, after ``duration`` seconds."""
        self._measure_duration.labels(source).observe(duration)
        errors = self._source_errors.labels(source)
        if failed:
            errors.inc()

    def written(self, kind: Literal[Event.SELECTOR, Event.REPLICAS]) -> None:
        """A step of a rollback was written."""
        self._writes.labels(kind.value).inc()

    def cluster_failed(self, problem: Problem) -> None:
        """A call to the API server came to nothing: a look, or a write."""
        self._cluster_errors.labels(_label(problem)).inc()

    def alerts_go_to(self, sinks: Iterable[str], *, results: Iterable[str]) -> None:
        """Each result at each sink is counted from 0, so that increase() sees the first alert that is lost."""
        for sink, result in product(sinks, results):
            self._alerts.labels(sink, result)

    def alerted(self, sink: str, result: str) -> None:
        """An alert came to an end at a sink: what an outbox tells its ``on_result``."""
        self._alerts.labels(sink, result).inc()


def _label(problem: Problem) -> str:
    return problem.value.replace(" ", "_")


class _TickMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._kept: set[str] = set()
        self._last = Gauge(
            "watchdog_last_tick_timestamp_seconds", "When the last tick completed.", ["target"], registry=registry
        )
        self._duration = Histogram(
            "watchdog_tick_duration_seconds",
            "How long a tick took.",
            ["target"],
            buckets=_TICK_BUCKETS,
            registry=registry,
        )
        self._interval = Gauge(
            "watchdog_interval_seconds",
            "How often a tick is due; 0 before the first one.",
            ["target"],
            registry=registry,
        )
        self._count = Counter("watchdog_ticks", "Ticks that completed.", ["target"], registry=registry)
        self._missed = Counter(
            "watchdog_missed_slots", "Slots that passed without a tick.", ["target"], registry=registry
        )
        self._all = (self._last, self._duration, self._interval, self._count, self._missed)

    def keep(self, targets: Iterable[str]) -> None:
        before, self._kept = self._kept, set(targets)
        for target in before - self._kept:
            for metric in self._all:
                metric.remove_by_labels({"target": target})
        for target in self._kept:
            # A counter that exists from the start lets rate() and increase() see its first step. The gauge stands at
            # 0 until the first tick: an alert on its age then also catches a target that never ticked.
            for metric in self._all:
                metric.labels(target)

    def completed(self, target: str, *, at: float, duration: float) -> None:
        if target in self._kept:
            self._last.labels(target).set(at)
            self._duration.labels(target).observe(duration)
            self._count.labels(target).inc()

    def due_each(self, target: str, interval: float) -> None:
        if target in self._kept:
            self._interval.labels(target).set(interval)

    def missed(self, target: str, count: int) -> None:
        if target in self._kept:
            self._missed.labels(target).inc(count)


class _RuleMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._kept: set[tuple[str, str]] = set()
        labels = ["target", "alert"]
        self._phase = Gauge("watchdog_rule_phase", "0 is inactive, 1 pending, 2 firing.", labels, registry=registry)
        self._value = Gauge(
            "watchdog_rule_value", "The last value of the rule; NaN when it had none.", labels, registry=registry
        )
        self._outcomes = Counter(
            "watchdog_rule_outcome", "Slots by their outcome.", [*labels, "outcome"], registry=registry
        )

    def keep(self, rules: set[tuple[str, str]]) -> None:
        before, self._kept = self._kept, rules
        for target, alert in before - rules:
            for metric in (self._phase, self._value, self._outcomes):
                metric.remove_by_labels({"target": target, "alert": alert})

    def evaluated(self, target: str, state: RuleState) -> None:
        if (target, state.alert) not in self._kept:
            return
        self._phase.labels(target, state.alert).set(_PHASES[state.phase])
        self._value.labels(target, state.alert).set(math.nan if state.value is None else state.value)
        if state.outcome is not None:
            self._outcomes.labels(target, state.alert, state.outcome.value).inc()


class _DecisionMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._kept: set[str] = set()
        self._current: dict[str, str] = {}
        labels = ["target", "decision"]
        self._changes = Counter("watchdog_decisions", "Changes to a decision.", labels, registry=registry)
        self._gauge = Gauge("watchdog_decision", "1 for the decision that stands.", labels, registry=registry)

    def keep(self, targets: Iterable[str]) -> None:
        self._kept = set(targets)
        for target in self._current.keys() - self._kept:
            del self._current[target]
            for metric in (self._changes, self._gauge):
                metric.remove_by_labels({"target": target})

    def decided(self, target: str, decision: str) -> None:
        before = self._current.get(target)
        if before == decision or target not in self._kept:
            return
        if before is not None:
            self._gauge.remove(target, before)
        self._current[target] = decision
        self._gauge.labels(target, decision).set(1)
        self._changes.labels(target, decision).inc()


class _RollbackMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._kept: set[str] = set()
        self._ends = Counter(
            "watchdog_rollbacks",
            "Rollbacks that were decided and have ended, by how: given_up has switched nothing.",
            ["target", "result"],
            registry=registry,
        )

    def keep(self, targets: Iterable[str]) -> None:
        before, self._kept = self._kept, set(targets)
        for target in before - self._kept:
            self._ends.remove_by_labels({"target": target})
        for target, end in product(self._kept, End):
            self._ends.labels(target, end.value)  # from 0, so that increase() sees the first one

    def ended(self, target: str, end: End) -> None:
        if target in self._kept:
            self._ends.labels(target, end.value).inc()
