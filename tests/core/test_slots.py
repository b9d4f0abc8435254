"""The slots of a target: the same after a restart, and not those of every other target."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.making import NOW, target
from watchdog.core.slots import missed_slots, offset, slot_at

INTERVALS = st.sampled_from(["1s", "10s", "15s", "1m", "90s"])
NAMES = st.from_regex(r"[a-z]{1,12}", fullmatch=True)


@given(NAMES, INTERVALS, st.integers(0, 10**6), st.floats(0, 0.999))
def test_whoever_looks_between_two_slots_sees_the_same_one(name: str, interval: str, number: int, share: float) -> None:
    watched = target(target=name, interval=interval)
    slot = offset(watched) + number * watched.interval
    assert slot_at(watched, slot + share * watched.interval) == pytest.approx(slot)
    assert 0 <= offset(watched) < watched.interval


def test_targets_do_not_all_ask_at_once() -> None:
    """600 targets at an interval of a minute: ten a second on average, and never all the load in a few of them."""
    busy = Counter(slot_at(target(target=f"shop-{number}", interval="1m"), NOW) for number in range(600))
    assert len(busy) == 60
    assert max(busy.values()) <= 25


def test_slots_that_nobody_evaluated_are_counted() -> None:
    watched = target(interval="15s")
    assert [missed_slots(watched, previous, NOW) for previous in (None, NOW, NOW - 15, NOW - 60)] == [0, 0, 0, 3]
