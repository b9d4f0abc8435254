"""What is told of the shards that a replica holds."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import structlog.testing
from prometheus_client import generate_latest

from watchdog.core.alert import Alert, AlertKind
from watchdog.election.standing import Standing
from watchdog.web.health import Health
from watchdog.web.metrics import Metrics

SHARDS = [{"bank": ["Errors"]}, {"shop": ["Slow"], "search": ["Slow"]}]


def standing(post: Callable[[Alert], None] = lambda _: None) -> tuple[Standing, Metrics, Health]:
    metrics, health = Metrics(), Health()
    health.rules_loaded(name for shard in SHARDS for name in shard)
    told = Standing(
        SHARDS,
        digest="d",
        metrics=metrics,
        health=health,
        post=post,
        namespace="dogs",
        me="dog-7",
        clock=count(1_800_000_000).__next__,
    )
    return told, metrics, health


def test_only_what_is_held_has_series_and_is_waited_for() -> None:
    told, metrics, health = standing()
    told.looked()
    assert health.ready().is_well
    told.gained(1)
    assert health.ready().sentence == "No completed tick yet of: search, shop."
    assert 'target="shop"' in generate_latest(metrics.registry).decode()
    told.lost(1)
    assert health.ready().is_well
    assert 'target="shop"' not in generate_latest(metrics.registry).decode()


def test_other_rules_are_those_of_the_shards_that_are_held() -> None:
    told, metrics, health = standing()
    told.gained(1)
    assert not told.holds_the_first
    health.rules_loaded(["bank", "market"])
    told.rules_loaded([{"bank": ["Errors"]}, {"market": ["Slow"]}], digest="e")
    assert health.ready().sentence == "No completed tick yet of: market."
    shown = generate_latest(metrics.registry).decode()
    assert 'target="market"' in shown
    assert 'target="shop"' not in shown
    assert 'digest="e"' in shown
    told.gained(0)
    assert told.holds_the_first


def test_an_outage_is_told_once_and_the_next_one_again() -> None:
    told, _, _ = standing()
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            told.failed("", "no answer in time")
        told.looked()
        told.failed("", "no answer in time")
        told.failed("dog-shard-0", "403 forbidden")
    assert [(line["lease"], line["sentence"]) for line in lines] == [
        ("all", "no answer in time"),
        ("all", "no answer in time"),
        ("dog-shard-0", "403 forbidden"),
    ]


def test_each_change_is_a_line_with_its_targets() -> None:
    told, _, _ = standing()
    with structlog.testing.capture_logs() as lines:
        told.gained(1)
        told.lost(1)
        told.gained(0)
        told.handed_over(0)
    assert [(line["event"], line["log_level"], line["targets"]) for line in lines] == [
        ("shard gained", "info", ["search", "shop"]),
        ("shard lost", "warning", ["search", "shop"]),
        ("shard gained", "info", ["bank"]),
        ("shard handed over", "info", ["bank"]),
    ]


def test_F42_people_are_told_of_a_lease_that_was_lost_and_that_it_is_held_again() -> None:
    alerts: list[Alert] = []
    told, _, _ = standing(alerts.append)
    told.gained(1)
    told.handed_over(1)
    told.gained(1)
    assert alerts == [], "a change of leader by plan is no news"
    told.lost(1)
    told.gained(1)
    lost, back = alerts
    assert (lost.kind, back.kind) == (AlertKind.LEASE, AlertKind.RESOLVED)
    assert lost.text == (
        "dog-7 lost the Lease of shard 1 (search, shop): the Lease was not renewed in time, or names another holder. "
        "Nothing is rolled back for these targets until a replica holds it again; if none does within a minute, look "
        "at the API server."
    )
    assert back.text == "dog-7 holds the Lease again and watches search, shop."
    assert lost.commands == (("look", "kubectl -n dogs get lease"),)
    told.lost(1)
    assert len({alert.key for alert in alerts}) == 3


def test_F42_people_are_told_once_of_another_replica_that_holds_what_was_lost() -> None:
    alerts: list[Alert] = []
    told, _, _ = standing(alerts.append)
    told.taken(1, "dog-8_1a2b")
    assert alerts == [], "whoever stands by has lost nothing"
    told.gained(1)
    told.lost(1)
    for _ in range(3):
        told.taken(1, "dog-8_1a2b")
    told.gained(1)
    assert [alert.text for alert in alerts[1:]] == ["dog-8 holds the Lease now and watches search, shop."]
    assert alerts[1].kind is AlertKind.RESOLVED
