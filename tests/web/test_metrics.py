"""The exposition parses, follows the conventions, and holds no series of what is gone."""

import math

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from watchdog import __version__
from watchdog.core.model import End, Outcome, Phase, RuleState
from watchdog.core.transition import Event, Problem
from watchdog.web.metrics import Metrics

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def series_of(metrics: Metrics) -> Series:
    """Every sample of the exposition by name and labels."""
    text = generate_latest(metrics.registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return series_of(metrics).get((name, tuple(sorted(labels.items()))))


def about(metrics: Metrics, text: str) -> list[str]:
    """The names of the series with a label of this value."""
    return sorted(name for name, labels in series_of(metrics) if text in dict(labels).values())


def of_one_rule() -> Metrics:
    """In force is the target a with the rule R."""
    metrics = Metrics()
    metrics.rules_loaded("d1", {"a": ["R"]})
    return metrics


def state(alert: str, phase: Phase, outcome: Outcome | None, value: float | None = None) -> RuleState:
    return RuleState(alert=alert, key="k", phase=phase, outcome=outcome, value=value)


def test_process_python_and_build_are_included() -> None:
    metrics = Metrics()
    names = {name for name, _ in series_of(metrics)}
    assert {"process_resident_memory_bytes", "process_open_fds", "python_info", "python_gc_collections_total"} <= names
    assert value(metrics, "watchdog_build_info", version=__version__) == 1


def test_every_metric_of_ours_has_the_prefix_and_a_help_text() -> None:
    metrics = Metrics()
    text = generate_latest(metrics.registry).decode()
    for family in text_string_to_metric_families(text):
        assert family.name.startswith(("watchdog_", "process_", "python_"))
        assert family.documentation
    assert "_created" not in text


def test_two_of_them_do_not_share_a_registry() -> None:
    first, second = of_one_rule(), Metrics()
    first.slots_missed("a", 2)
    assert value(first, "watchdog_missed_slots_total", target="a") == 2
    assert value(second, "watchdog_missed_slots_total", target="a") is None


def test_ticks() -> None:
    metrics = Metrics()
    metrics.rules_loaded("d1", {"a": ["R"]})
    assert value(metrics, "watchdog_ticks_total", target="a") == 0
    assert value(metrics, "watchdog_missed_slots_total", target="a") == 0
    metrics.tick_completed("a", at=1000.5, duration=0.3)
    metrics.tick_completed("a", at=1015.5, duration=0.2)
    metrics.slots_missed("a", 3)
    assert value(metrics, "watchdog_interval_seconds", target="a") == 0
    metrics.due_each("a", 15)
    assert value(metrics, "watchdog_interval_seconds", target="a") == 15
    assert value(metrics, "watchdog_last_tick_timestamp_seconds", target="a") == 1015.5
    assert value(metrics, "watchdog_ticks_total", target="a") == 2
    assert value(metrics, "watchdog_missed_slots_total", target="a") == 3
    assert value(metrics, "watchdog_tick_duration_seconds_sum", target="a") == pytest.approx(0.5)
    assert value(metrics, "watchdog_tick_duration_seconds_bucket", target="a", le="0.25") == 1


@pytest.mark.parametrize(("phase", "number"), [(Phase.INACTIVE, 0), (Phase.PENDING, 1), (Phase.FIRING, 2)])
def test_a_phase_is_a_number(phase: Phase, number: int) -> None:
    metrics = of_one_rule()
    metrics.rule_evaluated("a", state("R", phase, Outcome.BREACH, 0.2))
    assert value(metrics, "watchdog_rule_phase", target="a", alert="R") == number
    assert value(metrics, "watchdog_rule_value", target="a", alert="R") == 0.2


def test_outcomes_are_counted_and_a_missing_value_is_not_the_last_one() -> None:
    metrics = of_one_rule()
    metrics.rule_evaluated("a", state("R", Phase.PENDING, Outcome.BREACH, 0.2))
    metrics.rule_evaluated("a", state("R", Phase.PENDING, Outcome.NODATA))
    metrics.rule_evaluated("a", state("R", Phase.PENDING, Outcome.NODATA))
    shown = value(metrics, "watchdog_rule_value", target="a", alert="R")
    assert shown is not None
    assert math.isnan(shown)
    assert value(metrics, "watchdog_rule_outcome_total", target="a", alert="R", outcome="breach") == 1
    assert value(metrics, "watchdog_rule_outcome_total", target="a", alert="R", outcome="nodata") == 2


def test_one_decision_stands_and_changes_are_counted() -> None:
    metrics = of_one_rule()
    for decision in ("nothing_firing", "nothing_firing", "paused", "nothing_firing"):
        metrics.decided("a", decision)
    assert value(metrics, "watchdog_decision", target="a", decision="nothing_firing") == 1
    assert value(metrics, "watchdog_decision", target="a", decision="paused") is None
    assert value(metrics, "watchdog_decisions_total", target="a", decision="nothing_firing") == 2
    assert value(metrics, "watchdog_decisions_total", target="a", decision="paused") == 1


def test_rollbacks_are_counted_by_their_end_and_from_0() -> None:
    metrics = of_one_rule()
    assert {end: value(metrics, "watchdog_rollbacks_total", target="a", result=end) for end in End} == dict.fromkeys(
        End, 0
    )
    metrics.rollback_ended("a", End.GIVEN_UP)
    assert value(metrics, "watchdog_rollbacks_total", target="a", result="given_up") == 1
    assert value(metrics, "watchdog_rollbacks_total", target="a", result="recovered") == 0


def test_sources_writes_and_alerts() -> None:
    metrics = Metrics()
    metrics.measured("prometheus", duration=0.02, failed=False)
    metrics.measured("elasticsearch", duration=5.0, failed=True)
    assert value(metrics, "watchdog_writes_total", kind="replicas") == 0
    assert value(metrics, "watchdog_cluster_errors_total", problem="event_not_written") == 0
    metrics.written(Event.SELECTOR)
    metrics.cluster_failed(Problem.NOT_SEEN)
    metrics.alerted("slack", "delivered")
    assert value(metrics, "watchdog_source_errors_total", source="prometheus") == 0
    assert value(metrics, "watchdog_source_errors_total", source="elasticsearch") == 1
    assert value(metrics, "watchdog_measure_duration_seconds_count", source="elasticsearch") == 1
    assert value(metrics, "watchdog_writes_total", kind="selector") == 1
    assert value(metrics, "watchdog_cluster_errors_total", problem="not_seen") == 1
    assert value(metrics, "watchdog_alerts_total", sink="slack", result="delivered") == 1


def test_a_new_rule_set_takes_along_what_is_gone() -> None:
    metrics = Metrics()
    metrics.rules_loaded("d1", {"stays": ["Old", "Kept"], "gone": ["R"]})
    for target, alert in (("stays", "Old"), ("stays", "Kept"), ("gone", "R")):
        metrics.rule_evaluated(target, state(alert, Phase.FIRING, Outcome.BREACH, 1))
        metrics.tick_completed(target, at=1, duration=1)
        metrics.decided(target, "nothing_firing")
        metrics.rollback_ended(target, End.RECOVERED)
    metrics.rules_loaded("d2", {"stays": ["Kept"]})
    assert value(metrics, "watchdog_rule_set_info", digest="d2") == 1
    assert value(metrics, "watchdog_rule_set_info", digest="d1") is None
    assert about(metrics, "gone") == about(metrics, "Old") == []
    assert value(metrics, "watchdog_rule_phase", target="stays", alert="Kept") == 2
    assert value(metrics, "watchdog_ticks_total", target="stays") == 2
    assert value(metrics, "watchdog_rollbacks_total", target="stays", result="recovered") == 2
    assert value(metrics, "watchdog_decision", target="stays", decision="nothing_firing") == 1


def test_the_last_tick_of_a_watch_that_has_to_leave_brings_nothing_back() -> None:
    """It was under way when the rules changed; its age would be paged as that of a target that nobody watches."""
    metrics = Metrics()
    metrics.rules_loaded("d1", {"stays": ["Old", "Kept"], "gone": ["R"]})
    metrics.rules_loaded("d2", {"stays": ["Kept"]})
    for target, alert in (("stays", "Old"), ("gone", "R")):
        metrics.rule_evaluated(target, state(alert, Phase.FIRING, Outcome.BREACH, 1))
        metrics.tick_completed(target, at=1, duration=1)
        metrics.slots_missed(target, 1)
        metrics.due_each(target, 15)
        metrics.decided(target, "nothing_firing")
        metrics.rollback_ended(target, End.RECOVERED)
    assert about(metrics, "gone") == about(metrics, "Old") == []
    assert value(metrics, "watchdog_ticks_total", target="stays") == 1


@pytest.mark.parametrize(
    "label",
    ['say "no"', "two\nlines", "back\\slash", "\\n", "a,b={}", "größer 🔥", "\x1b[31m"],
    ids=["quotes", "newline", "backslash", "backslash n", "braces", "not ASCII", "ANSI"],
)
def test_label_values_survive_the_exposition(label: str) -> None:
    metrics = Metrics()
    metrics.rules_loaded(label, {label: ["R"]})
    metrics.decided(label, label)
    assert value(metrics, "watchdog_rule_set_info", digest=label) == 1
    assert value(metrics, "watchdog_decision", target=label, decision=label) == 1


def test_a_shard_is_led_or_not_and_its_changes_are_counted() -> None:
    metrics = Metrics()
    metrics.standing_by(2)
    assert [value(metrics, "watchdog_leader", shard=shard) for shard in ("0", "1")] == [0, 0]
    metrics.shard_changed(1, "gained", leads=True)
    assert [value(metrics, "watchdog_leader", shard=shard) for shard in ("0", "1")] == [0, 1]
    metrics.shard_changed(1, "lost", leads=False)
    assert value(metrics, "watchdog_leader", shard="1") == 0
    for transition in ("gained", "lost"):
        assert value(metrics, "watchdog_lease_transitions_total", shard="1", transition=transition) == 1
