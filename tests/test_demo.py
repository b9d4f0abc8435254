"""The demo, as a user runs it: a process of its own, with Python alone."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.stack.banking import REPOSITORY

KEYS = {"time", "event", "target", "rule", "value", "from", "to", "sentence"}


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "watchdog", "demo", *arguments],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | environment,
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
    process = start(f"--picture={picture}")
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert "frontend-service: green → blue" in output
    assert picture.read_text().startswith("<svg")
    assert "font-face" not in picture.read_text()
