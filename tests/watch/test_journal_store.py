"""The journal's way to the store: what two writers, a lost reply and a missing namespace make of it."""

from collections.abc import AsyncIterator

import pytest

from watchdog.cluster.client import Cluster, ConflictError, NotFoundError, UnreachableError
from watchdog.cluster.journal import ConfigMapJournal
from watchdog.core.journal import Journal
from watchdog.sim.kubernetes.kinds import CONFIG_MAP
from watchdog.sim.server import Answer, LoseReply
from watchdog.sim.world import SimulatedWorld

NAME = "banking-app"
SEEN, THEIRS, OURS = (Journal(target=NAME, paused_since=since) for since in (1.0, 2.0, 3.0))


@pytest.fixture
async def world() -> AsyncIterator[SimulatedWorld]:
    async with SimulatedWorld(active="green", history=0, pod_ready_delay=0.01) as world:
        yield world


@pytest.fixture
async def cluster(world: SimulatedWorld) -> AsyncIterator[Cluster]:
    async with await Cluster.connect(world.kubeconfig, None) as cluster:
        yield cluster


async def begun(cluster: Cluster) -> ConfigMapJournal:
    store = ConfigMapJournal(cluster, NAME, NAME)
    await store.load()
    await store.save(SEEN)
    return store


async def test_F41_what_another_has_written_is_not_written_over_after_a_lost_reply(
    world: SimulatedWorld, cluster: Cluster
) -> None:
    ours, theirs = await begun(cluster), ConfigMapJournal(cluster, NAME, NAME)
    await theirs.load()
    await theirs.save(THEIRS)
    await world.kubernetes.fail(LoseReply(methods=frozenset({"PATCH"})))
    with pytest.raises(ConflictError, match="another writer"):
        await ours.save(OURS)
    assert await theirs.load() == THEIRS


async def test_F33_our_own_write_is_known_again_after_a_lost_reply(world: SimulatedWorld, cluster: Cluster) -> None:
    """Instants are written down in milliseconds, and clocks are finer."""
    ours, fine = await begun(cluster), Journal(target=NAME, paused_since=3.0001234)
    await world.kubernetes.fail(LoseReply(methods=frozenset({"PATCH"})))
    await ours.save(fine)
    await world.kubernetes.heal()
    await ours.save(OURS)
    assert await ours.load() == OURS


async def test_F38_what_nobody_has_written_is_tried_again(world: SimulatedWorld, cluster: Cluster) -> None:
    ours = await begun(cluster)
    await world.kubernetes.fail(Answer(status=503, methods=frozenset({"PATCH"})))
    with pytest.raises(UnreachableError):
        await ours.save(OURS)
    await world.kubernetes.heal()
    await ours.save(OURS)
    assert await ours.load() == OURS


async def test_F89_what_was_deleted_behind_a_lost_reply_is_written_anew(
    world: SimulatedWorld, cluster: Cluster
) -> None:
    ours = await begun(cluster)
    world.cluster.delete(CONFIG_MAP, NAME, f"canary-watchdog-{NAME}")
    await world.kubernetes.fail(LoseReply(methods=frozenset({"PATCH"})))
    with pytest.raises(UnreachableError):
        await ours.save(OURS)
    await world.kubernetes.heal()
    await ours.save(OURS)
    assert await ours.load() == OURS


async def test_F91_a_namespace_that_is_not_there_is_said_at_once(world: SimulatedWorld, cluster: Cluster) -> None:
    nowhere = ConfigMapJournal(cluster, "nowhere", NAME)
    await nowhere.load()
    before = world.kubernetes.requests
    with pytest.raises(NotFoundError, match='namespaces "nowhere" not found'):
        await nowhere.save(OURS)
    assert world.kubernetes.requests == before + 1
