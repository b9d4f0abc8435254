"""One comment on a pull request that is written anew at each push, found again by a mark that nobody sees.

Law: no comment is changed but one that the token's own user wrote and that begins with the mark: a mark can be copied,
and text of ours under somebody else's name could be changed by them. Asking again makes no second comment: each
attempt looks first. The token goes to the API's own address, and into no sentence.
Facts: docs.github.com, "REST API endpoints for issue comments" (a pull request is an issue), "Using pagination", "Rate
limits"; a token of a job may not ask ``GET /user``, while GraphQL's ``viewer`` tells who it is.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
import stamina

from watchdog import __version__
from watchdog.commands.github_job import Job, PullRequest
from watchdog.core.visible import clip, visible
from watchdog.sources.failure import without

ATTEMPTS, FIRST_WAIT, LONGEST_WAIT = 3, 1.0, 10.0  # seconds
_SECONDS = 20  # for one request
_PAGE, _MOST_PAGES = 100, 50


class GitHubError(Exception):
    """There is no comment; the text is a sentence with the cure."""


class _AgainError(GitHubError):
    """Worth another try."""


@dataclass(frozen=True, slots=True)
class Commenter:
    """Speaks to the API for one pull request."""

    job: Job
    pull_request: PullRequest
    session: aiohttp.ClientSession

    async def say(self, text: str, *, mark: str, anew: bool = True) -> str:
        """Writes the comment, and returns its address; without ``anew`` only one that is there, else "".

        Raises GitHubError.
        """
        stamina.instrumentation.set_on_retry_hooks(())  # theirs would log each attempt
        pace: dict[str, Any] = {"attempts": ATTEMPTS, "wait_initial": FIRST_WAIT, "wait_max": LONGEST_WAIT}
        async for attempt in stamina.retry_context(on=_AgainError, timeout=None, **pace):
            with attempt:
                return await self._say(f"{mark}\n{text}", mark=mark, anew=anew)
        return ""

    async def _say(self, body: str, *, mark: str, anew: bool) -> str:
        found = await self._own(mark)
        issues = f"{self.job.api}/repos/{self.job.repository}/issues"
        if found is not None:
            answer, _ = await self._ask("PATCH", f"{issues}/comments/{found}", {"body": body})
        elif anew:
            answer, _ = await self._ask("POST", f"{issues}/{self.pull_request.number}/comments", {"body": body})
        else:
            return ""
        return str(answer.get("html_url", "")) if isinstance(answer, dict) else ""

    async def _own(self, mark: str) -> int | None:
        """The number of the comment that is ours, the first if there are several."""
        me = await self._me()
        async for comment in self._comments():
            match comment:
                case {"id": int(number), "body": str(body), "user": {"login": login}} if login == me:
                    if body.startswith(mark):
                        return number
                case _:
                    pass
        return None

    async def _me(self) -> str:
        answer, _ = await self._ask("POST", self.job.graphql, {"query": "{viewer{login}}"})
        match answer:
            case {"data": {"viewer": {"login": str(login)}}}:
                return login
            case _:
                raise GitHubError("GitHub does not say whose token this is; give one that may use the GraphQL API")

    async def _comments(self) -> AsyncIterator[Any]:
        comments = f"{self.job.api}/repos/{self.job.repository}/issues/{self.pull_request.number}/comments"
        for page in range(1, _MOST_PAGES + 1):
            found, has_more = await self._ask("GET", f"{comments}?per_page={_PAGE}&page={page}")
            for comment in found if isinstance(found, list) else []:
                yield comment
            if not has_more:
                return

    async def _ask(self, method: str, url: str, document: dict[str, str] | None = None) -> tuple[Any, bool]:
        """What GitHub answers, and whether there is another page."""
        try:
            # A redirect is not followed: the token would go with it.
            async with self.session.request(method, url, json=document, allow_redirects=False) as response:
                text = await response.text()
                status, headers, has_more = response.status, response.headers, "next" in response.links
        except (aiohttp.ClientError, OSError) as error:
            raise _AgainError(f"GitHub cannot be reached ({type(error).__name__})") from None
        answer = _json(text)
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return answer, has_more
        message = answer.get("message", "") if isinstance(answer, dict) else ""
        said = visible(clip(without((self.job.token,), str(message)), 200))
        told = f"GitHub answered {status}" + (f": {said}" if message else "")
        # Limits of the rate come as 403 too; nothing that was found may be gone by the time it is changed.
        is_limited = headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers
        is_gone = status == HTTPStatus.NOT_FOUND and method == "PATCH"
        if (
            status >= HTTPStatus.INTERNAL_SERVER_ERROR
            or status == HTTPStatus.TOO_MANY_REQUESTS
            or is_limited
            or is_gone
        ):
            raise _AgainError(told)
        raise GitHubError(f"{told}; {self._cure(status)}")

    def _cure(self, status: int) -> str:
        if status == HTTPStatus.UNAUTHORIZED:
            return "the token is not accepted, give the action another one"
        if status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND) and self.pull_request.is_fork:
            return (
                "GitHub gives the token of a pull request from a fork no right to write; nothing is wrong with the job"
            )
        if status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
            return "give the job permissions: {contents: read, pull-requests: write}"
        return "the comment is left out"


def session_of(job: Job) -> aiohttp.ClientSession:
    """A session with the job's token; the caller closes it. It heeds the proxies of the environment."""
    return aiohttp.ClientSession(
        trust_env=True,
        timeout=aiohttp.ClientTimeout(total=_SECONDS),
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {job.token}",
            "User-Agent": f"canary-watchdog/{__version__}",
            "X-GitHub-Api-Version": "2022-11-28",
        },
    )


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
