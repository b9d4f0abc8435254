"""The source for Prometheus against servers that misbehave: whatever they do is a measurement, in time."""

from __future__ import annotations

import asyncio
import gzip
import os
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path

import pytest

from tests.sources.asking import SLOT, lucene, measured, prometheus, promql, vector
from tests.sources.raw_server import Asked, Behavior, dripping, hanging, http, resetting, sending, serving
from tests.stack.wait import eventually
from watchdog.core.model import Measurement, Outcome, Trouble
from watchdog.sources.prometheus import CONNECTIONS

QUICK = 0.4  # a deadline for those that wait for it
FINE = http(vector("0.25"))
MIB = 1 << 20
LATER = {"Retry-After": "120"}


async def reason_of(behave: Behavior, **settings: object) -> str:
    async with serving(behave) as server, prometheus(server.url, **settings) as source:
        measurement = await measured(source, promql())
    assert measurement.failure is Outcome.ERROR
    assert measurement.value is None
    assert measurement.reason.startswith(f"Prometheus at {server.url} ")
    assert measurement.reason.isprintable()
    return measurement.reason.removeprefix(f"Prometheus at {server.url} ")


async def test_a_good_answer_is_a_value() -> None:
    async with serving(sending(FINE)) as server, prometheus(server.url) as source:
        assert await measured(source, promql()) == Measurement(value=0.25)


async def test_the_query_is_asked_at_the_slot_with_every_parameter_F10() -> None:
    extra = {"parameters": {"tenant": "bank"}, "headers": {"X-Scope-OrgID": "bank"}, "deadline": 5}
    async with serving(sending(FINE)) as server, prometheus(f"{server.url}/prometheus", **extra) as source:
        await measured(source, promql('v{color="{{ color }}",namespace="{{ namespace }}"}'))
    wanted = 'v{color="green",namespace="bank"}'
    (asked,) = (each for each in server.queries if each.parameters["query"] == wanted)  # the proof may come first
    assert asked.path == "/prometheus/api/v1/query"
    assert float(asked.parameters["time"]) == SLOT
    assert 4 < float(asked.parameters["timeout"]) < 5
    assert asked.parameters["partial_response"] == "false"
    assert asked.parameters["tenant"] == "bank"
    assert asked.headers["x-scope-orgid"] == "bank"
    assert asked.headers["accept-encoding"] == "identity"


async def test_the_connection_is_kept_between_queries() -> None:
    connections: list[object] = []

    async def behave(_: Asked, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        writer.write(FINE)

    async with serving(behave) as server, prometheus(server.url) as source:
        for _ in range(3):
            await measured(source, promql())
    assert len(set(connections)) <= 2  # when it was started is asked beside the first query


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX-Drip: ", b"a", id="inside a header"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b" ", id="inside a body of known length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", id="inside a chunked body"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b" ", id="inside a body that ends with the end"),
    ],
)
async def test_trap_drip(start: bytes, drop: bytes) -> None:
    async with serving(dripping(start, drop)) as server, prometheus(server.url, deadline=QUICK) as source:
        measurement = await measured(source, promql())
        assert measurement.reason == f"Prometheus at {server.url} did not answer within 0.4 s"
        # The thread is free again, and the server sees that nobody listens any more.
        await eventually(lambda: not server.connections, "the connection is cut")


async def test_trap_drip_in_the_tls_handshake() -> None:
    dripping_on: set[asyncio.StreamWriter] = set()

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dripping_on.add(writer)
        writer.write(b"\x16\x03\x03\x40\x00")  # a record of 16 KiB is about to come
        while not writer.is_closing():
            writer.write(b"\x02")
            await asyncio.sleep(0.05)
        writer.close()
        dripping_on.discard(writer)

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    # Reading the authorities for the handshake takes long where others compute too.
    async with server, prometheus(url, deadline=2) as source:
        assert (await measured(source, promql())).reason == f"Prometheus at {url} did not answer in time"
        await eventually(lambda: not dripping_on, "the server sees that nobody listens any more")


async def test_trap_hang_F02() -> None:
    assert await reason_of(hanging, deadline=QUICK) == "did not answer within 0.4 s"


