"""One way to call the API server: path in, JSON out, or one of five errors.

Law: no call outlives its deadline, none is retried here, and a reply that is not plainly the API server's is never
believed.

    ClusterError
    ├── Unreachable     no answer, or none that can be believed; of a write nobody knows whether it happened
    ├── Refused         401 or 403: the watchdog may not
    ├── Conflict        409, or 422 for a failed JSON Patch test: the object is not what was read
    ├── Rejected        any other answer that is not a success
    │   └── NotFound    404: there is no such object
    └── NotLeader       refused here: another replica may be acting by now; nothing was sent
"""

import asyncio
import copy
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import aiohttp
from kubernetes.aio import client, config

CALL_SECONDS = 3.0
FIELD_MANAGER = "canary-watchdog"
_JSON_PATCH = "application/json-patch+json"

Json = dict[str, Any]
PatchOperation = dict[str, Any]


class ClusterError(Exception):
    """A call that did not succeed. The text is a sentence for people."""


class UnreachableError(ClusterError):
    """No answer, or none that can be believed."""


class RefusedError(ClusterError):
    """401 or 403."""


class ConflictError(ClusterError):
    """The object is not what was read, or exists already."""


class RejectedError(ClusterError):
    """Any other refusal of the API server."""


class NotFoundError(RejectedError):
    """404."""


class NotLeaderError(ClusterError):
    """This process may not write now; nothing was sent."""


class ConfigurationError(Exception):
    """There is no way to the API server: neither a kubeconfig nor a service account."""


class Cluster:
    """The API server, by `kubernetes.aio`. Use as an async context manager."""

    def __init__(self, configuration: client.Configuration) -> None:
        # The bearer token would go to whatever HTTP_PROXY names.
        configuration.client_session_kwargs = {"trust_env": False}
        self._api = client.ApiClient(configuration)
        self._may_write: Callable[[], bool] = lambda: True

    @classmethod
    async def connect(cls, kubeconfig: Path | None, context: str | None) -> Self:
        """By a kubeconfig file, else the pod's service account, else the user's default kubeconfig.

        Raises ConfigurationError saying what is missing. Nothing is sent yet.
        """
        configuration = client.Configuration()
        try:
            if kubeconfig is None and context is None and config.incluster_config.SERVICE_HOST_ENV_NAME in os.environ:
                config.load_incluster_config(client_configuration=configuration)
            else:
                file = str(kubeconfig) if kubeconfig else None
                await config.load_kube_config(
                    config_file=file, context=context, client_configuration=configuration, persist_config=False
                )
        except (config.ConfigException, OSError, TypeError) as error:
            raise ConfigurationError(f"no way to the API server: {error}; set WATCHDOG_KUBECONFIG") from error
        return cls(configuration)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._api.close()

    def guarded(self, may_write: Callable[[], bool]) -> Self:
        """The same API server by the same connections, for a writer that has to ask right before each write."""
        guarded, before = copy.copy(self), self._may_write
        guarded._may_write = lambda: before() and may_write()  # noqa: SLF001 - of the same class
        return guarded

    async def get(self, path: str, *, query: Mapping[str, str] | None = None) -> Json:
        """The object or list at a path. Without resourceVersion, so that it is a quorum read."""
        return await self._call("GET", path, query=query)

    async def patch(self, path: str, operations: Sequence[PatchOperation]) -> Json:
        """The object after a JSON Patch. The operations have to begin with the `test`s that make it safe."""
        return await self._call("PATCH", path, body=list(operations), query={"fieldManager": FIELD_MANAGER})

    async def create(self, path: str, body: Json) -> Json:
        """The created object; ConflictError when it exists already."""
        return await self._call("POST", path, body=body, query={"fieldManager": FIELD_MANAGER})

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
        try:
            async with asyncio.timeout(CALL_SECONDS + 0.5):
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
                response = await self._api.call_api(*request, _request_timeout=CALL_SECONDS)
                payload = await response.read()
        except TimeoutError as error:
            raise UnreachableError(f"{where}: no answer within {CALL_SECONDS:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise UnreachableError(f"{where}: {str(error) or type(error).__name__}") from error
        if response.response.history:
            raise UnreachableError(f"{where}: redirected; an API server does not do that")
        return _answer(where, response.status, payload)


def _answer(where: str, status: int, payload: bytes) -> Json:
    try:
        answer = json.loads(payload)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or "kind" not in answer:
        raise UnreachableError(f"{where}: answered {status} with something that is no Kubernetes object")
    if status in (200, 201):
        return answer
    sentence = f"{where}: {status} {str(answer.get('message', ''))[:500]}"
    match status:
        case 401 | 403:
            raise RefusedError(sentence)
        case 404:
            raise NotFoundError(sentence)
        case 409 | 422:
            raise ConflictError(sentence)
        case _:
            raise RejectedError(sentence)
