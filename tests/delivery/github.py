"""A GitHub on loopback: the part of its API that a comment on a pull request needs, and a repository to check out.

Law: it answers as GitHub documents it (issue comments, pagination by ``Link``, ``viewer``, the longest body, what a
token may do), and keeps every request. It is no GitHub: what its documentation leaves open is not shown by it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

REPOSITORY = "shop/rules"
NUMBER = 7
LONGEST = 65_536
BOT = "github-actions[bot]"
TOKEN, READER, PERSON = "ghs_writes", "ghs_reads", "ghp_person"
WHO = {TOKEN: BOT, READER: BOT, PERSON: "ann"}


@dataclass
class GitHub:
    """The comments of one pull request. ``troubles`` are the next answers to a method: a status, and if it is done."""

    comments: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    troubles: dict[str, list[tuple[int, bool]]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    deletes_before_edit: bool = False

    def app(self) -> web.Application:
        """The server."""
        app = web.Application(client_max_size=4 * LONGEST)
        issues = f"/repos/{REPOSITORY}/issues"
        app.router.add_post("/graphql", self._viewer)
        app.router.add_get(f"{issues}/{NUMBER}/comments", self._list)
        app.router.add_post(f"{issues}/{NUMBER}/comments", self._create)
        app.router.add_patch(f"{issues}/comments/{{id}}", self._edit)
        app.middlewares.append(self._keep)
        return app

    def put(self, login: str, body: str) -> dict[str, Any]:
        """A comment that somebody wrote."""
        number = 1000 + len(self.comments)
        comment = {"id": number, "user": {"login": login}, "body": body, "html_url": f"https://example.org/{number}"}
        self.comments.append(comment)
        return comment

    def of(self, login: str) -> list[str]:
        """What somebody's comments say."""
        return [each["body"] for each in self.comments if each["user"]["login"] == login]

    def writes(self) -> list[str]:
        """The methods of the requests that would change something."""
        return [method for method, path in self.asked if method != "GET" and path != "/graphql"]

    @web.middleware
    async def _keep(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append((request.method, request.path_qs))
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or token not in WHO:
            return _says(401, "Bad credentials")
        is_write = request.method != "GET" and request.path != "/graphql"
        if is_write and token == READER:
            return _says(403, "Resource not accessible by integration")
        status, is_done = self._trouble(request.method if request.path != "/graphql" else "GRAPHQL")
        said = f"trouble with {token}"  # a proxy may repeat it
        answer: web.StreamResponse = await handler(request) if status == 200 or is_done else _says(status, said)
        return answer if status == 200 else _says(status, said, self.headers)

    def _trouble(self, method: str) -> tuple[int, bool]:
        waiting = self.troubles.get(method)
        return waiting.pop(0) if waiting else (200, True)

    async def _viewer(self, request: web.Request) -> web.Response:
        assert await request.json() == {"query": "{viewer{login}}"}
        return web.json_response({"data": {"viewer": {"login": _who(request)}}})

    async def _list(self, request: web.Request) -> web.Response:
        size, page = min(int(request.query.get("per_page", "30")), 100), int(request.query.get("page", "1"))
        found = self.comments[(page - 1) * size : page * size]
        headers = {}
        if page * size < len(self.comments):
            following = request.url.update_query(page=page + 1)
            headers["Link"] = f'<{following}>; rel="next", <{request.url}>; rel="last"'
        return web.json_response(found, headers=headers)

    async def _create(self, request: web.Request) -> web.Response:
        body = (await request.json())["body"]
        if len(body) > LONGEST:
            return _says(422, "Validation Failed")
        return web.json_response(self.put(_who(request), body), status=201)

    async def _edit(self, request: web.Request) -> web.Response:
        if self.deletes_before_edit:
            self.comments = [each for each in self.comments if str(each["id"]) != request.match_info["id"]]
        found = next((each for each in self.comments if str(each["id"]) == request.match_info["id"]), None)
        if found is None:
            return _says(404, "Not Found")
        found["body"] = (await request.json())["body"]
        return web.json_response(found)


def _who(request: web.Request) -> str:
    return WHO[request.headers["Authorization"].partition(" ")[2]]


def _says(status: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response({"message": message, "status": str(status)}, status=status, headers=headers)


@dataclass(frozen=True, slots=True)
class Repository:
    """The repository at GitHub: ``main`` and a pull request, with GitHub's merge of both."""

    folder: Path

    def git(self, *words: str) -> str:
        """Runs git in it."""
        return git(self.folder, *words)

    def commit(self, files: Mapping[str, str | None], message: str = "change") -> str:
        """Commits these texts on the branch that is checked out, None for a file that goes; returns the commit."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def propose(self, files: Mapping[str, str | None]) -> dict[str, str]:
        """A push to the pull request; GitHub merges it into ``main`` as that is now. The commits by their names."""
        base = self.git("rev-parse", "main")
        self.git("checkout", "--quiet", "-B", "proposal", "main")
        pushed = self.commit(files)
        self.git("checkout", "--quiet", "--detach", "main")
        self.git("merge", "--quiet", "--no-ff", "--message", "merge", pushed)
        merge = self.git("rev-parse", "HEAD")
        self.git("update-ref", f"refs/pull/{NUMBER}/merge", merge)
        self.git("checkout", "--quiet", "main")
        return {"base": base, "head": pushed, "merge": merge}

    def check_out(self, folder: Path, commit: str) -> Path:
        """A clone as actions/checkout makes one: this commit alone."""
        folder.mkdir()
        git(folder, "init", "--quiet")
        git(folder, "remote", "add", "origin", self.folder.as_uri())
        git(folder, "fetch", "--quiet", "--depth=1", "origin", commit)
        git(folder, "checkout", "--quiet", "--detach", "FETCH_HEAD")
        return folder


def repository_at(folder: Path, files: Mapping[str, str | None]) -> Repository:
    """A repository whose ``main`` has these files."""
    folder.mkdir()
    made = Repository(folder)
    made.git("init", "--quiet", "--initial-branch=main")
    made.git("config", "uploadpack.allowAnySHA1InWant", "true")  # as GitHub allows it
    made.commit(files)
    return made


def git(folder: Path, *words: str) -> str:
    """What git says, run in the folder."""
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    done = subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()
