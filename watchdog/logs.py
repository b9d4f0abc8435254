"""Logging: one line an event, on one file descriptor, for our own events and for those of the libraries.

Law: logging never fails, blocks or steers: a line that cannot be written is counted and left out, every value is cut
to a bound, and a control character is shown, not obeyed.
"""

import errno
import json
import logging
import math
import os
import select
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from watchdog.core.visible import clip, visible

VALUE_BYTES = 2048
TRACEBACK_BYTES = 16_384
_DEPTH = 4
_STDERR = 2
_PATIENCE_MILLISECONDS = 20
# A pipe that is ready takes this much without blocking.
_CHUNK_BYTES = select.PIPE_BUF
_LEVELS = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO)

LogFormat = Literal["json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]


def configure_logging(log_format: LogFormat, level: LogLevel, *, descriptor: int = _STDERR) -> None:
    """Sends every log event of this process to the descriptor.

    Libraries speak through the same lines from WARNING on, whatever the level: below it some of them print headers
    and bodies. Tracebacks come without local variables, which may hold secrets.
    """
    lines = _Lines(descriptor)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            _ordered,
            _bounded,
            lines.tell_lost,
            *_renderers(log_format, descriptor),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_number_of(level)),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=False,
    )
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    root.handlers[:] = [_Bridge()]
    root.setLevel(max(logging.WARNING, _number_of(level)))
    # Its warnings repeat, slot by slot, what the rule's own reason says.
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)


def _number_of(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


def _renderers(log_format: LogFormat, descriptor: int) -> list[Processor]:
    if log_format == "json":
        return [structlog.processors.JSONRenderer(ensure_ascii=True)]
    console = structlog.dev.ConsoleRenderer(
        colors=_is_terminal(descriptor) and not os.environ.get("NO_COLOR"),
        exception_formatter=structlog.dev.plain_traceback,
        sort_keys=False,
        timestamp_key="time",
    )
    return [_visible_values, console]


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


class _Lines:
    """Writes lines to a descriptor. A full or broken one costs lines, never the caller's time or life."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._lost = 0
        self._is_torn = False

    def msg(self, line: str) -> None:
        """Writes a line, or counts it as lost."""
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        with self._lock:
            try:
                self._write(b"\n" + data if self._is_torn else data)
            except OSError:  # EPIPE, ENOSPC, EAGAIN, EBADF: there is nobody to tell
                self._lost += 1
            else:
                self._lost = 0

    debug = info = warning = error = critical = fatal = msg

    def tell_lost(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        """The event, with the number of lines that were lost just before it, if any."""
        return {**event, "lost_lines": self._lost} if self._lost else event

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._wait_for_room()
            written = os.write(self._descriptor, rest[:_CHUNK_BYTES])
            rest = rest[written:]
            self._is_torn = bool(rest)

    def _wait_for_room(self) -> None:
        # A reader that was found stuck is not waited for again until it moves.
        patience = 0 if self._lost else _PATIENCE_MILLISECONDS
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        if not poll.poll(patience):
            raise BlockingIOError(errno.EAGAIN, "the reader of the log is stuck")


class _Bridge(logging.Handler):
    """Hands the records of the standard library's logging to structlog, at the nearest level that it knows."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except (TypeError, ValueError, KeyError):
            text = str(record.msg)  # a library's own mistake in its format string
        level = next((level for level in _LEVELS if level <= record.levelno), logging.DEBUG)
        structlog.get_logger().log(level, text, logger=record.name, exc_info=record.exc_info)


def _ordered(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Time, level and event first: a person reads from the left."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = {"time": time, "level": event.pop("level"), "event": event.pop("event", "")}
    return {**head, **event}


def _bounded(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Plain values of bounded size. The end of a traceback says more than its beginning."""
    traceback = event.pop("exception", None)
    bounded = {clip(str(key), VALUE_BYTES): _value(value) for key, value in event.items()}
    if traceback:
        bounded["exception"] = traceback[-TRACEBACK_BYTES:]
    return bounded


def _value(value: Any) -> Any:
    plain = _plain(value, _DEPTH)
    if isinstance(plain, dict | list):
        text = json.dumps(plain)
        return plain if len(text) <= VALUE_BYTES else clip(text, VALUE_BYTES)
    return plain


def _plain(value: Any, depth: int) -> Any:
    """The value as JSON knows it; what JSON has no word for is told as text."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case str():
            return clip(str(value), VALUE_BYTES)
        case Mapping() if depth:
            return {clip(str(key), VALUE_BYTES): _plain(each, depth - 1) for key, each in value.items()}
        case list() | tuple() | set() | frozenset() if depth:
            return [_plain(each, depth - 1) for each in value]
        case _:
            return clip(str(value), VALUE_BYTES)


def _visible_values(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The same event for a terminal. Only a traceback keeps its line breaks."""
    shown = {
        visible(key): value if isinstance(value, bool | int | float) else visible(str(value))
        for key, value in event.items()
    }
    if "exception" in event:
        shown["exception"] = "\n".join(map(visible, event["exception"].split("\n")))
    return shown
