"""How the two sides of the contract are asked.

Law: one request is sent to both, byte for byte the same but for the address, the token and the namespace.
"""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp
from multidict import CIMultiDictProxy


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``body`` is JSON where it is JSON."""

    status: int
    headers: CIMultiDictProxy[str]
    body: Any

    @classmethod
    async def of(
        cls,
        session: aiohttp.ClientSession,
        method: str,
        url: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        **options: Any,
    ) -> Self:
        """Sends a request; a body that is no string is sent as JSON."""
        data = body if isinstance(body, str) or body is None else json.dumps(body)
        headers = {} if data is None else {"Content-Type": content_type}
        headers |= options.pop("headers", {})
        async with session.request(method, url, data=data, headers=headers, **options) as response:
            text = await response.text()
            try:
                content = json.loads(text)
            except ValueError:
                content = text
            return cls(response.status, response.headers, content)


@dataclass(kw_only=True)
class KubernetesSide:
    """An API server, real or simulated, and a namespace on it."""

    url: str
    token: str
    namespace: str
    kubeconfig: Path
    ca_file: Path | None = None
    _session: aiohttp.ClientSession | None = field(default=None, repr=False)

    async def __aenter__(self) -> Self:
        context: ssl.SSLContext | bool = ssl.create_default_context(cafile=self.ca_file) if self.ca_file else True
        headers = {"Authorization": f"Bearer {self.token}", "User-Agent": "contract/1", "Accept": "application/json"}
        self._session = aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(ssl=context))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json", **options: Any
    ) -> Answer:
        """Sends a request; ``{ns}`` in the path and in the body stands for the namespace."""
        assert self._session is not None
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        text = None if text is None else text.replace("{ns}", self.namespace)
        url = self.url + path.replace("{ns}", self.namespace)
        return await Answer.of(self._session, method, url, text, content_type=content_type, **options)
