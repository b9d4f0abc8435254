"""A Prometheus of our own for the time of a command: found on PATH or named, on loopback, in a folder that vanishes.

Law: it scrapes nothing, listens on 127.0.0.1 alone, and ends with the command.
"""

import asyncio
import contextlib
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

START_SECONDS = 60.0
_GLANCE_SECONDS = 0.05
_STOP_SECONDS = 10.0
_CONFIG = "global: {scrape_interval: 1h, evaluation_interval: 1h}\n"


class EngineError(Exception):
    """A server that cannot be had or does not do what it is asked; the text says what to do."""


def find_prometheus(named: Path | None) -> Path | None:
    """The binary that was named, or the one on PATH. Raises EngineError for a name that is no program."""
    found = shutil.which(str(named) if named is not None else "prometheus")
    if named is not None and found is None:
        raise EngineError(f"{named} is no program; name the file prometheus of a Prometheus release")
    return None if found is None else Path(found)


@contextlib.asynccontextmanager
async def own_prometheus(binary: Path) -> AsyncIterator[str]:
    """The URL of a running, empty Prometheus that takes remote write. Raises EngineError; CancelledError on SIGTERM."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    if task is not None:
        loop.add_signal_handler(signal.SIGTERM, task.cancel)  # by itself, it would leave the server behind
    with tempfile.TemporaryDirectory(prefix="watchdog-prometheus-") as name:
        folder, url = Path(name), f"http://127.0.0.1:{_free_port()}"
        (folder / "prometheus.yml").write_text(_CONFIG, encoding="utf-8")
        with (folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                binary,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                "--storage.tsdb.retention.time=100y",  # tests are played at an instant of the past
                f"--web.listen-address={url.removeprefix('http://')}",
                "--web.enable-remote-write-receiver",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            await _wait_until_ready(url, process, folder / "log")
            yield url
        finally:
            await _end(process)
            loop.remove_signal_handler(signal.SIGTERM)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _wait_until_ready(url: str, process: asyncio.subprocess.Process, log: Path) -> None:
    try:
        async with asyncio.timeout(START_SECONDS), aiohttp.ClientSession() as session:
            while process.returncode is None:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{url}/-/ready") as response:
                        if response.ok:
                            return
                await asyncio.sleep(_GLANCE_SECONDS)
    except TimeoutError:
        raise EngineError(f"Prometheus was not ready within {START_SECONDS:g} s: {_last_line(log)}") from None
    raise EngineError(f"Prometheus did not start: {_last_line(log)}")


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
