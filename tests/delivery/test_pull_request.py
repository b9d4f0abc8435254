"""What the action says on a pull request: its own step, read from action.yml and run by bash as the runner runs it.

GitHub is a fake that speaks the documented API, and the checkout is made by git from a repository on this disk. The
real GitHub was asked nothing: that a job's token may do what its documentation says is believed, not shown.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.chart import ROOT
from tests.delivery.github import (
    BOT,
    LONGEST,
    NUMBER,
    PERSON,
    READER,
    REPOSITORY,
    TOKEN,
    GitHub,
    Repository,
    repository_at,
)
from tests.delivery.test_reuse import ACTION, runner, step
from tests.replay.test_backtest_real import Past, past, rule_file
from watchdog.commands.pull_request_text import mark_of
from watchdog.sim.server import LoopbackServer

__all__ = ["past", "runner"]

NOBODY = "http://127.0.0.1:9"
RULES, FILE = "rules/", "rules/shop.yaml"
MARK = mark_of([Path(RULES)])
INPUT = re.compile(r"\$\{\{ inputs\.([a-z-]+) \}\}")


@dataclass(frozen=True)
class Ran:
    """How a step ended: its exit code, its log, and the summary of the job."""

    code: int
    log: str
    summary: str


@dataclass
class Job:
    """A workflow with this action in it."""

    github: GitHub
    url: str
    runner: Path
    repository: Repository
    folder: Path
    inputs: dict[str, str] = field(default_factory=lambda: {"backtest": "2m", "active": "green"})
    env: dict[str, str] = field(default_factory=lambda: {"WATCHDOG_PROMETHEUS__URL": NOBODY})
    event: str = "pull_request"
    fork: str = REPOSITORY
    token: str = TOKEN
    runs: int = 0

    async def push(self, files: dict[str, str | None], *, base: str = "") -> Ran:
        """Pushes these files to the pull request, and runs the job; ``base`` is what the event calls the base."""
        commits = self.repository.propose(files)
        checkout = self.repository.check_out(self.folder / commits["merge"], commits["merge"])
        return await self.run(checkout, commits | ({"base": base} if base else {}))

    async def run(self, checkout: Path, commits: dict[str, str], *, ref: str = f"refs/pull/{NUMBER}/merge") -> Ran:
        """Runs the step in a checkout of the merge."""
        self.runs += 1
        summary, event = self.folder / f"summary-{self.runs}.md", self.folder / f"event-{self.runs}.json"
        summary.write_text("of another step\n", encoding="utf-8")
        event.write_text(json.dumps(self._event(commits)), encoding="utf-8")
        set_by_runner = {
            "GITHUB_API_URL": self.url,
            "GITHUB_EVENT_NAME": self.event,
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_GRAPHQL_URL": f"{self.url}/graphql",
            "GITHUB_REF": ref,
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_RUN_ID": "42",
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_SHA": commits["merge"],
            "GITHUB_STEP_SUMMARY": str(summary),
            "RUNNER_TEMP": str(self.runner),
        }
        done = await asyncio.to_thread(self._bash, checkout, set_by_runner | self.env | self._step_env())
        return Ran(done.returncode, done.stdout + done.stderr, summary.read_text(encoding="utf-8"))

    def _event(self, commits: dict[str, str]) -> dict[str, Any]:
        if self.event != "pull_request":
            return {"after": commits["merge"]}
        head = {"sha": commits["head"], "repo": {"full_name": self.fork}}
        return {"pull_request": {"number": NUMBER, "base": {"sha": commits["base"]}, "head": head}}

    def _step_env(self) -> dict[str, str]:
        """The step's environment, its expressions filled in from the inputs and their defaults."""
        defaults = {name: str(each.get("default", "")) for name, each in ACTION["inputs"].items()}
        given = defaults | {"rules": RULES} | self.inputs
        given["token"] = given["token"].replace("${{ github.token }}", self.token)
        return {name: INPUT.sub(lambda found: given[found[1]], text) for name, text in step("Backtest")["env"].items()}

    def _bash(self, checkout: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step("Backtest")["run"]],
            cwd=checkout,
            env=clean | {"PYTHONPATH": str(ROOT)} | environment,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )


