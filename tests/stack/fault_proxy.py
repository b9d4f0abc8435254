"""A proxy before the API server that can fail one chosen request in one chosen way.

Law: what no fault was asked for passes through byte by byte; a fault is only ever what a network, a gateway or an API
server can really do.

It terminates TLS with a certificate of the test CA. Each of its connections has one connection of its own to the API
server (`fault_connection.py`); which request meets which fault is said with an `injection.Match`.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from tests.stack.certificates import PROXY, PROXY_KEY
from tests.stack.fault_connection import LIMIT, Connection, Upstream
from tests.stack.faults import Fault
from tests.stack.http1 import Message
from tests.stack.injection import WRITES, Injection, Match, Seen, meet
from tests.stack.kubernetes import ControlPlane

CLOSE_SECONDS = 5.0

Result = TypeVar("Result")


class ProxyThread:
    """A thread with an event loop in which any number of proxies listen."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._await(_end_the_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @contextmanager
    def listening(self, certificates: Path | None = None) -> Iterator[FaultProxy]:
        """A proxy of its own, on a port of its own, inside the block; it serves another certificate from a folder."""
        proxy = FaultProxy(self._plane, self._loop, certificates or self._plane.folder)
        self._await(proxy.start())
        try:
            yield proxy
        finally:
            self._await(proxy.stop())

    def _await(self, doing: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result(CLOSE_SECONDS)


@contextmanager
def fault_proxy(plane: ControlPlane, certificates: Path | None = None) -> Iterator[FaultProxy]:
    """One proxy in a thread of its own, inside the block."""
    with ProxyThread(plane) as thread, thread.listening(certificates) as proxy:
        yield proxy


class FaultProxy:
    """One listener. Its methods may be called from any thread."""

    def __init__(self, plane: ControlPlane, loop: asyncio.AbstractEventLoop, certificates: Path) -> None:
        self._plane = plane
        self._certificates = certificates
        self._loop = loop
        self._injections: list[Injection] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.requests: list[Seen] = []
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"https://127.0.0.1:{self.port}"

    def kubeconfig(self, token: str, *, namespace: str = "default") -> Path:
        """A kubeconfig that leads through the proxy."""
        return self._plane.make_kubeconfig(token, namespace=namespace, url=self.url)

    def writes(self) -> list[Seen]:
        """The writes that came in, whatever became of them, the oldest first."""
        return [seen for seen in self.requests if seen.method in WRITES]

    def inject(
        self,
        fault: Fault,
        match: Match | None = None,
        *,
        times: int | None = 1,
        on_hit: Callable[[Seen], None] | None = None,
    ) -> Injection:
        """From now on, requests that match are counted, and as many as asked for meet the fault."""
        injection = Injection(fault=fault, match=match or Match(), times=times, on_hit=on_hit)
        self._do(lambda: self._injections.append(injection))
        return injection

    def clear(self) -> None:
        """No fault any more; what hangs half-open is reset."""
        self._do(self._clear)

    def _clear(self) -> None:
        for injection in self._injections:
            injection.cleared.set()
        self._injections.clear()

    def _do(self, what: Callable[[], None]) -> None:
        done: Future[None] = Future()

        def act() -> None:
            what()
            done.set_result(None)

        self._loop.call_soon_threadsafe(act)
        done.result(CLOSE_SECONDS)

    async def start(self) -> None:
        """Listens; called in the loop."""
        serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        serving.load_cert_chain(self._certificates / PROXY, self._certificates / PROXY_KEY)
        self._asking = ssl.create_default_context(cafile=str(self._plane.ca_file))
        # The port is bound in the same moment in which it is chosen.
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=serving, limit=LIMIT)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Closes the listener and every connection; called in the loop."""
        self._clear()
        if self._server is not None:
            # A connection that was accepted, and that the server has not taken note of yet, would never be closed.
            for listener in self._server.sockets:
                self._loop.remove_reader(listener.fileno())
            await asyncio.sleep(0)
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        exchange = Connection(self._note, reader, writer, Upstream(self._plane.url, self._asking))
        try:
            await exchange.run()
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()  # one side is gone, or the proxy stops
        finally:
            self._tasks.discard(task)
            exchange.upstream.close()
            writer.close()

    def _note(self, request: Message) -> tuple[Seen, Injection | None]:
        seen, injection = meet(request, self._injections)
        self.requests.append(seen)
        return seen, injection


async def _end_the_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
