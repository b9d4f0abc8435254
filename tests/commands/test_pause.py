"""``watchdog pause`` and ``watchdog resume``: what they write, what they say, and how they end."""

import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.commands.conftest import Desk
from tests.stack.banking import REPOSITORY
from watchdog.cluster.client import Cluster, Json
from watchdog.commands.annotating import annotate
from watchdog.core.annotations import PAUSED, PAUSED_REASON, PAUSED_UNTIL
from watchdog.sim.server import Answer, LoseReply
from watchdog.sim.world import write_kubeconfig

FIRST, SECOND = "backend-service", "frontend-service"


async def test_a_pause_is_on_the_first_service(desk: Desk) -> None:
    done = await desk.type("pause", "banking-app", "--reason", "load test")
    assert desk.annotations(FIRST) == {PAUSED: "true", PAUSED_REASON: "load test"}
    assert desk.annotations(SECOND) == {}
    assert (done.exit_code, done.stdout) == (
        0,
        "banking-app is paused until it is resumed (Service backend-service in the namespace banking-app): load test\n",
    )
    assert done.stderr == "to resume it: watchdog resume banking-app\n"


async def test_a_pause_for_a_time_says_until_when(desk: Desk) -> None:
    before = time.time()
    done = await desk.type("pause", "banking-app", "--for", "2h")
    until = desk.annotations(FIRST)[PAUSED_UNTIL]
    assert 0 <= datetime.fromisoformat(until).timestamp() - before - 7200 < 60
    assert f"paused until {until} " in done.stdout


async def test_a_pause_replaces_the_one_before_as_a_whole(desk: Desk) -> None:
    await desk.type("pause", "banking-app", "--for", "1s", "--reason", "once")
    await desk.type("pause", "banking-app")
    assert desk.annotations(FIRST) == {PAUSED: "true"}


async def test_a_reason_cannot_steer_the_terminal_of_who_asks(desk: Desk) -> None:
    await desk.type("pause", "banking-app", "--reason", "\x1b[2Jgone")
    assert desk.annotations(FIRST)[PAUSED_REASON] == "\\x1b[2Jgone"


async def test_resuming_removes_it_from_every_service_and_nothing_else(desk: Desk) -> None:
    for service in (FIRST, SECOND):
        desk.world.annotate("services", service, PAUSED, "true")
        desk.world.annotate("services", service, PAUSED_UNTIL, "2100-01-01T00:00:00Z")
    desk.world.annotate("services", FIRST, "canary-watchdog/last-trip", "{}")
    done = await desk.type("resume", "banking-app")
    assert (desk.annotations(FIRST), desk.annotations(SECOND)) == ({"canary-watchdog/last-trip": "{}"}, {})
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("the pause of banking-app is removed (Service backend-service, frontend-service ")


async def test_resuming_what_is_not_paused_says_so(desk: Desk) -> None:
    done = await desk.type("resume", "banking-app")
    assert (done.exit_code, done.stdout) == (0, "banking-app has no pause\n")


@pytest.mark.parametrize(
    ("plural", "name", "key", "said"),
    [
        pytest.param("namespaces", "banking-app", PAUSED, "namespace banking-app is paused", id="the Namespace"),
        pytest.param("deployments", "frontend-blue", PAUSED, "the watchdog itself is paused", id="the watchdog itself"),
        pytest.param("services", SECOND, "canary-watchdog/pasued", "a misspelled pause", id="a misspelled pause"),
    ],
)
async def test_resuming_says_what_still_pauses_it(desk: Desk, plural: str, name: str, key: str, said: str) -> None:
    desk.world.annotate(plural, name, key, "true")
    myself = {"WATCHDOG_NAMESPACE": "banking-app", "WATCHDOG_DEPLOYMENT": "frontend-blue"}
    done = await desk.type("resume", "banking-app", **myself)
    assert done.exit_code == 1
    assert said in done.stderr


