"""The transport under `AsyncElasticsearch`: one node, spoken to with bounds that the client's own node does not have.

Law: no redirect is followed, no body is read beyond its limit or decompressed, and what is not believable JSON never
reaches the client.

This module imports the client, which costs: import it where a source is started.
"""

import asyncio
import time
from pathlib import Path
from typing import NamedTuple

import aiohttp
import certifi
from elastic_transport import (
    ApiResponseMeta,
    BaseAsyncNode,
    ConnectionTimeout,
    HttpHeaders,
    NodeConfig,
    TransportError,
)
from elastic_transport import ConnectionError as NodeConnectionError
from elastic_transport.client_utils import DEFAULT, DefaultType, url_to_node_config

from watchdog.settings import Tls
from watchdog.sources.answer import Answer, AnswerError, believe, quote
from watchdog.sources.credentials import CredentialsError, Handshake
from watchdog.sources.http_answer import read_answer, why_broken


class NodeAnswer(NamedTuple):
    """What the client expects of a node; its own type is not public."""

    meta: ApiResponseMeta
    body: bytes


class BoundedNode(BaseAsyncNode):
    """One node of a cluster. The messages of its errors are whole sentences."""

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        self._session: aiohttp.ClientSession | None = None
        files = (
            None if name is None else Path(name) for name in (config.ca_certs, config.client_cert, config.client_key)
        )
        self._handshake = Handshake(*files)

    async def perform_request(  # type: ignore[override]  # as the client's own asynchronous nodes do
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: HttpHeaders | None = None,
        request_timeout: DefaultType | float | None = DEFAULT,
    ) -> NodeAnswer:
        """The answer of any status but a redirect. Raises elastic_transport's TransportError."""
        seconds = self.config.request_timeout if isinstance(request_timeout, DefaultType) else request_timeout
        started = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                response, answer = await self._exchange(method, target, body, headers)
            believe(answer)
        except (AnswerError, CredentialsError) as error:
            raise TransportError(f"{self._name} {error}") from error
        except TimeoutError as error:
            raise ConnectionTimeout(f"{self._name} did not answer within {seconds:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NodeConnectionError(f"{self._name} {why_broken(error)}") from error
        meta = ApiResponseMeta(
            node=self.config,
            duration=time.monotonic() - started,
            http_version="1.1",
            status=answer.status,
            headers=_headers_for_client(response),
        )
        return NodeAnswer(meta=meta, body=answer.body)

    async def close(self) -> None:  # type: ignore[override]
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @property
    def _name(self) -> str:
        return f"Elasticsearch at {self.base_url}"

    async def _exchange(
        self, method: str, target: str, body: bytes | None, headers: HttpHeaders | None
    ) -> tuple[aiohttp.ClientResponse, Answer]:
        if self._session is None:
            self._session = self._open_session()
        async with self._session.request(
            method,
            self.base_url + target,
            data=body,
            headers={**self.headers, **(headers or {})},
            allow_redirects=False,
            ssl=self._handshake.context() or True,
        ) as response:
            _check_encoding(response)
            return response, await read_answer(response)

    def _open_session(self) -> aiohttp.ClientSession:
        # No limit here: a connector that is closed cancels the tasks that wait for a free connection.
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # there is one deadline, around everything
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept-Encoding", "User-Agent"),
        )


def node_config(url: str, tls: Tls) -> NodeConfig:
    """Where a node is, whom to trust there and what to show; the client refuses files for a node without TLS."""
    config = url_to_node_config(url)
    if config.scheme != "https":
        return config
    return config.replace(
        ca_certs=str(tls.ca_file or certifi.where()),
        client_cert=str(tls.cert_file) if tls.cert_file else None,
        client_key=str(tls.key_file) if tls.key_file else None,
    )


def _check_encoding(response: aiohttp.ClientResponse) -> None:
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise AnswerError(f"answered in {quote(encoding)}, which it was not asked for")


def _headers_for_client(response: aiohttp.ClientResponse) -> HttpHeaders:
    """What the client has a use for. A deprecation in a Warning header would become a warning of Python's."""
    product = response.headers.get("X-Elastic-Product", "")
    kept = {"content-type": "application/json", "x-elastic-product": product}
    return HttpHeaders(kept | {"retry-after": response.headers.get("Retry-After", "")})
