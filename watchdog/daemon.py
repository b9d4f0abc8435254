"""The daemon: opens what it needs, runs the parts, and ends them in order.

Law: what the parts are is said in `parts.py`; here is only their life.
"""

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack

import structlog

from watchdog import __version__
from watchdog.clients import Clients
from watchdog.clocks import BEAT_SECONDS, Pulse
from watchdog.cluster.client import Cluster
from watchdog.core.rules.language import Target
from watchdog.election.shards import elector_of, watch_while_held
from watchdog.notify.outbox import Outbox, Result
from watchdog.notify.sinks import sinks_of, without_address
from watchdog.parts import Parts, assemble
from watchdog.rights import warn_of_missing_permissions
from watchdog.rulefiles.ruleset import RuleSet
from watchdog.rulefiles.subpath import check_mount
from watchdog.settings import Settings, parse_listen
from watchdog.telling import Fanout, Telling
from watchdog.watch.announce import Reporter
from watchdog.watch.loop import Watch
from watchdog.watch.roster import Roster
from watchdog.web.health import Health
from watchdog.web.metrics import Metrics
from watchdog.web.server import serving

ALERT_GRACE_SECONDS = 5.0
TICK_GRACE_SECONDS = 10.0

_log = structlog.get_logger()


async def run(settings: Settings, rules: RuleSet, *, listener: Reporter | None = None, reloads: bool = False) -> None:
    """Watches every target until SIGTERM or SIGINT, or until cancelled.

    ``listener`` hears what the log hears. With ``reloads`` the rules were read from the folder of the settings, which
    is looked at again and again. Raises MissingSourceError, FrozenRulesError, ConfigurationError or
    ListenError before anything is watched.
    """
    if reloads:
        check_mount(settings.rules)
    stopping = _until_told_to_stop()
    metrics, health = Metrics(), Health()
    async with AsyncExitStack() as stack:
        clients = await stack.enter_async_context(Clients(settings))
        clients.open_for(rules.targets)
        cluster = await stack.enter_async_context(await Cluster.connect(settings.kubeconfig, settings.kube_context))
        sinks = sinks_of(settings)
        metrics.alerts_go_to((sink.name for sink in sinks), results=Result)
        outbox = Outbox(sinks, on_result=metrics.alerted)
        telling = Telling(metrics=metrics, health=health, outbox=outbox)
        parts = assemble(
            settings,
            rules,
            cluster=cluster,
            clients=clients,
            reporter=Fanout(telling, listener) if listener else telling,
            metrics=metrics,
            health=health,
        )
        listening = serving(parse_listen(settings.listen), health=health, registry=metrics.registry)
        address = await stack.enter_async_context(listening)
        for sink, why in without_address(settings).items():
            _log.warning("no address for alerts", sink=sink, reason=why)
        _log.info("started", version=__version__, targets=len(rules.targets), listening=str(address))
        await _work(parts, rules, outbox=outbox, reloads=reloads, stopping=stopping)
        _log.info("stopped")


def _until_told_to_stop() -> asyncio.Event:
    """Is set by SIGTERM and SIGINT."""
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


async def _work(parts: Parts, rules: RuleSet, *, outbox: Outbox, reloads: bool, stopping: asyncio.Event) -> None:
    """Runs everything beside each other until ``stopping``; what is still to be told then has a grace."""
    pulse = Pulse()
    async with asyncio.TaskGroup() as group:
        group.create_task(outbox.run())
        beside = [group.create_task(_beat(parts.health, pulse)), group.create_task(parts.mind_orphans())]
        await warn_of_missing_permissions(parts.cluster, parts.settings, rules.targets)
        if reloads:
            beside.append(group.create_task(parts.reload(rules)))
        await _watch(parts, parts.cluster.guarded(pulse.is_steady), stopping)
        for task in beside:
            task.cancel()
        await outbox.close(ALERT_GRACE_SECONDS)


async def _watch(parts: Parts, writer: Cluster, stopping: asyncio.Event) -> None:
    """Watches what this replica has to, through a writer that asks the pulse before each write."""
    settings, standing = parts.settings, parts.standing
    if standing is None:
        await _watch_until(stopping, parts.roster, lambda target: parts.watch(target, writer))
        return
    elector = elector_of(settings, parts.cluster, listener=standing)
    await watch_while_held(
        elector, parts.roster, parts.watch, shards=settings.shards, cluster=writer, stopping=stopping
    )


async def _watch_until(stopping: asyncio.Event, roster: Roster, watch_of: Callable[[Target], Watch]) -> None:
    """Watches; once stopping is set, each watch ends its tick within a grace, or is cancelled."""
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(roster.watch(watch_of, stopping))
        await stopping.wait()
        _log.info("stopping")
        _, late = await asyncio.wait((watching,), timeout=TICK_GRACE_SECONDS)
        for task in late:
            task.cancel()


async def _beat(health: Health, pulse: Pulse) -> None:
    while True:
        health.beat()
        pulse.beat()
        await asyncio.sleep(BEAT_SECONDS)