async def test_a_reply_that_was_lost_is_decided_by_reading(desk: Desk) -> None:
    await desk.world.kubernetes.fail(LoseReply(methods=frozenset({"PATCH"})))
    done = await desk.type("pause", "banking-app")
    assert (done.exit_code, desk.annotations(FIRST)) == (0, {PAUSED: "true"})


async def test_who_loses_a_race_reads_anew(desk: Desk) -> None:
    found: list[Json] = []

    def meanwhile(service: Json) -> None:
        """Another writer, between the first reading and the first patch."""
        if not found:
            desk.world.annotate("services", FIRST, "canary-watchdog/last-trip", "{}")
        found.append(service)

    async with await Cluster.connect(desk.world.kubeconfig, None) as cluster:
        path = "/api/v1/namespaces/banking-app/services/backend-service"
        assert await annotate(cluster, path, {PAUSED: "true"}, check=meanwhile)
    assert desk.annotations(FIRST) == {PAUSED: "true", "canary-watchdog/last-trip": "{}"}
    assert len(found) == 4, "two readings, the reply to the second patch, and what was read back"


async def test_an_object_that_does_not_stand_still_is_told(desk: Desk) -> None:
    await desk.world.kubernetes.fail(refusal(409, methods=frozenset({"PATCH"})))
    done = await desk.type("pause", "banking-app")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "409 no" in done.stderr


def refusal(status: int, **fields: Any) -> Answer:
    """What the API server answers to whom it refuses."""
    return Answer(status=status, body=b'{"kind": "Status", "message": "no"}', **fields)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        pytest.param(
            ("pause", "banking-app", "--reason", "it's us"),
            f"annotate service backend-service {PAUSED}=true {PAUSED_UNTIL}- "
            f"""'{PAUSED_REASON}=it'"'"'s us' --overwrite""",
            id="pause",
        ),
        pytest.param(
            ("resume", "banking-app"),
            f"annotate service backend-service frontend-service {PAUSED}- {PAUSED_UNTIL}- {PAUSED_REASON}-",
            id="resume",
        ),
    ],
)
async def test_a_dry_run_prints_what_kubectl_would_be_told(desk: Desk, words: tuple[str, ...], line: str) -> None:
    desk.world.annotate("services", SECOND, PAUSED, "true")
    done = await desk.type(*words, "--dry-run")
    assert done.exit_code == 0
    assert done.stdout == f"kubectl --kubeconfig {desk.world.kubeconfig} -n banking-app {line}\n"
    assert (desk.annotations(FIRST), desk.annotations(SECOND)) == ({}, {PAUSED: "true"})


