"""Two installations of the watchdog that are told to look after one target, on a real API server."""

from __future__ import annotations

import asyncio
import secrets
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster.conftest import Bank
from tests.cluster.watching import Dog, vouch
from tests.commands.typed import type_command
from tests.stack.admin import path_of
from watchdog.cluster.client import Cluster
from watchdog.core.annotations import MANAGED_BY
from watchdog.core.journal import Ending

SERVICES = ("backend-service", "frontend-service")


@pytest.fixture
def home(bank: Bank) -> Iterator[str]:
    """Another installation's namespace."""
    name = f"dog-{secrets.token_hex(4)}"
    bank.plane.admin.create_namespace(name)
    vouch(bank)
    yield name
    bank.plane.admin.delete_namespace(name)


def managers(bank: Bank) -> set[str | None]:
    found = [bank.service(name)["metadata"].get("annotations") or {} for name in SERVICES]
    return {each.get(MANAGED_BY) for each in found}


def obey(bank: Bank, text: str) -> None:
    """Does what the ``kubectl … annotate … KEY-`` in the text says, as a person would who copies it."""
    (command,) = (part for part in text.split("'") if part.startswith("kubectl "))
    program, option, namespace, verb, kind, *names, change = shlex.split(command)
    assert (program, option, verb, change) == ("kubectl", "-n", "annotate", f"{MANAGED_BY}-")
    for name in names:
        body = {"metadata": {"annotations": {MANAGED_BY: None}}}
        bank.plane.admin.patch(path_of(f"{kind}s", namespace, name), body)


async def test_F94_a_second_installation_holds_says_why_and_takes_over_when_told(
    cluster: Cluster, bank: Bank, home: str, tmp_path: Path
) -> None:
    ours, other = Dog(bank, cluster, bank.namespace), Dog(bank, cluster, home, "dog")
    await ours.tick_until(lambda: len(ours.switches()) == 2)
    assert managers(bank) == {f"{bank.namespace}/canary-watchdog"}
    assert await other.decides() == "foreign"
    successor = Dog(bank, cluster, bank.namespace)  # a standby that takes over in the middle is the same instance
    await successor.tick_until(successor.finished)
    assert (ours.journal().trip, successor.switches()) == (None, [])

    assert await other.decides() == "foreign"
    assert other.journal().trip is None
    assert other.journal().finished == (), "what another one did is not ours to remember"
    (alert,) = other.ear.alerts
    assert f"is managed by the watchdog {bank.namespace}/canary-watchdog, and this one is {home}/dog" in alert.text

    await undo_by_hand(bank, tmp_path, ours.journal().finished[-1].trip.id, home=home)
    assert managers(bank) == {f"{bank.namespace}/canary-watchdog"}

    obey(bank, alert.text)
    assert await other.decides() != "foreign"


async def undo_by_hand(bank: Bank, rules: Path, trip: str, *, home: str) -> None:
    """A person's command acts for the one whose journals it knows, and for no other."""
    rule = {"alert": "Errors", "prometheus": {"expr": 'e{color="{{ color }}"}'}, "threshold": {"max": 1}}
    services = [each.model_dump(mode="json") for each in bank.target.services]
    declared = {"target": bank.target.target, "namespace": bank.namespace, "mode": "enforce", "services": services}
    (rules / "bank.yaml").write_text(
        yaml.safe_dump(declared | {"rules": [rule], "rollback": {"scale_down_delay": "1s"}})
    )
    environment = {"WATCHDOG_KUBECONFIG": str(bank.plane.kubeconfig), "WATCHDOG_RULES": str(rules)}
    words = ("rollback", bank.target.target, "--even-if", "not_known_good", "--even-if", "cooldown", "--yes")
    refused = await type_command(*words, **environment, WATCHDOG_NAMESPACE=home)
    assert refused.exit_code == 1
    assert "held (foreign)" in refused.stderr
    done = await type_command("undo", trip, "--yes", **environment)
    assert done.exit_code == 0, done.stderr


async def test_F94_of_two_installations_that_decide_at_once_one_acts(cluster: Cluster, bank: Bank, home: str) -> None:
    dogs = [Dog(bank, cluster, bank.namespace), Dog(bank, cluster, home, "dog")]
    await asyncio.gather(*(dog.decides() for dog in dogs))
    (actor,) = [dog for dog in dogs if dog.switches()]
    (loser,) = [dog for dog in dogs if dog is not actor]
    assert actor.switches() == list(SERVICES)
    assert managers(bank) == {f"{actor.home}/{actor.name}"}
    await actor.tick_until(actor.finished)
    assert await loser.decides() == "foreign"
    assert loser.journal().trip is None
    assert all(not ended.switched for ended in loser.journal().finished)
    assert [stay.ending for stay in actor.journal().stays] == [Ending.ROLLED_BACK, Ending.LASTS]


async def test_F94_two_installations_in_one_namespace_do_not_share_a_journal(
    cluster: Cluster, bank: Bank, home: str
) -> None:
    del home
    ours, other = Dog(bank, cluster, bank.namespace, "one"), Dog(bank, cluster, bank.namespace, "two")
    await ours.tick_until(ours.finished)
    assert await other.decides() == "unreadable"
    (alert,) = other.ear.alerts
    assert f"is kept by the watchdog {bank.namespace}/one, and this one is {bank.namespace}/two" in alert.text
    obey(bank, alert.text)
    assert await other.decides() == "foreign"
    obey(bank, other.ear.alerts[-1].text)
    assert await other.decides() not in ("unreadable", "foreign")


async def test_F94_a_dry_run_beside_another_installation_goes_on_and_writes_nothing(
    cluster: Cluster, bank: Bank, home: str
) -> None:
    dry = Dog(bank, cluster, home, "dry", dry_run=True)
    assert await dry.decides() == "dry_run"
    ours = Dog(bank, cluster, bank.namespace)
    await ours.tick_until(lambda: len(ours.switches()) == 2)
    assert await dry.decides() == "nothing_firing"
    assert managers(bank) == {f"{bank.namespace}/canary-watchdog"}
    assert bank.plane.admin.items(path_of("configmaps", home), labelSelector="app.kubernetes.io/managed-by") == []
