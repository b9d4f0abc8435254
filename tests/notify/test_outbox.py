"""The outbox: takes alerts at once, sends each once to every sink, and tells of what it lost."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from pydantic import SecretStr
from structlog.testing import capture_logs

from tests.notify.alerts import switched
from tests.notify.receiver import SECRET_PATH, Receiver, Reply, listening
from tests.stack.wait import eventually
from watchdog.notify.delivery import Address
from watchdog.notify.outbox import Outbox, Pace, Sink
from watchdog.notify.sinks import sinks_of
from watchdog.notify.slack import SlackSink
from watchdog.notify.webhook import WebhookSink
from watchdog.settings import Settings

QUICK = Pace(attempts=4, first_wait=0.01, longest_wait=0.02, rest=0.02, last_rest=0.02, most_a_minute=100)
FOREVER = 3600.0


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening(Receiver()) as each:
        yield each


@pytest.fixture
async def other() -> AsyncIterator[Receiver]:
    async with listening(Receiver()) as each:
        yield each


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def results() -> list[tuple[str, str]]:
    return []


LATE, DELIVERED = ("webhook", "late"), ("webhook", "delivered")


def webhook(receiver: Receiver, name: str = "webhook") -> Sink:
    return WebhookSink(Address(inline=SecretStr(receiver.url)), name)


@asynccontextmanager
async def running(
    *sinks: Sink, pace: Pace = QUICK, results: list[tuple[str, str]] | None = None
) -> AsyncIterator[Outbox]:
    """An outbox at work; left in a hurry when the test did not close it."""
    outbox = Outbox(sinks, pace=pace, on_result=None if results is None else lambda *told: results.append(told))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(outbox.run())
        await asyncio.sleep(0)
        try:
            yield outbox
        finally:
            await outbox.close(0)


async def test_an_alert_reaches_every_sink(receiver: Receiver, other: Receiver, results: list[tuple[str, str]]) -> None:
    slack = SlackSink(Address(inline=SecretStr(other.url)))
    async with running(webhook(receiver), slack, results=results) as outbox:
        outbox.post(switched())
        await eventually(lambda: len(results) == 2, "both have it")
    assert receiver.keys == ["t-1/switched"]
    assert other.received[0].document["blocks"][0]["type"] == "header"
    assert sorted(results) == [("slack", "delivered"), ("webhook", "delivered")]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
async def test_a_sink_that_recovers_gets_the_alert(
    receiver: Receiver, results: list[tuple[str, str]], status: int
) -> None:
    receiver.replies = [Reply(status), Reply(status)]
    with capture_logs() as logs:
        async with running(webhook(receiver), results=results) as outbox:
            outbox.post(switched())
            await eventually(lambda: results, "it is delivered")
    assert results == [("webhook", "delivered")]
    assert len(receiver.received) == 3
    assert [line["event"] for line in logs] == ["alert delivered"]


async def test_retry_after_is_obeyed(receiver: Receiver, results: list[tuple[str, str]]) -> None:
    receiver.replies = [Reply(429, headers={"Retry-After": "1"})]
    async with running(webhook(receiver), results=results) as outbox:
        outbox.post(switched())
        await eventually(lambda: results, "it is delivered")
    first, second = receiver.received
    assert second.at - first.at >= 1


async def test_retry_after_is_obeyed_between_rounds_too(receiver: Receiver, results: list[tuple[str, str]]) -> None:
    receiver.replies = [Reply(503, headers={"Retry-After": "1"})]
    async with running(webhook(receiver), results=results, pace=replace(QUICK, attempts=1)) as outbox:
        outbox.post(switched())
        await eventually(lambda: DELIVERED in results, "it is delivered")
    first, second = receiver.received
    assert second.at - first.at >= 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 302])
async def test_a_refusal_is_told_once_and_not_retried(
    receiver: Receiver, results: list[tuple[str, str]], status: int
) -> None:
    receiver.replies = [Reply(status)]
    with capture_logs() as logs:
        async with running(webhook(receiver), results=results) as outbox:
            outbox.post(switched("refused"))
            outbox.post(switched("next"))
            await eventually(lambda: len(results) == 2, "the next one is delivered")
    assert receiver.keys == ["refused", "next"]
    assert results == [("webhook", "refused"), ("webhook", "delivered")]
    (warning,) = [line for line in logs if line["log_level"] == "warning"]
    assert warning["sink"] == "webhook"
    assert warning["alert"] == "refused"
    assert str(status) in warning["reason"]


async def test_F73_a_sink_that_comes_up_later_gets_the_alert(results: list[tuple[str, str]]) -> None:
    late = Receiver()
    with capture_logs() as logs:
        async with running(webhook(late), results=results) as outbox:
            outbox.post(switched())
            await eventually(lambda: any(line["event"] == "alert late" for line in logs), "a round failed")
            assert results == [LATE], "it is counted long before it is lost"
            async with listening(late):
                await eventually(lambda: DELIVERED in results, "it is delivered")
    assert results == [LATE, DELIVERED]
    (warning,) = [line for line in logs if line["log_level"] == "warning"]
    assert warning["reason"].startswith("the connection failed")


async def test_F73_a_tar_pit_delays_no_other_sink(
    receiver: Receiver, other: Receiver, results: list[tuple[str, str]]
) -> None:
    receiver.answer = lambda _: Reply(hangs=True)
    patient = replace(QUICK, attempt_deadline=FOREVER)
    async with running(webhook(receiver, "pit"), webhook(other), pace=patient, results=results) as outbox:
        outbox.post(switched("a"))
        await eventually(lambda: receiver.received, "the tar pit has the first one")
        outbox.post(switched("b"))
        await eventually(lambda: other.keys == ["a", "b"], "the other sink has both")
        assert results == [("webhook", "delivered")] * 2
        assert receiver.keys == ["a"]


async def test_F73_an_attempt_has_a_deadline(receiver: Receiver, results: list[tuple[str, str]]) -> None:
    receiver.replies = [Reply(hangs=True)]
    async with running(webhook(receiver), pace=replace(QUICK, attempt_deadline=0.3), results=results) as outbox:
        outbox.post(switched())
        await eventually(lambda: results, "the second attempt is answered")
    assert receiver.keys == ["t-1/switched"] * 2


async def test_an_alert_that_a_receiver_chokes_on_holds_up_no_other_and_is_told_of_once(receiver: Receiver) -> None:
    receiver.answer = lambda document: Reply(500 if document["key"] == "poison" else 200)
    with capture_logs() as logs:
        async with running(webhook(receiver), pace=replace(QUICK, attempts=2)) as outbox:
            outbox.post(switched("poison"))
            outbox.post(switched("next"))
            await eventually(lambda: "next" in receiver.keys, "the next one arrives")
            await eventually(lambda: receiver.keys.count("poison") > 8, "the first one is tried for some rounds")
    assert [line["event"] for line in logs if line["alert"] == "poison"] == ["alert late", "alert lost"]


async def test_F74_a_repetition_is_sent_once_a_sink(
    receiver: Receiver, other: Receiver, results: list[tuple[str, str]]
) -> None:
    async with running(webhook(receiver, "a"), webhook(other, "b"), results=results) as outbox:
        for key in ("x", "x", "y", "x"):
            outbox.post(switched(key))
        await eventually(lambda: len(results) == 8, "all is done")
    assert receiver.keys == other.keys == ["x", "y"]
    assert results.count(("a", "duplicate")) == results.count(("b", "duplicate")) == 2


async def test_the_oldest_is_dropped_when_too_many_wait(results: list[tuple[str, str]]) -> None:
    outbox = Outbox(
        [webhook(Receiver())], pace=replace(QUICK, capacity=2), on_result=lambda *told: results.append(told)
    )
    with capture_logs() as logs:
        for key in ("old", "middle", "new"):
            outbox.post(switched(key))
    assert [(line["event"], line["alert"]) for line in logs] == [("alert lost", "old")]
    assert results == [("webhook", "overflowed")]
    assert [each.alert.key for each in await outbox.close(0)] == ["middle", "new"]


async def test_an_alert_is_not_tried_for_ever(receiver: Receiver, results: list[tuple[str, str]]) -> None:
    receiver.replies = [Reply(503)]
    short = replace(QUICK, attempts=1, keep_for=0)
    async with running(webhook(receiver), pace=short, results=results) as outbox:
        outbox.post(switched())
        await eventually(lambda: results == [("webhook", "expired")], "it is given up")
        outbox.post(switched())
        await eventually(lambda: len(results) == 2, "its repetition is sent")
    assert results[1] == ("webhook", "delivered")


STORM = replace(QUICK, most_a_minute=10, gather=0.2)


async def test_F74_after_ten_alerts_in_a_minute_the_rest_is_one_message(
    receiver: Receiver, results: list[tuple[str, str]]
) -> None:
    async with running(webhook(receiver), results=results, pace=STORM) as outbox:
        for number in range(25):
            outbox.post(replace(switched(f"t-{number}/switched"), target=f"app-{number}", trip=f"t-{number}"))
        assert not outbox.is_settled("t-20/switched")
        await eventually(lambda: len(results) == 25, "all are delivered")
        assert outbox.is_settled("t-20/switched")
    assert receiver.keys[:10] == [f"t-{number}/switched" for number in range(10)]
    (gathered,) = [each.document for each in receiver.received[10:]]
    assert (gathered["kind"], gathered["target"]) == ("digest", "15 targets")
    assert [note["name"] for note in gathered["notes"]] == [f"switched app-{number}" for number in range(10, 25)]
    assert gathered["commands"] == [{"does": does, "command": command} for does, command in switched().commands]


async def test_F74_a_digest_that_is_refused_is_sent_piece_by_piece(
    receiver: Receiver, results: list[tuple[str, str]]
) -> None:
    receiver.replies = [Reply(200)] * 10 + [Reply(400)]
    async with running(webhook(receiver), results=results, pace=STORM) as outbox:
        for number in range(13):
            outbox.post(switched(f"t-{number}"))
        await eventually(lambda: len(results) == 13, "all are delivered")
    assert receiver.keys[11:] == ["t-10", "t-11", "t-12"]
    assert set(results) == {("webhook", "delivered")}


async def test_F74_a_digest_that_cannot_be_delivered_is_tried_again_whole(
    receiver: Receiver, results: list[tuple[str, str]]
) -> None:
    receiver.replies = [Reply(200)] * 10 + [Reply(503)] * QUICK.attempts
    async with running(webhook(receiver), results=results, pace=STORM) as outbox:
        for number in range(13):
            outbox.post(switched(f"t-{number}"))
        await eventually(lambda: results.count(DELIVERED) == 13, "all are delivered")
    assert len(set(receiver.keys[10:])) == 1
    assert results == [DELIVERED] * 10 + [LATE] * 3 + [DELIVERED] * 3


async def test_F74_a_digest_tells_in_the_order_of_what_happened(
    receiver: Receiver, results: list[tuple[str, str]]
) -> None:
    """What failed is tried after the others: a rule would fire in the last line that is at rest in the one above."""
    receiver.replies = [Reply(503)] * QUICK.attempts
    async with running(webhook(receiver), results=results, pace=STORM) as outbox:
        for number in range(13):
            outbox.post(replace(switched(f"t-{number}"), target=f"app-{number}"))
        await eventually(lambda: results.count(DELIVERED) == 13, "all are delivered")
    gathered = receiver.received[-1].document
    assert [note["name"] for note in gathered["notes"]] == [f"switched app-{number}" for number in (0, 11, 12)]


async def test_close_sends_what_is_left(receiver: Receiver) -> None:
    receiver.replies = [Reply(503), Reply(503)]
    keys = [f"k{n}" for n in range(20)]
    async with running(webhook(receiver)) as outbox:
        for key in keys:
            outbox.post(switched(key))
        assert await outbox.close(20) == []
    assert set(receiver.keys) == set(keys)


async def test_close_does_not_wait_for_a_rest_to_end(receiver: Receiver) -> None:
    receiver.replies = [Reply(503)]
    slow = replace(QUICK, attempts=1, rest=FOREVER)
    with capture_logs() as logs:
        async with running(webhook(receiver), pace=slow) as outbox:
            outbox.post(switched())
            await eventually(lambda: any(line["event"] == "alert late" for line in logs), "the round failed")
            assert await outbox.close(20) == []
    assert receiver.keys == ["t-1/switched"] * 2


async def test_close_reports_what_it_could_not_send(
    receiver: Receiver, other: Receiver, results: list[tuple[str, str]]
) -> None:
    receiver.answer = lambda _: Reply(hangs=True)
    patient = replace(QUICK, attempt_deadline=FOREVER)
    with capture_logs() as logs:
        async with running(webhook(receiver, "pit"), webhook(other), pace=patient, results=results) as outbox:
            outbox.post(switched("a"))
            outbox.post(switched("b"))
            unsent = await outbox.close(0.5)
    assert [(each.sink, each.alert.key) for each in unsent] == [("pit", "a"), ("pit", "b")]
    assert other.keys == ["a", "b"]
    assert results.count(("pit", "unsent")) == 2
    assert [(line["sink"], line["alert"]) for line in logs if line["log_level"] == "warning"] == [
        ("pit", "a"),
        ("pit", "b"),
    ]


async def test_after_close_an_alert_is_counted_as_unsent(receiver: Receiver, results: list[tuple[str, str]]) -> None:
    async with running(webhook(receiver), results=results) as outbox:
        assert await outbox.close(20) == []
        outbox.post(switched())
        assert await outbox.close(20) == []
    assert results == [("webhook", "unsent")]
    assert receiver.received == []


async def test_an_outbox_without_sinks_takes_alerts_and_runs_until_closed() -> None:
    outbox = Outbox([])
    task = asyncio.ensure_future(outbox.run())
    await asyncio.sleep(0)
    outbox.post(switched())
    assert not task.done()
    assert await outbox.close(20) == []
    await task


async def test_a_cancelled_run_leaves_its_alerts_to_close(receiver: Receiver) -> None:
    receiver.answer = lambda _: Reply(hangs=True)
    outbox = Outbox([webhook(receiver)], pace=QUICK)
    task = asyncio.ensure_future(outbox.run())
    outbox.post(switched())
    await eventually(lambda: receiver.received, "the attempt is under way")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [each.alert.key for each in await outbox.close(20)] == ["t-1/switched"]


async def test_the_address_is_in_no_output(
    receiver: Receiver,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    structlog.reset_defaults()
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    receiver.replies = [
        Reply(200),
        Reply(404, body=f"Cannot POST {SECRET_PATH}"),
        Reply(302, headers={"Location": receiver.url}),
        Reply(503, body=receiver.url),
        Reply(hangs=True),
    ]
    file = tmp_path / "url"
    file.write_text(f"http://127.0.0.1:bad{SECRET_PATH}")
    sinks = [
        webhook(receiver),
        webhook(Receiver(), "nobody"),
        SlackSink(Address(file=file)),
    ]
    async with running(*sinks, pace=replace(QUICK, attempt_deadline=0.3, attempts=1)) as outbox:
        for key in "abcde":
            outbox.post(switched(key))
        await eventually(lambda: len(receiver.received) >= 7, "every kind of failure happened")
    written = "".join(capfd.readouterr()) + caplog.text
    assert "alert lost" in written
    assert "alert delivered" in written
    assert "alert late" in written
    assert SECRET_PATH not in written
    assert "s3cr3t" not in written
    assert "s3cr3t" not in repr(sinks)


def test_the_settings_say_which_sinks_there_are(tmp_path: Path) -> None:
    assert sinks_of(Settings()) == []
    assert [sink.name for sink in sinks_of(Settings(slack_webhook_url_file=tmp_path / "url"))] == ["slack"]
    both = Settings(webhook_url=SecretStr("http://a/b"), slack_webhook_url=SecretStr("http://c/d"))
    assert [sink.name for sink in sinks_of(both)] == ["webhook", "slack"]
    assert sinks_of(Settings(webhook_url=SecretStr(""))) == []
