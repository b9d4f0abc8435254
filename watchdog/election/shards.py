"""Watches the targets of each shard while this replica holds the shard's Lease.

Law: whatever writes to a workload asks the clock right before each write whether the Lease is still held.
"""

import asyncio
import secrets
import socket
from collections.abc import Callable, Iterable

from watchdog.cluster.client import FIELD_MANAGER, Cluster
from watchdog.cluster.lease import Leases
from watchdog.core.rules.language import Target
from watchdog.core.sharding import lease_names, shard_of
from watchdog.election.elector import Elector, Listener
from watchdog.settings import Settings
from watchdog.watch.loop import Watch
from watchdog.watch.roster import Roster

WatchFor = Callable[[Target, Cluster], Watch]


def shards_of(targets: Iterable[Target], count: int) -> list[list[Target]]:
    """The targets of each shard."""
    shards: list[list[Target]] = [[] for _ in range(count)]
    for target in targets:
        shards[shard_of(target.target, count)].append(target)
    return shards


def leases_of(settings: Settings) -> list[str]:
    """The names of the Leases."""
    return lease_names(name_in_leases(settings), settings.shards)


def elector_of(settings: Settings, cluster: Cluster, *, listener: Listener) -> Elector:
    """This process's part in the election."""
    if settings.namespace is None:
        raise ValueError("leader election without a namespace")  # the settings refuse it
    # The next process of the same pod is another holder: what the one before it may still have sent is not its own.
    me = f"{replica_name(settings)}_{secrets.token_hex(4)}"
    leases = Leases(cluster, settings.namespace)
    return Elector(leases, me=me, prefix=name_in_leases(settings), shards=settings.shards, listener=listener)


def replica_name(settings: Settings) -> str:
    """What people call this process: the pod's name, or the host's."""
    return settings.pod_name or socket.gethostname()


def name_in_leases(settings: Settings) -> str:
    """What the Leases' names begin with: two watchdogs in one namespace elect among their own replicas."""
    return settings.deployment or FIELD_MANAGER


async def watch_while_held(
    elector: Elector,
    roster: Roster,
    watch_for: WatchFor,
    *,
    shards: int,
    cluster: Cluster,
    stopping: asyncio.Event,
) -> None:
    """Takes part in the election until ``stopping``. Each time that a shard is gained its watches begin afresh."""

    async def serve(shard: int, stop: asyncio.Event) -> None:
        # The Lease is given back when the work has ended: not before its last write has.
        writer = cluster.guarded(lambda: elector.may_act(shard)).seeing_writes_out()
        await roster.watch(
            lambda target: watch_for(target, writer),
            stop,
            belongs=lambda target: shard_of(target.target, shards) == shard,
        )

    await elector.run(serve, stopping)
