"""The faults that one request to the API server can meet, as values.

Law: each says in its docstring whether the request was carried out; that is what a client cannot know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus


@dataclass(frozen=True, slots=True)
class Delay:
    """Carried out after ``seconds``, and answered then, if anybody still waits for the answer."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reset:
    """Not carried out: the connection is reset."""


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """Not carried out, and never answered: the client waits until it has had enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Not carried out: answered by something on the way, or refused."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def wire(self) -> bytes:
        """The answer as it goes over the wire. It ends the connection."""
        fields = {"Content-Type": self.content_type, "Content-Length": str(len(self.body)), "Connection": "close"}
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in (fields | dict(self.headers)).items()]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass(frozen=True, slots=True)
class Truncate:
    """Carried out: of its answer only half arrives."""


@dataclass(frozen=True, slots=True)
class LoseReply:
    """Carried out: then the connection is reset, and no byte of the answer arrives."""


Fault = Delay | Reset | HalfOpen | Answer | Truncate | LoseReply
CARRIED_OUT = (Delay, Truncate, LoseReply)


def refusal(status: int, *, headers: Mapping[str, str] | None = None) -> Answer:
    """A refusal in the API server's own words."""
    reason = HTTPStatus(status).phrase
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f"{reason}, by the fault proxy",
        "reason": reason.replace(" ", ""),
        "code": status,
    }
    return Answer(status=status, body=json.dumps(body).encode(), headers=headers or {})


def html(status: int = 200) -> Answer:
    """A page of something on the way that says 200."""
    return Answer(status=status, body=b"<!doctype html><title>Sign in</title>", content_type="text/html")


def redirect(location: str) -> Answer:
    """A redirect of something on the way."""
    return Answer(status=302, body=b"", content_type="text/html", headers={"Location": location})
