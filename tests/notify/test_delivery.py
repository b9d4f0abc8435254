"""One delivery: what counts as delivered, refused and unavailable, and what is never said."""

import traceback
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.notify.receiver import SECRET_PATH, Receiver, Reply, listening
from tests.stack.ports import free_port
from watchdog.notify.delivery import (
    LONGEST_RETRY_AFTER,
    Address,
    DeliveryError,
    DeliveryRefusedError,
    UnavailableError,
    deliver,
    open_session,
    seconds_to_wait,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening(Receiver()) as each:
        yield each


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def inline(url: str) -> Address:
    return Address(inline=SecretStr(url))


async def failure_of(address: Address) -> DeliveryError:
    async with open_session() as session:
        with pytest.raises(DeliveryError) as caught:
            await deliver(session, address, {"key": "k"})
    return caught.value


async def test_the_document_arrives_as_one_line_of_ascii_json(receiver: Receiver) -> None:
    async with open_session() as session:
        await deliver(session, inline(receiver.url), {"key": "k", "text": "\x1b[31m\r\n\u202eé"})
    (received,) = receiver.received
    assert received.document == {"key": "k", "text": "\x1b[31m\r\n\u202eé"}
    assert received.headers["Content-Type"] == "application/json"
    assert received.target == SECRET_PATH


@pytest.mark.parametrize(
    ("reply", "kind", "sentence"),
    [
        pytest.param(Reply(400), DeliveryRefusedError, "the receiver answered 400", id="bad request"),
        pytest.param(
            Reply(403, body="invalid_token\n"),
            DeliveryRefusedError,
            "the receiver answered 403 invalid_token",
            id="Slack's code",
        ),
        pytest.param(
            Reply(404, body=f"Cannot POST {SECRET_PATH}"), DeliveryRefusedError, "the receiver answered 404", id="echo"
        ),
        pytest.param(Reply(408), DeliveryRefusedError, "the receiver answered 408", id="request time-out"),
        pytest.param(Reply(429), UnavailableError, "the receiver answered 429", id="too many"),
        pytest.param(Reply(500), UnavailableError, "the receiver answered 500", id="server error"),
        pytest.param(Reply(503), UnavailableError, "the receiver answered 503", id="unavailable"),
    ],
)
async def test_an_answer_that_is_no_success(
    receiver: Receiver, reply: Reply, kind: type[DeliveryError], sentence: str
) -> None:
    receiver.replies = [reply]
    failure = await failure_of(inline(receiver.url))
    assert type(failure) is kind
    assert str(failure) == sentence


async def test_F12_a_redirect_is_not_followed(receiver: Receiver) -> None:
    async with listening(Receiver()) as elsewhere:
        receiver.replies = [Reply(307, headers={"Location": elsewhere.url})]
        failure = await failure_of(inline(receiver.url))
        assert isinstance(failure, DeliveryRefusedError)
        assert elsewhere.received == []


async def test_a_proxy_of_the_environment_is_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{receiver.port}")
    async with open_session() as session:
        await deliver(session, inline("http://chat.invalid/hook"), {"key": "k"})
    assert [each.target for each in receiver.received] == ["http://chat.invalid/hook"]


async def test_an_address_in_a_file_is_read_for_each_delivery(receiver: Receiver, tmp_path: Path) -> None:
    file = tmp_path / "url"
    async with open_session() as session:
        for path in ("/old", "/new"):
            file.write_text(f"http://127.0.0.1:{receiver.port}{path}\n")
            await deliver(session, Address(file=file), {"key": "k"})
    assert [each.target for each in receiver.received] == ["/old", "/new"]


SECRET = "s3cr3t"  # noqa: S105 - made up


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(f"http://127.0.0.1:{free_port()}/{SECRET}", id="nobody listens"),
        pytest.param(f"http://{SECRET}.invalid/{SECRET}", id="no such host"),
        pytest.param(f"https://127.0.0.1:{free_port()}/{SECRET}", id="nobody listens, TLS"),
        pytest.param(f"ftp://127.0.0.1/{SECRET}", id="another scheme"),
        pytest.param(f"{SECRET}", id="no URL at all"),
        pytest.param(f"http://127.0.0.1:port/{SECRET}", id="no port"),
        pytest.param(f"http://[::1/{SECRET}", id="half a bracket"),
        pytest.param(f"http://127.0.0.1/\r\nHost: {SECRET}", id="line break"),
        pytest.param(f"http://127.0.0.1:99999/{SECRET}", id="port out of range"),
        pytest.param(f"http://a..b/{SECRET}", id="empty label"),
        pytest.param(f"http://{'x' * 70}.invalid/{SECRET}", id="label too long"),
        pytest.param("", id="empty"),
    ],
)
async def test_an_address_that_does_not_work_is_not_told(address: str) -> None:
    sealed = inline(address)
    failure = await failure_of(sealed)
    assert isinstance(failure, UnavailableError)
    assert SECRET not in "".join(traceback.format_exception(failure, chain=True)) + repr(failure) + repr(sealed)
    assert failure.__context__ is None


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe s3cr3t"], ids=["missing", "empty", "not UTF-8"])
async def test_a_file_without_an_address_may_be_corrected_later(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "url"
    if content is not None:
        file.write_bytes(content)
    failure = await failure_of(Address(file=file))
    assert isinstance(failure, UnavailableError)
    assert SECRET not in "".join(traceback.format_exception(failure, chain=True))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        pytest.param("7", 7, id="seconds"),
        pytest.param("Fri, 02 Jan 2026 03:04:35 GMT", 30, id="a date"),
        pytest.param("Fri, 02 Jan 2026 03:04:05 GMT", None, id="a date that is now"),
        pytest.param("Fri, 02 Jan 2026 03:04:04 GMT", None, id="the past"),
        pytest.param("0", None, id="at once: our own pace"),
        pytest.param("999999999999", LONGEST_RETRY_AFTER, id="for ever"),
        pytest.param("9" * 5000, LONGEST_RETRY_AFTER, id="a number without end"),
        pytest.param("", None, id="empty"),
    ],
)
def test_how_long_a_receiver_is_left_alone(header: str, seconds: float | None) -> None:
    assert seconds_to_wait(header, now=NOW) == seconds
