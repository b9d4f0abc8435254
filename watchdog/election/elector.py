"""Holds the Leases of this replica's shards, and runs what belongs to a shard while it is held.

Law: whether a shard may be acted on is a comparison with the clock, made anew each time; no flag, no task and no answer
of the API server has to arrive in time for a replica to fall silent.

A round asks for all Leases and renews those that are held, at the same time, so that neither waits for the other; then
it takes what is free. Losing a shard ends its work, as soon as it can be seen who has it, and nothing else: the process
goes on, because its other shards are well, its alerts are still to be delivered, and a container that restarts during
an outage of the API server is kept waiting by the kubelet for minutes after the outage.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from watchdog.clocks import boot_clock
from watchdog.cluster.client import ClusterError, ConflictError, NotFoundError
from watchdog.cluster.lease import Leases
from watchdog.core.elector import (
    TIMING,
    Lease,
    Move,
    Timing,
    View,
    decide,
    free_at,
    gave_up,
    is_alive,
    looked,
    may_give_back,
    next_lease,
    renewed_by_another,
    trying,
)
from watchdog.core.instant import show_micro_time
from watchdog.core.sharding import preference, rebalance, seat_leases, shard_leases, share

HAND_OVER_SECONDS = 2.0
# A wait that ends just before the time is over would be in vain.
_A_LITTLE_LATER = 0.02

Serve = Callable[[int, asyncio.Event], Coroutine[Any, Any, None]]


class Listener(Protocol):
    """Is told what happens to the shards. It never blocks and never raises."""

    def looked(self) -> None:
        """The Leases could be read."""
        ...

    def gained(self, shard: int) -> None:
        """From now on this replica acts for the shard."""
        ...

    def lost(self, shard: int) -> None:
        """It no longer does, without having given it back."""
        ...

    def handed_over(self, shard: int) -> None:
        """It gave the shard back."""
        ...

    def taken(self, shard: int, holder: str) -> None:
        """Another replica acts for the shard; told with each renewal that is seen."""
        ...

    def succeeded(self, lease: str) -> None:
        """The Lease was written."""
        ...

    def failed(self, lease: str, sentence: str) -> None:
        """A call for a Lease, or for all when there is no name, did not succeed; it is tried again."""
        ...


@dataclass(slots=True, eq=False)
class _Tenure:
    """The work of a shard while it is held."""

    shard: int
    stop: asyncio.Event
    work: asyncio.Task[None]
    is_leaving: bool = False
    is_lost: bool = False

    def interrupt(self) -> None:
        """Cancels the work. A task group that is failing just then swallows that (Python 3.11 and 3.12): hence both."""
        self.stop.set()
        self.work.cancel()

    async def end(self) -> None:
        """Interrupts the work, and returns when it has ended."""
        self.interrupt()
        await asyncio.wait((self.work,))


class Elector:
    """This replica's part in the election of all shards."""

    def __init__(
        self,
        leases: Leases,
        *,
        me: str,
        prefix: str,
        shards: int,
        listener: Listener,
        timing: Timing = TIMING,
        clock: Callable[[], float] = boot_clock,
    ) -> None:
        """``prefix`` begins the names of the Leases: `core/sharding.py`.

        ``me`` has to be another one for each process, also for the next process of the same pod.
        """
        self._leases = leases
        self._shards = shard_leases(prefix, shards)
        self._seats = seat_leases(prefix, shards)
        self._views = {name: View(me=me) for name in (*self._shards, *self._seats)}
        self._tenures: dict[int, _Tenure] = {}
        self._listener = listener
        self._timing = timing
        self._clock = clock

    def may_act(self, shard: int) -> bool:
        """True while a write for the shard may be begun. To be asked right before each."""
        return self._views[self._shards[shard]].may_act(self._clock(), margin=self._timing.margin)

    async def run(self, serve: Serve, stopping: asyncio.Event) -> None:
        """Takes part until ``stopping``; then hands everything over.

        ``serve(shard, stop)`` is the work of a shard: begun when the shard is gained. When it is lost, the work may
        look on until the next look at the Leases; then ``stop`` is set and the work is cancelled. When it is handed
        over, it has `HAND_OVER_SECONDS` in between to end by itself.
        """
        async with asyncio.TaskGroup() as group:
            while not stopping.is_set():
                if await self._renew_and_look():
                    await self._rebalance(group)
                self._begin_work(group, serve)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._pause()):
                        await stopping.wait()
            await self._leave()

    # a round

    async def _renew_and_look(self) -> bool:
        """True when the Leases could be looked at."""
        async with asyncio.TaskGroup() as calls:
            for name in self._views:
                if self._holds(name) and not self._is_leaving(name):
                    calls.create_task(self._strive(name))
            look = calls.create_task(self._look())
        return look.result()

    async def _look(self) -> bool:
        try:
            async with asyncio.timeout(self._timing.call):
                found = await self._leases.look()
        except (ClusterError, TimeoutError) as error:
            self._listener.failed("", _sentence(error))
            return False
        for name in self._views:
            # Of what is held the answers to our own writes speak; a look may be older than they are.
            if not self._holds(name):
                self._tell_of_another(name, found.get(name))
                self._saw(name, found.get(name))
        self._listener.looked()
        return True

    async def _rebalance(self, group: asyncio.TaskGroup) -> None:
        """Takes what is free and due to this replica, and begins to hand over what is too much."""
        # Whoever comes next finds them unheld for long, and need not wait.
        await self._strive_for([name for name, view in self._views.items() if view.lease is None])
        now, timing = self._clock(), self._timing
        alive = [name for name in self._seats if is_alive(self._views[name], now=now, timing=timing)]
        rank = next((rank for rank, name in enumerate(alive) if self._views[name].is_mine), 0)
        if self._seats and not (alive and self._views[alive[rank]].is_mine):
            # The others have to see that it is there before anybody can share with it.
            await self._strive_for([name for name in self._seats if self._is_free(name)][:1])
            return
        replicas, shards = max(1, len(alive)), len(self._shards)
        change = rebalance(
            held=[shard for shard, tenure in self._tenures.items() if not tenure.is_leaving],
            free=[shard for shard in preference(rank, replicas, shards) if self._is_free(self._shards[shard])],
            wanted=share(rank, replicas, shards),
        )
        for shard in change.give:
            self._tenures[shard].is_leaving = True
            group.create_task(self._hand_over(self._tenures[shard]))
        await self._strive_for([self._shards[shard] for shard in change.take if shard not in self._tenures])

    def _pause(self) -> float:
        now, timing = self._clock(), self._timing
        # Not for secrets, but so that replicas do not ask in step.
        retry = timing.retry * random.uniform(1 - timing.jitter, 1 + timing.jitter)  # noqa: S311
        waiting = [free_at(view, timing=timing) - now for name, view in self._views.items() if not self._holds(name)]
        return min(retry, min((each for each in waiting if each > 0), default=retry) + _A_LITTLE_LATER)

    # one Lease

    def _holds(self, name: str) -> bool:
        return self._views[name].may_act(self._clock())

    def _is_free(self, name: str) -> bool:
        now = self._clock()
        return not self._holds(name) and decide(self._views[name], now=now, timing=self._timing) is not Move.WAIT

    def _is_leaving(self, name: str) -> bool:
        return any(tenure.is_leaving and self._shards[tenure.shard] == name for tenure in self._tenures.values())

    def _saw(self, name: str, lease: Lease | None) -> None:
        self._change(name, looked(self._views[name], lease, now=self._clock(), timing=self._timing))

    def _tell_of_another(self, name: str, lease: Lease | None) -> None:
        if name in self._shards and (holder := renewed_by_another(self._views[name], lease)):
            self._listener.taken(self._shards.index(name), holder)

    def _change(self, name: str, view: View) -> None:
        self._views[name] = view
        for tenure in self._tenures.values():
            # Once told as lost it ends, also when a renewal turns out to have gone through: it is gained anew.
            if tenure.is_lost or not self._holds(self._shards[tenure.shard]):
                tenure.interrupt()

    async def _strive_for(self, names: Iterable[str]) -> None:
        async with asyncio.TaskGroup() as calls:
            for name in names:
                calls.create_task(self._strive(name))

    async def _strive(self, name: str) -> None:
        """Creates, takes or renews the Lease as it may be; what fails is tried again in the next round."""
        left = self._views[name].act_until - self._clock()
        try:
            # An answer that comes too late is none: the next attempt is another one.
            async with asyncio.timeout(min(self._timing.call, left) if left > 0 else self._timing.call):
                await self._write_or_reread(name)
        except (ClusterError, TimeoutError) as error:
            self._listener.failed(name, _sentence(error))

    async def _write_or_reread(self, name: str) -> None:
        try:
            await self._write(name)
        except (ConflictError, NotFoundError):
            # Somebody else was quicker, or it was our own write whose answer was lost. What is there decides.
            self._saw(name, await self._leases.read(name))
            await self._write(name)

    async def _write(self, name: str) -> None:
        view, started = self._views[name], self._clock()
        move = decide(view, now=started, timing=self._timing)
        if move is Move.WAIT:
            return
        lease = next_lease(view, move, wall=show_micro_time(time.time()), timing=self._timing)
        if move is not Move.CREATE:
            self._views[name] = trying(view, lease, started=started)
        self._saw(name, await self._leases.write(name, lease))
        self._listener.succeeded(name)

    async def _give_back(self, name: str) -> None:
        may = may_give_back(self._views[name], now=self._clock())
        self._change(name, gave_up(self._views[name]))
        if not may:
            return
        try:
            async with asyncio.timeout(self._timing.call):
                lease = await self._leases.read(name)
                if lease is not None and lease.holder == self._views[name].me:
                    await self._leases.give_back(name, lease, wall=show_micro_time(time.time()))
        except (ClusterError, TimeoutError) as error:
            self._listener.failed(name, _sentence(error))

    # the work

    def _begin_work(self, group: asyncio.TaskGroup, serve: Serve) -> None:
        for shard, name in enumerate(self._shards):
            if self._holds(name) and shard not in self._tenures:
                stop = asyncio.Event()
                tenure = _Tenure(shard, stop, group.create_task(serve(shard, stop)))
                self._tenures[shard] = tenure
                self._listener.gained(shard)
                group.create_task(self._attend(tenure))

    async def _attend(self, tenure: _Tenure) -> None:
        """Tells when the time of the Lease is over, whatever else may hang; from then on the work may only look on.

        It goes on measuring and alerting as long as nobody can see who has the Lease; the next look ends it.
        """
        view = self._views[self._shards[tenure.shard]]
        while not tenure.work.done() and (left := view.act_until - self._clock()) > 0:
            await asyncio.wait((tenure.work,), timeout=left)
            view = self._views[self._shards[tenure.shard]]
        if not tenure.is_leaving:
            tenure.is_lost = True
            self._listener.lost(tenure.shard)
        await asyncio.wait((tenure.work,))
        await tenure.end()
        if not tenure.is_leaving:
            del self._tenures[tenure.shard]

    async def _hand_over(self, tenure: _Tenure) -> None:
        """Lets the work end, ends it, and gives the Lease back after its last write."""
        tenure.is_leaving = True
        tenure.stop.set()
        await asyncio.wait((tenure.work,), timeout=HAND_OVER_SECONDS)
        await tenure.end()
        await self._give_back(self._shards[tenure.shard])
        self._tenures.pop(tenure.shard, None)
        self._listener.handed_over(tenure.shard)

    async def _leave(self) -> None:
        async with asyncio.TaskGroup() as leaving:
            for tenure in list(self._tenures.values()):
                if not tenure.is_leaving:
                    leaving.create_task(self._hand_over(tenure))
        for name in self._views:
            if self._holds(name) and not self._is_leaving(name):
                await self._give_back(name)


def _sentence(error: Exception) -> str:
    return str(error) or "no answer in time"
