"""The source for Elasticsearch against servers that misbehave: whatever they do is a measurement, in time."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
import tracemalloc
from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path

import pytest

from tests.sources.asking import PRODUCT, elasticsearch, found, lucene, measured, promql
from tests.sources.raw_server import Asked, Behavior, dripping, hanging, http, resetting, sending, serving
from tests.stack.wait import PATIENCE, eventually
from watchdog.core.model import Measurement, Outcome, Trouble
from watchdog.sources.elasticsearch import CONNECTIONS

QUICK = 0.4  # a deadline for those that wait for it
TOO_LATE = "did not answer within "  # 95 % of the deadline as the client counts, all of it as we do
MIB = 1 << 20
FINE = http(found(matches=3), headers=PRODUCT)


async def reason_of(behave: Behavior, **settings: object) -> str:
    async with serving(behave) as server, elasticsearch(server.url, **settings) as source:
        measurement = await measured(source, lucene())
    assert measurement.failure is Outcome.ERROR
    assert measurement.value is None
    assert measurement.reason.startswith(f"Elasticsearch at {server.url} ")
    assert measurement.reason.isprintable()
    return measurement.reason.removeprefix(f"Elasticsearch at {server.url} ")


async def test_a_good_answer_is_a_value() -> None:
    async with serving(sending(FINE)) as server, elasticsearch(server.url) as source:
        assert await measured(source, lucene()) == Measurement(value=3.0)


async def test_the_search_asks_for_the_whole_truth_F19_F22_F23() -> None:
    async with serving(sending(FINE)) as server, elasticsearch(f"{server.url}/logs") as source:
        await measured(source, lucene(index="logs-{{color}}-*"))
    (asked,) = server.queries  # one request, and none before it to find out who is there
    assert (asked.method, asked.path) == ("POST", "/logs/logs-green-*/_search")
    assert asked.parameters == {
        "allow_no_indices": "false",
        "allow_partial_search_results": "false",
        "ignore_unavailable": "false",
    }
    assert asked.json["track_total_hits"] is True
    assert asked.json["size"] == 0
    assert asked.json["timeout"] == "4500ms"
    assert "accept-encoding" not in asked.headers


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX-Drip: ", b"a", id="inside a header"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b" ", id="inside a body of known length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", id="inside a chunked body"
        ),
    ],
)
async def test_trap_drip(start: bytes, drop: bytes) -> None:
    async with serving(dripping(start, drop)) as server, elasticsearch(server.url, deadline=QUICK) as source:
        assert TOO_LATE in (await measured(source, lucene())).reason
        await eventually(lambda: not server.connections, "the connection is closed")


async def test_trap_hang() -> None:
    assert (await reason_of(hanging, deadline=QUICK)).startswith(TOO_LATE)


async def test_trap_hang_of_more_searches_than_there_are_connections() -> None:
    rules = [lucene(f"level:{number}") for number in range(30)]
    async with serving(hanging) as server, elasticsearch(server.url, deadline=2) as source:
        together = await asyncio.gather(*(measured(source, rule) for rule in rules))
        assert [asked.path for asked in server.asked] == ["/_msearch"]
        assert all(TOO_LATE in answer.reason for answer in together)
        server.asked.clear()
        answers = await asyncio.gather(*(measured(source, rule) for rule in rules))  # now apart
    reasons = [answer.reason.removeprefix(f"Elasticsearch at {server.url} ") for answer in answers]
    asked = len(server.queries)
    assert CONNECTIONS <= asked < len(rules)
    assert sum(reason.startswith(TOO_LATE) for reason in reasons) == asked
    never = "was not asked within 2 s: all 8 connections wait for earlier searches"
    assert reasons.count(never) == len(rules) - asked


async def test_a_look_at_the_fields_costs_no_measurement_however_late_that_came() -> None:
    deadline = 4.0

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.path.endswith("/_field_caps"):
            await hanging(asked, writer)
        await asyncio.sleep(0.85 * deadline)
        writer.write(FINE)

    async with serving(behave) as server, elasticsearch(server.url, deadline=deadline) as source:
        assert (await measured(source, lucene())).value == 3
    assert [asked.path for asked in server.asked] == ["/logs-test/_search", "/logs-test/_field_caps"]


async def test_a_hanging_node_is_not_asked_again_while_another_one_answers() -> None:
    async with (
        serving(hanging) as frozen,
        serving(sending(FINE)) as well,
        elasticsearch(frozen.url, well.url, deadline=5) as source,
    ):
        values = [(await measured(source, lucene())).value for _ in range(6)]
    assert len(frozen.asked) <= 1
    assert values.count(3.0) >= 5


async def test_trap_reset() -> None:
    assert await reason_of(resetting) == "broke the connection off"


async def test_trap_refused_F18() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        async with elasticsearch(url) as source:
            measurement = await measured(source, lucene())
    assert measurement == Measurement.error(f"Elasticsearch at {url} refuses the connection")


async def test_no_search_is_tried_twice_F21() -> None:
    busy = {"error": {"type": "es_rejected_execution_exception", "reason": "rejected"}}
    answer = http(busy, status=429, headers={**PRODUCT, "Retry-After": "1"})
    async with serving(sending(answer)) as server, elasticsearch(server.url) as source:
        measurement = await measured(source, lucene())
    assert measurement.reason.endswith("did not answer the query (HTTP 429): es_rejected_execution_exception: rejected")
    assert len(server.queries) == 1


SHAPE = "answered JSON of another shape than a search has"
REASONS: Mapping[str, tuple[bytes, str]] = {
    "truncated_F14": (http(found(matches=3), headers=PRODUCT)[:-9], "broke its answer off in the middle"),
    "truncated_chunk_F14": (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{",
        "broke its answer off in the middle",
    ),
    "html_200_with_the_product_header_F12": (
        http("<html>Sign in", content_type="text/html", headers=PRODUCT),
        "answered HTTP 200 with text/html instead of JSON: <html>Sign in",
    ),
    "text_200": (
        http("fine", content_type="text/plain", headers=PRODUCT),
        "answered HTTP 200 with text/plain instead of JSON: fine",
    ),
    "redirect_F12": (
        http("", status=302, headers={"Location": "https://login.example/?ticket=1"}),
        "redirects (HTTP 302) to https://login.example/, and redirects are not followed",
    ),
    "503_with_html_F18": (
        http("<h1>no server</h1>", status=503, content_type="text/html"),
        "answered HTTP 503 with text/html instead of JSON: <h1>no server</h1>",
    ),
    "503_with_json_F18": (
        http({"error": {"type": "no_shard_available_action_exception", "reason": "no shard"}}, status=503),
        "did not answer the query (HTTP 503): no_shard_available_action_exception: no shard",
    ),
    "401_F26": (http("", status=401, content_type=""), "refused the credentials (HTTP 401)"),
    "403_F26": (
        http({"error": {"type": "security_exception", "reason": "not authorized"}}, status=403),
        "refused the credentials (HTTP 403): security_exception: not authorized",
    ),
    "another_product": (http(found(matches=3)), "is not Elasticsearch: its answer lacks the header X-Elastic-Product"),
    "empty_body": (http("", headers=PRODUCT), "answered broken JSON of 0 bytes"),
    "null": (http("null", headers=PRODUCT), SHAPE),
    "list": (http("[1, 2]", headers=PRODUCT), SHAPE),
    "text_in_json": (http('"fine"', headers=PRODUCT), SHAPE),
    "empty_list": (http("[]", headers=PRODUCT), SHAPE),
    "invalid_utf8_F14": (http(b'{"took":"\xff"}', headers=PRODUCT), "answered invalid UTF-8 at byte 9"),
    "duplicate_keys_F14": (
        http(b'{"timed_out":true,"timed_out":false}', headers=PRODUCT),
        "answered JSON that names the key 'timed_out' twice",
    ),
    "deep_json_F13": (http(b"[" * 20_000, headers=PRODUCT), "answered JSON nested deeper than 32 levels"),
    "deep_json_in_an_error_F13": (http(b"[" * 20_000, status=500), "answered JSON nested deeper than 32 levels"),
    "timed_out_F19_V08": (
        http(found(matches=3, timed_out=True), headers=PRODUCT),
        "ran out of time and answered a part of the truth (timed_out)",
    ),
    "wrong_date_F11": (http(found(matches=3), headers={**PRODUCT, "Date": "soon"}), "says that its time is 'soon'"),
    "gzip_unasked_for_F13": (
        http(gzip.compress(b"{}"), headers={**PRODUCT, "Content-Encoding": "gzip"}),
        "answered in gzip, which it was not asked for",
    ),
    "not_http": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "does not speak HTTP"),
    "header_too_long": (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", "does not speak HTTP"),
    "terminal_escapes_F93": (
        http({"error": {"type": "x", "reason": "\x1b[31mred\u202e"}}, status=400),
        "did not answer the query (HTTP 400): x: \\x1b[31mred\\u202e",
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
        pytest.param("503_with_json_F18", None, id="what passes by itself"),
    ],
)
async def test_what_does_not_pass_by_itself_is_marked(trap: str, trouble: Trouble | None) -> None:
    async with serving(sending(REASONS[trap][0])) as server, elasticsearch(server.url) as source:
        assert (await measured(source, lucene())).trouble is trouble


async def test_trap_clock_skew_F11() -> None:
    date = formatdate(time.time() - 90, usegmt=True)
    reason = await reason_of(sending(http(found(matches=3), headers={**PRODUCT, "Date": date})))
    assert "behind ours" in reason


async def test_an_answer_without_a_date_is_believed() -> None:
    async with serving(sending(http(found(matches=3), headers=PRODUCT))) as server, elasticsearch(server.url) as source:
        assert (await measured(source, lucene())).value == 3


async def test_a_deprecation_is_no_reason_to_lose_a_measurement() -> None:
    warning = {**PRODUCT, "Warning": '299 Elasticsearch-8.19.3 "this field is deprecated"'}
    async with serving(sending(http(found(matches=3), headers=warning))) as server, elasticsearch(server.url) as source:
        assert (await measured(source, lucene())).value == 3


async def test_trap_redirect_is_not_followed_and_forwards_no_secret_F12() -> None:
    async with serving(sending(FINE)) as other:
        moved = http("", status=307, headers={"Location": f"{other.url}/_search"})
        async with serving(sending(moved)) as server, elasticsearch(server.url, token="c2VjcmV0") as source:  # noqa: S106
            assert "redirects (HTTP 307)" in (await measured(source, lucene())).reason
    assert server.queries[0].headers["authorization"] == "ApiKey c2VjcmV0"
    assert other.asked == []


async def test_trap_endless_body_F13() -> None:
    async def behave(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(http("", headers={**PRODUCT, "Content-Length": str(2 << 30)}))
        while True:
            writer.write(b" " * 65_536)
            await writer.drain()

    async with serving(behave) as server, elasticsearch(server.url) as source:
        assert "answered more than 1 MiB" in (await measured(source, lucene())).reason
        await eventually(lambda: not server.connections, "the connection is closed")


BOMB = gzip.compress(b" " * (256 * MIB), compresslevel=9)


async def test_trap_gzip_bomb_F13() -> None:
    bomb = http(BOMB, headers={**PRODUCT, "Content-Encoding": "gzip"})
    async with serving(sending(bomb)) as server, elasticsearch(server.url) as source:
        await measured(source, lucene())  # what is allocated once
        tracemalloc.start()
        try:
            measurement = await measured(source, lucene())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert measurement.reason.endswith("answered in gzip, which it was not asked for")
    assert peak < 8 * MIB


async def test_a_rotated_api_key_is_sent_with_the_next_search_F26(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("Zmlyc3Q=\n")
    async with serving(sending(FINE)) as server, elasticsearch(server.url, token_file=file) as source:
        await measured(source, lucene())
        file.write_text("c2Vjb25k\n")
        await measured(source, lucene())
        file.unlink()
        unreadable = await measured(source, lucene())
    assert [asked.headers["authorization"] for asked in server.queries] == ["ApiKey Zmlyc3Q=", "ApiKey c2Vjb25k"]
    assert unreadable.reason.endswith("the credentials cannot be read (its token_file: No such file or directory)")


async def test_a_rotated_password_is_sent_with_the_next_search_F26(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    async with (
        serving(sending(FINE)) as server,
        elasticsearch(server.url, username="bank", password_file=file) as source,
    ):
        await measured(source, lucene())
        file.write_text("second\n")
        await measured(source, lucene())
    sent = [asked.headers["authorization"] for asked in server.asked if "_search" in asked.path]
    assert sent == ["Basic YmFuazpmaXJzdA==", "Basic YmFuazpzZWNvbmQ="]


async def test_a_secret_that_the_server_echoes_is_not_shown() -> None:
    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(http({"error": f"{asked.headers['authorization']} {asked.headers['x-key']}"}, status=400))

    settings = {"username": "bank", "password": "hunter2hunter2", "headers": {"X-Key": "key-of-the-bank"}}
    assert (await reason_of(behave, **settings)).endswith("(HTTP 400): Basic *** ***")


async def test_a_secret_that_a_shard_echoes_is_not_shown() -> None:
    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        failures = [{"reason": {"type": "refused", "reason": asked.headers["authorization"]}}]
        shards = {"total": 2, "successful": 1, "skipped": 0, "failed": 1, "failures": failures}
        writer.write(http(found(matches=3, _shards=shards), headers=PRODUCT))

    settings = {"username": "bank", "password": "hunter2hunter2"}
    assert await reason_of(behave, **settings) == "answered from 1 of 2 shards: refused: Basic ***"


async def test_a_closed_source_measures_nothing() -> None:
    async with serving(sending(FINE)) as server, elasticsearch(server.url) as source:
        await measured(source, lucene())
        await source.close()
        assert (await measured(source, lucene())).reason.endswith("the source was closed")


async def test_closing_during_a_search_is_an_error() -> None:
    async with serving(hanging) as server, elasticsearch(server.url, deadline=30) as source:
        task = asyncio.create_task(measured(source, lucene()))
        await eventually(lambda: server.queries, "the search has arrived")
        await source.close()
        async with asyncio.timeout(PATIENCE):
            assert (await task).failure is Outcome.ERROR


async def test_a_rule_of_another_source_is_an_error() -> None:
    async with elasticsearch("http://127.0.0.1:9") as source:
        assert await measured(source, promql()) == Measurement.error("rule Test has no Elasticsearch query")
