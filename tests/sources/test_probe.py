"""Probes of our own against servers that answer, misbehave, hide, and lead elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trustme

from tests.sources.raw_server import Asked, Behavior, RawServer, dripping, hanging, http, resetting, sending, serving
from tests.stack.ports import free_port
from watchdog.core.evaluate import judge
from watchdog.core.model import Measurement, Outcome
from watchdog.core.rules.language import Rule
from watchdog.sources.probe import ProbeSource

WELL = http("<h1>Sign in</h1>", content_type="text/html")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


def probing(url: str, *, healthy: float = 0, **fields: Any) -> Rule:
    return Rule.model_validate({"alert": "Page", "http": {"url": url, **fields}, "threshold": {"max": healthy}})


@contextlib.asynccontextmanager
async def source() -> AsyncIterator[ProbeSource]:
    opened = ProbeSource()
    try:
        yield opened
    finally:
        await opened.close()


async def ask(rule: Rule) -> Measurement:
    async with source() as probes:
        return await probes.measure(rule, color="green", namespace="bank", slot=0)


async def answered(behave: Behavior, **fields: Any) -> tuple[Measurement, RawServer]:
    async with serving(behave) as server:
        return await ask(probing(f"{server.url}/{{{{ color }}}}", **fields)), server


async def test_a_page_that_answers_is_well() -> None:
    measurement, server = await answered(sending(WELL), body="Sign in")
    assert measurement == Measurement(value=0.0)
    assert [each.target for each in server.asked] == ["/green"]


async def test_a_latency_is_in_seconds() -> None:
    measurement, _ = await answered(sending(WELL), measure="latency")
    assert measurement.value is not None
    assert 0 < measurement.value < 2


@pytest.mark.parametrize(
    ("behave", "fields", "said"),
    [
        pytest.param(sending(http("", status=503)), {}, "answered HTTP 503", id="a status"),
        pytest.param(sending(WELL), {"status": [204]}, "answered HTTP 200", id="another status than is wanted"),
        pytest.param(sending(WELL), {"body": "Welcome"}, "answered without the text 'Welcome'", id="the text"),
        pytest.param(hanging, {"timeout": "200ms"}, "did not answer within 0.2 s", id="no answer"),
        pytest.param(
            dripping(HEAD + b"Content-Length: 99\r\n\r\n"),
            {"timeout": "200ms"},
            "did not answer within 0.2 s",
            id="an answer in drops",
        ),
        pytest.param(resetting, {}, "broke the connection off", id="broken off"),
        pytest.param(sending(b"SSH-2.0-OpenSSH\r\n\r\n", then_close=True), {}, "does not speak HTTP", id="no HTTP"),
        pytest.param(
            sending(HEAD + b"Content-Length: 99\r\n\r\nhalf", then_close=True),
            {},
            "broke its answer off in the middle",
            id="half an answer",
        ),
    ],
)
async def test_what_is_wrong_is_a_failure(behave: Behavior, fields: dict[str, Any], said: str) -> None:
    measurement, server = await answered(behave, **fields)
    assert measurement == Measurement(value=1.0, reason=f"{server.url}/green {said}")


async def test_a_refused_connection_is_a_failure() -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    measurement = await ask(probing(url))
    assert measurement == Measurement(value=1.0, reason=f"{url} refuses the connection")
    assert judge(probing(url), measurement)[0] is Outcome.BREACH


async def test_no_answer_takes_at_least_the_timeout_and_a_wrong_one_has_no_latency() -> None:
    slow, _ = await answered(hanging, measure="latency", timeout="200ms")
    assert slow.value == 0.2
    wrong, _ = await answered(sending(http("", status=500)), measure="latency")
    assert wrong.failure is Outcome.NODATA


@pytest.mark.parametrize("measure", ["failure", "latency"])
async def test_F80_a_page_is_not_sick_when_it_was_the_watchdog_that_stood_still(measure: str) -> None:
    async def behave(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(WELL)  # it has answered in time
        time.sleep(1.2)  # noqa: ASYNC251 - what is tested: nothing else in this process goes on meanwhile

    measurement, server = await answered(behave, measure=measure, timeout="400ms")
    assert measurement.failure is Outcome.ERROR
    assert measurement.reason.startswith(f"{server.url}/green was not listened to: the watchdog itself stood still for")


async def test_a_name_that_does_not_resolve_is_an_error() -> None:
    measurement = await ask(probing("http://no-such-service.invalid/", timeout="10s"))
    assert measurement.failure is Outcome.ERROR


async def test_F92_a_certificate_that_is_not_trusted_is_an_error() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with serving(sending(WELL), tls=context) as server:
        measurement = await ask(probing(server.url))
    assert measurement.failure is Outcome.ERROR
    assert "certificate that is not trusted" in measurement.reason


async def test_F12_a_redirect_is_not_followed() -> None:
    async with serving(sending(WELL)) as elsewhere:
        moved = http("", status=302, headers={"Location": elsewhere.url})
        measurement, _ = await answered(sending(moved))
        assert measurement.reason.endswith("answered HTTP 302")
        assert (await answered(sending(moved), status=[302]))[0].value == 0
        assert elsewhere.asked == []


async def test_F13_no_more_of_an_endless_body_is_read_than_its_bound() -> None:
    measurement, _ = await answered(dripping(HEAD + b"\r\n", b"x" * 65536, pause=0), body="needle", timeout="10s")
    assert measurement.reason.endswith("answered without the text 'needle'")


async def test_nothing_of_ours_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / ".netrc").write_text("default login us password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    cookie = http("", headers={"Set-Cookie": "a=b"})
    async with serving(sending(cookie)) as server, source() as probes:
        for _ in range(2):
            await probes.measure(probing(server.url), color="green", namespace="bank", slot=0)
    sent = [set(asked.headers) for asked in server.asked]
    assert sent == [{"host", "user-agent", "accept", "accept-encoding", "connection"}] * 2


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("169.254.169.254", id="as it is"),
        pytest.param("0xa9.0xfe.0xa9.0xfe", id="as a name, which only the resolver reads"),
        pytest.param("[::ffff:169.254.169.254]", id="wrapped in IPv6"),
    ],
)
async def test_a_metadata_service_is_never_connected_to_whatever_a_name_resolves_to(host: str) -> None:
    measurement = await ask(probing(f"http://{host}/latest/meta-data/"))
    assert measurement.failure is Outcome.ERROR
    assert "is link-local, where clouds' metadata services are" in measurement.reason


async def test_probes_at_the_same_time_do_not_mix() -> None:
    async with serving(sending(WELL)) as well, serving(hanging) as stuck, source() as probes:
        rules = [probing(well.url), probing(stuck.url, timeout="300ms"), probing("http://169.254.1.1/")]
        asked = [probes.measure(rule, color="green", namespace="bank", slot=0) for rule in rules]
        first, second, third = await asyncio.gather(*asked)
    assert (first.value, second.value, third.failure) == (0, 1, Outcome.ERROR)
