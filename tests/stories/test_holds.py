"""What the watchdog must not do: it holds, says why, and goes on once the reason is gone."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests

from tests.stack.banking import BankingApp, BankingFactory, Plan
from tests.stack.load import Backend
from tests.stack.prometheus import PrometheusServer
from tests.stack.wait import wait_until
from tests.stories.conftest import WatchdogFactory
from tests.stories.hooks import Hooks
from tests.stories.rights import grant
from tests.stories.rules import Pace, rule_file

GREEN = Plan(active="green", known_good="blue", replicas=1)
PAUSED = "canary-watchdog/paused"


def test_paused_is_held_and_resumed_is_rolled_back(
    banking: BankingFactory, watchdog: WatchdogFactory, hooks: Hooks
) -> None:
    app = banking(GREEN)
    app.admin.annotate(app.service_path("frontend"), **{PAUSED: "true"})
    dog = watchdog(app, rules=rule_file(app, rules="prometheus"))
    app.go_bad("green")
    wait_until(lambda: dog.decided("paused"), "it holds")
    wait_until(lambda: hooks.alerts("held"), "people are told")
    assert "would have rolled back from green to blue" in hooks.alerts("held")[0]["text"]
    dog.wait_for_evidence("breach")
    assert dog.changes() == []
    assert len(app.events(reason="RollbackHeld", of="Service/backend-service")) == 1

    app.admin.annotate(app.service_path("frontend"), **{PAUSED: None})
    wait_until(dog.finished, "the rollback is finished")
    assert app.is_active("blue")
    assert len(hooks.alerts("held")) == 1, "told once, not each slot"


def test_dry_run_sends_no_mutating_verb(banking: BankingFactory, watchdog: WatchdogFactory, hooks: Hooks) -> None:
    app = banking(GREEN)
    token = _administrator_token(app)
    dog = watchdog(
        app, rules=rule_file(app, rules="prometheus", mode="dry-run"), kubeconfig=app.plane.make_kubeconfig(token)
    )
    app.go_bad("green")
    wait_until(lambda: dog.decided("dry_run"), "it says what it would have done")
    dog.wait_for_evidence("breach")
    wait_until(lambda: hooks.alerts("held"), "people are told")
    user = f"system:serviceaccount:{app.namespace}:default"
    verbs = {row["verb"] for row in app.plane.audit(user=user)}
    assert verbs <= {"get", "list"}
    assert "list" in verbs
    assert app.is_active("green")


def test_F46_a_good_color_without_ready_pods_is_not_switched_to(
    banking: BankingFactory, watchdog: WatchdogFactory
) -> None:
    app = banking(GREEN)
    app.set_ready("blue", "false")
    dog = watchdog(app, rules=rule_file(app, rules="prometheus"))
    app.go_bad("green")
    wait_until(lambda: dog.decided("good_not_ready"), "it holds")
    dog.wait_for_evidence("breach")
    assert dog.changes() == []
    app.set_ready("blue", "true")
    wait_until(lambda: app.is_active("blue"), "the good color is ready, and gets the traffic")


def test_F49_both_colors_bad_is_a_shared_cause(banking: BankingFactory, watchdog: WatchdogFactory) -> None:
    app = banking(GREEN)
    dog = watchdog(app, rules=rule_file(app, rules="prometheus"))
    app.go_bad("blue")
    app.go_bad("green")
    with _requests_past_the_service(app, "blue"):
        wait_until(lambda: dog.decided("other_color_breaches"), "it holds")
        dog.wait_for_evidence("breach")
        assert dog.changes() == []
        assert "rollback" not in dog.decisions()


@pytest.mark.parametrize(
    "outage",
    [
        pytest.param(lambda app: app.prometheus.kill(), id="killed"),
        pytest.param(lambda app: app.prometheus.suspend(), id="stopped by SIGSTOP"),
    ],
)
def test_F01_F02_an_outage_of_prometheus_in_a_breach_rolls_nothing_back(
    banking: BankingFactory,
    watchdog: WatchdogFactory,
    own_prometheus: PrometheusServer,
    hooks: Hooks,
    outage: Callable[[BankingApp], None],
) -> None:
    """There are more slots without evidence than ``for`` has left, and the breaches before them are not forgotten."""
    app = banking(GREEN, prometheus=own_prometheus)
    dog = watchdog(
        app,
        rules=rule_file(app, rules="prometheus", pace=Pace(pending=8, periods=30)),
        settings={"WATCHDOG_PROMETHEUS__DEADLINE": "0.5"},
    )
    app.go_bad("green", seen_by="prometheus")
    wait_until(lambda: dog.measured("FrontendErrorRatio", "breach") >= 2, "the breach has begun")
    outage(app)
    measured = len(dog.lines("measured"))
    wait_until(lambda: len(dog.lines("measured")) >= measured + 11, "eleven slots more")
    assert dog.measured("FrontendErrorRatio", "error") >= 10
    assert [line["to"] for line in dog.lines("phase")] == ["pending"]
    assert set(dog.decisions()) == {"nothing_firing"}
    assert app.is_active("green")
    assert (dog.writes(), hooks.alerts()) == ([], [])


def test_F02_F27_a_hanging_prometheus_does_not_delay_the_logs(
    banking: BankingFactory, watchdog: WatchdogFactory, own_prometheus: PrometheusServer
) -> None:
    app = banking(GREEN, prometheus=own_prometheus)
    dog = watchdog(app)
    dog.wait_for_evidence("ok")
    app.prometheus.suspend()
    app.go_bad("green", seen_by="logs")
    wait_until(lambda: app.is_active("blue"), "the logs alone bring the service back")
    assert dog.measured("FrontendErrorRatio", "breach") == 0


def _administrator_token(app: BankingApp) -> str:
    """A token of a ServiceAccount that may do everything in the namespace, to be told apart in the audit log."""
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    grant(app, rules)
    return app.plane.admin.create_token(app.namespace, "default")


@contextmanager
def _requests_past_the_service(app: BankingApp, color: str) -> Iterator[None]:
    """Somebody asks the idle color's frontend directly, as a smoke test would."""
    (backend,) = [each for each in app.children if each.color == color and each.service == "frontend-service"]
    stop = threading.Event()
    thread = threading.Thread(target=_ask_on, args=(backend, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _ask_on(backend: Backend, stop: threading.Event) -> None:
    with requests.Session() as session:
        session.trust_env = False
        while not stop.wait(0.025):
            session.get(f"{backend.url}/pay", timeout=10)