@pytest.fixture
async def job(tmp_path: Path, runner: Path) -> AsyncIterator[Job]:
    """A pull request on a repository with one rule file, about servers that nobody reaches."""
    github = GitHub()
    repository = repository_at(tmp_path / "origin", {FILE: rule_file("a"), "README.md": "rules\n"})
    async with LoopbackServer(github.app()) as server:
        yield Job(github, server.url, runner, repository, tmp_path / "work")


@pytest.fixture(autouse=True)
def work(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()


async def test_every_push_edits_the_one_comment(job: Job) -> None:
    for number in range(150):
        job.github.put("bob", f"comment {number}")
    first = await job.push({FILE: rule_file("a", maximum=0.6)})
    assert (first.code, job.github.writes()) == (0, ["POST"]), first.log
    job.github.asked.clear()
    second = await job.push({FILE: rule_file("a", maximum=0.7)})
    assert (second.code, job.github.writes()) == (0, ["PATCH"]), second.log
    assert [path.partition("?")[2] for method, path in job.github.asked if method == "GET"] == [
        "per_page=100&page=1",
        "per_page=100&page=2",
    ]
    (ours,) = job.github.of(BOT)
    assert ours.startswith(f"{MARK}\n### What the rules would have done: backtest from `2m`\n")
    assert "healthy is at most 0.7" in ours
    assert "[summary of the job](https://github.example/shop/rules/actions/runs/42)" in ours
    assert second.summary.startswith("of another step\n### What the rules would have done")


async def test_a_comment_of_somebody_else_is_never_touched_whatever_it_begins_with(job: Job) -> None:
    forged = job.github.put("mallory", f"{MARK}\nlooks good")
    quoted = job.github.put(BOT, f"of another action: {MARK}")
    await job.push({FILE: rule_file("a", maximum=0.6)})
    assert (forged["body"], quoted["body"]) == (f"{MARK}\nlooks good", f"of another action: {MARK}")
    assert len(job.github.of(BOT)) == 2
    job.token = PERSON  # whoever comments has a comment of its own
    await job.push({FILE: rule_file("a", maximum=0.7)})
    assert len(job.github.of("ann")) == 1


async def test_servers_that_cannot_be_reached_fail_nothing_and_their_address_is_in_the_summary_alone(job: Job) -> None:
    ran = await job.push({FILE: rule_file("a", maximum=0.6)})
    (comment,) = job.github.of(BOT)
    assert ran.code == 0
    assert "**nothing is known**: no slot had evidence" in comment
    assert "127.0.0.1:9" in ran.summary
    assert "127.0.0.1" not in comment
    assert TOKEN not in ran.log + ran.summary + comment


async def test_a_fork_has_no_secrets_and_no_right_to_comment(job: Job) -> None:
    job.fork, job.token, job.env = "mallory/rules", READER, {"WATCHDOG_PROMETHEUS__URL": ""}
    ran = await job.push({FILE: rule_file("a", maximum=0.6)})
    assert ran.code == 0
    assert job.github.comments == []
    assert "say where it is with --prometheus URL or WATCHDOG_PROMETHEUS__URL" in ran.summary
    assert "GitHub gives no secret to a pull request from a fork" in ran.summary
    assert "Resource not accessible by integration" in ran.summary
    assert "nothing is wrong with the job" in ran.log


@pytest.mark.parametrize(
    ("troubles", "headers", "told", "comments"),
    [
        pytest.param({"POST": [(503, False)]}, {}, "", 1, id="not for a moment"),
        pytest.param({"POST": [(502, True)]}, {}, "", 1, id="the answer is lost after the comment was made"),
        pytest.param({"GET": [(500, False)] * 9}, {}, "GitHub answered 500: trouble with ***", 0, id="not at all"),
        pytest.param({"POST": [(403, False)]}, {"x-ratelimit-remaining": "0"}, "", 1, id="a limit of the rate"),
        pytest.param({"POST": [(403, False)]}, {}, "permissions: {contents: read, pull-requests: write}", 0, id="403"),
        pytest.param({"GET": [(404, False)]}, {}, "permissions: {contents: read, pull-requests: write}", 0, id="404"),
        pytest.param({"GRAPHQL": [(401, False)]}, {}, "the token is not accepted", 0, id="401"),
        pytest.param(
            {"POST": [(422, False)]}, {}, "GitHub answered 422: trouble with ***; the comment is left out", 0, id="422"
        ),
        pytest.param({"GET": [(302, False)]}, {"Location": "/elsewhere"}, "GitHub answered 302", 0, id="a redirect"),
    ],
)
async def test_what_github_refuses_is_said_in_the_summary_and_fails_nothing(
    job: Job, troubles: dict[str, list[tuple[int, bool]]], headers: dict[str, str], told: str, comments: int
) -> None:
    job.github.troubles, job.github.headers = troubles, headers
    ran = await job.push({FILE: rule_file("a", maximum=0.6)})
    assert (ran.code, len(job.github.comments)) == (0, comments), ran.log
    assert told in ran.summary
    assert ("The pull request has no comment of this" in ran.summary) == bool(told)
    assert ("::warning::backtest: GitHub" in ran.log) == bool(told)


async def test_without_a_token_the_summary_is_all(job: Job) -> None:
    job.inputs["token"] = ""
    ran = await job.push({FILE: rule_file("a", maximum=0.6)})
    assert (ran.code, job.github.asked, "::warning::" in ran.log) == (0, [], False)
    assert f"#### `{FILE}`" in ran.summary


async def test_a_summary_that_cannot_be_written_is_printed_and_fails_nothing(job: Job) -> None:
    job.env["GITHUB_STEP_SUMMARY"] = "/no/such/summary.md"
    ran = await job.push({FILE: rule_file("a", maximum=0.6)})
    assert ran.code == 0, ran.log
    assert "::warning::backtest: the summary of the job cannot be written: No such file or directory" in ran.log
    assert f"#### `{FILE}`" in ran.log


async def test_a_comment_that_is_deleted_meanwhile_is_made_anew(job: Job) -> None:
    job.github.put(BOT, f"{MARK}\nold")
    job.github.deletes_before_edit = True
    assert (await job.push({FILE: rule_file("a", maximum=0.6)})).code == 0
    assert (job.github.writes(), len(job.github.of(BOT))) == (["PATCH", "POST"], 1)


async def test_only_the_files_that_the_pull_request_changes_are_played(job: Job) -> None:
    job.repository.commit({"rules/other.yaml": rule_file("b").replace("shop", "other")})
    before = job.repository.git("rev-parse", "main~1")
    # The event calls the base by an older name than GitHub has merged into: the work of others is not this change.
    ran = await job.push({FILE: rule_file("a", maximum=0.6), "README.md": "more\n"}, base=before)
    (comment,) = job.github.of(BOT)
    assert re.findall("#### `(.*)`", comment) == [FILE], ran.log
    against = job.repository.git("rev-parse", "--short=12", "main")
    assert f"Against `{against}` no difference is seen" in comment


async def test_files_that_are_new_or_gone_are_told(job: Job) -> None:
    new = rule_file("b").replace("shop", "other")
    await job.push({FILE: None, "rules/other.yaml": new, "rules/tests/a.test.yaml": "{}"})
    (comment,) = job.github.of(BOT)
    assert f"`{FILE}` is **gone**" in comment
    assert "- `Errors` is **new**, and fires 0 times" in comment
    assert "a.test.yaml" not in comment


async def test_without_a_changed_rule_file_nothing_is_said_unless_something_was(job: Job) -> None:
    ran = await job.push({"README.md": "more\n"})
    assert (ran.code, job.github.comments) == (0, [])
    assert "No rule file is changed." in ran.summary
    old = job.github.put(BOT, f"{MARK}\nof a push before")
    await job.push({"README.md": "still more\n"})
    assert "No rule file is changed." in old["body"]


async def test_a_base_that_cannot_be_fetched_leaves_the_comparison_out_and_says_the_cure(job: Job) -> None:
    commits = job.repository.propose({FILE: rule_file("a", maximum=0.6)})
    checkout = job.repository.check_out(job.folder / "checkout", commits["merge"])
    shutil.rmtree(job.repository.folder)
    ran = await job.run(checkout, commits)
    assert ran.code == 0
    (comment,) = job.github.of(BOT)
    assert "every rule file is played, and compared with nothing" in comment
    assert "give actions/checkout fetch-depth: 0" in comment
    assert str(job.folder) not in comment  # where origin is stays in the summary, with the rest of git's words
    assert "cannot be fetched either" in ran.summary
    assert f"#### `{FILE}`" in comment


async def test_another_interval_is_played_and_not_compared(job: Job) -> None:
    await job.push({FILE: rule_file("a").replace("interval: 15s", "interval: 30s")})
    (comment,) = job.github.of(BOT)
    assert "**Not compared with the base:** `--against" in comment
    assert "slots of 30s" in comment


async def test_without_a_pull_request_every_file_goes_into_the_summary(job: Job) -> None:
    job.event = "push"
    commit = job.repository.git("rev-parse", "main")
    checkout = job.repository.check_out(job.folder / "checkout", commit)
    ran = await job.run(checkout, {"merge": commit}, ref="refs/heads/main")
    assert (ran.code, job.github.asked) == (0, []), ran.log
    assert f"#### `{FILE}`" in ran.summary


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        pytest.param({"backtest": "7 days"}, "--from 7 days: write a time such as", id="a time that is none"),
        pytest.param({"active": ""}, "who had the traffic? Say it with", id="nobody says who had the traffic"),
        pytest.param({"rules": "rulez/"}, "rulez: no such file or folder; check the path", id="a path to nothing"),
        pytest.param({"backtest": "$(touch hacked)"}, "--from $(touch hacked): write a time", id="code"),
        pytest.param({"rules": "rules/ $(touch${IFS}hacked)"}, "no such file or folder", id="code in a path"),
    ],
)
async def test_what_the_workflow_got_wrong_fails(job: Job, inputs: dict[str, str], told: str) -> None:
    job.inputs |= inputs
    ran = await job.push({FILE: rule_file("a", maximum=0.6)})
    assert (ran.code, job.github.comments) == (2, [])
    assert told in ran.log
    assert not list(job.folder.rglob("hacked"))


