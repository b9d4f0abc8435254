"""``watchdog pull-request``: backtests the rule files that a pull request changes, and comments on it.

Law: it informs and does not judge: what a server, git or GitHub does not give is said in the job's summary, and the
job goes on. Only what whoever wrote the workflow got wrong ends it.
"""

import asyncio
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from watchdog.commands import backtest_input, git
from watchdog.commands.backtest import backtest
from watchdog.commands.exit_codes import FINDINGS, OK, USAGE
from watchdog.commands.formats import as_command
from watchdog.commands.github_comment import Commenter, GitHubError, session_of
from watchdog.commands.github_job import Job, job_of
from watchdog.commands.pull_request_text import Note, Played, Told, as_comment, as_summary, mark_of
from watchdog.commands.session import StopError
from watchdog.commands.talk import missing_paths, say, tell
from watchdog.rulefiles.ruleset import check_rules, is_rule_file
from watchdog.settings import Settings, SettingsError, load_settings

_SHORT = 12  # digits of a commit
_FORK = Note("GitHub gives no secret to a pull request from a fork, so the servers are not known here")
_UNCOMPARED = (
    "every rule file is played, and compared with nothing, since the base of the pull request is not here; "
    "give actions/checkout fetch-depth: 0, or let it keep its credentials"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says; ``against`` "" is what the pull request is merged into."""

    paths: tuple[Path, ...]
    since: str
    against: str = ""
    hindsight: backtest_input.Hindsight


def run_pull_request(options: Options) -> int:
    """Plays, tells, and returns the exit code."""
    try:
        job = job_of(os.environ)
        _check(options)
        asyncio.run(_run(options, job))
    except StopError as stop:
        tell(str(stop))
        return stop.code
    return OK


def _check(options: Options) -> None:
    """Refuses what is wrong whatever the servers say. Raises StopError."""
    backtest_input.instant("--from", options.since, time.time())
    if not options.hindsight.names_the_active:
        raise StopError(backtest_input.WHO, USAGE)
    if missing := missing_paths(*options.paths):
        raise StopError("\n".join(missing), USAGE)


async def _run(options: Options, job: Job) -> None:
    told = await _told(options, job)
    summary, warnings = as_summary(told), [str(note) for note in told.notes]
    warnings += [f"{each.file}: {each.problem}" for each in told.played if each.problem]
    if trouble := await _comment(options, job, told):
        summary += f"\nThe pull request has no comment of this: {trouble}.\n"
        warnings.append(trouble)
    for sentence in warnings:
        say(as_command("warning", f"backtest: {sentence}"))
    if job.summary is None:
        say(summary)
        return
    try:
        with job.summary.open("a", encoding="utf-8") as file:  # other steps may have written there
            file.write(summary)
    except OSError as error:
        say(as_command("warning", f"backtest: the summary of the job cannot be written: {error.strerror}"))
        say(summary)


async def _comment(options: Options, job: Job, told: Told) -> str:
    """Comments where it is wanted; says why there is no comment, "" for one or for nothing to comment on."""
    if job.pull_request is None or not job.token:
        return ""
    anew = bool(told.played or told.gone)
    try:
        async with session_of(job) as session:
            commenter = Commenter(job, job.pull_request, session)
            address = await commenter.say(as_comment(told), mark=mark_of(options.paths), anew=anew)
    except GitHubError as error:
        return str(error)
    if address:
        say(f"commented: {address}")
    return ""


async def _told(options: Options, job: Job) -> Told:
    here = _rule_files(options)
    pull_request = job.pull_request
    told = Told(since=options.since, commit=job.commit if pull_request is None else pull_request.head, page=job.page)
    against, files = "", here
    try:
        against, files, told = _chosen(options, job, here, told)
    except git.GitError as error:
        told = replace(told, notes=(Note(_UNCOMPARED, str(error)),))
    played = tuple([await _play(path, options, against) for path in files])
    if pull_request is not None and pull_request.is_fork and any(each.report is None for each in played):
        told = replace(told, notes=(*told.notes, _FORK))
    return replace(told, played=played)


def _chosen(options: Options, job: Job, here: tuple[Path, ...], told: Told) -> tuple[str, tuple[Path, ...], Told]:
    """The commit to compare with, "" for none; the files to play; and what is told with those that are gone.

    Raises GitError.
    """
    folder = options.paths[0] if options.paths[0].is_dir() else options.paths[0].parent
    against = _base(folder, options, job)
    if not against or job.pull_request is None:
        return against, here, told
    changed = git.changed_since(folder, against, options.paths)
    gone = tuple(_shown(path) for path in changed.gone if _was_rule_file(path, options))
    files = tuple(path for path in here if path.resolve() in changed.here)
    return against, files, replace(told, gone=gone)


def _rule_files(options: Options) -> tuple[Path, ...]:
    """The rule files that there are. Raises StopError when one is no good."""
    targets, problems = check_rules(*options.paths)
    if wrong := [str(problem) for problem in problems if not problem.is_warning]:
        raise StopError("\n".join(wrong), FINDINGS)
    return tuple(Path(name) for name in targets)


def _base(folder: Path, options: Options, job: Job) -> str:
    """The commit to compare with, "" for none. Raises GitError.

    GitHub's merge of the pull request knows what it was merged into; the event names what the base branch was at the
    last push, and the diff to that would have the work of others in it.
    """
    revision = options.against
    if not revision and job.pull_request is not None:
        is_merge = job.is_merge and git.head(folder) == job.commit
        revision = (git.merged_into(folder) if is_merge else "") or job.pull_request.base
    return git.obtain(folder, revision)[:_SHORT] if revision else ""


def _was_rule_file(path: Path, options: Options) -> bool:
    folders = [each.resolve() for each in options.paths if each.is_dir()]
    return is_rule_file(path) and path.parent in folders


def _shown(path: Path) -> str:
    here, path = Path.cwd().resolve(), path.resolve()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


async def _play(path: Path, options: Options, against: str) -> Played:
    asked = backtest_input.Options(rules=path, since=options.since, hindsight=options.hindsight, against=against)
    played = Played(file=_shown(path))
    try:
        backtest_input.other_revision_of(asked, backtest_input.target_of(asked))
    except StopError as stop:  # what is there is no rule file of today, or one of another interval
        asked, played = replace(asked, against=""), replace(played, uncompared=str(stop))
    try:
        return replace(played, report=await backtest(asked, _settings()))
    except (StopError, SettingsError, OSError) as error:
        return replace(played, problem=str(error))


def _settings() -> Settings:
    """The settings, where an empty variable is none: a secret that a fork is not given comes as one."""
    return load_settings(_env_ignore_empty=True)
