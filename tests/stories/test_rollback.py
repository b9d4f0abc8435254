"""The main job: a release goes bad, and the watchdog brings the service back."""

import time
from collections.abc import Callable

import pytest

from tests.stack.auditlog import by_field_manager, writes_in
from tests.stack.banking import APPS, BankingFactory, Plan, SeenBy
from tests.stack.wait import wait_until
from tests.stories.conftest import WatchdogFactory
from tests.stories.hooks import Hooks, silence
from tests.stories.rules import rule_file


@pytest.mark.parametrize("seen_by", ["prometheus", "logs"])
def test_a_bad_release_is_rolled_back(
    banking: BankingFactory,
    watchdog: WatchdogFactory,
    hooks: Hooks,
    seen_by: SeenBy,
    record_property: Callable[[str, object], None],
) -> None:
    app = banking()
    dog = watchdog(app)
    app.switch("green")
    dog.wait_for_evidence("ok")
    assert app.is_active("green")

    app.go_bad("green", seen_by=seen_by)

    wait_until(lambda: app.is_active("blue"), "both Services select blue again")
    wait_until(lambda: all(set(each) == {"blue"} for each in app.endpoint_colors().values()), "so do their endpoints")
    switched_at = time.time()
    wait_until(lambda: app.load.is_well(last=200), "requests are well again")
    wait_until(dog.finished, "the rollback is finished")
    assert [app.replicas(each, "green") for each in APPS] == [0, 0]
    assert [app.replicas(each, "blue") for each in APPS] == [3, 3]

    (decision,) = [line for line in dog.lines("decision") if line["to"] == "rollback"]
    tripped = "FrontendErrorRatio" if seen_by == "prometheus" else "BackendErrorLogs"
    assert tripped in decision["sentence"]
    assert decision["level"] == "info", "a line for whoever keeps the usual level"
    record_property("seconds_from_first_breach_to_endpoints", f"{switched_at - dog.first_breach(tripped):.2f}")
    record_property("rss_mib", f"{dog.child.rss_mib:.0f}")
    assert [line["subject"] for line in dog.lines("selector")] == ["backend-service", "frontend-service"]

    for each in APPS:
        assert len(app.events(reason="RolledBack", of=f"Service/{each}-service")) == 1
        assert len(app.events(reason="ScaledDown", of=f"Deployment/{each}-green")) == 1
        assert len(app.events(reason="Recovered", of=f"Service/{each}-service")) == 1
        saved = app.admin.get(app.deployment_path(each, "green"))["metadata"]["annotations"]
        assert saved["canary-watchdog/replicas"] == "3"

    wait_until(lambda: len(hooks.alerts("finished")) == 1, "people are told")
    assert [alert["kind"] for alert in hooks.alerts()] == ["switched", "finished"]
    assert len(hooks.slack()) == 2
    assert f'watchdog_rollbacks_total{{result="recovered",target="{app.namespace}"}} 1.0' in dog.metrics()

    dog.child.terminate()
    assert dog.child.wait(10) == 0


def test_a_healthy_release_is_never_rolled_back(banking: BankingFactory, watchdog: WatchdogFactory) -> None:
    app = banking()
    dog = watchdog(app)
    app.switch("green")
    dog.wait_for_evidence("ok", slots=10)
    assert app.is_active("green")
    assert set(dog.decisions()) <= {"nothing_firing", "services_disagree"}
    assert dog.writes() == []


def test_F73_a_chat_that_never_answers_delays_nothing_and_people_are_told_after_the_switch(
    banking: BankingFactory, watchdog: WatchdogFactory, hooks: Hooks
) -> None:
    app = banking(Plan(active="green", known_good="blue", replicas=1))
    with silence() as chat:
        url = f"http://127.0.0.1:{chat.getsockname()[1]}/slack"
        settings = {"WATCHDOG_SLACK_WEBHOOK_URL": url}
        dog = watchdog(app, rules=rule_file(app, rules="prometheus"), settings=settings)
        app.go_bad("green", seen_by="prometheus")
        wait_until(dog.finished, "the rollback is finished")
        wait_until(lambda: hooks.alerts("finished"), "people are told through the other channel")
        connection, _ = chat.accept()
        with connection:
            assert connection.recv(4) == b"POST", "the chat was asked"
    assert [line["sink"] for line in dog.lines("alert delivered")] == ["webhook", "webhook"]
    writes = writes_in(dog.writes(), ours=by_field_manager)
    switches = [write for write in writes if write.touches("/spec/selector") and write.committed]
    assert [write.name for write in switches] == ["backend-service", "frontend-service"]
    assert hooks.received[0].body["kind"] == "switched"
    assert hooks.received[0].at >= switches[-1].received_at
