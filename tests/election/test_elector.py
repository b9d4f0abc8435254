"""The elector against a real API server, with short times: what is held, shared, handed over, lost and found again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.stack.admin import path_of
from tests.stack.fault_proxy import fault_proxy
from tests.stack.faults import LoseReply, refusal
from tests.stack.injection import WRITES, Match, Seen
from tests.stack.kubernetes import ControlPlane
from tests.stack.wait import eventually
from watchdog.clocks import boot_clock
from watchdog.cluster.client import Cluster, ClusterError, ConflictError, NotLeaderError
from watchdog.cluster.lease import Leases
from watchdog.core.elector import Lease, Timing
from watchdog.election.elector import Elector

QUICK = Timing(duration=3.0, term=2.0, retry=0.2, call=0.5, margin=0.3)


@dataclass
class Ear:
    """What an elector tells."""

    told: list[str] = field(default_factory=list)
    others: set[str] = field(default_factory=set)

    def looked(self) -> None:
        pass

    def gained(self, shard: int) -> None:
        self.told.append(f"gained {shard}")

    def lost(self, shard: int) -> None:
        self.told.append(f"lost {shard}")

    def handed_over(self, shard: int) -> None:
        self.told.append(f"handed over {shard}")

    def taken(self, shard: int, holder: str) -> None:
        self.others.add(f"{shard} by {holder}")

    def succeeded(self, lease: str) -> None:
        pass

    def failed(self, lease: str, sentence: str) -> None:
        pass


@dataclass
class Replica:
    """An elector that runs, and the work that it runs."""

    me: str
    elector: Elector
    ear: Ear
    stopping: asyncio.Event
    working: set[int] = field(default_factory=set)
    begun: int = 0

    async def serve(self, shard: int, stop: asyncio.Event) -> None:
        self.begun += 1
        self.working.add(shard)
        try:
            await stop.wait()
        finally:
            self.working.discard(shard)

    def holds(self, *shards: int) -> bool:
        return self.working == set(shards) and all(self.elector.may_act(shard) for shard in shards)


@dataclass
class Ground:
    """A namespace for Leases, and replicas that end with the test."""

    plane: ControlPlane
    namespace: str
    cluster: Cluster

    def lease(self, name: str = "dog-shard-0") -> dict[str, Any]:
        return self.plane.admin.get(path_of("leases", self.namespace, name))

    async def vacate(self) -> None:
        """Leaves the Lease as a holder does that has ended: nobody has to wait for it."""
        leases, instant = Leases(self.cluster, self.namespace), "2026-01-01T00:00:00.000000Z"
        made = await leases.write("dog-shard-0", Lease(renewed=instant, duration=15))
        await leases.give_back("dog-shard-0", made, wall=instant)

    @asynccontextmanager
    async def replica(
        self, me: str, *, shards: int = 1, clock: Callable[[], float] = boot_clock
    ) -> AsyncIterator[Replica]:
        ear = Ear()
        leases = Leases(self.cluster, self.namespace)
        elector = Elector(leases, me=me, prefix="dog", shards=shards, listener=ear, timing=QUICK, clock=clock)
        replica = Replica(me, elector, ear, asyncio.Event())
        async with asyncio.TaskGroup() as group:
            task = group.create_task(elector.run(replica.serve, replica.stopping))
            yield replica
            task.cancel()


@pytest.fixture
async def ground(control_plane: ControlPlane, namespace: str) -> AsyncIterator[Ground]:
    async with await Cluster.connect(control_plane.kubeconfig, None) as cluster:
        yield Ground(control_plane, namespace, cluster)


async def test_a_lease_is_created_taken_renewed_and_given_back(ground: Ground) -> None:
    async with ground.replica("a") as a:
        await eventually(lambda: a.holds(0), "it holds the shard")
        first = ground.lease()["spec"]
        assert (first["holderIdentity"], first["leaseTransitions"], first["leaseDurationSeconds"]) == ("a", 1, 3)
        await eventually(lambda: ground.lease()["spec"]["renewTime"] != first["renewTime"], "it is renewed")
        assert ground.lease()["spec"]["acquireTime"] == first["acquireTime"]

        async with ground.replica("b") as b:
            await _several_renewals(ground)
            await eventually(lambda: b.ear.others == {"0 by a"}, "it sees who has the shard")
            assert b.ear.told == []
            a.stopping.set()
            await eventually(lambda: b.holds(0), "the other has it", within=2)
            assert not a.elector.may_act(0)
            assert a.ear.told == ["gained 0", "handed over 0"]
    assert ground.lease()["spec"]["leaseTransitions"] == 2


async def _several_renewals(ground: Ground) -> None:
    seen = {ground.lease()["spec"]["renewTime"]}
    await eventually(lambda: len(seen | {ground.lease()["spec"]["renewTime"]}) > 1, "a renewal")


async def test_two_shards_are_shared_evenly_and_one_survivor_takes_all(ground: Ground) -> None:
    async with ground.replica("a", shards=2) as a:
        await eventually(lambda: a.holds(0, 1), "the first has both")
        async with ground.replica("b", shards=2) as b:
            await eventually(lambda: a.holds(0) and b.holds(1), "each has one")
            assert a.ear.told[-1] == "handed over 1"
            assert [each for each in a.ear.told + b.ear.told if each.startswith("lost")] == []
        await eventually(lambda: a.holds(0, 1), "the other is gone without a word, and the first has both")


async def test_F34_F37_inert_at_the_deadline_while_every_call_hangs_looking_on_and_back_afterwards(
    ground: Ground,
) -> None:
    await ground.vacate()
    async with ground.replica("a") as a:
        await eventually(lambda: a.holds(0), "it holds the shard")
        writer = ground.cluster.guarded(lambda: a.elector.may_act(0))
        await asyncio.to_thread(ground.plane.apiserver.suspend)
        await eventually(lambda: not a.elector.may_act(0), "it may not act", within=QUICK.term + 1)
        with pytest.raises(NotLeaderError):
            await writer.patch(path_of("services", ground.namespace, "any"), [])
        await eventually(lambda: a.ear.told == ["gained 0", "lost 0"], "it says so", within=2)
        assert a.working == {0}, "it goes on measuring and alerting as long as nobody can see who has the Lease"
        assert a.begun == 1
        ground.plane.apiserver.resume()
        await eventually(lambda: a.begun == 2 and a.holds(0), "it is back, and has begun afresh")
    assert a.ear.told == ["gained 0", "lost 0", "gained 0"]


async def test_F33_F37_a_renewal_that_is_known_of_after_its_loss_was_told_begins_afresh(ground: Ground) -> None:
    """The last renewal before the deadline went through, and its reply was lost with the outage that followed."""
    now = 0.0

    def pass_time(seen: Seen) -> None:
        nonlocal now
        if seen.method == "PATCH":
            now = 0.9 * QUICK.term if now == 0 else 1.1 * QUICK.term

    await ground.vacate()
    with fault_proxy(ground.plane) as proxy:
        kubeconfig = proxy.kubeconfig(ground.plane.admin_token, namespace=ground.namespace)
        async with await Cluster.connect(kubeconfig, None) as cluster:
            there = Ground(ground.plane, ground.namespace, cluster)
            async with there.replica("a", clock=lambda: now) as a:
                await eventually(lambda: a.holds(0), "it holds the shard")
                proxy.inject(LoseReply(), Match(where=lambda _: now > 0), on_hit=pass_time)
                proxy.inject(refusal(503), Match(methods=WRITES | {"GET"}), times=None, on_hit=pass_time)
                await eventually(lambda: a.ear.told == ["gained 0", "lost 0"], "the time of its Lease is over")
                proxy.clear()
                await eventually(lambda: a.begun == 2 and a.holds(0), "it is back, and has begun afresh")
    assert a.ear.told == ["gained 0", "lost 0", "gained 0"]


@pytest.mark.parametrize("deed", ["deleted", "given to another", "emptied"])
async def test_F42_a_lease_that_somebody_meddled_with_is_left_at_once_and_taken_again(
    ground: Ground, deed: str
) -> None:
    path = path_of("leases", ground.namespace, "dog-shard-0")
    await ground.vacate()
    async with ground.replica("a") as a:
        await eventually(lambda: a.holds(0), "it holds the shard")
        before = ground.lease()["spec"]["leaseTransitions"]
        if deed == "deleted":
            ground.plane.admin.delete(path)
        else:
            holder = "somebody" if deed == "given to another" else None
            ground.plane.admin.patch(path, {"spec": {"holderIdentity": holder}})
        await eventually(lambda: a.ear.told == ["gained 0", "lost 0"], "it has left", within=QUICK.term)
        await eventually(lambda: a.holds(0), "it holds the shard again")
        assert ground.lease()["spec"]["leaseTransitions"] == before + 1


async def test_of_two_writers_one_loses(ground: Ground) -> None:
    leases = Leases(ground.cluster, ground.namespace)
    made = await leases.write("dog-shard-0", Lease(renewed="2026-01-01T00:00:00.000000Z", duration=15))
    with pytest.raises(ConflictError):
        await leases.write("dog-shard-0", Lease(renewed="2026-01-01T00:00:00.000000Z", duration=15))
    mine = Lease(holder="a", renewed="2026-01-01T00:00:01.000000Z", duration=15, version=made.version)
    taken = await leases.write("dog-shard-0", mine)
    assert await leases.read("dog-shard-0") == taken == (await leases.look())["dog-shard-0"]
    with pytest.raises(ConflictError):
        await leases.write("dog-shard-0", mine)
    assert await leases.read("another") is None


async def test_work_that_fails_ends_the_elector_and_with_it_the_renewals(ground: Ground) -> None:
    async def fail(shard: int, stop: asyncio.Event) -> None:
        raise ZeroDivisionError

    await ground.vacate()
    leases = Leases(ground.cluster, ground.namespace)
    elector = Elector(leases, me="a", prefix="dog", shards=1, listener=Ear(), timing=QUICK)
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(elector.run(fail, asyncio.Event()), 20)
    assert caught.group_contains(ZeroDivisionError)


async def test_work_that_a_failing_task_group_hides_the_cancellation_from_ends_all_the_same(ground: Ground) -> None:
    """What a tick is that runs into a time-out in the moment in which the Lease is lost."""
    swallowed = asyncio.Event()

    async def work(shard: int, stop: asyncio.Event) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        swallowed.set()
        await stop.wait()

    await ground.vacate()
    leases = Leases(ground.cluster, ground.namespace)
    ear = Ear()
    elector = Elector(leases, me="a", prefix="dog", shards=1, listener=ear, timing=QUICK)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(elector.run(work, asyncio.Event()))
        await eventually(lambda: elector.may_act(0), "it holds the shard")
        ground.plane.admin.delete(path_of("leases", ground.namespace, "dog-shard-0"))
        await eventually(lambda: ear.told == ["gained 0", "lost 0"], "it has left")
        assert swallowed.is_set()
        running.cancel()


async def test_F87_starved_of_its_time_it_loses_the_lease_and_writes_nothing_more(ground: Ground) -> None:
    """The starved one gets a turn now and then; the other one has a loop and connections of its own."""
    await ground.vacate()
    path = path_of("configmaps", ground.namespace)
    await asyncio.to_thread(ground.plane.admin.create, path, {"metadata": {"name": "note"}})
    writers: list[str] = []

    async def keep_writing(replica: Replica, cluster: Cluster) -> None:
        def may_write() -> bool:
            is_allowed = replica.elector.may_act(0)
            if is_allowed:
                writers.append(replica.me)
            return is_allowed

        writer = cluster.guarded(may_write)
        while True:
            with contextlib.suppress(ClusterError):
                await writer.patch(f"{path}/note", [{"op": "add", "path": "/data", "value": {"by": replica.me}}])
            await asyncio.sleep(0.05)

    async def other() -> None:
        async with await Cluster.connect(ground.plane.kubeconfig, None) as cluster:
            there = Ground(ground.plane, ground.namespace, cluster)
            async with there.replica("b") as b, asyncio.TaskGroup() as group:
                writing = group.create_task(keep_writing(b, cluster))
                await eventually(lambda: writers.count("b") > 5, "the other one acts")
                writing.cancel()

    async with ground.replica("a") as a, asyncio.TaskGroup() as group:
        writing = group.create_task(keep_writing(a, ground.cluster))
        await eventually(lambda: writers.count("a") > 5, "it acts")
        thread = group.create_task(asyncio.to_thread(asyncio.run, other()))
        while not thread.done():
            time.sleep(2 * QUICK.call)  # noqa: ASYNC251 - the starving
            await asyncio.sleep(0)
        writing.cancel()
    assert a.ear.told[:2] == ["gained 0", "lost 0"]
    assert "a" not in writers[writers.index("b") :]
