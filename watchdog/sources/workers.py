"""A bounded pool of threads for a client that blocks, each with a line of its own to the server.

Law: nothing waits for a thread longer than its own deadline: giving a query up cuts its connection, which frees the
thread; and no thread holds up the end of the process.
"""

import asyncio
import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable
from typing import Protocol

from watchdog.sources.envelope import Query, Reading

_CLOSE_SECONDS = 0.5


class Cord:
    """Frees a thread that waits for a socket, from outside: a time-out on a socket starts anew with every byte."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_cut = False

    def tie(self, to: socket.socket) -> None:
        """From now on `cut` ends the connection of this socket; if that has happened already, ends it at once."""
        with self._lock:
            self._socket = to
            self._shut_down_if_cut()

    def untie(self) -> None:
        """Forgets the socket: the query is answered."""
        with self._lock:
            self._socket = None

    def cut(self) -> None:
        """Ends the connection; whoever reads from it sees its end."""
        with self._lock:
            self._is_cut = True
            self._shut_down_if_cut()

    def _shut_down_if_cut(self) -> None:
        if self._is_cut and self._socket is not None:
            with contextlib.suppress(OSError):  # the peer was quicker
                self._socket.shutdown(socket.SHUT_RDWR)


class Line(Protocol):
    """A client that one thread uses; it ties the cord to the socket that it waits for."""

    def ask(self, query: Query, cord: Cord) -> Reading:
        """The reading; blocks."""

    def close(self) -> None:
        """Closes the connection."""


class Job:
    """A query on its way. ``reading`` becomes None when its thread ends without one."""

    def __init__(self, query: Query) -> None:
        self.query = query
        self.has_begun = False
        self.reading: asyncio.Future[Reading | None] = asyncio.get_running_loop().create_future()
        self._is_given_up = False
        self._cord = Cord()

    def give_up(self) -> None:
        """Nobody waits for the reading any more: frees the thread. Does nothing to a job that is finished."""
        self._is_given_up = True
        self._cord.cut()

    def run(self, line: Line) -> Reading | None:
        """The reading, in a thread; None when nobody wants it any more."""
        if self._is_given_up or time.monotonic() >= self.query.deadline:
            return None
        self.has_begun = True
        return line.ask(self.query, self._cord)

    def finish(self, reading: Reading | None) -> None:
        """Hands the reading over, in the event loop."""
        if not self.reading.done():
            self.reading.set_result(reading)


class Workers:
    """At most ``size`` threads, started when they are needed. To be used from one event loop."""

    def __init__(self, open_line: Callable[[], Line], *, size: int, name: str) -> None:
        self._open_line = open_line
        self._size = size
        self._name = name
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._unfinished: set[Job] = set()
        self._threads: list[threading.Thread] = []
        self._is_closed = False

    def submit(self, query: Query) -> Job:
        """A job for the next free thread; whoever submits it gives it up when the time is over."""
        job = Job(query)
        if self._is_closed:
            job.finish(None)
            return job
        self._unfinished.add(job)
        self._jobs.put(job)
        self._start_thread_if_needed()
        return job

    def close(self) -> None:
        """Gives up what is unfinished and ends the threads; one that cannot be freed is left behind."""
        self._is_closed = True
        # First those that wait for their turn, so that a thread that is freed finds nothing to begin.
        for job in sorted(self._unfinished, key=lambda job: job.has_begun):
            job.give_up()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(_CLOSE_SECONDS / len(self._threads))

    def _start_thread_if_needed(self) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        if len(self._threads) < min(self._size, len(self._unfinished)):
            # A daemon, and not of concurrent.futures: those are waited for at the end of the process.
            loop = asyncio.get_running_loop()
            name = f"{self._name}-{len(self._threads)}"
            thread = threading.Thread(target=self._work, args=(loop,), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        line = self._open_line()
        try:
            while (job := self._jobs.get()) is not None:
                self._answer(job, line, loop)
        finally:
            line.close()

    def _answer(self, job: Job, line: Line, loop: asyncio.AbstractEventLoop) -> None:
        reading = None
        try:
            reading = job.run(line)
        finally:  # also after a bug, which ends this thread with a traceback: nobody shall wait for it
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._finish, job, reading)

    def _finish(self, job: Job, reading: Reading | None) -> None:
        self._unfinished.discard(job)
        job.finish(reading)
