"""A rollback that is interrupted: by kill -9, by a missing right, by another writer."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.stack.admin import Admin
from tests.stack.auditlog import by_field_manager, writes_in
from tests.stack.banking import APPS, BankingApp, BankingFactory, Plan
from tests.stack.wait import wait_until
from tests.stories.conftest import WatchdogFactory
from tests.stories.hooks import Hooks
from tests.stories.rights import grant
from tests.stories.rules import rule_file

GREEN = Plan(active="green", known_good="blue", replicas=1)
READS = [
    {"apiGroups": ["", "apps", "discovery.k8s.io"], "resources": ["*"], "verbs": ["get", "list"]},
    {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]},
    {"apiGroups": ["apps"], "resources": ["deployments", "deployments/scale"], "verbs": ["patch"]},
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "patch"]},
]


def _may_patch(*services: str) -> dict[str, Any]:
    return {"apiGroups": [""], "resources": ["services"], "resourceNames": list(services), "verbs": ["patch"]}


def test_F43_killed_after_the_first_switch_it_is_finished_once(
    banking: BankingFactory, watchdog: WatchdogFactory, hooks: Hooks
) -> None:
    """The second Service cannot be switched at first, so that the cut lies between the two switches for certain."""
    app = banking(GREEN)
    grant(app, [*READS, _may_patch("backend-service")])
    kubeconfig = app.plane.make_kubeconfig(app.admin.create_token(app.namespace, "default"))
    dog = watchdog(app, rules=rule_file(app, rules="prometheus"), kubeconfig=kubeconfig)
    app.go_bad("green", seen_by="prometheus")
    wait_until(lambda: app.active() == {"backend": "blue", "frontend": "green"}, "the first Service is switched")
    wait_until(lambda: any("403" in line.get("sentence", "") for line in dog.lines("cluster")), "the second is refused")

    dog.child.kill()
    assert dog.child.exit_code == -signal.SIGKILL
    app.go_well("green")  # nothing fires any more: what was begun is finished all the same
    grant(app, [*READS, _may_patch("backend-service", "frontend-service")])
    dog.start()
    wait_until(dog.finished, "the rollback is finished")

    assert app.is_active("blue")
    assert [app.replicas(each, "green") for each in APPS] == [0, 0]
    switches = [
        row["objectRef"]["name"]
        for row in dog.writes()
        if row["objectRef"]["resource"] == "services"
        and row["responseStatus"]["code"] == 200
        and any(operation["path"] == "/spec/selector" for operation in row["requestObject"])
    ]
    assert switches == ["backend-service", "frontend-service"], "each Service was switched once"
    for each in APPS:
        assert len(app.events(reason="RolledBack", of=f"Service/{each}-service")) == 1
        assert len(app.events(reason="ScaledDown", of=f"Deployment/{each}-green")) == 1
    wait_until(lambda: hooks.alerts("finished"), "people are told")
    assert len({alert["trip"] for alert in hooks.alerts() if alert["trip"]}) == 1, "one trip"


def test_F28_another_writer_is_never_overwritten(banking: BankingFactory, watchdog: WatchdogFactory) -> None:
    app = banking(GREEN)
    dog = watchdog(app, rules=rule_file(app, rules="prometheus"))
    with _another_writer(app):
        app.go_bad("green", seen_by="prometheus")
        wait_until(lambda: dog.lines("cluster") or app.is_active("blue"), "they have met, or the watchdog was quicker")
    wait_until(lambda: app.is_active("blue"), "the rollback is done")
    patches = [write for write in writes_in(dog.writes(), ours=by_field_manager) if write.resource == "services"]
    assert all(write.tests(path) for write in patches for path in ("/metadata/uid", "/metadata/resourceVersion"))
    switches = [write for write in patches if write.touches("/spec/selector")]
    assert [write.name for write in switches if write.committed] == ["backend-service", "frontend-service"]
    assert all(write.tests("/spec/selector") for write in switches), "no blind write"


@contextmanager
def _another_writer(app: BankingApp) -> Iterator[None]:
    """Labels both Services without a pause."""
    stop = threading.Event()

    def write() -> None:
        admin = Admin(app.plane.url, app.plane.ca_file, app.plane.admin_token)
        number = 0
        while not stop.wait(0.005):
            number += 1
            for each in APPS:
                admin.patch(app.service_path(each), {"metadata": {"labels": {"writes": str(number)}}})

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
