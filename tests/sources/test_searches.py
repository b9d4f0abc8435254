"""The log rules of one moment go in one request; who asks for patience gets it; several hosts are one cluster."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.sources.asking import PRODUCT, SLOT, elasticsearch, found, lucene, measured
from tests.sources.raw_server import Asked, Behavior, http, sending, serving
from tests.stack.wait import eventually
from watchdog.core.model import Outcome, Trouble
from watchdog.sources.patience import LONGEST_WAIT, Patience, asked_to_wait
from watchdog.sources.searches import MOST_AT_ONCE

FIELDS = http({"indices": ["logs"], "fields": {"@timestamp": {"date": {}}, "level": {"keyword": {}}}}, headers=PRODUCT)
STRICT = {"allow_partial_search_results": False, "ignore_unavailable": False, "allow_no_indices": False}
DENIED = {"error": {"type": "security_exception", "reason": "not for you"}, "status": 403}
BUSY = http({"error": {"type": "x", "reason": "busy"}}, status=429, headers=PRODUCT | {"Retry-After": "120"})


def answering(answer: Callable[[str], dict[str, Any]]) -> Behavior:
    """A node that answers each search by its index."""

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.path.endswith("/_field_caps"):
            writer.write(FIELDS)
        elif asked.path == "/_msearch":
            headers = [json.loads(line) for line in asked.body.splitlines()[::2]]
            writer.write(http({"took": 1, "responses": [answer(each["index"]) for each in headers]}, headers=PRODUCT))
        else:
            writer.write(http(answer(asked.path.split("/")[1]), headers=PRODUCT))

    return behave


async def test_the_searches_of_one_moment_are_one_request_with_every_strict_option() -> None:
    rules = [lucene("level:a", index="one"), lucene("level:b", index="two"), lucene("level:a", index="one")]
    async with (
        serving(answering(lambda index: found(matches=len(index)))) as server,
        elasticsearch(server.url) as source,
    ):
        answers = await asyncio.gather(*(measured(source, rule) for rule in rules))
    assert [answer.value for answer in answers] == [3, 3, 3]
    (asked,) = server.queries
    assert asked.path == "/_msearch"
    headers = [json.loads(line) for line in asked.body.splitlines()[::2]]
    assert headers == [{"index": "one", **STRICT}, {"index": "two", **STRICT}]


async def test_a_search_that_is_alone_is_an_ordinary_one_with_every_strict_option() -> None:
    async with serving(answering(lambda _: found(matches=3))) as server, elasticsearch(server.url) as source:
        assert (await measured(source, lucene())).value == 3
    (asked,) = server.queries
    assert (asked.method, asked.path) == ("POST", "/logs-test/_search")
    assert asked.parameters == dict.fromkeys(STRICT, "false")


async def test_one_that_fails_fails_alone_and_with_its_own_trouble() -> None:
    def answer(index: str) -> dict[str, Any]:
        return DENIED if index == "secret" else found(matches=3, timed_out=index == "slow")

    rules = [lucene(index=index) for index in ("well", "secret", "slow")]
    async with serving(answering(answer)) as server, elasticsearch(server.url) as source:
        well, secret, slow = await asyncio.gather(*(measured(source, rule) for rule in rules))
    assert well.value == 3
    assert (secret.failure, secret.trouble) == (Outcome.ERROR, Trouble.CREDENTIALS)
    assert secret.reason.endswith("refused the credentials (HTTP 403): security_exception: not for you")
    assert slow.reason.endswith("ran out of time and answered a part of the truth (timed_out)")


@pytest.mark.parametrize(
    "responses",
    [
        pytest.param({"responses": []}, id="too few"),
        pytest.param({"took": 1}, id="none"),
        pytest.param({"responses": {"0": {}}}, id="no list"),
    ],
)
async def test_answers_that_are_not_one_for_each_are_none(responses: dict[str, Any]) -> None:
    rules = [lucene("level:a"), lucene("level:b")]
    async with serving(sending(http(responses, headers=PRODUCT))) as server, elasticsearch(server.url) as source:
        answers = await asyncio.gather(*(measured(source, rule) for rule in rules))
    assert {answer.failure for answer in answers} == {Outcome.ERROR}
    assert all("of another shape than several searches have" in answer.reason for answer in answers)


async def test_very_many_are_several_requests() -> None:
    rules = [lucene(f"level:{number}") for number in range(MOST_AT_ONCE + 1)]
    async with serving(answering(lambda _: found(matches=3))) as server, elasticsearch(server.url) as source:
        answers = await asyncio.gather(*(measured(source, rule) for rule in rules))
    assert {answer.value for answer in answers} == {3}
    assert sorted(asked.path for asked in server.queries) == ["/_msearch", "/logs-test/_search"]


async def test_one_that_does_not_end_costs_the_others_one_slot() -> None:
    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if b"endless" in asked.body:
            await asked.reader.read()
        await answering(lambda _: found(matches=3))(asked, writer)

    rules = [lucene("level:a"), lucene("level:endless")]
    async with serving(behave) as server, elasticsearch(server.url, deadline=1) as source:
        together = await asyncio.gather(*(measured(source, rule) for rule in rules))
        apart = await asyncio.gather(*(measured(source, rule, slot=SLOT + 15) for rule in rules))
    assert {answer.failure for answer in together} == {Outcome.ERROR}
    assert [answer.value for answer in apart] == [3, None]


async def test_who_gives_up_takes_the_answer_from_nobody() -> None:
    release = asyncio.Event()

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        await answering(lambda _: found(matches=3))(asked, writer)

    async with serving(behave) as server, elasticsearch(server.url) as source:
        first, second = (asyncio.create_task(measured(source, lucene())) for _ in range(2))
        await eventually(lambda: server.queries, "the search has arrived")
        first.cancel()
        await asyncio.wait([first])
        release.set()
        assert (await second).value == 3
    assert len(server.queries) == 1


async def test_F21_a_server_that_asks_for_patience_is_left_alone() -> None:
    async with serving(sending(BUSY)) as server, elasticsearch(server.url) as source:
        refused = await measured(source, lucene())
        for later in (15, 30):
            waiting = await measured(source, lucene(), slot=SLOT + later)
            assert waiting.failure is Outcome.ERROR
            assert "has asked to be left alone for 1" in waiting.reason
    assert refused.reason.endswith("did not answer the query (HTTP 429): x: busy")
    assert len(server.asked) == 1


async def test_F21_also_when_a_proxy_asks_for_it() -> None:
    busy = http("<h1>busy", status=503, content_type="text/html", headers={"Retry-After": "120"})
    async with serving(sending(busy)) as server, elasticsearch(server.url) as source:
        await measured(source, lucene())
        assert "has asked to be left alone" in (await measured(source, lucene())).reason
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        pytest.param(429, "7", 7, id="F21 seconds"),
        pytest.param(503, "Tue, 14 Nov 2023 22:14:20 GMT", 60, id="F21 a date"),
        pytest.param(429, "Tue, 14 Nov 2023 22:12:20 GMT", 0, id="a date that has been"),
        pytest.param(429, "86400", LONGEST_WAIT, id="a day is not obeyed"),
        pytest.param(429, "9" * 5000, LONGEST_WAIT, id="neither is eternity"),
        pytest.param(429, "", 0, id="no request"),
        pytest.param(429, "soon", 0, id="no time"),
        pytest.param(429, "-5", 0, id="a negative time"),
        pytest.param(500, "7", 0, id="another status"),
    ],
)
def test_how_long_an_answer_asks_to_wait(status: int, header: str, seconds: float) -> None:
    assert asked_to_wait(status, header, now=SLOT) == seconds


def test_patience_ends() -> None:
    now = [100.0]
    patience = Patience(clock=lambda: now[0])
    assert patience.left() == 0
    patience.note(30)
    patience.note(10)
    now[0] += 20
    assert patience.left() == 10
    now[0] += 10
    assert patience.left() == 0


async def test_a_host_that_is_down_costs_nothing_when_another_one_is_up_F18() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        down = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        async with serving(answering(lambda _: found(matches=3))) as up:
            for order in ((down, up.url), (up.url, down)):
                async with elasticsearch(*order) as source:
                    assert [(await measured(source, lucene())).value for _ in range(4)] == [3] * 4


async def test_no_other_endpoint_is_ever_asked() -> None:
    rules = [lucene("level:a", ratio_of="*"), lucene("level:b")]
    async with serving(answering(lambda _: found(matches=3))) as server, elasticsearch(server.url) as source:
        await asyncio.gather(*(measured(source, rule) for rule in rules))
        await measured(source, rules[0])
    assert {asked.path for asked in server.asked} == {"/_msearch", "/logs-test/_field_caps", "/logs-test/_search"}
    assert len(server.asked) == 4  # the fields of each rule are known the second time
