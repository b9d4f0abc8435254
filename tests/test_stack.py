"""The real servers do what the other tests take for granted.

Law: nothing of the watchdog is imported here; a failure means that the stack is broken, not the product.
"""

from __future__ import annotations

import socket
import time

import pytest

from tests.stack.admin import Admin, ApiError, path_of
from tests.stack.banking import APPS, COLORS, BankingFactory, Plan, SeenBy
from tests.stack.elasticsearch import ElasticsearchServer
from tests.stack.kubernetes import ControlPlane
from tests.stack.load import NOBODY, REFUSED
from tests.stack.prometheus import PrometheusServer, Series
from tests.stack.style import BY_APP, BY_APP_AND_COLOR, BY_COLOR, BY_SHARED_APP_AND_COLOR, MIXED, Style
from tests.stack.wait import wait_until


def test_stated_history_is_answered_at_once(prometheus_server: PrometheusServer) -> None:
    now = time.time()
    past = [(now - seconds, float(3600 - seconds)) for seconds in range(3600, 0, -15)]
    prometheus_server.remote_write(Series("stated_total", {"color": "green"}, past))
    assert prometheus_server.value('increase(stated_total{color="green"}[30m])') == pytest.approx(1800, rel=0.02)


def test_a_query_string_search_finds_its_documents(elasticsearch_server: ElasticsearchServer) -> None:
    documents = [{"log": {"level": level}, "message": "payment refused"} for level in ("ERROR", "ERROR", "INFO")]
    elasticsearch_server.index("logs-stack-1", documents)
    assert elasticsearch_server.count("logs-stack-*", "log.level:ERROR") == 2


def test_endpoints_follow_a_switched_selector(banking: BankingFactory) -> None:
    bank = banking(Plan(replicas=2))
    assert bank.endpoint_colors() == {"backend": {"blue": 2}, "frontend": {"blue": 2}}
    bank.switch("green")
    wait_until(
        lambda: bank.endpoint_colors() == {"backend": {"green": 2}, "frontend": {"green": 2}}, "the endpoints are green"
    )


def test_requests_follow_a_switched_selector_and_none_is_lost(banking: BankingFactory) -> None:
    bank = banking()
    bank.switch("green")
    all_green = {"backend-service": {"green": 3}, "frontend-service": {"green": 3}}
    switched = wait_until(lambda: bank.load.endpoint_colors() == all_green and time.time(), "both Services are green")
    wait_until(lambda: len(bank.load.sent(since=switched)) >= 100, "a hundred requests more")
    assert {one.color for one in bank.load.sent(since=switched)} == {"green"}
    assert bank.load.failed() == []


def test_pods_turn_unready_and_back_by_their_annotation(banking: BankingFactory) -> None:
    bank = banking()
    bank.set_ready("blue", "false")
    wait_until(lambda: bank.endpoint_colors() == {"backend": {}, "frontend": {}}, "no endpoint is ready")
    bank.set_ready("blue", "true")
    wait_until(lambda: bank.endpoint_colors()["frontend"] == {"blue": 3}, "the endpoints are back")


def test_a_color_can_be_bad_from_birth(banking: BankingFactory) -> None:
    bank = banking(Plan(ready={"green": "pending"}))
    assert (bank.ready_pods("blue"), bank.ready_pods("green")) == (6, 0)


def test_requests_fail_while_no_endpoint_is_ready(banking: BankingFactory) -> None:
    bank = banking()
    bank.scale("blue", 0, apps=["frontend"])
    wait_until(lambda: bank.load.counts(service="frontend-service")[NOBODY, REFUSED] > 0, "nobody answers")
    bank.switch("green")
    wait_until(bank.load.is_well, "requests are well again")


@pytest.mark.parametrize("style", [BY_APP, BY_COLOR, BY_APP_AND_COLOR, BY_SHARED_APP_AND_COLOR, MIXED])
def test_a_selector_selects_its_own_pods_only(style: Style) -> None:
    pods = {(app, color): style.labels(app, color) for app in APPS for color in COLORS}
    for app, color in pods:
        selector = style.selector(app, color)
        assert [pod for pod, labels in pods.items() if selector.items() <= labels.items()] == [(app, color)]


