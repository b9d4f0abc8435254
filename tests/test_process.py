"""Children end with the test run, ports are given out once, and the last lines of a run say what was not tested.

Law: no real server is needed here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import last_lines
from tests.stack.banking import REPOSITORY
from tests.stack.ports import free_port
from tests.stack.process import Child
from tests.stack.wait import DeadlineError, wait_until

PARENT = """
import os, signal, sys, time
from pathlib import Path
from tests.stack.process import Child
from tests.stack.wait import wait_until

folder = Path(sys.argv[1])
child = Child(name="tree", command=["sh", "-c", "sleep 600 & echo $!; wait"], folder=folder, has_children=True)
child.start()
wait_until(lambda: child.log.read_text().endswith("\\n"), "the grandchild is there")
os.kill(int(child.log.read_text()), signal.SIGSTOP)
print(child.pid, child.log.read_text(), flush=True)
time.sleep(600)
"""
CLAIM = """
import sys
from tests.stack.ports import _claim

print(_claim(int(sys.argv[1])) is not None)
"""


def test_children_die_with_a_killed_parent_even_a_frozen_grandchild(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, tmp_path], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert [_is_alive(pid) for pid in pids] == [True, True]
        parent.kill()
    wait_until(lambda: not any(_is_alive(pid) for pid in pids), "the children are gone")


def test_a_frozen_child_can_be_stopped(tmp_path: Path) -> None:
    child = Child(name="sleeper", command=["sleep", "600"], folder=tmp_path)
    child.start()
    child.suspend()
    child.stop()
    assert child.exit_code == -15


def test_a_port_is_given_out_once_on_the_machine() -> None:
    command = [sys.executable, "-c", CLAIM, str(free_port())]
    assert subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_deadline_names_what_was_waited_for() -> None:
    with pytest.raises(DeadlineError, match=r"the moon is blue \(last answer: False\)"):
        wait_until(lambda: False, "the moon is blue", within=0.1)


def test_a_part_that_a_worker_did_not_get_is_named_in_the_last_lines_of_the_run(tmp_path: Path) -> None:
    nothing = {"CANARY_WATCHDOG_CACHE": str(tmp_path), "PATH": str(tmp_path)}
    one_test = "tests/test_stack.py::test_stated_history_is_answered_at_once"
    command = [sys.executable, "-m", "pytest", "--numprocesses=1", "-p", "no:cacheprovider", one_test]
    run = subprocess.run(command, cwd=REPOSITORY, env=os.environ | nothing, capture_output=True, text=True, check=False)
    assert run.stdout.splitlines()[-3:-1] == [
        "0 passed, 0 failed, 1 skipped",
        "MISSING PART Prometheus: Go (go) is not installed",
    ]


def test_the_last_lines_count_errors_as_failed_and_name_what_is_missing() -> None:
    skipped = pytest.TestReport(
        nodeid="tests/test_bank.py::test_pay",
        location=("tests/test_bank.py", 1, "test_pay"),
        keywords={},
        outcome="skipped",
        longrepr=("tests/conftest.py", 1, "Skipped: Elasticsearch is not to be had: no Java"),
        when="setup",
    )
    stats = {"passed": [skipped] * 3, "failed": [skipped], "error": [skipped], "skipped": [skipped]}
    assert last_lines(stats, {"Elasticsearch": "no Java"}) == [
        "3 passed, 2 failed, 1 skipped",
        "MISSING PART Elasticsearch: no Java",
        "SKIPPED tests/test_bank.py::test_pay: Elasticsearch is not to be had: no Java",
    ]


def _is_alive(pid: int) -> bool:
    """A zombie that its new parent has not buried yet is dead."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
