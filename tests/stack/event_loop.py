"""The event loop of a test that is a coroutine: it ends after its connections, and not before.

A call that was given up leaves a TLS connection that says goodbye for as long as the server takes to answer (up to
30 s, `asyncio.constants.SSL_SHUTDOWN_TIMEOUT`), and the loop alone knows of it: the session that made it is closed.
A loop that is closed meanwhile leaves the socket to the garbage collector, which fails another test for it.
"""

from __future__ import annotations

import asyncio
import selectors

from tests.stack.wait import PATIENCE, eventually


class EventLoop(asyncio.SelectorEventLoop):
    """Closes when nothing is open any more; raises `DeadlineError` naming what is after ``patience`` seconds."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._looked_after = selectors.DefaultSelector()
        self._patience = patience
        super().__init__(self._looked_after)
        self._own = set(self._looked_after.get_map())  # how other threads wake it

    def close(self) -> None:
        try:
            if not self.is_closed():
                self.run_until_complete(eventually(self._nothing_open, "all is closed", within=self._patience))
        finally:
            super().close()

    def _nothing_open(self) -> bool:
        is_open = [key.fileobj for fd, key in self._looked_after.get_map().items() if fd not in self._own]
        assert not is_open, is_open
        return True
