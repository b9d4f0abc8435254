"""Liveness hangs on the heartbeat alone; readiness on loaded rules and one completed tick a target."""

import pytest

from watchdog.web.health import Health


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("age", "is_well"),
    [
        pytest.param(0.0, True, id="just now"),
        pytest.param(29.9, True, id="younger than the bound"),
        pytest.param(30.0, False, id="as old as the bound"),
        pytest.param(3600.0, False, id="an hour old"),
    ],
)
@pytest.mark.parametrize("beats", [0, 1], ids=["before the first beat", "after a beat"])
def test_F80_it_lives_while_the_heartbeat_is_young(age: float, beats: int, *, is_well: bool) -> None:
    clock = Clock()
    health = Health(heartbeat_bound=30, clock=clock)
    for _ in range(beats):
        clock.now += 1000
        health.beat()
    clock.now += age
    verdict = health.live()
    assert verdict.is_well is is_well
    assert f"{age:.1f} s" in verdict.sentence


def test_a_beat_revives() -> None:
    clock = Clock()
    health = Health(heartbeat_bound=30, clock=clock)
    clock.now += 31
    health.beat()
    assert health.live().is_well


def test_it_is_not_ready_without_rules() -> None:
    health = Health()
    assert not health.ready().is_well
    assert health.ready().sentence == "No rule set is loaded."


def test_it_is_ready_when_each_target_had_a_tick() -> None:
    health = Health()
    health.rules_loaded(["a", "b", "c"])
    health.tick_completed("b")
    assert not health.ready().is_well
    assert health.ready().sentence == "No completed tick yet of: a, c."
    health.tick_completed("a")
    health.tick_completed("c")
    assert health.ready().is_well
    assert health.ready().sentence == "Watching 3 target(s)."


def test_a_new_target_of_a_reload_has_to_tick_too_and_a_returning_one_again() -> None:
    health = Health()
    health.rules_loaded(["a", "b"])
    health.tick_completed("a")
    health.tick_completed("b")
    health.rules_loaded(["a"])
    assert health.ready().is_well
    health.rules_loaded(["a", "b"])
    assert health.ready().sentence == "No completed tick yet of: b."


def test_a_standby_is_ready_and_a_new_leader_once_it_has_seen_its_targets() -> None:
    health = Health()
    health.rules_loaded(["a", "b", "c"])
    assert not health.ready().is_well, "before it has looked who leads"
    health.holds([])
    assert health.ready().sentence == "Watching 0 target(s). Standing by for 3 more."
    assert health.ready().is_well
    health.holds(["a", "b"])
    health.tick_completed("a")
    assert health.ready().sentence == "No completed tick yet of: b."
    health.tick_completed("b")
    assert health.ready().sentence == "Watching 2 target(s). Standing by for 1 more."
