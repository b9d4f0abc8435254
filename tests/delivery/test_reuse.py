"""What repositories of rule files take from this one: the pre-commit hook, and the GitHub Action."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.delivery.chart import ROOT

(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of rule files."""
    (tmp_path / "rules").mkdir()
    shutil.copy(ROOT / "rules" / "banking-app.yaml", tmp_path / "rules")
    return tmp_path


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    """A runner's folder for temporary files, with this watchdog installed where the action installs it."""
    bin_folder = tmp_path / "runner" / "canary-watchdog" / "bin"
    bin_folder.mkdir(parents=True)
    command = bin_folder / "watchdog"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m watchdog "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return tmp_path / "runner"


def bash(script: str, *, at: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a step as GitHub's runner does."""
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=at,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def step(name: str) -> dict[str, Any]:
    """A step of the action."""
    return next(each for each in ACTION["runs"]["steps"] if each.get("name") == name)


def checked(repository: Path, runner: Path, *, rules: str = "rules/", sarif: str = "") -> tuple[int, str]:
    """The exit code and the output of the action's check."""
    done = bash(step("Check")["run"], at=repository, RUNNER_TEMP=str(runner), RULES=rules, SARIF=sarif)
    return done.returncode, done.stdout


def break_rules(repository: Path) -> None:
    """A mistake on the 30th line or so."""
    file = repository / "rules" / "banking-app.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("cooldown: 30m", "cooldwn: 30m"), encoding="utf-8")


def test_the_hook_checks_the_folder(repository: Path) -> None:
    command = shlex.join([sys.executable, "-m", *shlex.split(HOOK["entry"]), *HOOK["args"]])
    assert bash(command, at=repository).returncode == 0
    break_rules(repository)
    assert bash(command, at=repository).returncode == 1
    assert re.search(HOOK["files"], "rules/banking-app.yaml")
    assert not re.search(HOOK["files"], "rules/tests/banking-app.test.yaml")


def test_the_hook_is_a_command_that_the_package_installs() -> None:
    command, _, _ = HOOK["entry"].partition(" ")
    assert f'{command} = "watchdog.cli:main"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_action_passes_what_is_well_and_marks_what_is_not(repository: Path, runner: Path) -> None:
    assert checked(repository, runner) == (0, "")
    break_rules(repository)
    code, said = checked(repository, runner)
    assert code == 1
    assert said.startswith("::error file=rules/banking-app.yaml,line=")


@pytest.mark.parametrize("between", [" ", "\n"], ids=["a space", "a line each"])
def test_the_action_checks_every_path_that_it_is_given(repository: Path, runner: Path, between: str) -> None:
    (repository / "more").mkdir()
    (repository / "more" / "bad.yaml").write_text("target: [", encoding="utf-8")
    code, said = checked(repository, runner, rules=f"rules/{between}more/\n")
    assert (code, said.startswith("::error file=more/bad.yaml,")) == (1, True)


def test_the_action_writes_sarif_where_it_is_asked_to(repository: Path, runner: Path) -> None:
    break_rules(repository)
    code, _ = checked(repository, runner, sarif="found.sarif")
    assert code == 1
    assert '"version": "2.1.0"' in (repository / "found.sarif").read_text(encoding="utf-8")


def test_the_action_runs_the_tests_of_the_rules(repository: Path, runner: Path) -> None:
    shutil.copytree(ROOT / "rules" / "tests", repository / "rules" / "tests")
    assert step("Test")["if"] == "inputs.tests != ''"
    given = {"RUNNER_TEMP": str(runner), "TESTS": "rules/tests", "JUNIT": "a b.xml"}
    done = bash(step("Test")["run"], at=repository, **given)
    assert (done.returncode, "0 failed" in done.stdout) == (0, True), done.stderr
    assert (repository / "a b.xml").read_text(encoding="utf-8").startswith("<?xml")
    file = repository / "rules" / "banking-app.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("{max: 0.05}", "{max: 0.5}"), encoding="utf-8")
    done = bash(step("Test")["run"], at=repository, **given | {"JUNIT": ""})
    assert (done.returncode, "FAILED" in done.stdout) == (1, True)


def test_inputs_of_the_action_are_no_code(repository: Path, runner: Path) -> None:
    code, _ = checked(repository, runner, rules="rules/ $(touch${IFS}hacked) ;touch hacked")
    assert code == 2
    assert not (repository / "hacked").exists()
    for each in ACTION["runs"]["steps"]:
        assert "${{" not in each.get("run", "")


def test_the_action_installs_what_is_locked() -> None:
    assert "--require-hashes -r" in step("Install")["run"]
    assert (ROOT / "requirements.lock").exists()
