"""Identical questions of one moment are asked once, and whoever gives up does so alone."""

from __future__ import annotations

import asyncio

from tests.sources.asking import SLOT, measured, prometheus, promql, vector
from tests.sources.raw_server import Asked, hanging, http, sending, serving
from tests.stack.wait import eventually
from watchdog.core.model import Outcome


async def test_rules_that_ask_the_same_in_a_slot_ask_once() -> None:
    fresh = http(vector(f"{SLOT - 5}"))  # the answer to every query: the value, and when its newest sample was taken
    rules = [
        promql(expr, min_samples={"expr": "sum(increase(a[2m]))", "value": 1})
        for expr in ("sum(rate(a[2m]))", "sum(rate(a[2m]))", 'sum(rate(a{code="500"}[2m]))')
    ]
    async with serving(sending(fresh)) as server, prometheus(server.url) as source:
        answers = await asyncio.gather(*(measured(source, rule) for rule in rules))
    assert {answer.value for answer in answers} == {SLOT - 5}
    assert sorted(asked.parameters["query"] for asked in server.queries) == [
        'max(timestamp({__name__="a"}))',
        "sum(increase(a[2m]))",
        "sum(rate(a[2m]))",
        'sum(rate(a{code="500"}[2m]))',
    ]


async def test_another_slot_is_another_question() -> None:
    async with serving(sending(http(vector("1")))) as server, prometheus(server.url) as source:
        await asyncio.gather(measured(source, promql()), measured(source, promql(), slot=SLOT + 1))
    assert sorted(asked.parameters["time"] for asked in server.queries) == [f"{SLOT:.3f}", f"{SLOT + 1:.3f}"]


async def test_one_that_gives_up_takes_the_answer_from_nobody_and_the_last_one_ends_the_question() -> None:
    async with serving(hanging) as server, prometheus(server.url, deadline=30) as source:
        first, second = (asyncio.create_task(measured(source, promql())) for _ in range(2))
        await eventually(lambda: server.queries, "the query has arrived")
        first.cancel()
        await asyncio.wait([first])
        assert server.connections
        assert not second.done()
        second.cancel()
        await asyncio.wait([second])
        await eventually(lambda: not server.connections, "the connections are cut")


async def test_what_has_failed_is_asked_anew() -> None:
    async with serving(sending(http("{}"))) as server, prometheus(server.url) as source:
        for _ in range(2):
            assert (await measured(source, promql())).failure is Outcome.ERROR
    assert len(server.queries) == 2


async def test_how_new_the_samples_are_is_asked_again_when_it_is_not_known_any_more_F07() -> None:
    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        at = float(asked.parameters.get("time", SLOT))
        writer.write(http(vector(f"{at - 20}" if "timestamp" in asked.parameters.get("query", "") else "0.25", at=at)))

    slots = [SLOT + 15 * number for number in range(16)]
    async with serving(behave) as server, prometheus(server.url) as source:
        for slot in slots:
            assert (await measured(source, promql("sum(rate(a[2m]))"), slot=slot)).value == 0.25
        proofs = [
            float(asked.parameters["time"]) for asked in server.queries if "timestamp" in asked.parameters["query"]
        ]
        assert proofs == [slots[0], slots[7], slots[14]]  # the sample of 20 s ago is then 125 s old, 120 s are allowed
        server.asked.clear()
        await measured(source, promql("sum(rate(a[2m]))"), slot=slots[0])
        assert len(server.queries) == 2, "a sample of later says nothing of an earlier slot"


async def test_samples_that_are_too_old_are_asked_for_in_every_slot_F07() -> None:
    old = http(vector(f"{SLOT - 500}"))
    async with serving(sending(old)) as server, prometheus(server.url) as source:
        for _ in range(3):
            assert (await measured(source, promql("a"))).failure is Outcome.NODATA
    assert len(server.queries) == 6
