"""Rollbacks of a target that no rule file has any more: nobody carries them on, and people are told."""

from __future__ import annotations

import time

import pytest

from tests.cluster.conftest import Bank
from tests.core.making import trip
from watchdog.cluster.client import Cluster
from watchdog.cluster.journal import ConfigMapJournal
from watchdog.core.alert import Alert
from watchdog.core.inforce import LAG_SECONDS
from watchdog.core.journal import Journal
from watchdog.core.ownership import instance_name
from watchdog.watch.orphans import Orphans


@pytest.mark.parametrize(
    ("age", "known", "name", "told"),
    [
        pytest.param(LAG_SECONDS + 60, False, "canary-watchdog", True, id="F71 nobody carries it on"),
        pytest.param(LAG_SECONDS + 60, True, "canary-watchdog", False, id="somebody does"),
        pytest.param(60, False, "canary-watchdog", False, id="its rule file may still be on its way here"),
        pytest.param(LAG_SECONDS + 60, False, "another", False, id="another installation has begun it"),
    ],
)
async def test_an_open_rollback_of_a_target_without_a_rule_file_is_told_once(
    cluster: Cluster, bank: Bank, *, age: float, known: bool, name: str, told: bool
) -> None:
    begun = trip(id="gone-1", started_at=time.time() - age)
    store = ConfigMapJournal(cluster, bank.namespace, "gone", instance=instance_name(bank.namespace, name))
    await store.save(Journal(target="gone", trip=begun))
    await ConfigMapJournal(cluster, bank.namespace, "at-rest").save(Journal(target="at-rest"))
    alerts: list[Alert] = []
    orphans = Orphans(
        cluster,
        bank.namespace,
        instance=instance_name(bank.namespace, "canary-watchdog"),
        is_minded=lambda _: known,
        post=alerts.append,
    )
    await orphans.look()
    await orphans.look()
    assert [alert.key for alert in alerts] == ["gone-1/orphaned"] * told
    for alert in alerts:
        assert "The rollback gone-1 of gone from green to blue is half done, and no rule file has gone" in alert.text
