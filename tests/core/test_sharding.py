"""How targets and shards are spread."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.core.sharding import Change, lease_names, preference, rebalance, shard_of, share

SHARDS = st.integers(1, 64)


@given(st.integers(1, 64), SHARDS)
def test_the_replicas_want_each_shard_once_and_evenly(replicas: int, shards: int) -> None:
    wanted = [share(rank, replicas, shards) for rank in range(replicas)]
    assert sum(wanted) == shards
    assert max(wanted) - min(wanted) <= 1


@given(st.integers(1, 64), SHARDS, st.data())
def test_the_order_of_preference_holds_each_shard_once(replicas: int, shards: int, data: st.DataObject) -> None:
    rank = data.draw(st.integers(0, replicas - 1))
    assert sorted(preference(rank, replicas, shards)) == list(range(shards))


def test_replicas_that_begin_together_do_not_want_the_same() -> None:
    first, second = (preference(rank, 2, 4)[: share(rank, 2, 4)] for rank in range(2))
    assert (first, second) == ([0, 1], [2, 3])


@pytest.mark.parametrize(
    ("held", "free", "wanted", "change"),
    [
        pytest.param([], [0], 1, Change(take=(0,)), id="the only one"),
        pytest.param([], [], 1, Change(), id="none is free"),
        pytest.param([0], [2, 1], 2, Change(take=(2,)), id="one more, the one that it prefers"),
        pytest.param([0, 1], [2], 2, Change(), id="enough"),
        pytest.param([0, 2, 1], [], 1, Change(give=(1, 2)), id="too many"),
        pytest.param([0, 1], [2], 1, Change(give=(1,)), id="too many, and another free: nothing is taken"),
    ],
)
def test_rebalance(held: list[int], free: list[int], wanted: int, change: Change) -> None:
    assert rebalance(held=held, free=free, wanted=wanted) == change


@given(st.text(min_size=1), SHARDS)
def test_every_target_has_a_shard(target: str, shards: int) -> None:
    assert 0 <= shard_of(target, shards) < shards


def test_the_shard_of_a_target_never_changes_and_targets_spread() -> None:
    assert [shard_of(name, 4) for name in ("banking-app", "shop", "search")] == [3, 1, 1]
    counts = [0] * 8
    for number in range(800):
        counts[shard_of(f"target-{number}", 8)] += 1
    assert min(counts) > 60


def test_a_single_shard_needs_one_lease() -> None:
    assert lease_names("dog", 1) == ["dog-shard-0"]
    assert lease_names("dog", 2) == ["dog-shard-0", "dog-shard-1", "dog-replica-0", "dog-replica-1"]
