"""One loopback server, and the ways in which it can fail.

Law: a fault changes how answers travel, never what they would have been.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Self, assert_never

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

ANY_METHOD: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hang:
    """Accepts and never answers. ``methods`` limits a fault to some verbs; none means all."""

    methods: frozenset[str] = ANY_METHOD


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Nobody listens, and open connections are cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Answers by itself: a status, a body, and nothing is done."""

    status: int = 503
    body: bytes = b""
    content_type: str = "text/plain"
    headers: dict[str, str] = field(default_factory=dict)
    methods: frozenset[str] = ANY_METHOD


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """Answers well, ``seconds`` late."""

    seconds: float
    methods: frozenset[str] = ANY_METHOD


@dataclass(frozen=True, slots=True, kw_only=True)
class LoseReply:
    """Does what was asked and cuts the connection instead of saying so."""

    methods: frozenset[str] = ANY_METHOD


Fault = Hang | Refuse | Answer | Slow | LoseReply


class LoopbackServer:
    """An application on a port of 127.0.0.1 that stays the same as long as the object lives."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._app.middlewares.append(self._middleware())
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._port = 0
        self._fault: Fault | None = None
        self._fault_over = asyncio.Event()
        self.requests = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(self._app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._fault_over.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def fail(self, fault: Fault) -> None:
        """Fails in this way until `heal`."""
        await self.heal()
        self._fault = fault
        self._fault_over = asyncio.Event()
        if isinstance(fault, Refuse):
            await self._stop_listening()

    async def heal(self) -> None:
        """Works again; requests that were left hanging are answered now."""
        self._fault = None
        self._fault_over.set()
        if self._site is None:
            await self._listen()

    async def _listen(self) -> None:
        if self._runner is None:
            raise RuntimeError("the server has not been entered")
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._site = site
        self._port = self._runner.addresses[0][1]

    async def _stop_listening(self) -> None:
        if self._site is not None:
            await self._site.stop()
            self._site = None
        server = self._runner.server if self._runner else None
        for connection in list(server.connections) if server else []:
            connection.force_close()
            if connection.transport is not None:
                connection.transport.abort()

    def _middleware(self) -> Middleware:
        @web.middleware
        async def fail_as_told(request: web.Request, handler: Handler) -> web.StreamResponse:
            self.requests += 1
            fault = self._fault
            if fault is None or isinstance(fault, Refuse):
                return await handler(request)
            if fault.methods and request.method not in fault.methods:
                return await handler(request)
            return await self._answer_with(fault, request, handler)

        return fail_as_told

    async def _answer_with(
        self, fault: Hang | Answer | Slow | LoseReply, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        match fault:
            case Hang():
                await self._fault_over.wait()
                return await handler(request)
            case Slow(seconds=seconds):
                await asyncio.sleep(seconds)
                return await handler(request)
            case Answer():
                headers = {"Content-Type": fault.content_type, **fault.headers}
                return web.Response(status=fault.status, body=fault.body, headers=headers)
            case LoseReply():
                response = await handler(request)
                if request.transport is not None:
                    request.transport.abort()
                return response
            case _:
                assert_never(fault)