async def test_a_stuck_query_delays_no_other_and_the_pool_recovers() -> None:
    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if "stuck" in asked.parameters.get("query", ""):
            await dripping(b"HTTP/1.1 200 OK\r\nX: ", b"a")(asked, writer)
        writer.write(FINE)

    async with serving(behave) as server, prometheus(server.url, deadline=2) as source, asyncio.TaskGroup() as group:
        stuck = [group.create_task(measured(source, promql(f"vector({i}) # stuck"))) for i in range(CONNECTIONS - 1)]
        await eventually(lambda: len(server.queries) == len(stuck), "all of them are stuck")
        for _ in range(20):
            assert (await measured(source, promql())).value == 0.25
        assert not any(task.done() for task in stuck)
        await asyncio.wait(stuck)
        # Twice as many as there are threads: none is lost to the stuck ones.
        healthy = await asyncio.gather(*(measured(source, promql(f"vector({i})")) for i in range(2 * CONNECTIONS)))
        assert {measurement.value for measurement in healthy} == {0.25}


async def test_when_every_connection_hangs_the_reason_says_so() -> None:
    async with serving(hanging) as server, prometheus(server.url, deadline=2) as source:
        answers = await asyncio.gather(*(measured(source, promql(f"vector({i})")) for i in range(3 * CONNECTIONS)))
        names = [thread.name for thread in threading.enumerate() if thread.name.startswith("prometheus-")]
        assert len(names) <= CONNECTIONS
    reasons = {answer.reason.removeprefix(f"Prometheus at {server.url} ") for answer in answers}
    # A query that began to wait a little later may still get a connection that an earlier one has given up.
    assert reasons == {
        "did not answer within 2 s",
        f"was not asked within 2 s: all {CONNECTIONS} connections wait for earlier queries",
    }


async def test_a_hanging_prometheus_does_not_hold_up_the_event_loop() -> None:
    async with serving(hanging) as server, prometheus(server.url, deadline=QUICK) as source:
        task = asyncio.create_task(measured(source, promql()))
        turns = 0
        while not task.done():
            await asyncio.sleep(0.01)
            turns += 1
    assert turns > 10


async def test_closing_while_a_query_hangs_frees_its_thread() -> None:
    async with serving(hanging) as server, prometheus(server.url, deadline=30) as source:
        task = asyncio.create_task(measured(source, promql()))
        await eventually(lambda: server.queries, "the query has arrived")
        await source.close()
        assert "the source was closed" in (await task).reason or "broke the connection off" in (await task).reason
        assert (await measured(source, promql())).reason.endswith("the source was closed, or has a bug")


async def test_cancelling_a_measurement_frees_its_thread() -> None:
    async with serving(hanging) as server, prometheus(server.url, deadline=30) as source:
        task = asyncio.create_task(measured(source, promql()))
        await eventually(lambda: server.queries, "the query has arrived")
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        await eventually(lambda: not server.connections, "the connection is cut")


async def test_trap_reset() -> None:
    assert await reason_of(resetting) == "broke the connection off"


async def test_trap_refused_F01() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        async with prometheus(url) as source:
            measurement = await measured(source, promql())
    assert measurement == Measurement.error(f"Prometheus at {url} refuses the connection")


async def test_trap_name_does_not_resolve_F01() -> None:
    async with prometheus("http://prometheus.invalid:9090") as source:
        measurement = await measured(source, promql())
    assert measurement.failure is Outcome.ERROR
    assert "its name does not resolve" in measurement.reason or "did not answer within" in measurement.reason


@pytest.mark.parametrize(
    "busy",
    [
        pytest.param(http("too many", content_type="text/plain", status=503, headers=LATER), id="by a proxy"),
        pytest.param(http({"status": "error", "error": "slow down"}, status=429, headers=LATER), id="by itself"),
    ],
)
async def test_one_that_asks_for_patience_is_left_alone_F03(busy: bytes) -> None:
    async with serving(sending(busy)) as server, prometheus(server.url) as source:
        refused = await measured(source, promql())
        server.asked.clear()
        waiting = await measured(source, promql(), slot=SLOT + 15)
    assert refused.failure is Outcome.ERROR
    assert "has asked to be left alone for 1" in waiting.reason
    assert server.asked == []


async def test_no_query_is_tried_twice_F03() -> None:
    busy = http("no", status=503, headers={"Retry-After": "1"})
    async with serving(sending(busy)) as server, prometheus(server.url) as source:
        await measured(source, promql())
    assert len(server.queries) == 1


