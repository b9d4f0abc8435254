"""The transport under a `requests` session: one connection that another thread can cut.

Law: whatever requests and urllib3 wait for on the connection (the TLS handshake, a header, a body) ends when the cord
is cut. Looking up a name and connecting have no socket yet: they end by their own time-outs.

This module imports requests, which costs: import it where a source is started.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Retry
from urllib3.connection import HTTPConnection, HTTPSConnection

from watchdog.sources.workers import Cord


class Wire:
    """The one connection of a session, and a second handle on its socket for the cord.

    The second handle is needed because the first one moves: TLS wraps it, and the response takes it over.
    """

    def __init__(self) -> None:
        self._connection: HTTPConnection | None = None
        self._handle: socket.socket | None = None
        self._cord: Cord | None = None

    @contextmanager
    def under(self, cord: Cord) -> Iterator[None]:
        """Inside the block the cord is tied to the connection, also to one that is opened only there."""
        self._cord = cord
        if self._handle is not None:
            cord.tie(self._handle)
        try:
            yield
        finally:
            cord.untie()
            self._cord = None
            if self._connection is not None and self._connection.is_closed:
                self.hang_up()

    def connected(self, connection: HTTPConnection, sock: socket.socket) -> None:
        """A connection was opened; the one before it is closed already."""
        self.hang_up()
        self._connection, self._handle = connection, sock.dup()
        if self._cord is not None:
            self._cord.tie(self._handle)

    def hang_up(self) -> None:
        """Closes the handle: as long as it is open the server does not see an end."""
        if self._cord is not None:
            self._cord.untie()
        if self._handle is not None:
            self._handle.close()
        self._connection = self._handle = None


class WireAdapter(HTTPAdapter):
    """Carries the requests of a session over a wire, each tried once."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=Retry(total=0))
        self._wire = wire

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Makes urllib3 open connections of ours."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> HTTPConnectionPool:
        """Hands the wire down to the connection that is about to be opened."""
        pool: HTTPConnectionPool = super().get_connection_with_tls_context(*args, **options)  # type: ignore[assignment]
        pool.conn_kw["wire"] = self._wire
        return pool


class _Connection(HTTPConnection):
    def __init__(self, *args: Any, wire: Wire, **options: Any) -> None:
        super().__init__(*args, **options)
        self._wire = wire

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        self._wire.connected(self, sock)
        return sock


class _TlsConnection(HTTPSConnection):
    def __init__(self, *args: Any, wire: Wire, **options: Any) -> None:
        super().__init__(*args, **options)
        self._wire = wire

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        self._wire.connected(self, sock)
        return sock


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
