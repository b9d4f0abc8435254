"""HTTP/1.1 as the fault proxy reads it: where a message ends, and nothing else.

Law: every byte that was read is in ``raw``, so that it can be passed on as it came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, Self

_PIECE = 65536
NO_BODY = (204, 304)


class Writer(Protocol):
    """Where a relayed answer goes."""

    def write(self, data: bytes) -> None:
        """One piece more."""
        ...

    async def drain(self) -> None:
        """Waits until there is room."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A request, or the head of an answer. Header names are in lower case; ``body`` is a request's, decoded."""

    start: str
    headers: Mapping[str, str]
    raw: bytes
    body: bytes = b""

    @property
    def method(self) -> str:
        """Of a request."""
        return self.start.split(" ")[0]

    @property
    def target(self) -> str:
        """Of a request: path and query."""
        return self.start.split(" ")[1]

    @property
    def status(self) -> int:
        """Of an answer."""
        return int(self.start.split(" ")[1])

    def carrying(self, name: str, value: str) -> Self:
        """The same message with one header more."""
        start, _, rest = self.raw.partition(b"\r\n")
        raw = b"\r\n".join([start, f"{name}: {value}".encode("latin-1"), rest])
        return replace(self, headers={**self.headers, name.lower(): value}, raw=raw)

    @property
    def is_chunked(self) -> bool:
        """True when the body comes in chunks."""
        return "chunked" in self.headers.get("transfer-encoding", "").lower()


async def read_head(reader: asyncio.StreamReader) -> Message:
    """The start line and the headers; raises IncompleteReadError when the other side has closed."""
    raw = await reader.readuntil(b"\r\n\r\n")
    start, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return Message(start=start, headers={name.strip().lower(): value.strip() for name, _, value in pairs}, raw=raw)


async def read_request(reader: asyncio.StreamReader) -> Message | None:
    """The next whole request; None when the client has closed between two requests."""
    try:
        head = await read_head(reader)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    if head.is_chunked:
        raw, body = await _chunks(reader)
    else:
        raw = body = await reader.readexactly(int(head.headers.get("content-length", "0")))
    return Message(start=head.start, headers=head.headers, raw=head.raw + raw, body=body)


async def relay_body(reader: asyncio.StreamReader, writer: Writer, head: Message, *, of: Message) -> bool:
    """Passes an answer's body on as it comes; True when the connection can carry another exchange."""
    if of.method == "HEAD" or head.status in NO_BODY:
        return _goes_on(head)
    if head.is_chunked:
        await _relay_chunks(reader, writer)
        return _goes_on(head)
    if "content-length" not in head.headers:
        while piece := await reader.read(_PIECE):
            await _pass(writer, piece)
        return False
    left = int(head.headers["content-length"])
    while left:
        piece = await reader.read(min(left, _PIECE))
        if not piece:
            raise asyncio.IncompleteReadError(b"", left)
        left -= len(piece)
        await _pass(writer, piece)
    return _goes_on(head)


def _goes_on(head: Message) -> bool:
    return head.headers.get("connection", "").lower() != "close"


async def _pass(writer: Writer, piece: bytes) -> None:
    writer.write(piece)
    await writer.drain()


async def _relay_chunks(reader: asyncio.StreamReader, writer: Writer) -> None:
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        if size == 0:
            await _pass(writer, line + await _trailers(reader))
            return
        await _pass(writer, line + await reader.readexactly(size + 2))


async def _chunks(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """A whole chunked body: as it came, and decoded."""
    raw, body = bytearray(), bytearray()
    while True:
        line = await reader.readuntil(b"\r\n")
        raw += line
        size = int(line.split(b";")[0], 16)
        if size == 0:
            return bytes(raw + await _trailers(reader)), bytes(body)
        chunk = await reader.readexactly(size + 2)
        raw += chunk
        body += chunk[:-2]


async def _trailers(reader: asyncio.StreamReader) -> bytes:
    raw = bytearray()
    while not raw.endswith(b"\r\n\r\n") and raw != b"\r\n":
        raw += await reader.readuntil(b"\r\n")
    return bytes(raw)