WHOLE = b'{"status":"success","data":{"resultType":"vector","result":[]}}'
REASONS: Mapping[str, tuple[bytes, str]] = {
    "truncated_F14": (http(vector("1"))[:-9], "broke"),
    "truncated_chunk_F14": (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{",
        "broke",
    ),
    "truncated_without_length_F14": (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + WHOLE[:-2],
        "answered broken JSON of 61 bytes",
    ),
    "html_200_F12": (
        http("<html>\n<b>Sign in</b>", content_type="text/html; charset=utf-8"),
        "answered HTTP 200 with text/html; charset=utf-8 instead of JSON: <html> <b>Sign in</b>",
    ),
    "html_sent_as_json_F12": (http("<html>Sign in"), "answered broken JSON of 13 bytes"),
    "redirect_F12": (
        http("", status=302, headers={"Location": "https://user:secret@login.example/sso?ticket=abc"}),
        "redirects (HTTP 302) to https://login.example/sso, and redirects are not followed",
    ),
    "redirect_without_a_place": (http("", status=301), "redirects (HTTP 301), and redirects are not followed"),
    "not_modified": (http("", status=304), "redirects (HTTP 304)"),
    "503_with_html": (
        http("<h1>no server is available</h1>", status=503, content_type="text/html"),
        "answered HTTP 503 with text/html instead of JSON: <h1>no server is available</h1>",
    ),
    "503_while_starting_F15": (
        http("Service Unavailable\n", status=503, content_type="text/plain"),
        "answered HTTP 503 with text/plain instead of JSON: Service Unavailable",
    ),
    "503_timeout_F03": (
        http(
            {"status": "error", "errorType": "timeout", "error": "query timed out in expression evaluation"}, status=503
        ),
        "did not answer the query (HTTP 503): timeout: query timed out in expression evaluation",
    ),
    "422_too_many_samples_F03": (
        http({"status": "error", "errorType": "execution", "error": "too many samples"}, status=422),
        "did not answer the query (HTTP 422): execution: too many samples",
    ),
    "200_with_status_error": (
        http({"status": "error", "errorType": "internal", "error": "boom", "data": {"result": []}}),
        "did not answer the query (HTTP 200): internal: boom",
    ),
    "401_F26": (http("who are you?", status=401, content_type="text/plain"), "refused the credentials (HTTP 401): who"),
    "403_F26": (http({"status": "error", "error": "no"}, status=403), "refused the credentials (HTTP 403): no"),
    "204": (http("", status=204, content_type=""), "answered HTTP 204 with no content type instead of JSON"),
    "empty_body": (http(""), "answered broken JSON of 0 bytes"),
    "invalid_utf8_F14": (http(b'{"status":"succ\xff"}'), "answered invalid UTF-8 at byte 15"),
    "utf16_F14": (http(WHOLE.decode().encode("utf-16")), "answered invalid UTF-8 at byte 0"),
    "duplicate_keys_F14": (
        http(b'{"status":"error","status":"success"}'),
        "answered JSON that names the key 'status' twice",
    ),
    "deep_json_F13": (http(b"[" * 400 + b"]" * 400), "answered JSON nested deeper than 32 levels"),
    "very_deep_json_F13": (http(b"[" * 20_000), "answered JSON nested deeper than 32 levels"),
    "bare_nan_F14": (http(b'{"status":NaN}'), "answered JSON with NaN, which is no JSON"),
    "huge_number_F14": (http(b'{"status":' + b"9" * 9000 + b"}"), "answered JSON with a number that cannot be read"),
    "list": (http("[]"), "answered JSON of another shape than Prometheus' API has"),
    "null": (http("null"), "answered JSON of another shape than Prometheus' API has"),
    "text": (http('"success"'), "answered JSON of another shape than Prometheus' API has"),
    "data_missing": (http({"status": "success"}), "answered JSON of another shape than Prometheus' API has"),
    "warnings_F10_V08": (
        http(vector("1", warnings=["No StoreAPIs matched", "store-1 is down"])),
        "answered with warnings, a part of the truth: No StoreAPIs matched; store-1 is down",
    ),
    "partial_F10_V08": (http(vector("1", isPartial=True)), "answered a partial result"),
    "several_series_F09": (
        http(vector("1", "2")),
        "answered 2 series where one is expected; aggregate with sum() or max(). They are {code=",
    ),
    "a_cached_answer_for_another_instant": (http(vector("1", at=SLOT - 60)), "answered for another instant (-60.000 s"),
    "clock_behind_F11": (
        # Long ago, because the table is made when the tests are collected.
        http(vector("1"), headers={"Date": formatdate(time.time() - 10_000_000, usegmt=True)}),
        "has a clock 100",
    ),
    "date_is_no_date_F11": (
        http(vector("1"), headers={"Date": "yesterday"}),
        "says that its time is 'yesterday', which is no date",
    ),
    "not_http": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "does not speak HTTP"),
    "terminal_escapes_F93": (
        http("\x1b[31mred\u202e", status=500, content_type="text/plain\x1b]0;t\x07"),
        "answered HTTP 500 with text/plain\\x1b]0;t\\x07 instead of JSON: \\x1b[31mred\\u202e",
    ),
}


