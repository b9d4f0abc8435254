"""The daemon: puts the parts together, runs them, and ends them in order.

Law: this is the only place where the parts meet; what each of them does is decided elsewhere.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from watchdog import __version__
from watchdog.announce import Reporter
from watchdog.clocks import BEAT_SECONDS, Pulse
from watchdog.cluster.access import (
    Permission,
    census_permission,
    journal_permissions,
    lease_permissions,
    missing_permissions,
    permissions_needed,
    permissions_to_look,
)
from watchdog.cluster.client import Cluster, ClusterError
from watchdog.cluster.journal import ConfigMapJournal, JournalStore, MemoryJournal, last_rollbacks
from watchdog.cluster.observe import Myself
from watchdog.core.ownership import instance_name
from watchdog.core.rules.language import Mode, Target
from watchdog.fleet import Fleet
from watchdog.loop import Source, Watch
from watchdog.notify.outbox import Outbox
from watchdog.notify.sinks import sinks_of
from watchdog.ruleset import RuleSet
from watchdog.settings import Settings, parse_listen
from watchdog.shards import elector_of, leases_of, name_in_leases, replica_name, shards_of, watch_while_held
from watchdog.standing import Standing
from watchdog.telling import Fanout, Telling
from watchdog.web.health import Health
from watchdog.web.metrics import Metrics
from watchdog.web.server import serving

ALERT_GRACE_SECONDS = 5.0
TICK_GRACE_SECONDS = 10.0

_log = structlog.get_logger()


class MissingSourceError(Exception):
    """A rule asks a source that the settings do not name."""


async def run(settings: Settings, rules: RuleSet, *, listener: Reporter | None = None) -> None:
    """Watches every target until SIGTERM or SIGINT, or until cancelled.

    ``listener`` hears what the log hears. Raises MissingSourceError, ConfigurationError or OSError (the address to
    listen on) before anything is watched.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    metrics, health, pulse = Metrics(), Health(), Pulse()
    async with AsyncExitStack() as stack:
        sources = await stack.enter_async_context(_sources(settings, rules.targets))
        cluster = await stack.enter_async_context(await Cluster.connect(settings.kubeconfig, settings.kube_context))
        outbox = Outbox(sinks_of(settings), on_result=metrics.alerted)
        telling = Telling(metrics=metrics, health=health, outbox=outbox)
        reporter = Fanout(telling, listener) if listener else telling
        fleet = _fleet(settings, rules, cluster)

        def watch(target: Target, writer: Cluster) -> Watch:
            return Watch(
                target,
                cluster=writer,
                sources=sources,
                journal=_journal(settings, target, writer),
                reporter=reporter,
                fleet=fleet,
                instance=_instance(settings, target),
                dry_run=settings.dry_run,
                myself=_myself(settings),
            )

        listening = serving(parse_listen(settings.listen), health=health, registry=metrics.registry)
        address = await stack.enter_async_context(listening)
        metrics.rules_loaded(rules.digest, _alerts(rules.targets))
        health.rules_loaded(each.target for each in rules.targets)
        _log.info(
            "started", version=__version__, targets=len(rules.targets), listening=f"{address.host}:{address.port}"
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(outbox.run())
            heartbeat = group.create_task(_beat(health, pulse))
            await _warn_of_missing_permissions(cluster, _permissions(settings, rules.targets))
            looking = [each for target in _enforced(settings, rules.targets) for each in _looking(target)]
            await _warn_of_missing_permissions(cluster, looking, without="it does not see who else scales")
            writer = cluster.guarded(pulse.is_steady)
            if settings.leader_election:
                shards = shards_of(rules.targets, settings.shards)
                alerts = [_alerts(shard) for shard in shards]
                standing = Standing(
                    alerts,
                    digest=rules.digest,
                    metrics=metrics,
                    health=health,
                    post=telling.alert,
                    namespace=settings.namespace or "",
                    me=replica_name(settings),
                )
                elector = elector_of(settings, cluster, listener=standing)
                await watch_while_held(elector, shards, watch, cluster=writer, stopping=stopping)
            else:
                await _watch_until(stopping, [watch(target, writer) for target in rules.targets])
            heartbeat.cancel()
            await outbox.close(ALERT_GRACE_SECONDS)
        _log.info("stopped")


async def _watch_until(stopping: asyncio.Event, watches: Iterable[Watch]) -> None:
    """Runs the watches; once stopping is set, each ends its tick within a grace, or is cancelled."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(watch.run(stopping)) for watch in watches]
        await stopping.wait()
        _log.info("stopping")
        _, late = await asyncio.wait(tasks, timeout=TICK_GRACE_SECONDS)
        for task in late:
            task.cancel()


def _alerts(targets: Iterable[Target]) -> dict[str, list[str]]:
    return {target.target: [rule.alert for rule in target.rules] for target in targets}


def _journal(settings: Settings, target: Target, cluster: Cluster) -> JournalStore:
    if settings.dry_run or target.mode is Mode.DRY_RUN:
        return MemoryJournal(target.target)
    namespace = settings.namespace or target.namespace
    return ConfigMapJournal(cluster, namespace, target.target, instance=_instance(settings, target))


def _fleet(settings: Settings, rules: RuleSet, cluster: Cluster) -> Fleet:
    size, namespace = len(rules.targets), settings.namespace
    if namespace is None or settings.dry_run:
        return Fleet(size)  # one process has all of them
    is_shared = settings.leader_election and settings.shards > 1
    return Fleet(size, census=lambda: last_rollbacks(cluster, namespace), is_shared=is_shared)


def _instance(settings: Settings, target: Target) -> str:
    return instance_name(settings.namespace or target.namespace, name_in_leases(settings))


async def _beat(health: Health, pulse: Pulse) -> None:
    while True:
        health.beat()
        pulse.beat()
        await asyncio.sleep(BEAT_SECONDS)


def _myself(settings: Settings) -> Myself | None:
    if settings.namespace is None or settings.deployment is None:
        return None
    return Myself(namespace=settings.namespace, deployment=settings.deployment)


@asynccontextmanager
async def _sources(settings: Settings, targets: Iterable[Target]) -> AsyncIterator[Mapping[str, Source]]:
    """The sources that the rules need, and no other: their clients cost memory."""
    needed = {rule.source for target in targets for rule in target.rules}
    async with AsyncExitStack() as stack:
        sources: dict[str, Source] = {}
        if "prometheus" in needed:
            if settings.prometheus is None:
                raise MissingSourceError("the rules ask Prometheus; say where it is with WATCHDOG_PROMETHEUS__URL")
            from watchdog.sources.prometheus import PrometheusSource  # noqa: PLC0415

            prometheus = PrometheusSource(settings.prometheus)
            stack.push_async_callback(prometheus.close)
            sources["prometheus"] = prometheus
        if "elasticsearch" in needed:
            if settings.elasticsearch is None:
                raise MissingSourceError("the rules ask Elasticsearch; say where with WATCHDOG_ELASTICSEARCH__URLS")
            from watchdog.sources.elasticsearch import ElasticsearchSource  # noqa: PLC0415

            elasticsearch = ElasticsearchSource(settings.elasticsearch)
            stack.push_async_callback(elasticsearch.close)
            sources["elasticsearch"] = elasticsearch
        yield sources


def _enforced(settings: Settings, targets: Iterable[Target]) -> list[Target]:
    return [target for target in targets if target.mode is Mode.ENFORCE and not settings.dry_run]


def _looking(target: Target) -> tuple[Permission, ...]:
    return permissions_to_look(target, keda=False)  # not every cluster has it


def _permissions(settings: Settings, targets: Iterable[Target]) -> list[Permission]:
    """What to ask for at the start. A dry run asks for nothing: asking is a POST."""
    enforced = _enforced(settings, targets)
    needed = [permission for target in enforced for permission in permissions_needed(target)]
    for target in enforced:
        needed += journal_permissions(settings.namespace or target.namespace, [target.target])
    if enforced and settings.namespace is not None:
        needed.append(census_permission(settings.namespace))
    if enforced and settings.leader_election and settings.namespace is not None:
        needed += lease_permissions(settings.namespace, leases_of(settings))
    return needed


async def _warn_of_missing_permissions(
    cluster: Cluster, needed: Sequence[Permission], *, without: str = "it cannot roll back"
) -> None:
    """Says at the start what the watchdog will not be allowed to do."""
    try:
        missing = await missing_permissions(cluster, needed)
    except ClusterError as error:
        _log.warning("permissions unknown", sentence=str(error))
        return
    for permission in missing:
        _log.error("permission missing", sentence=f"the watchdog may not {permission}; {without} without")
