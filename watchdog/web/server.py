"""The HTTP server: ``/livez``, ``/readyz`` and ``/metrics``.

Law: GET and HEAD only, and no answer waits for anything but this process.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from watchdog.settings import ListenAddress
from watchdog.web.health import Health, Verdict

_KEEPALIVE_SECONDS = 75.0
_SHUTDOWN_SECONDS = 2.0


class ListenError(Exception):
    """The address cannot be bound; the text is a sentence."""


@asynccontextmanager
async def serving(
    listen: ListenAddress, *, health: Health, registry: CollectorRegistry
) -> AsyncIterator[ListenAddress]:
    """Serves inside the block; yields the address that was bound. Raises ListenError when it cannot be bound."""
    runner = web.AppRunner(
        _application(health, registry),
        access_log=None,
        keepalive_timeout=_KEEPALIVE_SECONDS,
        shutdown_timeout=_SHUTDOWN_SECONDS,
    )
    await runner.setup()
    try:
        await _listen(runner, listen)
        host, port = runner.addresses[0][:2]
        yield ListenAddress(host, port)
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, listen: ListenAddress) -> None:
    try:
        await web.TCPSite(runner, listen.host, listen.port).start()
    except (OSError, UnicodeError) as error:  # the latter of a host that can be no name
        raise ListenError(f"cannot listen on {listen}: {error}") from error


def _application(health: Health, registry: CollectorRegistry) -> web.Application:
    async def livez(_: web.Request) -> web.Response:
        return _answer(health.live())

    async def readyz(_: web.Request) -> web.Response:
        return _answer(health.ready())

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    application = web.Application()
    application.router.add_get("/livez", livez)
    application.router.add_get("/readyz", readyz)
    application.router.add_get("/metrics", metrics)
    application.on_response_prepare.append(_without_versions)
    return application


def _answer(verdict: Verdict) -> web.Response:
    status = HTTPStatus.OK if verdict.is_well else HTTPStatus.SERVICE_UNAVAILABLE
    return web.Response(status=status, text=verdict.sentence + "\n", headers={"Cache-Control": "no-store"})


async def _without_versions(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "canary-watchdog"