@pytest.mark.parametrize("trap", REASONS)
async def test_trap(trap: str) -> None:
    content, begins = REASONS[trap]
    assert (await reason_of(sending(content, then_close=True))).startswith(begins)


@pytest.mark.parametrize(
    ("trap", "trouble"),
    [
        pytest.param("401_F26", Trouble.CREDENTIALS, id="F26 401"),
        pytest.param("403_F26", Trouble.CREDENTIALS, id="F26 403"),
        pytest.param("clock_behind_F11", Trouble.CLOCK, id="F11"),
        pytest.param("422_too_many_samples_F03", None, id="what passes by itself"),
    ],
)
async def test_what_does_not_pass_by_itself_is_marked(trap: str, trouble: Trouble | None) -> None:
    async with serving(sending(REASONS[trap][0])) as server, prometheus(server.url) as source:
        value = await measured(source, promql())
        samples = await measured(source, promql("vector(2)", min_samples={"expr": "vector(1)", "value": 1}))
        proof = await measured(source, promql("a"))
    assert {value.trouble, samples.trouble, proof.trouble} == {trouble}


@pytest.mark.parametrize(
    ("skew", "is_believed"),
    [
        pytest.param(25, True, id="25 s ahead"),
        pytest.param(-25, True, id="25 s behind"),
        pytest.param(35, False, id="35 s ahead"),
        pytest.param(-35, False, id="35 s behind"),
    ],
)
async def test_trap_clock_skew_F11(skew: float, is_believed: bool) -> None:  # noqa: FBT001 - a column of the table
    date = formatdate(time.time() + skew, usegmt=True)
    async with serving(sending(http(vector("1"), headers={"Date": date}))) as server, prometheus(server.url) as source:
        measurement = await measured(source, promql())
    assert (measurement.value == 1) is is_believed
    assert is_believed or "has a clock" in measurement.reason


async def test_an_answer_without_a_date_is_believed() -> None:
    async with serving(sending(http(vector("1")))) as server, prometheus(server.url) as source:
        assert (await measured(source, promql())).value == 1


async def test_trap_redirect_is_not_followed_and_forwards_no_secret_F12() -> None:
    async with serving(sending(FINE)) as other:
        moved = http("", status=302, headers={"Location": f"{other.url}/api/v1/query"})
        async with serving(sending(moved)) as server, prometheus(server.url, token="s3cr3t-token") as source:  # noqa: S106
            assert "redirects (HTTP 302)" in (await measured(source, promql())).reason
    assert server.queries[0].headers["authorization"] == "Bearer s3cr3t-token"
    assert other.asked == []


async def test_trap_endless_body_F13() -> None:
    async def behave(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(http("", headers={"Content-Length": str(2 << 30)}))
        while True:
            writer.write(b" " * 65_536)
            await writer.drain()

    async with serving(behave) as server, prometheus(server.url) as source:
        measurement = await measured(source, promql())
        assert "answered more than 1 MiB" in measurement.reason
        await eventually(lambda: not server.connections, "the connection is closed")


BOMB = gzip.compress(b" " * (256 * MIB), compresslevel=9)


async def test_trap_gzip_bomb_F13() -> None:
    bomb = http(BOMB, headers={"Content-Encoding": "gzip"})
    async with serving(sending(bomb)) as server, prometheus(server.url) as source:
        await measured(source, promql())  # what is allocated once
        tracemalloc.start()
        try:
            measurement = await measured(source, promql())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert "answered more than 1 MiB" in measurement.reason
    assert peak < 8 * MIB


async def test_trap_json_that_grows_when_it_is_parsed_F13() -> None:
    body = b"[" + b"[]," * 340_000 + b"[]]"
    async with serving(sending(http(body))) as server, prometheus(server.url) as source:
        tracemalloc.start()
        try:
            measurement = await measured(source, promql())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert "answered JSON of more than 30000 parts" in measurement.reason
    assert peak < 8 * MIB


def test_trap_netrc_and_proxies_of_the_environment(tmp_path: Path) -> None:
    program = """
import asyncio
from tests.sources.asking import measured, prometheus, promql, vector
from tests.sources.raw_server import http, sending, serving

async def main():
    async with serving(sending(http(vector("1")))) as server, prometheus(server.url, token="of-the-settings") as source:
        print((await measured(source, promql())).value, server.queries[0].headers["authorization"])

asyncio.run(main())
"""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    nowhere = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "NO_PROXY": "", "no_proxy": ""}
    environment = {**os.environ, **nowhere, "HOME": str(tmp_path), "NETRC": str(tmp_path / ".netrc")}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True, env=environment
    )
    assert done.stdout == "1.0 Bearer of-the-settings\n"


