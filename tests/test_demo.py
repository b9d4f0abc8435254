"""The demo, as a user runs it: a process of its own, with Python alone."""

import asyncio
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tests.stack.banking import REPOSITORY
from tests.stack.wait import eventually
from watchdog.demo.traffic import Traffic
from watchdog.demo.view import TerminalView

COMMAND = [sys.executable, "-m", "watchdog", "demo"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(REPOSITORY)}
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
KEYS = {"time", "event", "target", "rule", "value", "from", "to", "sentence"}


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        env=ENVIRONMENT | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def events(process: subprocess.Popen[str]) -> Iterator[dict[str, object]]:
    assert process.stdout is not None
    for line in process.stdout:
        yield json.loads(line)


def test_the_demo_tells_its_story_and_goes_on_with_keep_until_it_is_interrupted() -> None:
    process = start("--json", "--keep", WATCHDOG_DRY_RUN="true")  # a team's environment is not the demo's
    told = []
    for event in events(process):
        told.append(event)
        if event["event"] == "go_on":
            break
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    told += events(process)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (0, "", "")
    assert {frozenset(event) for event in told} == {frozenset(KEYS)}
    assert [(event["from"], event["to"]) for event in told if event["event"] == "selector"] == [("green", "blue")] * 2
    milestones = ("release", "go_bad", "selector", "replicas", "finished")
    order = [event["event"] for event in told if event["event"] in milestones]
    assert order == ["release", "go_bad", "selector", "selector", "replicas", "replicas", "finished"]
    firing = next(event for event in told if (event["event"], event["to"]) == ("phase", "firing"))
    assert firing["rule"] in ("FrontendErrorRatio", "BackendErrorLogs")
    assert told[-1]["event"] == "summary"


def test_without_a_terminal_it_prints_lines_saves_the_picture_and_ends(tmp_path: Path) -> None:
    picture = tmp_path / "demo.svg"
    process = start(f"--picture={picture}", COLUMNS="200")
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert "frontend-service: green → blue" in output
    assert re.search(r"both Services were back on blue after \d+\.\d s", output)
    assert re.search(r"[1-9]\d* of \d+ requests failed, and none fails any more", output)
    assert picture.read_text().startswith("<svg")
    assert "font-face" not in picture.read_text()


@pytest.mark.slow
def test_in_a_terminal_it_draws_the_traffic_and_the_rules_and_ends_with_the_summary() -> None:
    code, output = in_a_terminal(COMMAND)
    frames = [CONTROL.sub("", line) for line in output.splitlines()]
    assert code == 0, output
    assert any(re.search(r"[1-9]\d*\.\d% of the requests fail", line) for line in frames)
    for phase in ("inactive", "pending", "firing"):
        assert any("ErrorRatio" in line and phase in line for line in frames), phase
    assert any("requests failed, and none fails any more" in line for line in frames[-5:])
    assert "Traceback" not in output


@pytest.mark.slow
def test_what_is_not_recovered_when_it_gives_up_is_said_by_the_summary_and_the_exit_code() -> None:
    impatient = "perform(keep=False, as_json=True, picture=None, gives_up_after=0.1)"
    code = f"import sys; from watchdog.demo.stage import perform; sys.exit({impatient})"
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    told = {line["event"]: line["sentence"] for line in map(json.loads, done.stdout.splitlines())}
    assert (done.returncode, done.stderr) == (1, "")
    assert told["give_up"] == "no rollback within 0.1 s"
    assert told["summary"].endswith("requests failed: NOT recovered")


async def test_what_changes_is_read_in_the_event_loop_alone_and_the_terminal_shows_it() -> None:
    readers, screen = [], StringIO()

    def look() -> Traffic:
        readers.append(threading.current_thread())
        return Traffic(active={"backend-service": "blue"}, error_ratio=0.25, requests=4, failed=1)

    view = TerminalView(Console(file=screen, force_terminal=True, width=120, height=50, _environ={"TERM": "xterm"}))
    with view.watching(look):
        drawing = asyncio.create_task(view.keep_drawing())
        await eventually(lambda: "25.0% of the requests fail" in CONTROL.sub("", screen.getvalue()), "it is drawn")
        drawing.cancel()
    assert set(readers) == {threading.current_thread()}


def in_a_terminal(command: list[str]) -> tuple[int, str]:
    """The exit code of a command, and everything that a terminal of 50 lines was sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
    environment = {key: value for key, value in ENVIRONMENT.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
    with subprocess.Popen(
        command, env=environment | {"TERM": "xterm-256color"}, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        sent = b"".join(iter(lambda: read_from(ours), b""))
    os.close(ours)
    return process.returncode, sent.decode()


def read_from(terminal: int) -> bytes:
    """What came, b"" at the end: Linux says it with an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""
