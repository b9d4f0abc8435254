"""Receives webhooks on loopback, in a thread of its own: what people would have been told.

Law: everything that was sent is kept, with the time of its arrival.
"""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.stack.ports import free_port
from tests.stack.wait import PATIENCE


@dataclass(frozen=True, slots=True)
class Hook:
    """One request: when (Unix seconds), to which path, and its JSON."""

    at: float
    path: str
    body: dict[str, Any]


@dataclass
class Hooks:
    """What has arrived, the oldest first."""

    port: int
    received: list[Hook] = field(default_factory=list)

    def url(self, name: str) -> str:
        """The address of one receiver."""
        return f"http://127.0.0.1:{self.port}/{name}"

    def alerts(self, kind: str = "") -> list[dict[str, Any]]:
        """What the JSON webhook was sent, of one kind or of all."""
        sent = [hook.body for hook in self.received if hook.path == "/json"]
        return [body for body in sent if kind in ("", body["kind"])]

    def slack(self) -> list[dict[str, Any]]:
        """What the Slack webhook was sent."""
        return [hook.body for hook in self.received if hook.path == "/slack"]


@contextmanager
def silence() -> Iterator[socket.socket]:
    """Listens inside the block: the kernel accepts every connection, and nobody answers."""
    with socket.create_server(("127.0.0.1", free_port())) as server:
        server.settimeout(PATIENCE)
        yield server


@contextmanager
def receiving() -> Iterator[Hooks]:
    """Receives inside the block."""
    hooks = Hooks(free_port())

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            hooks.received.append(Hook(time.time(), self.path, body))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Says nothing: the test says what it misses."""

    server = ThreadingHTTPServer(("127.0.0.1", hooks.port), Handler)
    thread = threading.Thread(target=server.serve_forever, name="hooks", daemon=True)
    thread.start()
    try:
        yield hooks
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