async def test_a_rotated_token_is_sent_with_the_next_query_F26(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first-token\n")
    async with serving(sending(FINE)) as server, prometheus(server.url, token_file=file) as source:
        await measured(source, promql())
        file.write_text("second-token\n")
        await measured(source, promql())
    assert [asked.headers["authorization"] for asked in server.queries] == ["Bearer first-token", "Bearer second-token"]


async def test_basic_authentication(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("grün")
    async with serving(sending(FINE)) as server, prometheus(server.url, username="bank", password_file=file) as source:
        await measured(source, promql())
    assert server.queries[0].headers["authorization"] == "Basic YmFuazpncsO8bg=="


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(None, "its token_file: No such file or directory", id="the file is missing"),
        pytest.param(b"\n", "its token is empty", id="the file is empty"),
        pytest.param(b"\xff\xfe\x00", "its token_file is not a text", id="the file is no text"),
        pytest.param(b"one\ntwo", "the credentials cannot be sent", id="the token has a line break"),
    ],
)
async def test_unusable_credentials_are_an_error_F26(tmp_path: Path, content: bytes | None, says: str) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    async with serving(sending(FINE)) as server, prometheus(server.url, token_file=file) as source:
        measurement = await measured(source, promql())
    assert measurement.failure is Outcome.ERROR
    assert "credentials" in measurement.reason
    assert says in measurement.reason
    assert "two" not in measurement.reason
    assert server.queries == []


async def test_a_secret_that_the_server_echoes_is_not_shown() -> None:
    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        echo = f"{asked.headers['authorization']} {asked.headers['x-key']}"
        writer.write(http(echo, status=500, content_type="text/plain"))

    settings = {"username": "bank", "password": "hunter2hunter2", "headers": {"X-Key": "key-of-the-bank"}}
    reason = await reason_of(behave, **settings)
    assert reason.endswith("instead of JSON: Basic *** ***")


async def test_the_number_of_samples_is_asked_at_the_same_time() -> None:
    both_are_here = asyncio.Event()

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if len(server.queries) == 2:
            both_are_here.set()
        await both_are_here.wait()
        writer.write(http(vector("640" if asked.parameters["query"] == "vector(3)" else "0.25")))

    async with serving(behave) as server, prometheus(server.url) as source:
        rule = promql("vector(2)", min_samples={"expr": "vector(3)", "value": 200})
        assert await measured(source, rule) == Measurement(value=0.25, samples=640.0)
    assert {asked.parameters["time"] for asked in server.queries} == {f"{SLOT:.3f}"}


async def test_an_error_of_the_number_of_samples_is_an_error_of_the_rule() -> None:
    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(http(vector("1")) if asked.parameters["query"] == "vector(2)" else http("[]"))

    async with serving(behave) as server, prometheus(server.url) as source:
        measurement = await measured(source, promql("vector(2)", min_samples={"expr": "vector(3)", "value": 200}))
    assert measurement.reason.startswith(f"min_samples: Prometheus at {server.url} answered JSON of another shape")


async def test_a_rule_of_another_source_is_an_error() -> None:
    async with prometheus("http://127.0.0.1:9") as source:
        assert await measured(source, lucene()) == Measurement.error("rule Test asks nothing of Prometheus")


async def test_a_gap_is_where_the_restart_was_however_late_samples_are_asked_for_F15() -> None:
    started: str | None = "2023-11-14T22:00:00Z"

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if started is None:
            writer.write(http({"status": "error", "error": "replaying"}, status=503))
        elif asked.path.endswith("/runtimeinfo"):
            writer.write(http({"status": "success", "data": {"startTime": started}}))
        else:
            at = float(asked.parameters["time"])
            writer.write(http(vector(str(at), at=at)))

    async with serving(behave) as server, prometheus(server.url, query_offset=45) as source:
        rule = promql("sum(rate(requests[2m]))")
        before = await measured(source, rule, slot=SLOT)
        started = None
        down = await measured(source, rule, slot=SLOT + 15)
        started = "2023-11-14T22:13:40Z"
        old, in_gap, last_held, first_free = [
            await measured(source, rule, slot=SLOT + seconds) for seconds in (30, 60, 30 + 45 + 119, 30 + 45 + 120)
        ]
    assert (before.failure, down.failure) == (None, Outcome.ERROR)
    assert old.failure is None, "of 15 seconds before it was seen for the last time"
    assert {in_gap.failure, last_held.failure} == {Outcome.INSUFFICIENT}
    assert first_free.failure is None
