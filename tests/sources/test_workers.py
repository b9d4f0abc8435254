"""The pool of threads: what hangs or breaks in one thread costs nobody else anything."""

from __future__ import annotations

import asyncio
import math
import socket
import subprocess
import sys
import threading
import time

import pytest

from tests.stack.wait import PATIENCE, eventually
from watchdog.sources.envelope import Query, Reading
from watchdog.sources.workers import Cord, Workers


def query(expr: str = "v", *, deadline: float = math.inf) -> Query:
    return Query(expr=expr, slot=0, deadline=deadline)


class Echo:
    """Answers with the length of the expression; breaks when it is told to."""

    def __init__(self) -> None:
        self.is_closed = False

    def ask(self, query: Query, cord: Cord) -> Reading:
        if query.expr == "break":
            raise ZeroDivisionError
        return Reading(value=len(query.expr or ""))

    def close(self) -> None:
        self.is_closed = True


class Reader:
    """Waits for a byte that never comes."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()

    def ask(self, query: Query, cord: Cord) -> Reading:
        cord.tie(self.near)
        return Reading(value=len(self.near.recv(1)))

    def close(self) -> None:
        self.near.close()
        self.far.close()


async def test_threads_are_started_when_they_are_needed_and_not_before() -> None:
    lines: list[Echo] = []

    def open_line() -> Echo:
        lines.append(Echo())
        return lines[-1]

    workers = Workers(open_line, size=3, name="echo")
    for _ in range(5):
        assert await workers.submit(query("four")).reading == Reading(value=4)
    assert len(lines) == 1
    workers.close()
    assert lines[0].is_closed


async def test_giving_a_query_up_frees_its_thread() -> None:
    workers = Workers(Reader, size=1, name="reader")
    stuck = workers.submit(query())
    await eventually(lambda: stuck.has_begun, "the thread waits for the socket")
    stuck.give_up()
    async with asyncio.timeout(PATIENCE):
        assert await stuck.reading == Reading(value=0)  # the end of the connection
    workers.close()


async def test_a_query_that_is_given_up_before_its_turn_is_not_asked() -> None:
    workers = Workers(Reader, size=1, name="reader")
    first, second = workers.submit(query()), workers.submit(query())
    second.give_up()
    first.give_up()
    async with asyncio.timeout(PATIENCE):
        await first.reading
        assert await second.reading is None
    assert not second.has_begun
    workers.close()


async def test_a_query_whose_time_is_over_is_not_asked() -> None:
    workers = Workers(Echo, size=1, name="echo")
    late = workers.submit(query(deadline=time.monotonic()))
    assert await late.reading is None
    assert not late.has_begun
    workers.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_bug_in_a_thread_costs_one_reading_and_the_thread_is_replaced() -> None:
    workers = Workers(Echo, size=1, name="echo")
    async with asyncio.timeout(PATIENCE):
        assert await workers.submit(query("break")).reading is None
        await eventually(lambda: not _alive("echo-"), "the thread has ended with its traceback")
        assert await workers.submit(query("four")).reading == Reading(value=4)
    workers.close()


async def test_closing_ends_the_threads_also_a_waiting_one() -> None:
    workers = Workers(Reader, size=2, name="closing")
    jobs = [workers.submit(query()) for _ in range(4)]
    await eventually(lambda: sum(job.has_begun for job in jobs) == 2, "both threads wait")
    workers.close()
    assert not _alive("closing-")
    async with asyncio.timeout(PATIENCE):
        assert await asyncio.gather(*(job.reading for job in jobs)) == [Reading(value=0), Reading(value=0), None, None]
        assert await workers.submit(query()).reading is None


@pytest.mark.parametrize("order", ["tied, then cut", "cut, then tied"])
def test_a_cord_ends_a_connection_in_either_order(order: str) -> None:
    near, far = socket.socketpair()
    cord = Cord()
    with near, far:
        steps = [lambda: cord.tie(near), cord.cut]
        for step in steps if order == "tied, then cut" else reversed(steps):
            step()
        assert near.recv(1) == b""


def test_a_cord_that_is_untied_ends_nothing() -> None:
    near, far = socket.socketpair()
    cord = Cord()
    with near, far:
        cord.tie(near)
        cord.untie()
        cord.cut()
        far.send(b"!")
        assert near.recv(1) == b"!"


def test_a_stuck_thread_does_not_hold_up_the_end_of_the_process() -> None:
    program = """
import asyncio, math, time
from watchdog.sources.workers import Workers
from watchdog.sources.envelope import Query

class Stuck:  # as in the look-up of a name: there is no socket to cut
    def ask(self, query, cord):
        time.sleep(600)

async def main():
    workers = Workers(Stuck, size=1, name="stuck")
    try:
        async with asyncio.timeout(0.1):
            await workers.submit(Query(expr="v", slot=0, deadline=math.inf)).reading
    except TimeoutError:
        print("given up")
    workers.close()

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "given up\n"


def _alive(prefix: str) -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(prefix)]
