"""Sends requests where the cluster would send them, and remembers how each was answered.

Law: the real API decides: a request goes to the color of a ready endpoint of its Service, and fails when there is none.

Pods run nowhere here, so the EndpointSlices of the Service are read every 100 ms, as kube-proxy would, and the color's
process on loopback is asked in the pod's place. The generator has a thread and an event loop of its own: whatever a
test does, the load goes on.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.stack.admin import path_of
from tests.stack.kubernetes import ControlPlane

LOOK_SECONDS = 0.1
REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=3)
LOOK_TIMEOUT = aiohttp.ClientTimeout(total=2)
NOBODY = ""
REFUSED = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """One request. ``color`` is `NOBODY` when no endpoint was ready, ``status`` is `REFUSED` when nobody answered."""

    at: float
    service: str
    color: str
    status: int

    @property
    def is_well(self) -> bool:
        """True for a status of 200."""
        return self.status == 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One color of one service: the Deployment whose pods stand for it, and the process that answers for them."""

    service: str
    color: str
    deployment: str
    url: str


class Load:
    """Requests at a steady rate to each Service of a namespace, until `stop`."""

    def __init__(self, plane: ControlPlane, namespace: str, backends: tuple[Backend, ...], *, rate: float) -> None:
        self._plane = plane
        self._slices_path = path_of("endpointslices", namespace)
        self._backends = backends
        self._rate = rate
        self._sent: list[Sent] = []
        self._turns: Mapping[str, Iterator[Backend]] = {}
        self._colors: Mapping[str, Counter[str]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Ends, and waits for the last answers."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def sent(self, *, since: float = 0, service: str = "") -> list[Sent]:
        """The requests sent from a Unix time on, the oldest first."""
        return [one for one in list(self._sent) if one.at >= since and service in ("", one.service)]

    def counts(self, *, since: float = 0, service: str = "") -> Counter[tuple[str, int]]:
        """How many requests went to which color and were answered with which status."""
        return Counter((one.color, one.status) for one in self.sent(since=since, service=service))

    def failed(self, *, since: float = 0) -> list[Sent]:
        """The requests that were not answered with 200."""
        return [one for one in self.sent(since=since) if not one.is_well]

    def last_failure(self) -> float:
        """When the last request that failed was sent, in Unix seconds; 0 when none has failed."""
        return max((one.at for one in self.failed()), default=0.0)

    def is_well(self, *, last: int = 100) -> bool:
        """True when the last requests, at least that many, were all answered with 200."""
        sent = self.sent()[-last:]
        return len(sent) == last and all(one.is_well for one in sent)

    def endpoint_colors(self) -> Mapping[str, Counter[str]]:
        """The ready endpoints of each Service by color, as seen last."""
        return self._colors

    async def _run(self) -> None:
        context = ssl.create_default_context(cafile=self._plane.ca_file)
        headers = {"Authorization": f"Bearer {self._plane.tokens['load']}"}
        connector = aiohttp.TCPConnector(ssl=context)
        async with (
            aiohttp.ClientSession(self._plane.url, headers=headers, connector=connector, timeout=LOOK_TIMEOUT) as api,
            aiohttp.ClientSession(timeout=REQUEST_TIMEOUT, connector=aiohttp.TCPConnector(limit=0)) as bank,
            asyncio.TaskGroup() as tasks,
        ):
            await self._look(api)
            tasks.create_task(self._look_on(api))
            for service in {backend.service for backend in self._backends}:
                tasks.create_task(self._send_on(bank, service))

    async def _look_on(self, api: aiohttp.ClientSession) -> None:
        while not self._stopping.is_set():
            await asyncio.sleep(LOOK_SECONDS)
            await self._look(api)

    async def _look(self, api: aiohttp.ClientSession) -> None:
        """What was seen last stays when the API server is away, as it does in kube-proxy."""
        try:
            async with api.get(self._slices_path) as response:
                response.raise_for_status()
                slices = (await response.json())["items"]
        except (aiohttp.ClientError, TimeoutError):
            return
        found = {service: self._ready_backends(slices, service) for service in {one.service for one in self._backends}}
        colors = {service: Counter(backend.color for backend in ready) for service, ready in found.items()}
        if colors != self._colors:
            self._turns = {service: itertools.cycle(ready) for service, ready in found.items()}
            self._colors = colors

    def _ready_backends(self, slices: list[dict[str, Any]], service: str) -> list[Backend]:
        """One for each ready endpoint."""
        endpoints = [
            endpoint
            for piece in slices
            if piece["metadata"]["labels"].get("kubernetes.io/service-name") == service
            for endpoint in piece["endpoints"] or ()
            if endpoint["conditions"]["ready"]
        ]
        return [
            backend
            for endpoint in endpoints
            for backend in self._backends
            if endpoint["targetRef"]["name"].startswith(f"{backend.deployment}-")
        ]

    async def _send_on(self, bank: aiohttp.ClientSession, service: str) -> None:
        due = time.monotonic()
        async with asyncio.TaskGroup() as requests:
            while not self._stopping.is_set():
                requests.create_task(self._send(bank, service))
                due = max(due + 1 / self._rate, time.monotonic() - 1)  # a stall is not made up for by a flood
                await asyncio.sleep(due - time.monotonic())

    async def _send(self, bank: aiohttp.ClientSession, service: str) -> None:
        at = time.time()
        backend = next(self._turns.get(service, iter(())), None)
        if backend is None:
            self._sent.append(Sent(at, service, NOBODY, REFUSED))
            return
        try:
            async with bank.get(f"{backend.url}/pay") as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError):
            status = REFUSED
        self._sent.append(Sent(at, service, backend.color, status))