async def test_many_rules_fit_into_one_comment(job: Job) -> None:
    rules = "".join(
        f"  - {{alert: {'Long' * 25}{number}, prometheus: {{expr: 'a{{color=\"{{{{ color }}}}\"}}'}}, "
        f"threshold: {{max: {number}}}}}\n"
        for number in range(1, 400)
    )
    ran = await job.push({FILE: rule_file("a") + rules})
    (comment,) = job.github.of(BOT)
    assert len(comment) < LONGEST, ran.log
    assert "cut to keep this short" in comment


async def test_a_reviewer_sees_what_the_change_would_have_done(job: Job, past: Past) -> None:
    """On a real Prometheus: green was bad twice, and with the pull request the second time is no breach any more."""
    job.repository.commit({FILE: past.text})
    job.env = {"WATCHDOG_PROMETHEUS__URL": past.server.url}
    job.inputs |= {"backtest": "55m", "active-metric": f'selected{{app="{past.app}"}}', "active": ""}
    past.write("selected", "green", {0: 1})
    ran = await job.push({FILE: rule_file(past.app, maximum=0.75)})
    (comment,) = job.github.of(BOT)
    assert "- `Errors` fired 2 times, and fires 1 time now: 1 gone\n  - no longer " in comment, ran.log
    assert ": 0.7 of 100 samples on `green`" in comment
    assert "| **fired 1 time**<br>1 `rollback` | nodata 4." in comment
    assert past.server.url not in comment
