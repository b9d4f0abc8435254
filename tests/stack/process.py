"""Starts, stops, freezes and kills the programs that the tests run beside themselves.

Law: no child outlives the test run: each is tied to its parent by the kernel (`launch.py`), and has a log file of its
own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.stack.build import PartUnavailableError
from tests.stack.wait import DeadlineError, wait_until

LAUNCHER = Path(__file__).with_name("launch.py")
STOP_SECONDS = 10.0
LOG_TAIL_LINES = 15

Command = list[str | Path]


class ServerFailedError(RuntimeError):
    """A server that is there and does not run: an error of the tests that need it, unlike a part that is not there."""


@dataclass(frozen=True, slots=True)
class User:
    """Whom a child runs as."""

    uid: int
    gid: int


@dataclass(kw_only=True)
class Child:
    """One program, started as often as `start` is called; its output is appended to ``folder/name.log``.

    ``has_children`` is for a program that starts others: the kernel's tie does not reach them.
    """

    name: str
    command: Command
    folder: Path
    environment: Mapping[str, str] | None = None
    user: User | None = None
    has_children: bool = False
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _guard: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def log(self) -> Path:
        """The file that its standard output and error go to."""
        return self.folder / f"{self.name}.log"

    @property
    def pid(self) -> int:
        """The process id; raises `RuntimeError` when it was never started."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """True until the process has ended; a frozen one runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended (negative: by which signal), None while it runs."""
        return None if self._process is None else self._process.poll()

    @property
    def rss_mib(self) -> float:
        """Resident memory in MiB."""
        return resident_mib(self.pid)

    def start(self) -> None:
        """Starts it, from the main thread: the kernel kills a child when the *thread* that started it ends."""
        if self.running:
            return
        if sys.platform != "linux":
            raise PartUnavailableError(f"{self.name}: the real servers are started with means of Linux only")
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError(f"{self.name} must be started from the main thread")
        user = self.user or User(-1, -1)
        launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(user.uid), str(user.gid)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*launcher, *map(str, self.command)],
                cwd=self.folder,
                env=None if self.environment is None else dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # ^C in the terminal is for the test run, which then stops us in order
            )
        if self.has_children:
            self._dismiss_guard()
            self._guard = _guard_group(self._process.pid)

    def suspend(self) -> None:
        """Freezes it (SIGSTOP): connections are accepted by the kernel, and nobody answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Thaws it (SIGCONT)."""
        self._signal(signal.SIGCONT)

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Frozen inside the block."""
        self.suspend()
        try:
            yield
        finally:
            self.resume()

    def terminate(self) -> None:
        """Asks it to end (SIGTERM), and does not wait."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it at once (SIGKILL), and waits until it is gone."""
        self._signal(signal.SIGKILL)
        self.wait(STOP_SECONDS)

    def wait(self, seconds: float) -> int | None:
        """Waits for its end; returns the exit code, None when it still runs."""
        if self._process is None:
            return None
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, *, seconds: float = STOP_SECONDS) -> None:
        """Thaws it, asks it to end, and kills it when it has not ended after ``seconds``."""
        if self.running:
            self.resume()
            self.terminate()
            if self.wait(seconds) is None:
                self.kill()
        self._dismiss_guard()

    def check(self) -> None:
        """Raises `ServerFailedError` with the end of its log when it has ended by itself."""
        if not self.running:
            raise ServerFailedError(f"{self.name} ended with {self.exit_code}:\n{self.log_tail()}")

    def wait_until_ready(self, answers: Callable[[], bool], *, within: float) -> None:
        """Waits until ``answers``; raises `ServerFailedError` when it ends before, or is too slow."""

        def ready() -> bool:
            self.check()
            return answers()

        try:
            wait_until(ready, f"{self.name} answers", within=within)
        except DeadlineError as error:
            raise ServerFailedError(f"{error}\n{self.log_tail()}") from error

    def log_tail(self) -> str:
        """The last lines of its log."""
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)  # does nothing when it has ended

    def _dismiss_guard(self) -> None:
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
            self._guard = None


def _guard_group(group: int) -> subprocess.Popen[bytes]:
    """Waits for the end of a pipe, which is the end of the test run, and kills the group, also what is frozen in it."""
    script = f"read -r _; kill -KILL -{group}"
    return subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, start_new_session=True)


def resident_mib(pid: int) -> float:
    """Resident memory of a process in MiB, 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0.0
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(sizes[0]) / 1024 if sizes else 0.0
