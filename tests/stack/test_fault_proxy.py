"""The fault proxy passes everything through unchanged, and fails exactly what it was asked to fail.

Law: what was carried out is asked of the API server itself, never of the proxy.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus

import pytest
import requests

from tests.stack.admin import MERGE, Admin, path_of
from tests.stack.fault_proxy import FaultProxy, fault_proxy
from tests.stack.faults import (
    Answer,
    Delay,
    Fault,
    HalfOpen,
    LoseReply,
    Reset,
    Truncate,
    html,
    redirect,
    refusal,
)
from tests.stack.injection import Match
from tests.stack.kubernetes import ControlPlane
from tests.stack.process import Child, Command
from tests.stack.tools import kubectl
from tests.stack.wait import PATIENCE, wait_until

REFUSALS = (401, 403, 409, 422, 429, 500, 503)


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[FaultProxy]:
    with fault_proxy(control_plane) as opened:
        yield opened


@pytest.fixture
def through(proxy: FaultProxy, control_plane: ControlPlane) -> Iterator[Admin]:
    admin = Admin(proxy.url, control_plane.ca_file, control_plane.admin_token)
    yield admin
    admin.close()


class Session:
    """Requests by hand, to see status, headers and body."""

    def __init__(self, proxy: FaultProxy, plane: ControlPlane, namespace: str) -> None:
        self.plane = plane
        self.proxy = proxy
        self.path = path_of("configmaps", namespace, "subject")
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(plane.ca_file)
        self.session.headers["Authorization"] = f"Bearer {plane.admin_token}"
        plane.admin.create(path_of("configmaps", namespace), {"metadata": {"name": "subject"}, "data": {"is": "old"}})

    def write(self, *, url: str = "", patience: float = PATIENCE) -> requests.Response:
        """One write, without following a redirect; ``url`` is where, the proxy by default."""
        return self.session.patch(
            (url or self.proxy.url) + self.path,
            data=json.dumps({"data": {"is": "new"}}),
            headers={"Content-Type": MERGE},
            timeout=patience,
            allow_redirects=False,
        )

    def value(self) -> str:
        """What the API server has."""
        value: str = self.plane.admin.get(self.path)["data"]["is"]
        return value


@pytest.fixture
def session(proxy: FaultProxy, control_plane: ControlPlane, namespace: str) -> Iterator[Session]:
    opened = Session(proxy, control_plane, namespace)
    yield opened
    opened.session.close()


def test_status_headers_and_body_are_those_of_the_api_server(session: Session, control_plane: ControlPlane) -> None:
    direct = session.session.get(control_plane.url + session.path, timeout=5)
    through = session.session.get(session.proxy.url + session.path, timeout=5)
    changing = {"Date", "Audit-Id"}
    assert through.content == direct.content
    assert {k: v for k, v in through.headers.items() if k not in changing} == {
        k: v for k, v in direct.headers.items() if k not in changing
    }
    missing = session.session.get(session.proxy.url + session.path + "-not", timeout=5)
    assert (missing.status_code, missing.json()["reason"]) == (404, "NotFound")


def test_the_clients_own_credentials_arrive(proxy: FaultProxy, control_plane: ControlPlane, namespace: str) -> None:
    nobody = Admin(proxy.url, control_plane.ca_file, "unknown")
    with pytest.raises(OSError, match="401"):
        nobody.get(path_of("pods", namespace))
    nobody.close()
    token = control_plane.admin.create_token(namespace, "default")
    account = Admin(proxy.url, control_plane.ca_file, token)
    with pytest.raises(OSError, match=f"403.*system:serviceaccount:{namespace}:default"):
        account.get(path_of("pods", namespace))
    account.close()


def test_a_watch_is_passed_on_while_it_runs(through: Admin, control_plane: ControlPlane, namespace: str) -> None:
    configmaps = path_of("configmaps", namespace)
    with through.watching(configmaps) as events:
        for number in range(3):
            control_plane.admin.create(configmaps, {"metadata": {"name": f"seen-{number}"}})
        names = [next(events)["object"]["metadata"]["name"] for _ in range(3)]
    # Every namespace is given one of these.
    assert [name for name in names if name != "kube-root-ca.crt"] == ["seen-0", "seen-1", "seen-2"][: len(names)]


def test_a_large_body_passes_both_ways(through: Admin, namespace: str) -> None:
    text = secrets.token_hex(400_000)
    configmaps = path_of("configmaps", namespace)
    through.create(configmaps, {"metadata": {"name": "large"}, "data": {"text": text}})
    assert through.get(f"{configmaps}/large")["data"]["text"] == text


def test_kubectl_works_through_its_kubeconfig(proxy: FaultProxy, control_plane: ControlPlane) -> None:
    kubeconfig = proxy.kubeconfig(control_plane.admin_token)
    folder = control_plane.folder
    name = f"kubectl-{secrets.token_hex(3)}"
    command: Command = [kubectl(), f"--kubeconfig={kubeconfig}", "get", "namespaces", "--output=name"]
    child = Child(name=name, command=command, folder=folder)
    child.start()
    assert child.wait(20) == 0, child.log_tail()
    assert "namespace/default" in child.log.read_text()


def test_every_request_is_recorded_and_only_writes_are_kept_whole(session: Session) -> None:
    session.session.get(session.proxy.url + session.path, timeout=5)
    session.write()
    seen = [(one.method, one.target, bool(one.body), one.fault) for one in session.proxy.requests]
    assert seen == [("GET", session.path, False, ""), ("PATCH", session.path, True, "")]
    assert [json.loads(one.body) for one in session.proxy.writes()] == [{"data": {"is": "new"}}]


@pytest.mark.parametrize("status", REFUSALS)
def test_a_refusal_is_answered_and_nothing_is_carried_out(session: Session, status: int) -> None:
    session.proxy.inject(refusal(status, headers={"Retry-After": "1"} if status == 429 else None))
    answer = session.write()
    assert (answer.status_code, answer.json()["kind"], answer.json()["code"]) == (status, "Status", status)
    assert answer.headers.get("Retry-After") == ("1" if status == 429 else None)
    assert session.value() == "old"


@pytest.mark.parametrize(
    ("answer", "status", "header"),
    [
        pytest.param(html(), 200, ("Content-Type", "text/html"), id="HTML that says 200"),
        pytest.param(redirect("/version"), 302, ("Location", "/version"), id="a redirect"),
    ],
)
def test_what_is_on_the_way_can_answer(session: Session, answer: Answer, status: int, header: tuple[str, str]) -> None:
    session.proxy.inject(answer)
    given = session.write()
    assert (given.status_code, given.headers[header[0]]) == (status, header[1])
    assert session.value() == "old"


@pytest.mark.parametrize(
    ("fault", "error", "value"),
    [
        pytest.param(Reset(), requests.ConnectionError, "old", id="reset before sending"),
        pytest.param(HalfOpen(), requests.Timeout, "old", id="half-open"),
        pytest.param(LoseReply(), requests.ConnectionError, "new", id="committed and the reply lost"),
        pytest.param(Truncate(), requests.RequestException, "new", id="committed and the reply cut in half"),
    ],
)
def test_without_an_answer_only_the_api_server_knows(
    session: Session, fault: Fault, error: type[Exception], value: str
) -> None:
    session.proxy.inject(fault)
    with pytest.raises(error):
        session.write(patience=5)
    assert session.value() == value
    assert session.write().ok, "the fault is gone after once"


def test_a_delayed_request_is_carried_out_late(session: Session) -> None:
    session.proxy.inject(Delay(0.3))
    began = time.monotonic()
    assert session.write().ok
    assert time.monotonic() - began >= 0.3


def test_a_delayed_request_is_carried_out_also_when_nobody_waits_any_more(session: Session) -> None:
    session.proxy.inject(Delay(5))
    with pytest.raises(requests.Timeout):
        session.write(patience=2)
    assert session.value() == "old"
    wait_until(lambda: session.value() == "new", "the delayed write is carried out")


def test_a_delayed_request_has_a_name_in_the_audit_log(
    session: Session, control_plane: ControlPlane, namespace: str
) -> None:
    assert session.write().ok
    session.proxy.inject(Delay(0.0))
    assert session.write().ok
    in_time, late = session.proxy.writes()
    assert (in_time.audit_id, bool(late.audit_id)) == ("", True)

    def written() -> list[str] | None:
        rows = control_plane.audit(namespace, verbs=["patch"])
        return [row["auditID"] for row in rows] if len(rows) == 2 else None

    names = wait_until(written, "both are in the audit log")
    assert names is not None
    assert late.audit_id in names


def test_only_the_chosen_request_fails(session: Session, namespace: str) -> None:
    match = Match(methods=frozenset({"PATCH"}), path="/configmaps/subject$", first=2)
    injection = session.proxy.inject(refusal(500), match)
    session.session.get(session.proxy.url + session.path, timeout=5)
    assert [session.write().status_code for _ in range(3)] == [200, 500, 200]
    assert [hit.method for hit in injection.hits] == ["PATCH"]
    assert [(seen.fault, seen.arrives) for seen in session.proxy.writes()] == [
        ("", True),
        ("Answer", False),
        ("", True),
    ]


def test_a_fault_can_last_until_it_is_cleared(session: Session) -> None:
    session.proxy.inject(refusal(503), times=None)
    assert [session.write().status_code for _ in range(3)] == [503, 503, 503]
    session.proxy.clear()
    assert session.write().ok


def test_a_fault_can_happen_a_number_of_times(session: Session) -> None:
    session.proxy.inject(refusal(503), times=2)
    assert [session.write().status_code for _ in range(3)] == [503, 503, 200]


def test_what_hangs_is_let_go_when_the_fault_is_cleared(session: Session) -> None:
    injection = session.proxy.inject(HalfOpen(), times=None)
    ended: list[str] = []

    def write() -> None:
        try:
            session.write()
        except requests.ConnectionError:
            ended.append("reset")

    thread = threading.Thread(target=write)
    thread.start()
    wait_until(lambda: injection.hits, "the request has arrived")
    session.proxy.clear()
    thread.join(PATIENCE)
    assert ended == ["reset"]


def test_the_hook_runs_after_the_commit_and_before_the_client_knows(session: Session) -> None:
    direct = Admin(session.plane.url, session.plane.ca_file, session.plane.admin_token)
    values: list[str] = []
    session.proxy.inject(LoseReply(), on_hit=lambda _: values.append(direct.get(session.path)["data"]["is"]))
    with pytest.raises(requests.ConnectionError):
        session.write()
    direct.close()
    assert values == ["new"]


def test_when_the_api_server_dies_so_do_the_connections(session: Session, control_plane: ControlPlane) -> None:
    assert session.write().ok
    control_plane.kill_apiserver()
    with pytest.raises(requests.ConnectionError):
        session.write()
    control_plane.start_apiserver()
    assert session.write().status_code == HTTPStatus.OK