def test_a_service_account_may_do_what_its_role_says_and_nothing_else(
    control_plane: ControlPlane, namespace: str
) -> None:
    admin = control_plane.admin
    rules = [{"apiGroups": [""], "resources": ["services"], "verbs": ["list"]}]
    admin.create(path_of("roles", namespace), {"metadata": {"name": "reader"}, "rules": rules})
    binding = {
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": namespace}],
    }
    admin.create(path_of("rolebindings", namespace), binding)
    reader = Admin(control_plane.url, control_plane.ca_file, admin.create_token(namespace, "reader"))
    wait_until(lambda: reader.items(path_of("services", namespace)) == [], "the Role is in force")
    with pytest.raises(ApiError, match="403"):
        reader.items(path_of("pods", namespace))
    reader.close()


def test_the_audit_log_says_who_wrote_what(control_plane: ControlPlane, namespace: str) -> None:
    body = {"metadata": {"name": "written"}, "data": {"key": "value"}}
    control_plane.admin.create(path_of("configmaps", namespace), body)

    def rows() -> list[str]:
        writes = control_plane.audit(namespace, verbs=["create"], user="admin")
        return [row["requestObject"]["data"]["key"] for row in writes if row["objectRef"]["resource"] == "configmaps"]

    wait_until(lambda: rows() == ["value"], "the row is written")


def test_a_killed_api_server_comes_back_with_what_was_written(banking: BankingFactory) -> None:
    bank = banking()
    bank.plane.restart_apiserver()
    bank.switch("green")
    wait_until(lambda: bank.endpoint_colors()["frontend"] == {"green": 3}, "controllers go on")


def test_a_killed_prometheus_comes_back_with_what_it_had(own_prometheus: PrometheusServer) -> None:
    own_prometheus.remote_write(Series("kept", {}, [(time.time() - 60, 7.0)]))
    own_prometheus.kill()
    with pytest.raises(OSError, match="refused"):
        own_prometheus.query("kept")
    own_prometheus.start()
    assert own_prometheus.value("kept", at=time.time() - 59) == 7


def test_a_frozen_elasticsearch_takes_connections_and_answers_nothing(
    elasticsearch_server: ElasticsearchServer,
) -> None:
    address = elasticsearch_server.url.removeprefix("http://").split(":")
    with elasticsearch_server.suspended(), socket.create_connection((address[0], int(address[1])), timeout=0.5) as line:
        line.sendall(b"GET /_cluster/health HTTP/1.0\r\n\r\n")
        with pytest.raises(TimeoutError):
            line.recv(1)
    assert elasticsearch_server.send("GET", "/_cluster/health")["timed_out"] is False


def test_a_killed_elasticsearch_is_brought_back_with_what_it_had(elasticsearch_server: ElasticsearchServer) -> None:
    elasticsearch_server.index("logs-stack-2", [{"message": "kept"}])
    elasticsearch_server.kill()
    with pytest.raises(OSError, match="refused"):
        elasticsearch_server.count("logs-stack-2", "kept")
    elasticsearch_server.heal()
    wait_until(lambda: elasticsearch_server.count("logs-stack-2", "message:kept") == 1, "the document is there")


ERRORS_OF_GREEN = """
sum(rate(http_requests_total{{namespace="{0}",color="green",code="500"}}[5s]))
/ sum(rate(http_requests_total{{namespace="{0}",color="green"}}[5s]))
"""


@pytest.mark.parametrize(
    ("seen_by", "in_prometheus", "in_logs"),
    [
        pytest.param("both", True, True, id="seen by both"),
        pytest.param("prometheus", True, False, id="seen by Prometheus alone"),
        pytest.param("logs", False, True, id="seen in the logs alone"),
    ],
)
def test_a_bad_color_is_seen_where_it_should_be(
    banking: BankingFactory, seen_by: SeenBy, *, in_prometheus: bool, in_logs: bool
) -> None:
    bank = banking(Plan(active="green"))
    bank.go_bad("green", seen_by=seen_by, ratio=0.3)
    errors = ERRORS_OF_GREEN.format(bank.namespace)
    green = "kubernetes.labels.color:green"

    def ratio() -> float:
        return bank.prometheus.value(errors) or 0

    def error_documents() -> int:
        return bank.elasticsearch.count(bank.index, f"log.level:ERROR AND {green}")

    if in_prometheus:
        wait_until(lambda: abs(ratio() - 0.3) < 0.05, "Prometheus shows three of ten failing")
    if in_logs:
        wait_until(lambda: error_documents() > 20, "the logs show errors")
    wait_until(lambda: bank.elasticsearch.count(bank.index, green) > 200, "documents of green")
    assert (ratio() > 0, error_documents() > 0) == (in_prometheus, in_logs)
