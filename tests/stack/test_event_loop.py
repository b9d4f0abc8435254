"""The event loop of the tests waits for its connections, and names the one that stays."""

from __future__ import annotations

import socket
import time

import pytest

from tests.stack.event_loop import EventLoop
from tests.stack.wait import DeadlineError

LATER = 0.2


def test_it_ends_after_its_connections() -> None:
    loop, (ours, theirs) = EventLoop(), socket.socketpair()
    with ours, theirs:
        loop.add_reader(ours, lambda: None)
        loop.call_later(LATER, loop.remove_reader, ours)
        before = time.monotonic()
        loop.close()
        assert time.monotonic() - before >= LATER
    assert loop.is_closed()


def test_a_connection_that_stays_is_named() -> None:
    loop, (ours, theirs) = EventLoop(patience=LATER), socket.socketpair()
    with ours, theirs:
        loop.add_reader(ours, lambda: None)
        with pytest.raises(DeadlineError, match=rf"all is closed.*fd={ours.fileno()}"):
            loop.close()
    assert loop.is_closed()
