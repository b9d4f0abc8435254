"""Measures rules by a request of our own.

Law: `measure` ends within the rule's timeout, with a measurement. The address that is connected to is the one that was
judged, right before connecting; nothing of ours but a name of the program is sent, and no redirect is followed.

What answers wrongly, too late or with a refused connection is sick. Where there was no connection for another reason
(no such name, no route, no answer to the handshake) the fault may be between us, and where this process stood still it
is ours: that is an error, and rolls nothing back.
"""

import asyncio
import socket
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import aiohttp

from watchdog import __version__
from watchdog.core.addresses import why_forbidden
from watchdog.core.model import Measurement
from watchdog.core.placeholders import fill
from watchdog.core.rules.kinds import HttpProbe
from watchdog.core.rules.language import Rule
from watchdog.sources.answer import quote
from watchdog.sources.failure import sentence, why
from watchdog.sources.http_answer import why_broken

LONGEST_BODY = 1 << 16  # bytes
_STOOD_STILL = 0.5  # seconds: an answer may have come meanwhile, and nobody was there to take it
_HEADERS = {"User-Agent": f"canary-watchdog/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}


@dataclass(slots=True)
class _Attempt:
    """What becomes of one probe on its way."""

    is_connected: bool = False
    forbidden: str = ""


_attempt: ContextVar[_Attempt] = ContextVar("_attempt")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What came back. ``problem`` says why it is not as it should be, "" when it is."""

    seconds: float
    problem: str = ""


class ProbeSource:
    """Sends probes. To be used from one event loop."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:  # noqa: ARG002
        """What the rule's page answers now."""
        probe, names = rule.http, {"color": color, "namespace": namespace}
        if probe is None:
            return Measurement.error(f"rule {rule.alert} names no page")
        url = fill(probe.url, names)
        attempt = _Attempt()
        _attempt.set(attempt)
        try:
            async with asyncio.timeout(probe.timeout) as deadline:
                seen = await self._send(probe, url, names, attempt)
        except TimeoutError:
            late = asyncio.get_running_loop().time() - (deadline.when() or 0.0)
            return _unanswered(probe, url, attempt, late=late)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if attempt.forbidden:
                return Measurement.error(sentence(f"{url} is not asked: {attempt.forbidden}"))
            if not (attempt.is_connected or _is_refusal(error)):
                return Measurement.error(sentence(f"{url} {why(error)}"))
            seen = _Seen(seconds=0.0, problem=why_broken(error))
        return _judged(probe, url, seen)

    async def close(self) -> None:
        """Closes what is open."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _send(self, probe: HttpProbe, url: str, names: Mapping[str, str], attempt: _Attempt) -> _Seen:
        if self._session is None:
            self._session = _open_session()
        began = time.monotonic()
        async with self._session.get(url, allow_redirects=False, trace_request_ctx=attempt) as response:
            body = await _read(response)
        seconds = time.monotonic() - began
        if not probe.is_well(response.status):
            return _Seen(seconds=seconds, problem=f"answered HTTP {response.status}")
        if probe.body is not None and fill(probe.body, names).encode() not in body:
            return _Seen(seconds=seconds, problem=f"answered without the text {quote(fill(probe.body, names))!r}")
        return _Seen(seconds=seconds)


def _unanswered(probe: HttpProbe, url: str, attempt: _Attempt, *, late: float) -> Measurement:
    """What it means that the time is over, which we have noticed so many seconds ``late``."""
    if not attempt.is_connected:
        return Measurement.error(f"{url} could not be connected to within {probe.timeout:g} s")
    if late > _STOOD_STILL:
        return Measurement.error(f"{url} was not listened to: the watchdog itself stood still for {late:.1f} s")
    seen = _Seen(seconds=probe.timeout, problem=f"did not answer within {probe.timeout:g} s")
    if probe.measure == "latency":
        return Measurement(value=seen.seconds, reason=f"{url} {seen.problem}")
    return _judged(probe, url, seen)


def _judged(probe: HttpProbe, url: str, seen: _Seen) -> Measurement:
    told = sentence(f"{url} {seen.problem}") if seen.problem else ""
    if probe.measure == "failure":
        return Measurement(value=float(bool(told)), reason=told)
    # How long a refusal takes says nothing of how long an answer does.
    return Measurement.nodata(told) if told else Measurement(value=seen.seconds)


def _open_session() -> aiohttp.ClientSession:
    tracing = aiohttp.TraceConfig()
    tracing.on_connection_create_end.append(_connected)
    connector = aiohttp.TCPConnector(limit=0, force_close=True, use_dns_cache=False, socket_factory=_socket)
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # there is one deadline, around everything
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=_HEADERS,
        trace_configs=[tracing],
        trust_env=False,  # ~/.netrc holds credentials, and a proxy would be asked instead
    )


async def _connected(
    _: aiohttp.ClientSession, context: SimpleNamespace, __: aiohttp.TraceConnectionCreateEndParams
) -> None:
    context.trace_request_ctx.is_connected = True


def _socket(address: Any) -> socket.socket:
    """A socket for an address that may be asked: called with each one right before it is connected to.

    A name that resolves to something else the next time (DNS rebinding) gains nothing by it.
    """
    family, kind, protocol, _, place = address
    if problem := why_forbidden(place[0]):
        _attempt.get().forbidden = f"{place[0]} {problem}"
        raise OSError(f"{place[0]} {problem}")
    return socket.socket(family, kind, protocol)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    while len(body) < LONGEST_BODY and (piece := await response.content.read(LONGEST_BODY - len(body))):
        body += piece
    return bytes(body)


def _is_refusal(error: BaseException) -> bool:
    return isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionRefusedError)
