"""The banking application: one color of one service, as a program that can be told to go bad.

Law: how many requests fail is exact, not random: a ratio of 0.3 makes three of ten fail.

``GET /pay`` is the work, ``GET /metrics`` what Prometheus scrapes, ``POST /fault`` makes it bad or well:
``{"error_ratio": 0.3}`` answers 500 to that part of the requests, ``{"error_log_ratio": 0.3}`` writes an ERROR document
for that part, ``{"latency": 0.2}`` adds seconds; what is left out is 0. So a fault can be seen by Prometheus alone, in
the logs alone, or by both. Every request writes a document, as an access log does.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest

CODES = (200, 500)
SHIP_SECONDS = 0.5
SHIP_TIMEOUT = aiohttp.ClientTimeout(total=2)
MOST_WAITING_DOCUMENTS = 20_000
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this process is, on every series and every document."""

    app: str
    color: str
    namespace: str

    @property
    def labels(self) -> dict[str, str]:
        """The labels of its series."""
        return {"app": self.app, "color": self.color, "namespace": self.namespace}


@dataclass(slots=True)
class Share:
    """Picks exactly ``ratio`` of what passes, evenly."""

    ratio: float = 0.0
    _sum: float = 0.0

    def takes(self) -> bool:
        """True for the share's part of the calls."""
        self._sum += self.ratio
        if self._sum < 1 - 1e-9:
            return False
        self._sum -= 1
        return True


@dataclass(slots=True)
class Fault:
    """How bad it is at the moment."""

    errors: Share = field(default_factory=Share)
    error_logs: Share = field(default_factory=Share)
    latency: float = 0.0

    @classmethod
    def parse(cls, body: dict[str, Any]) -> Fault:
        """Raises `ValueError` for a key that is no fault."""
        unknown = set(body) - {"error_ratio", "error_log_ratio", "latency"}
        if unknown:
            raise ValueError(f"no such fault: {', '.join(sorted(unknown))}")
        return cls(
            errors=Share(float(body.get("error_ratio", 0))),
            error_logs=Share(float(body.get("error_log_ratio", 0))),
            latency=float(body.get("latency", 0)),
        )


class Metrics:
    """Its series, the codes of which exist before the first request."""

    def __init__(self, identity: Identity) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        labels = list(identity.labels)
        self._requests = Counter("http_requests", "Requests served.", [*labels, "code"], registry=self.registry)
        histogram = Histogram(
            "http_request_duration_seconds", "Time to serve.", labels, buckets=BUCKETS, registry=self.registry
        )
        self._duration = histogram.labels(**identity.labels)
        self._by_code = {code: self._requests.labels(**identity.labels, code=str(code)) for code in CODES}

    def count(self, code: int, seconds: float) -> None:
        """Counts one request."""
        self._by_code[code].inc()
        self._duration.observe(seconds)


class LogShipper:
    """Sends documents to Elasticsearch in batches; while it is away they wait, and the oldest are dropped."""

    def __init__(self, url: str, index: str) -> None:
        self._url = f"{url}/{index}/_bulk"
        self._waiting: list[str] = []

    def write(self, document: dict[str, Any]) -> None:
        """Queues one document."""
        self._waiting.append('{"index":{}}\n' + json.dumps(document) + "\n")
        del self._waiting[:-MOST_WAITING_DOCUMENTS]

    async def run(self) -> None:
        """Ships for ever."""
        async with aiohttp.ClientSession(timeout=SHIP_TIMEOUT) as session:
            while True:
                await asyncio.sleep(SHIP_SECONDS)
                await self._ship(session)

    async def _ship(self, session: aiohttp.ClientSession) -> None:
        batch, self._waiting = self._waiting, []
        if not batch:
            return
        headers = {"Content-Type": "application/x-ndjson"}
        try:
            async with session.post(self._url, data="".join(batch).encode(), headers=headers) as response:
                response.raise_for_status()
                if (await response.json())["errors"]:
                    print("Elasticsearch refused documents", file=sys.stderr, flush=True)
        except (aiohttp.ClientError, TimeoutError) as error:
            print(f"logs wait: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            self._waiting = batch + self._waiting


class Bank:
    """The handlers."""

    def __init__(self, identity: Identity, shipper: LogShipper) -> None:
        self._identity = identity
        self._shipper = shipper
        self._metrics = Metrics(identity)
        self._fault = Fault()

    def application(self) -> web.Application:
        """The routes, and the shipping of logs as long as the server runs."""
        application = web.Application()
        application.add_routes(
            [web.get("/pay", self._pay), web.get("/metrics", self._show_metrics), web.post("/fault", self._set_fault)]
        )
        application.cleanup_ctx.append(self._shipping)
        return application

    async def _pay(self, _request: web.Request) -> web.Response:
        started = asyncio.get_running_loop().time()
        if self._fault.latency:
            await asyncio.sleep(self._fault.latency)
        code = 500 if self._fault.errors.takes() else 200
        self._metrics.count(code, asyncio.get_running_loop().time() - started)
        self._shipper.write(self._document(code, is_error=self._fault.error_logs.takes()))
        return web.json_response({"color": self._identity.color}, status=code)

    async def _show_metrics(self, _request: web.Request) -> web.Response:
        text = generate_latest(self._metrics.registry)
        return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def _set_fault(self, request: web.Request) -> web.Response:
        try:
            self._fault = Fault.parse(await request.json())
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return web.Response(status=204)

    async def _shipping(self, _application: web.Application) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(self._shipper.run())
            yield
            task.cancel()

    def _document(self, code: int, *, is_error: bool) -> dict[str, Any]:
        return {
            "@timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "log": {"level": "ERROR" if is_error else "INFO", "logger": "bank.payments"},
            "logger": "bank.payments",
            "message": "payment refused: ledger timed out" if is_error else "payment booked",
            "service": {"name": self._identity.app},
            "kubernetes": {
                "namespace": self._identity.namespace,
                "labels": {"app": self._identity.app, "color": self._identity.color},
            },
            "http": {"response": {"status_code": code}},
        }


def main() -> None:
    """Serves until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("app", "color", "namespace", "elasticsearch", "index"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    identity = Identity(app=options.app, color=options.color, namespace=options.namespace)
    bank = Bank(identity, LogShipper(options.elasticsearch, options.index))
    with contextlib.suppress(KeyboardInterrupt):
        web.run_app(
            bank.application(), host="127.0.0.1", port=options.port, print=None, access_log=None, shutdown_timeout=1
        )


if __name__ == "__main__":
    main()
