"""One connection of the fault proxy: a client on one side, the API server on the other, and a fault between them.

Law: bytes are passed on as they came; when one side goes, the other side goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tests.stack.faults import Answer, Delay, HalfOpen, LoseReply, Reset, Truncate
from tests.stack.http1 import Message, read_head, read_request, relay_body
from tests.stack.injection import Injection, Seen

LIMIT = 4 * 1024 * 1024
SWITCHING_PROTOCOLS = 101
FINAL = 200
# The API server takes the name of a request in its audit log from the request itself.
AUDIT_ID = "Audit-ID"
_LINGER_ZERO = struct.pack("ii", 1, 0)

Result = TypeVar("Result")
Note = Callable[[Message], tuple[Seen, Injection | None]]


class Upstream:
    """The connection to the API server, opened with the first request."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        where = urlsplit(url)
        self._host, self._port = where.hostname, where.port
        self._context = context
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def send(self, request: Message) -> asyncio.StreamReader:
        """Sends a request as it came in; returns where its answer will arrive."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port, ssl=self._context, limit=LIMIT)
            self.gone = _closing(self._streams[1])
        reader, writer = self._streams
        writer.write(request.raw)
        await writer.drain()
        return reader

    async def tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """After 101 Switching Protocols: bytes both ways until one side ends."""
        assert self._streams is not None
        answers, requests = self._streams
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(reader, requests))
            group.create_task(_pump(answers, writer))

    def close(self) -> None:
        """Closes it."""
        if self._streams is not None:
            self._streams[1].transport.abort()


class Connection:
    """One client's connection, request by request."""

    def __init__(
        self, note: Note, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream: Upstream
    ) -> None:
        self._note = note
        self._reader = reader
        self._writer = writer
        self._gone = _closing(writer)
        self.upstream = upstream

    async def run(self) -> None:
        """Until one side closes, or a fault ends it."""
        while True:
            request = await _unless(self.upstream.gone, read_request(self._reader))
            if request is None:
                return
            seen, injection = self._note(request)
            if injection is not None:
                await self._fail(request, seen, injection)
                return
            if not await _unless(self._gone, self._pass(request)):
                return

    async def _pass(self, request: Message) -> bool:
        """Passes a request and its answer through; True when the connection can carry another one."""
        answers = await self.upstream.send(request)
        while True:
            head = await read_head(answers)
            self._writer.write(head.raw)
            if head.status == SWITCHING_PROTOCOLS:
                await self.upstream.tunnel(self._reader, self._writer)
                return False
            if head.status >= FINAL:
                break
        goes_on = await relay_body(answers, self._writer, head, of=request)
        await self._writer.drain()
        return goes_on

    async def _answer_of(self, request: Message) -> bytes:
        """The whole answer of the API server, which the client has not seen yet."""
        answers = await self.upstream.send(request)
        head = await read_head(answers)
        kept = _Kept()
        kept.write(head.raw)
        await relay_body(answers, kept, head, of=request)
        return bytes(kept.data)

    async def _fail(self, request: Message, seen: Seen, injection: Injection) -> None:
        match injection.fault:
            case Delay(seconds=seconds):
                injection.hit(seen)
                await asyncio.sleep(seconds)
                # What was on its way arrives, also when nobody waits for the answer any more.
                self._writer.write(await self._answer_of(request.carrying(AUDIT_ID, seen.audit_id)))
            case Reset():
                injection.hit(seen)
                self._reset()
            case HalfOpen():
                injection.hit(seen)
                await _unless(self._gone, injection.cleared.wait())
                self._reset()
            case Answer() as answer:
                injection.hit(seen)
                self._writer.write(answer.wire)
            case Truncate():
                whole = await self._answer_of(request)
                injection.hit(seen)
                head, _, body = whole.partition(b"\r\n\r\n")
                self._writer.write(head + b"\r\n\r\n" + body[: len(body) // 2])
            case LoseReply():
                await self._answer_of(request)
                injection.hit(seen)
                self._reset()
        with contextlib.suppress(OSError, ssl.SSLError):
            await self._writer.drain()

    def _reset(self) -> None:
        """Ends the connection with an RST instead of a FIN."""
        sock: socket.socket = self._writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._writer.transport.abort()


class _Kept:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        """One piece more."""
        self.data += data

    async def drain(self) -> None:
        """There is always room."""


def _closing(writer: asyncio.StreamWriter) -> asyncio.Future[None]:
    """Is done when the connection has closed, whoever closed it. One a connection: to cancel it breaks the stream."""

    async def closed() -> None:
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()

    return asyncio.ensure_future(closed())


async def _unless(gone: asyncio.Future[None], doing: Coroutine[Any, Any, Result]) -> Result:
    """What ``doing`` returns; ConnectionResetError when ``gone`` is done first."""
    wanted = asyncio.ensure_future(doing)
    try:
        both: set[asyncio.Future[Any]] = {wanted, gone}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not wanted.done():
            raise ConnectionResetError("the other side is gone")
        return wanted.result()
    finally:
        if not wanted.done():
            wanted.cancel()
            await asyncio.gather(wanted, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    raise ConnectionResetError("one side of the tunnel has ended")