@pytest.mark.parametrize(
    ("words", "environment", "code", "said"),
    [
        pytest.param(("pause", "bank"), {}, 2, "no target 'bank' in ", id="an unknown target"),
        pytest.param(("pause", "bank"), {}, 2, "there are: banking-app", id="and those that there are"),
        pytest.param(("pause", "banking-app", "--for", "2"), {}, 2, "--for: '2' is not a duration", id="no unit"),
        pytest.param(("pause", "banking-app", "--for", "0s"), {}, 2, "a pause of no time", id="no time"),
        pytest.param(
            ("pause", "banking-app", "--for", "99999999w"),
            {},
            2,
            "--for: no calendar goes so far",
            id="for ever and longer",
        ),
        pytest.param(("pause", "banking-app", "--rules", "/no/such"), {}, 2, "--rules", id="no rule files"),
        pytest.param(
            ("resume", "banking-app"),
            {"WATCHDOG_KUBECONFIG": str(REPOSITORY / "tests" / "unreachable.kubeconfig")},
            3,
            "/services/backend-service: ",
            id="nobody answers",
        ),
        pytest.param(
            ("resume", "banking-app"),
            {"WATCHDOG_KUBECONFIG": "/no/such"},
            2,
            "no way to the API server: there is no kubeconfig /no/such; set WATCHDOG_KUBECONFIG\n",
            id="no way",
        ),
        pytest.param(
            ("resume", "banking-app"), {"WATCHDOG_KUBE_CONTXT": "x"}, 0, "WATCHDOG_KUBE_CONTXT", id="misspelled"
        ),
    ],
)
async def test_what_stops_a_command_has_a_code_and_a_sentence(
    desk: Desk, words: tuple[str, ...], environment: dict[str, str], code: int, said: str
) -> None:
    done = await desk.type(*words, **environment)
    assert done.exit_code == code
    assert said in done.stderr
    assert (done.stdout == "") is bool(code)
    assert desk.annotations(FIRST) == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(
            "users:\n- {token: s3cr3t", " is no kubeconfig: line 2, column 17 is not YAML; ", id="half a file"
        ),
        pytest.param("token: s3cr3t\n\tx", " is no kubeconfig: line 2, column 1 is not YAML; ", id="a tab"),
        pytest.param("s3cr3t", " is no kubeconfig, or lacks a part of one; ", id="a token alone"),
        pytest.param("users: 5", " is no kubeconfig, or lacks a part of one; ", id="another kind of value"),
        pytest.param("", " is no kubeconfig, or lacks a part of one; ", id="an empty file"),
        pytest.param(b"\xff\xfe", " is no kubeconfig", id="no text"),
    ],
)
async def test_a_file_that_is_no_kubeconfig_is_told_without_a_word_of_what_is_in_it(
    desk: Desk, tmp_path: Path, content: str | bytes, said: str
) -> None:
    file = tmp_path / "kubeconfig"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = await desk.type("pause", "banking-app", WATCHDOG_KUBECONFIG=str(file))
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"no way to the API server: {file}{said}")
    assert len(done.stderr.splitlines()) == 1
    assert "s3cr3t" not in done.stderr


@pytest.mark.parametrize(
    ("user", "said"),
    [
        pytest.param(
            "{name: me, token: 's3cr}3t'}", "Expected key user in {file}; set", id="a token that stands too high"
        ),
        pytest.param(
            "{user: {token: s3cr3t}}",
            "Expected all values in {file}/users list to have 'name' key; set",
            id="a user without a name",
        ),
        pytest.param(
            "{name: you, user: {token: s3cr3t}}",
            "{file} is no kubeconfig, or lacks a part of one; set",
            id="another user",
        ),
    ],
)
async def test_a_kubeconfig_with_a_mistake_is_told_without_its_token(
    desk: Desk, tmp_path: Path, user: str, said: str
) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\n"
        "contexts: [{name: x, context: {cluster: c, user: me}}]\n"
        f"current-context: x\nusers: [{user}]\n"
    )
    done = await desk.type("pause", "banking-app", WATCHDOG_KUBECONFIG=str(file))
    assert (done.exit_code, done.stdout) == (2, "")
    assert said.format(file=file) in done.stderr
    assert "s3cr" not in done.stderr


@pytest.mark.parametrize("server", ["127.0.0.1:6443", "http://127.0.0.1:99999"], ids=["no scheme", "no such port"])
async def test_a_server_that_is_no_url_is_told_with_the_cure(desk: Desk, tmp_path: Path, server: str) -> None:
    file = tmp_path / "kubeconfig"
    write_kubeconfig(file, url=server, token="", namespace="default")
    done = await desk.type("pause", "banking-app", WATCHDOG_KUBECONFIG=str(file))
    assert (done.exit_code, done.stdout) == (3, "")
    assert "the server in the kubeconfig is no URL; write one such as https://10.0.0.1:6443" in done.stderr


async def test_who_may_not_is_told_so(desk: Desk) -> None:
    await desk.world.kubernetes.fail(refusal(403))
    done = await desk.type("pause", "banking-app")
    assert (done.exit_code, done.stdout) == (3, "")
    assert "403 no" in done.stderr
