"""A hand-made HTTP server that misbehaves exactly as a test wants it to.

Law: it sends the bytes that it is told, whether they are HTTP or not, and remembers what it was asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came in."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    reader: asyncio.StreamReader

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of the query."""
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


Behavior = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class RawServer:
    """A running server."""

    behave: Behavior
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    connections: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def queries(self) -> list[Asked]:
        """What it was asked, save when Prometheus was started and which fields Elasticsearch has."""
        return [asked for asked in self.asked if not asked.path.endswith(("/runtimeinfo", "/_field_caps"))]

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return urlsplit(self.url).port or 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        task = asyncio.current_task()
        assert task is not None
        self.connections.add(task)
        try:
            while not writer.is_closing():
                asked = await _read_request(reader)
                self.asked.append(asked)
                await self.behave(asked, writer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or the test is over
        finally:
            self.connections.discard(task)
            writer.transport.abort()


@contextlib.asynccontextmanager
async def serving(behave: Behavior, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    """The server on a free loopback port, until the block ends."""
    raw = RawServer(behave)
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0, ssl=tls)
    raw.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield raw
    finally:
        server.close()
        unfinished = list(raw.connections)
        for connection in unfinished:
            connection.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        await server.wait_closed()


async def _read_request(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    return Asked(method, target, headers, await reader.readexactly(length), reader)


def http(
    body: bytes | str | Mapping[str, Any],
    *,
    status: int = 200,
    content_type: str = JSON,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """The bytes of one whole answer, without a Date: tables are made long before they are used."""
    content = json.dumps(body).encode() if isinstance(body, Mapping) else body
    content = content.encode() if isinstance(content, str) else content
    named = {
        "Content-Type": content_type,
        "Content-Length": str(len(content)),
        **(headers or {}),
    }
    lines = [f"{name}: {value}" for name, value in named.items()]
    return "\r\n".join([f"HTTP/1.1 {status} Whatever", *lines, "", ""]).encode("latin-1") + content


def sending(content: bytes, *, then_close: bool = False) -> Behavior:
    """Answers every request with these bytes."""

    async def behave(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        if then_close:
            await writer.drain()
            writer.close()

    return behave


async def hanging(asked: Asked, _: asyncio.StreamWriter) -> None:
    """Never answers; ends when the client has gone."""
    await asked.reader.read()


async def resetting(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Drops the connection without a word."""
    writer.transport.abort()


def dripping(start: bytes, drop: bytes = b" ", *, pause: float = 0.05) -> Behavior:
    """Sends the start at once and then a drop again and again, for ever: each resets a time-out on the socket."""

    async def behave(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(pause)

    return behave
