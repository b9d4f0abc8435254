"""Replicas of `watchdog run`: one acts, one stands by, and whatever happens to the first, the next takes over."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest
import requests

from tests.stack.admin import path_of
from tests.stack.fault_proxy import fault_proxy
from tests.stack.faults import Delay
from tests.stack.injection import Match
from tests.stack.wait import wait_until
from tests.stories.replicas import LEASE, RULES, Scene

ON_ITS_WAY = 1.0
STEADY = 12.0  # longer than a holder may act without a renewal
AT_ONCE = """
    rollback: {scale_down_delay: 1s}
"""


def seconds_until(condition: Callable[[], bool], what: str, *, within: float) -> float:
    began = time.monotonic()
    wait_until(condition, what, within=within)
    return time.monotonic() - began


def test_F42_F86_the_standby_takes_over(scene: Scene, record_property: Callable[[str, object], None]) -> None:
    a, b = scene.replica("dog-a"), scene.replica("dog-b")
    a.start()
    wait_until(a.leads, "the first leads")
    assert scene.lease()["holderIdentity"].startswith("dog-a_")
    b.start()
    assert not b.leads(), "the second is ready, and stands by"

    a.child.terminate()
    handed_over = seconds_until(b.leads, "the second leads after SIGTERM", within=6)
    record_property("seconds_after_sigterm", f"{handed_over:.1f}")
    assert a.child.wait(10) == 0
    assert a.said("shard handed over") == 1

    a.start()
    b.child.kill()
    assert b.child.exit_code == -signal.SIGKILL
    crashed = seconds_until(a.leads, "the first leads after kill -9 of the second", within=20)
    record_property("seconds_after_kill", f"{crashed:.1f}")

    transitions = scene.lease()["leaseTransitions"]
    scene.admin.delete(path_of("leases", scene.space, LEASE))
    wait_until(lambda: not a.leads(), "without its Lease it does not lead")
    wait_until(a.leads, "it leads again")
    assert scene.lease()["leaseTransitions"] > transitions
    wait_until(lambda: len(a.alerts("lease")) == len(a.alerts("resolved")) == 1, "people were told of both")
    assert scene.switches() == [], "a pause holds whoever leads"


def test_F51_S12_of_two_targets_that_fail_at_once_one_is_rolled_back(scene: Scene) -> None:
    dog = scene.replica("dog-a", targets=2)
    scene.pause(None)
    dog.start()
    (held,) = wait_until(lambda: dog.alerts("held"), "the second is held")
    wait_until(lambda: dog.alerts("switched"), "the first is rolled back")
    assert sorted(scene.active()) == ["blue", "green"]
    assert "1 of 2 targets were rolled back within 10m" in held["text"]


def test_F41_a_leader_that_was_frozen_beyond_its_lease_writes_nothing(scene: Scene) -> None:
    dog = scene.replica("dog-a")
    dog.start()
    wait_until(dog.leads, "it leads")
    wait_until(lambda: '"paused"' in dog.child.log.read_text(), "it would roll back, and the pause holds it")
    with dog.child.suspended():
        frozen_at = time.monotonic()
        scene.give_to("another")
        scene.pause(None)
        wait_until(lambda: time.monotonic() - frozen_at > STEADY, "its time is over", within=STEADY + 5)
    wait_until(lambda: dog.said("shard lost"), "it has noticed")
    assert dog.ready() == requests.codes.ok
    assert scene.active() == ["green", "green"]
    assert scene.switches() == []

    scene.give_to("")
    wait_until(lambda: scene.active() == ["blue", "blue"], "with the Lease it does its work")
    assert scene.managers() == {f"{scene.space}/canary-watchdog"}


@pytest.mark.parametrize(
    ("write", "signals"),
    [
        pytest.param("/services/frontend-service", 1, id="F85 between the two switches"),
        pytest.param("/deployments/backend-green/scale", 1, id="F85 in the middle of the scale-down"),
        pytest.param("/services/frontend-service", 2, id="F86 twice"),
    ],
)
def test_a_rollback_that_is_told_to_end_is_left_in_order_and_finished_by_the_next(
    scene: Scene, write: str, signals: int
) -> None:
    """SIGTERM comes while a write is on its way, sent and not carried out yet; another one when it is."""
    with fault_proxy(scene.plane) as proxy:
        kubeconfig = proxy.kubeconfig(scene.plane.admin_token, namespace=scene.space)
        dog = scene.replica("dog-a", rules=RULES + AT_ONCE, WATCHDOG_KUBECONFIG=str(kubeconfig))
        dog.start()
        wait_until(dog.leads, "it leads")
        match = Match(methods=frozenset({"PATCH"}), path=write)
        once_more = (lambda _: dog.child.terminate()) if signals > 1 else None
        slow = proxy.inject(Delay(ON_ITS_WAY), match, on_hit=once_more)
        scene.pause(None)
        wait_until(lambda: slow.hits, "the write is on its way")
        dog.child.terminate()
        assert dog.child.wait(10) == 0
        leases = [seen for seen in proxy.writes() if f"/leases/{LEASE}" in seen.target]
        others = [seen for seen in proxy.writes() if "/leases/" not in seen.target]
        assert b"renewTime" in leases[-1].body
        assert leases[-1].at > max(others[-1].at, slow.hits[0].at + ON_ITS_WAY), "the Lease is given back last"
    assert not scene.lease().get("holderIdentity")
    assert "trip" in scene.journal(), "what was begun is on record"
    assert not scene.is_finished()

    scene.replica("dog-b", rules=RULES + AT_ONCE).start()
    wait_until(scene.is_finished, "the next process has finished it")
    assert scene.switched() == ["backend-service", "frontend-service"], "each Service was switched once"
