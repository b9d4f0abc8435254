"""The main job, with the rights that the chart grants and no others."""

from pathlib import Path

import pytest

from tests.delivery.chart import RELEASE, installed
from tests.stack.admin import path_of
from tests.stack.banking import BankingFactory
from tests.stack.build import PartUnavailableError
from tests.stack.tools import helm
from tests.stack.wait import wait_until
from tests.stories.conftest import WatchdogFactory
from tests.stories.rules import rule_file

PAUSED = "canary-watchdog/paused"
FORBIDDEN = 403


@pytest.fixture(autouse=True)
def _helm() -> None:
    try:
        helm()
    except PartUnavailableError as error:
        pytest.skip(f"Helm is not to be had: {error}")


def test_the_token_of_the_chart_is_enough_for_a_rollback_and_for_a_pause_of_everything(
    banking: BankingFactory, watchdog: WatchdogFactory, tmp_path: Path
) -> None:
    app = banking()
    rules = rule_file(app)
    with installed(app.plane, tmp_path, rules={"banking-app.yaml": rules}) as release:
        # As a holder leaves it that has ended: nobody has to wait for it.
        given_back = {"metadata": {"name": f"{RELEASE}-shard-0"}, "spec": {"leaseDurationSeconds": 1}}
        app.admin.create(path_of("leases", release.namespace), given_back)
        dog = watchdog(
            app,
            rules=rules,
            kubeconfig=app.plane.make_kubeconfig(release.token),
            settings={
                "WATCHDOG_NAMESPACE": release.namespace,
                "WATCHDOG_DEPLOYMENT": RELEASE,
                "WATCHDOG_LEADER_ELECTION": "true",
            },
        )
        # A standby is ready too: switched before the new leader has looked, it would never have seen blue active.
        wait_until(lambda: dog.decided("nothing_firing"), "it has seen blue active")
        app.switch("green")
        dog.wait_for_evidence("ok")
        app.admin.annotate(path_of("deployments", release.namespace, RELEASE), **{PAUSED: "true"})
        app.go_bad("green", seen_by="prometheus")
        wait_until(lambda: dog.decided("paused"), "it holds because everything is paused")
        assert [row for row in dog.writes() if row["verb"] != "create"] == [], "it says so in an Event, and no more"

        app.admin.annotate(path_of("deployments", release.namespace, RELEASE), **{PAUSED: None})
        wait_until(dog.finished, "the rollback is finished")
        assert app.is_active("blue")
        dog.child.terminate()
        assert dog.child.wait(10) == 0

        user = f"system:serviceaccount:{release.namespace}:{RELEASE}"
        rows = [
            row for namespace in (app.namespace, release.namespace) for row in app.plane.audit(namespace, user=user)
        ]
        assert {row["verb"] for row in rows} == {"get", "list", "patch", "create"}
        assert [row["requestURI"] for row in rows if row["responseStatus"]["code"] == FORBIDDEN] == []
    assert dog.lines("permission missing") == []
