"""Starts processes that watch a target, in milliseconds: a program that has imported everything, and forks.

Law: each order is a process of its own with its own memory, so that kill -9 is kill -9; none outlives this one.

``python -m tests.campaign.nursery NAME`` listens on an abstract socket: an order as one line of JSON comes in, the
process id goes out.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import secrets
import select
import signal
import socket
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from tests.campaign.one_target import Order, watch
from tests.stack.banking import REPOSITORY
from tests.stack.launch import PR_SET_PDEATHSIG
from tests.stack.process import Child

BACKLOG = 64
DEATH_SECONDS = 10


class Nestling:
    """One process of the nursery, known by a handle that no other process can inherit."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._handle = os.pidfd_open(pid)

    def kill(self) -> None:
        """SIGKILL, without waiting."""
        try:
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        except ProcessLookupError:
            return

    def suspend(self) -> None:
        """SIGSTOP: it stands still, and knows nothing of it."""
        signal.pidfd_send_signal(self._handle, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        signal.pidfd_send_signal(self._handle, signal.SIGCONT)

    @property
    def running(self) -> bool:
        """True until it has ended."""
        return not select.select([self._handle], [], [], 0)[0]

    def wait_until_gone(self) -> None:
        """Returns when it has ended; raises `AssertionError` when it does not."""
        assert select.select([self._handle], [], [], DEATH_SECONDS)[0], f"process {self.pid} does not end"

    def close(self) -> None:
        """Ends it, and lets the handle go."""
        self.kill()
        self.wait_until_gone()
        os.close(self._handle)


class Nursery:
    """The program, seen from the tests. `spawn` may be called from any thread."""

    def __init__(self, name: str) -> None:
        self._name = name

    def spawn(self, order: Order) -> Nestling:
        """A new process that begins to watch at once."""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(self._name)
            asking.sendall(json.dumps(asdict(order)).encode() + b"\n")
            return Nestling(int(asking.makefile().readline()))


@contextmanager
def nursery(folder: Path) -> Iterator[Nursery]:
    """A running one, from the main thread; its processes end with the block."""
    name = f"canary-watchdog-nursery-{os.getpid()}-{secrets.token_hex(3)}"
    command: list[str | Path] = [sys.executable, "-m", "tests.campaign.nursery", name]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    child = Child(name="nursery", command=command, folder=folder, environment=environment)
    child.start()
    try:
        child.wait_until_ready(lambda: _listens(name), within=60)
        yield Nursery(f"\0{name}")
    finally:
        child.kill()


def _listens(name: str) -> bool:
    return any(line.endswith(f"@{name}") for line in Path("/proc/net/unix").read_text().splitlines())


def main(name: str) -> None:
    """Forks for each order until it is killed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody has to collect the dead
    gc.collect()
    gc.freeze()  # the collector would touch, and so copy, every page that is shared
    own = os.getpid()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{name}")
        listener.listen(BACKLOG)
        while True:
            asking, _ = listener.accept()
            order = Order(**json.loads(asking.makefile().readline()))
            pid = os.fork()
            if pid == 0:
                listener.close()
                asking.close()
                _become(order, own)
            asking.sendall(f"{pid}\n".encode())
            asking.close()


def _become(order: Order, parent: int) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    with Path(order.log).open("a") as log:
        try:
            asyncio.run(watch(order, log))
        except BaseException:  # noqa: BLE001 - the forked copy must not go on as its parent
            traceback.print_exc(file=log)
            log.flush()
        finally:
            os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
