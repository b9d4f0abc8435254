"""A real HTTP server that receives alerts and answers as it was told.

Law: it listens on loopback only, and keeps everything that it was sent.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.stack.ports import free_port

SECRET_PATH = "/services/T0AAAAAAA/B0BBBBBBB/s3cr3t"  # noqa: S105 - made up


@dataclass(frozen=True)
class Reply:
    """What the receiver answers; ``hangs`` is a tar pit: the request is read and never answered."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = "ok"
    hangs: bool = False


@dataclass(frozen=True)
class Received:
    """One request; ``at`` is monotonic."""

    target: str
    headers: Mapping[str, str]
    document: Any
    at: float


class Receiver:
    """Answers with ``replies`` in turn, then with ``answer`` of the document, which is 200 at first."""

    def __init__(self) -> None:
        self.port = free_port()
        self.received: list[Received] = []
        self.replies: list[Reply] = []
        self.answer: Callable[[Any], Reply] = lambda _: Reply()

    @property
    def url(self) -> str:
        """The address that is a secret."""
        return f"http://127.0.0.1:{self.port}{SECRET_PATH}"

    @property
    def keys(self) -> list[str]:
        """The keys of the alerts that came, in order."""
        return [each.document["key"] for each in self.received]

    async def handle(self, request: web.Request) -> web.Response:
        """Keeps the request and answers."""
        document = json.loads(await request.read())
        self.received.append(Received(request.raw_path, dict(request.headers), document, time.monotonic()))
        reply = self.replies.pop(0) if self.replies else self.answer(document)
        if reply.hangs:
            await asyncio.Event().wait()
        return web.Response(status=reply.status, headers=reply.headers, text=reply.body)


@asynccontextmanager
async def listening(receiver: Receiver) -> AsyncIterator[Receiver]:
    """The receiver, listening inside the block."""

    async def route(request: web.BaseRequest) -> web.StreamResponse:
        return await receiver.handle(request)  # type: ignore[arg-type]

    runner = web.ServerRunner(web.Server(route, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", receiver.port).start()
        yield receiver
    finally:
        await runner.cleanup()
