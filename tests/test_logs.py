"""One line an event: it can be parsed, it steers no terminal, and no trouble with it reaches the caller."""

import asyncio
import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from tests.stack.wait import PATIENCE
from watchdog.logs import TRACEBACK_BYTES, VALUE_BYTES, LogFormat, configure_logging

Lines = Callable[[], list[str]]


@pytest.fixture(autouse=True)
def _undone() -> Iterator[None]:
    """Gives the logging of the test runner back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    yield reader, writer
    for descriptor in (reader, writer):
        try:
            os.close(descriptor)
        except OSError:
            continue  # the test closed it


@pytest.fixture
def file(tmp_path: Path) -> Iterator[tuple[int, Lines]]:
    """A descriptor to log to, and the lines that arrived there."""
    path = tmp_path / "log"
    descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    yield descriptor, lambda: path.read_text(encoding="utf-8").splitlines()
    os.close(descriptor)


def log() -> Any:
    return structlog.get_logger()


def test_a_json_line_has_time_level_and_event_first(file: tuple[int, Lines]) -> None:
    descriptor, lines = file
    configure_logging("json", "info", descriptor=descriptor)
    log().info("decision changed", target="banking-app", count=3)
    (line,) = lines()
    event = json.loads(line)
    assert list(event) == ["time", "level", "event", "target", "count"]
    assert len(event["time"]) == len("2026-01-02T03:04:05.678Z")
    assert event["time"].endswith("Z")
    assert event["level"] == "info"
    assert event["event"] == "decision changed"
    assert event["count"] == 3


def test_a_context_is_carried_along(file: tuple[int, Lines]) -> None:
    descriptor, lines = file
    configure_logging("json", "info", descriptor=descriptor)
    with structlog.contextvars.bound_contextvars(trip="t-1"):
        log().info("switched")
    log().info("after")
    assert [json.loads(line).get("trip") for line in lines()] == ["t-1", None]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_below_the_level_nothing_is_written(log_format: LogFormat, file: tuple[int, Lines]) -> None:
    descriptor, lines = file
    configure_logging(log_format, "warning", descriptor=descriptor)
    log().info("no")
    log().warning("yes")
    assert len(lines()) == 1
    assert "yes" in lines()[0]


@pytest.mark.parametrize("name", ["kubernetes", "urllib3.connectionpool", "aiohttp.server", "asyncio"])
def test_libraries_speak_through_the_same_lines_from_warning_on(name: str, file: tuple[int, Lines]) -> None:
    descriptor, lines = file
    configure_logging("json", "debug", descriptor=descriptor)
    library = logging.getLogger(name)
    library.debug("a token")
    library.info("a body")
    library.warning("retry %d", 3)
    events = [json.loads(line) for line in lines()]
    assert [(each["level"], each["event"], each["logger"]) for each in events] == [("warning", "retry 3", name)]


def test_what_a_rules_reason_says_already_is_not_said_again_by_its_client(file: tuple[int, Lines]) -> None:
    descriptor, lines = file
    configure_logging("json", "debug", descriptor=descriptor)
    library = logging.getLogger("elastic_transport.node_pool")
    library.warning("node has failed for 3 times in a row")
    library.error("a bug")
    assert [json.loads(line)["event"] for line in lines()] == ["a bug"]


def test_a_library_that_logs_wrongly_or_at_a_level_of_its_own_is_heard(file: tuple[int, Lines]) -> None:
    descriptor, lines = file
    configure_logging("json", "info", descriptor=descriptor)
    logging.getLogger("x").warning("%d of them", "many")
    logging.getLogger("x").log(45, "between")
    events = [json.loads(line) for line in lines()]
    assert [(each["level"], each["event"]) for each in events] == [("warning", "%d of them"), ("error", "between")]


def test_a_warning_of_python_is_a_line(file: tuple[int, Lines]) -> None:
    descriptor, lines = file
    configure_logging("json", "info", descriptor=descriptor)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old API", DeprecationWarning, stacklevel=1)
    assert "DeprecationWarning: old API" in json.loads(lines()[0])["event"]


HOSTILE = "red \x1b[31m\r\nlevel=error \u202egnp\u2028\ud800\x00"


def test_F93_a_json_line_stays_one_line_of_ascii(file: tuple[int, Lines]) -> None:
    descriptor, lines = file
    configure_logging("json", "info", descriptor=descriptor)
    log().info(HOSTILE, **{"key\n": HOSTILE, "nested": {HOSTILE: [HOSTILE]}})
    (line,) = lines()
    assert line.isascii()
    assert line.isprintable()
    assert "\\u001b[31m\\r\\n" in line
    assert json.loads(line)["level"] == "info"


def test_F93_a_console_line_steers_no_terminal(file: tuple[int, Lines]) -> None:
    descriptor, lines = file
    configure_logging("console", "info", descriptor=descriptor)
    log().info(HOSTILE, **{"key\n": HOSTILE, "nested": {HOSTILE: [HOSTILE]}})
    logging.getLogger("x").warning(HOSTILE)
    assert len(lines()) == 2
    for line in lines():
        assert line.isprintable()
        assert "\\x1b[31m\\r\\n" in line


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_has_no_local_variables_and_no_control_characters(
    log_format: LogFormat, file: tuple[int, Lines]
) -> None:
    descriptor, lines = file
    configure_logging(log_format, "info", descriptor=descriptor)
    token = "s3cr3t-" + os.urandom(4).hex()
    try:
        os.environ["\x1b[31m" + token[:0]]
    except KeyError:
        log().exception("a bug")
    written = "\n".join(lines())
    assert "Traceback (most recent call last)" in written
    assert "KeyError" in written
    assert token not in written
    assert "\x1b" not in written


def test_of_an_endless_traceback_the_end_is_kept(file: tuple[int, Lines]) -> None:
    descriptor, lines = file
    configure_logging("json", "info", descriptor=descriptor)
    try:
        os.environ["x" * 100_000 + " the end"]
    except KeyError:
        log().exception("a bug")
    exception = json.loads(lines()[0])["exception"]
    assert len(exception) == TRACEBACK_BYTES
    assert exception.endswith(" the end'")


@pytest.mark.parametrize(
    "value",
    ["x" * 100_000, "é" * 100_000, "🔥" * 100_000, ["x" * 1000] * 100, {"a": {"b": "x" * 100_000}}, b"x" * 100_000],
    ids=["text", "two bytes each", "four bytes each", "list", "mapping", "bytes"],
)
def test_a_value_is_cut(value: object, file: tuple[int, Lines]) -> None:
    descriptor, lines = file
    configure_logging("json", "info", descriptor=descriptor)
    log().info("long", value=value)
    shown = json.loads(lines()[0])["value"]
    text = shown if isinstance(shown, str) else json.dumps(shown)
    assert len(text.encode()) <= VALUE_BYTES + 100
    assert "…" in text or "\\u2026" in text


class Odd:
    """A value that JSON has no word for."""

    def __repr__(self) -> str:
        return "odd\n"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(float("nan"), "nan", id="not a number"),
        pytest.param([float("inf")], ["inf"], id="infinite, nested"),
        pytest.param({("frontend", "blue"): 1}, {"('frontend', 'blue')": 1}, id="keys that are pairs"),
        pytest.param((1, None, True), [1, None, True], id="a tuple"),
        pytest.param(SecretStr("s3cr3t"), "**********", id="a secret"),
        pytest.param(Path("/a"), "/a", id="a path"),
        pytest.param(Odd(), "odd\n", id="anything else"),
    ],
)
def test_every_value_has_a_form(value: object, shown: object, file: tuple[int, Lines]) -> None:
    descriptor, lines = file
    configure_logging("json", "info", descriptor=descriptor)
    log().info("x", value=value)
    assert json.loads(lines()[0])["value"] == shown


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_F82_a_full_disk_costs_lines_and_nothing_else(log_format: LogFormat) -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    configure_logging(log_format, "info", descriptor=descriptor)
    log().info("x", value="y" * 10_000)
    logging.getLogger("x").warning("y")
    os.close(descriptor)


@pytest.mark.parametrize("closed", [0, 1], ids=["the reader is gone", "the descriptor is closed"])
def test_F82_a_broken_pipe_costs_lines_and_nothing_else(closed: int, pipe: tuple[int, int]) -> None:
    configure_logging("json", "info", descriptor=pipe[1])
    os.close(pipe[closed])
    log().info("x")
    logging.getLogger("x").warning("y")


async def test_F83_a_stuck_reader_does_not_stop_the_loop_and_learns_what_it_missed(
    pipe: tuple[int, int],
) -> None:
    reader, writer = pipe
    configure_logging("json", "info", descriptor=writer)
    async with asyncio.timeout(PATIENCE):
        for number in range(300):
            log().info("x" * 1500, number=number)
            await asyncio.sleep(0)
    kept = read_all(reader)
    log().info("moving again")
    log().info("and on")
    again, on = [json.loads(line) for line in read_all(reader).decode().splitlines() if line.endswith("}")][-2:]
    whole = [line for line in kept.decode().splitlines() if line.endswith("}")]
    assert [json.loads(line)["number"] for line in whole] == list(range(len(whole)))
    assert again["lost_lines"] == 300 - len(whole)
    assert "lost_lines" not in on


def test_a_line_that_broke_off_does_not_spoil_the_next(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    configure_logging("json", "info", descriptor=writer)
    for _ in range(20):
        log().info("long", **dict.fromkeys("abcde", "x" * 2000))  # three writes each, which divide no pipe
    broken = read_all(reader)
    assert not broken.endswith(b"\n")
    log().info("whole")
    (_, whole) = (broken + read_all(reader)).decode().splitlines()[-2:]
    assert json.loads(whole)["event"] == "whole"


def read_all(reader: int) -> bytes:
    data = b""
    while True:
        try:
            data += os.read(reader, 65536)
        except BlockingIOError:
            return data
