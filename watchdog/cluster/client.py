"""One way to call the API server: path in, JSON out, or one of five errors.

Law: no call outlives its deadline; tried again here is only what the API server turned away unread (401, when there is
a newer token, and 429); and a reply that is not plainly the API server's is never believed.

    ClusterError
    ├── UnreachableError    no answer, or none that can be believed; of a write nobody knows whether it happened
    ├── ForbiddenError      401 or 403: the watchdog may not
    ├── ConflictError       409, or 422 for a failed JSON Patch test: the object is not what was read
    ├── RejectedError       any other answer that is not a success
    │   ├── NotFoundError   404: there is no such object
    │   └── AlteredError    written, and not as it was asked: an admission webhook or policy has changed it
    └── NotLeaderError      refused here: another replica may be acting by now; nothing was sent
"""

import asyncio
import copy
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import aiohttp
from kubernetes.aio import client

from watchdog.cluster import refusal
from watchdog.cluster.credentials import ConfigurationError, Credentials

CALL_SECONDS = 3.0
UNAUTHORIZED, TOO_MANY_REQUESTS = 401, 429
FIELD_MANAGER = "canary-watchdog"
LABELS = {"app.kubernetes.io/managed-by": FIELD_MANAGER}  # of each object that is kept here
_JSON_PATCH = "application/json-patch+json"

Json = dict[str, Any]
PatchOperation = dict[str, Any]


class ClusterError(Exception):
    """A call that did not succeed. The text is a sentence for people."""


class UnreachableError(ClusterError):
    """No answer, or none that can be believed."""


class ForbiddenError(ClusterError):
    """401 or 403."""


class ConflictError(ClusterError):
    """The object is not what was read, or exists already."""


class RejectedError(ClusterError):
    """Any other refusal of the API server."""


class NotFoundError(RejectedError):
    """404."""


class AlteredError(RejectedError):
    """Written, and not as it was asked."""


class NotLeaderError(ClusterError):
    """This process may not write now; nothing was sent."""


class _Reply(NamedTuple):
    """What came back for which token; ``retry_after`` is in seconds."""

    token: str | None
    status: int
    retry_after: float
    payload: bytes


class Cluster:
    """The API server, by `kubernetes.aio`. Use as an async context manager."""

    def __init__(self, credentials: Credentials) -> None:
        """Raises ConfigurationError for certificates that are none."""
        self._credentials = credentials
        try:
            self._api = client.ApiClient(credentials.configuration)
        except (OSError, ValueError) as error:  # of OpenSSL, which names no content
            what = "the certificates of the kubeconfig or service account cannot be used"
            raise ConfigurationError(f"no way to the API server: {what}: {error}") from error
        self._may_write: Callable[[], bool] = lambda: True
        self._sees_writes_out = False
        self._turned_away = refusal.TurnedAway()

    @classmethod
    async def connect(cls, kubeconfig: Path | None, context: str | None) -> Self:
        """By a kubeconfig file, else the pod's service account, else the user's default kubeconfig.

        Raises ConfigurationError saying what is missing or wrong. Nothing is sent yet.
        """
        return cls(await Credentials.load(kubeconfig, context))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._api.close()

    def guarded(self, may_write: Callable[[], bool]) -> Self:
        """The same API server by the same connections, for a writer that has to ask right before each write."""
        guarded, before = copy.copy(self), self._may_write
        guarded._may_write = lambda: before() and may_write()  # noqa: SLF001 - of the same class
        return guarded

    def seeing_writes_out(self) -> Self:
        """The same, for a writer after whom another one begins: who is cancelled in a write waits for its end.

        What was sent may yet be done, for as long as the call lasts.
        """
        patient = copy.copy(self)
        patient._sees_writes_out = True  # noqa: SLF001 - of the same class
        return patient

    async def get(self, path: str, *, query: Mapping[str, str] | None = None) -> Json:
        """The object or list at a path. Without resourceVersion, so that it is a quorum read."""
        return await self._call("GET", path, query=query)

    async def patch(self, path: str, operations: Sequence[PatchOperation]) -> Json:
        """The object after a JSON Patch. The operations have to begin with the `test`s that make it safe."""
        return await self._write("PATCH", path, list(operations))

    async def create(self, path: str, body: Json) -> Json:
        """The created object; ConflictError when it exists already."""
        return await self._write("POST", path, body)

    async def _write(self, method: Literal["PATCH", "POST"], path: str, body: Json | list[PatchOperation]) -> Json:
        call = self._call(method, path, body=body, query={"fieldManager": FIELD_MANAGER})
        if not self._sees_writes_out:
            return await call
        sent = asyncio.ensure_future(call)
        try:
            return await asyncio.shield(sent)
        except asyncio.CancelledError:
            await asyncio.wait((sent,))
            raise

    async def _call(
        self,
        method: Literal["GET", "PATCH", "POST"],
        path: str,
        *,
        body: Json | list[PatchOperation] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Json:
        where = f"{method} {path}"
        headers = {"Accept": "application/json"}
        if method == "PATCH":
            headers["Content-Type"] = _JSON_PATCH

        async def send() -> _Reply:
            request = await self._api.param_serialize(
                method=method,
                resource_path=path,
                query_params=list((query or {}).items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
            )
            if method != "GET" and not self._may_write():
                raise NotLeaderError(f"{where}: not sent: this replica does not hold the Lease, or stood still")
            token = self._credentials.token
            response = await self._api.call_api(*request, _request_timeout=CALL_SECONDS)
            if response.response.history:
                raise UnreachableError(f"{where}: redirected; an API server does not do that")
            wait = refusal.seconds_to_wait(response.response.headers.get("Retry-After"), now=time.time())
            return _Reply(token, response.status, wait, await response.read())

        if (left := self._turned_away.seconds_left(where)) > 0:
            raise RejectedError(
                f"{where}: not sent, because the API server was busy: it is asked again in {left:.0f} s"
            )
        try:
            async with asyncio.timeout(CALL_SECONDS + 0.5) as deadline:
                reply = await self._until_read(where, send, ends_at=deadline.when() or 0.0)
        except TimeoutError as error:
            raise UnreachableError(f"{where}: no answer within {CALL_SECONDS:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise UnreachableError(f"{where}: {refusal.no_connection(error)}") from error
        return _answer(where, reply.status, reply.payload)

    async def _until_read(self, where: str, send: Callable[[], Awaitable[_Reply]], *, ends_at: float) -> _Reply:
        """The reply to what the API server has looked at, or its last refusal to look at it."""
        reply = await send()
        if reply.status == UNAUTHORIZED and await self._credentials.renewed(reply.token):
            reply = await send()
        while reply.status == TOO_MANY_REQUESTS:
            if asyncio.get_running_loop().time() + reply.retry_after >= ends_at:
                self._turned_away.note(where, reply.retry_after)
                break
            await asyncio.sleep(reply.retry_after)
            reply = await send()
        return reply


def _answer(where: str, status: int, payload: bytes) -> Json:
    try:
        answer = json.loads(payload)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or "kind" not in answer:
        raise UnreachableError(f"{where}: answered {status} with something that is no Kubernetes object")
    if status in (200, 201):
        return answer
    message = str(answer.get("message", ""))[:500]
    sentence = f"{where}: {status} {message}{refusal.cure(status, message)}"
    match status:
        case 401 | 403:
            raise ForbiddenError(sentence)
        case 404:
            raise NotFoundError(sentence)
        case 409 | 422 if not refusal.is_denied(message):
            raise ConflictError(sentence)
        case _:
            raise RejectedError(sentence)
