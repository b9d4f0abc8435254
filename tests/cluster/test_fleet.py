"""The blast cap over several processes that share nothing but the API server."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping

import pytest

from tests.cluster.conftest import Bank
from tests.cluster.watching import Dog, vouch
from watchdog.cluster.client import Cluster, ForbiddenError
from watchdog.cluster.journal import last_rollbacks
from watchdog.core.decision import STORM_SECONDS
from watchdog.core.ownership import instance_name
from watchdog.watch.fleet import Fleet


def half(bank: Bank, cluster: Cluster, number: int, fleet: Fleet, *, name: str = "canary-watchdog") -> Dog:
    """A process of an installation that has one of the bank's Services for its only target."""
    service = bank.target.services[number]
    fields = {"target": f"{service.name}-{secrets.token_hex(3)}", "services": [service.model_dump(mode="json")]}
    return Dog(bank, cluster, bank.namespace, name, fleet=fleet, fields=fields)


async def test_F51_S12_what_another_process_rolled_back_counts(cluster: Cluster, bank: Bank) -> None:
    vouch(bank)

    async def census() -> Mapping[str, float]:
        return await last_rollbacks(cluster, bank.namespace, instance=instance_name(bank.namespace, "canary-watchdog"))

    first, second = (half(bank, cluster, number, Fleet(2, census=census, is_shared=True)) for number in (0, 1))
    assert await first.decides() == "rollback"
    assert first.switches() == ["backend-service"]
    assert await second.decides() == "storm"
    assert second.switches() == []
    (alert,) = second.ear.alerts
    assert "1 of 2 targets were rolled back within 10m, at most 1 may be" in alert.text

    second.now += STORM_SECONDS
    assert await second.decides() == "rollback"
    assert second.switches() == ["frontend-service"]


async def test_F51_F94_what_another_installation_rolled_back_does_not_count(cluster: Cluster, bank: Bank) -> None:
    """Its journals are in the same namespace, and its targets are none of the fleet."""
    vouch(bank)

    def fleet(name: str) -> Fleet:
        instance = instance_name(bank.namespace, name)
        return Fleet(1, census=lambda: last_rollbacks(cluster, bank.namespace, instance=instance))

    first, second = (half(bank, cluster, number, fleet(name), name=name) for number, name in enumerate(("dog", "cat")))
    assert await first.decides() == "rollback"
    assert await second.decides() == "rollback"
    assert second.switches() == ["frontend-service"]


async def test_F51_S12_of_two_processes_that_decide_at_once_one_acts_at_most(cluster: Cluster, bank: Bank) -> None:
    vouch(bank)
    both_have_looked = asyncio.Barrier(2)

    def fleet() -> Fleet:
        looks = 0

        async def census() -> Mapping[str, float]:
            nonlocal looks
            looks += 1
            found = await last_rollbacks(cluster, bank.namespace, instance=instance_name(bank.namespace))
            if looks == 1:
                assert found == {}
                await both_have_looked.wait()
            return found

        return Fleet(2, census=census, is_shared=True)

    dogs = [half(bank, cluster, number, fleet()) for number in (0, 1)]
    dogs[1].now = dogs[0].now
    await asyncio.gather(*(dog.decides() for dog in dogs))
    assert len([dog for dog in dogs if dog.switches()]) <= 1
    held = [dog for dog in dogs if not dog.switches()]
    for dog in held:
        assert dog.journal().trip is None
        assert "look for a shared cause" in dog.ear.alerts[0].text
    # The one that was held looks again in its next slot; by then the count is of what was really switched.
    decisions = [await dog.decides() for dog in held]
    assert sorted(name for dog in dogs for name in dog.switches()) in (["backend-service"], ["frontend-service"])
    assert decisions.count("storm") == 1


async def test_F51_who_may_not_list_the_journals_goes_by_what_it_knows() -> None:
    async def census() -> Mapping[str, float]:
        raise ForbiddenError("403")

    fleet = Fleet(2, census=census)
    fleet.tripped("other", 100.0)
    await fleet.look()
    assert (fleet.others_tripped("mine", now=101.0), fleet.others_tripped("other", now=101.0)) == (1, 0)
    fleet.spared("other")
    assert fleet.others_tripped("mine", now=101.0) == 0


@pytest.mark.parametrize("size", [1, 40])
async def test_a_fleet_of_one_process_asks_nobody(size: int) -> None:
    fleet = Fleet(size, is_shared=True)
    await fleet.look()
    assert (fleet.is_shared, fleet.others_tripped("mine", now=0.0)) == (False, 0)
