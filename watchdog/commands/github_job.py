"""The job of GitHub Actions that this process is a step of, and the pull request that it is about.

Law: read from what the runner sets, never guessed; the token is shown nowhere.
Facts: docs.github.com, "Variables reference" (``GITHUB_…``) and "Webhook events and payloads" (``pull_request``).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from watchdog.commands.exit_codes import USAGE
from watchdog.commands.session import StopError


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """A pull request. ``base`` is the commit that the event names; the base branch may have moved on since."""

    number: int
    base: str
    head: str
    is_fork: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job. ``commit`` is what the workflow runs for; ``is_merge``: it is GitHub's merge of the pull request."""

    repository: str
    commit: str
    is_merge: bool
    pull_request: PullRequest | None
    api: str
    graphql: str
    page: str
    summary: Path | None
    token: str = field(repr=False)


def job_of(environment: Mapping[str, str]) -> Job:
    """The job that the environment describes. Raises StopError where there is none."""
    event = _event(environment.get("GITHUB_EVENT_PATH", ""))
    repository = environment.get("GITHUB_REPOSITORY", "")
    if not repository:
        raise _no_job("GITHUB_REPOSITORY is not set")
    server = environment.get("GITHUB_SERVER_URL", "https://github.com")
    is_merge = environment.get("GITHUB_EVENT_NAME") == "pull_request"
    return Job(
        repository=repository,
        commit=environment.get("GITHUB_SHA", ""),
        is_merge=is_merge and environment.get("GITHUB_REF", "").endswith("/merge"),
        pull_request=_pull_request(event, repository),
        api=environment.get("GITHUB_API_URL", "https://api.github.com").rstrip("/"),
        graphql=environment.get("GITHUB_GRAPHQL_URL", "https://api.github.com/graphql"),
        page=f"{server}/{repository}/actions/runs/{environment.get('GITHUB_RUN_ID', '')}",
        summary=Path(environment["GITHUB_STEP_SUMMARY"]) if environment.get("GITHUB_STEP_SUMMARY") else None,
        token=environment.get("GITHUB_TOKEN", ""),
    )


def _event(path: str) -> dict[str, Any]:
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _no_job(f"GITHUB_EVENT_PATH names no file of JSON ({type(error).__name__})") from error
    return found if isinstance(found, dict) else {}


def _no_job(why: str) -> StopError:
    return StopError(f"this is no job of GitHub Actions: {why}; use watchdog backtest --format markdown", USAGE)


def _pull_request(event: Mapping[str, Any], repository: str) -> PullRequest | None:
    match event.get("pull_request"):
        case {"number": int(number), "base": {"sha": str(base)}, "head": {"sha": str(head), "repo": repo}}:
            whose = repo.get("full_name") if isinstance(repo, dict) else None  # null for a fork that was deleted
            return PullRequest(number=number, base=base, head=head, is_fork=whose != repository)
        case _:
            return None
