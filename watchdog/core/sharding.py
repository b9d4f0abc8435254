"""Which shard a target belongs to, and how many shards a replica holds.

Law: replicas that see the same seats taken want, all together, each shard once.

A seat is a Lease like any other; there are as many as shards, and a replica holds one at most. So the seats that are
held tell every replica how many others live, a replica that has nothing yet included, and die with it. Rejected: a
Lease a replica, because its name is not known beforehand (no Role could be limited to it, and somebody has to clean up
after pods that are gone); and the holders of the shards alone, because a replica without a shard is not among them.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass


def shard_of(target: str, shards: int) -> int:
    """The shard of a target, from 0. The chart computes the same for its fence."""
    return int(hashlib.sha256(target.encode()).hexdigest()[:7], 16) % shards


def shard_leases(prefix: str, shards: int) -> list[str]:
    """The names of the shards' Leases."""
    return [f"{prefix}-shard-{number}" for number in range(shards)]


def seat_leases(prefix: str, shards: int) -> list[str]:
    """The names of the replicas' Leases. A single shard is shared with nobody."""
    return [f"{prefix}-replica-{number}" for number in range(shards)] if shards > 1 else []


def lease_names(prefix: str, shards: int) -> list[str]:
    """The names of all Leases."""
    return [*shard_leases(prefix, shards), *seat_leases(prefix, shards)]


def share(rank: int, replicas: int, shards: int) -> int:
    """How many of the shards the replica with this rank, from 0, has for itself."""
    base, rest = divmod(shards, replicas)
    return base + (rank < rest)


def preference(rank: int, replicas: int, shards: int) -> list[int]:
    """The shards in the order in which the replica takes them: each begins where the one before it has enough."""
    first = rank * shards // replicas
    return [(first + number) % shards for number in range(shards)]


@dataclass(frozen=True, slots=True)
class Change:
    """The shards to take, and those to hand over."""

    take: tuple[int, ...] = ()
    give: tuple[int, ...] = ()


def rebalance(*, held: Collection[int], free: Sequence[int], wanted: int) -> Change:
    """What brings a replica from the shards that it holds to the number that it wants."""
    surplus = len(held) - wanted
    if surplus > 0:
        return Change(give=tuple(sorted(held)[-surplus:]))
    return Change(take=tuple(free[: wanted - len(held)]))
