"""The daemon: puts the parts together, runs them, and ends them in order.

Law: this is the only place where the parts meet; what each of them does is decided elsewhere.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

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
    own_event_permission,
    permissions_needed,
    permissions_to_look,
)
from watchdog.cluster.client import Cluster, ClusterError
from watchdog.cluster.journal import ConfigMapJournal, JournalStore, MemoryJournal, last_rollbacks
from watchdog.cluster.observe import Myself
from watchdog.core.alert import Alert
from watchdog.core.ownership import instance_name
from watchdog.core.rules.language import Mode, Target
from watchdog.evidence import Source
from watchdog.fleet import Fleet
from watchdog.loop import Watch
from watchdog.notify.outbox import Outbox
from watchdog.notify.sinks import sinks_of
from watchdog.reload import RefusedError, Reloader
from watchdog.roster import Roster
from watchdog.rules_news import RulesNews
from watchdog.ruleset import RuleSet
from watchdog.settings import Settings, parse_listen
from watchdog.shards import elector_of, leases_of, name_in_leases, replica_name, shards_of, watch_while_held
from watchdog.sources.compare import ComparingSource
from watchdog.sources.prometheus import PrometheusSource
from watchdog.standing import Standing
from watchdog.subpath import check_mount
from watchdog.telling import Fanout, Telling
from watchdog.web.health import Health
from watchdog.web.metrics import Metrics
from watchdog.web.server import serving

ALERT_GRACE_SECONDS = 5.0
TICK_GRACE_SECONDS = 10.0

_log = structlog.get_logger()


class MissingSourceError(Exception):
    """A rule asks a source that the settings do not name."""


async def run(settings: Settings, rules: RuleSet, *, listener: Reporter | None = None, reloads: bool = False) -> None:
    """Watches every target until SIGTERM or SIGINT, or until cancelled.

    ``listener`` hears what the log hears. With ``reloads`` the rules were read from the folder of the settings, which
    is looked at again and again. Raises MissingSourceError, FrozenRulesError, ConfigurationError or OSError
    (the address to listen on) before anything is watched.
    """
    if reloads:
        check_mount(settings.rules)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    metrics, health, pulse = Metrics(), Health(), Pulse()
    async with AsyncExitStack() as stack:
        sources = dict(await stack.enter_async_context(_sources(settings, rules.targets)))
        cluster = await stack.enter_async_context(await Cluster.connect(settings.kubeconfig, settings.kube_context))
        outbox = Outbox(sinks_of(settings), on_result=metrics.alerted)
        telling = Telling(metrics=metrics, health=health, outbox=outbox)
        reporter = Fanout(telling, listener) if listener else telling
        fleet = _fleet(settings, rules, cluster)
        roster = Roster(rules.targets)
        memories: dict[str, MemoryJournal] = {}

        def watch(target: Target, writer: Cluster) -> Watch:
            return Watch(
                target,
                cluster=writer,
                sources=_with_baselines(sources, target),
                journal=_journal(settings, target, writer, memories),
                reporter=reporter,
                fleet=fleet,
                instance=_instance(settings, target),
                dry_run=settings.dry_run,
                myself=_myself(settings),
            )

        listening = serving(parse_listen(settings.listen), health=health, registry=metrics.registry)
        address = await stack.enter_async_context(listening)
        metrics.rules_loaded(rules.digest, _alerts(rules.targets))
        metrics.rules_reloaded(at=time.time())
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
            standing = _standing(settings, rules, metrics=metrics, health=health, post=telling.alert)
            force = _Force(settings, stack, sources, roster, fleet, cluster, metrics, health, standing)
            reloading = group.create_task(force.reload(rules, post=reporter.alert)) if reloads else None
            if standing is not None:
                elector, shards = elector_of(settings, cluster, listener=standing), settings.shards
                await watch_while_held(elector, roster, watch, shards=shards, cluster=writer, stopping=stopping)
            else:
                await _watch_until(stopping, roster, lambda target: watch(target, writer))
            if reloading is not None:
                reloading.cancel()
            heartbeat.cancel()
            await outbox.close(ALERT_GRACE_SECONDS)
        _log.info("stopped")


@dataclass(frozen=True, slots=True)
class _Force:
    """The rules in force, and everything that has to know when others are."""

    settings: Settings
    stack: AsyncExitStack
    sources: dict[str, Source]
    roster: Roster
    fleet: Fleet
    cluster: Cluster
    metrics: Metrics
    health: Health
    standing: Standing | None

    async def reload(self, rules: RuleSet, *, post: Callable[[Alert], None]) -> None:
        """Looks at the files for ever."""
        news = RulesNews(
            self.cluster,
            metrics=self.metrics,
            post=post,
            speaks=lambda: self.standing is None or self.standing.holds_the_first,
            myself=_where_to_tell(self.settings, rules.targets),
        )
        await Reloader(self.settings.rules, rules, apply=self.apply, listener=news).run()

    async def apply(self, rules: RuleSet) -> None:
        """Puts them in force. Raises RefusedError, and has changed nothing then."""
        try:
            more = await self.stack.enter_async_context(_sources(self.settings, rules.targets, known=self.sources))
        except MissingSourceError as error:
            raise RefusedError(str(error)) from error
        self.sources.update(more)
        self.fleet.size = len(rules.targets)
        self.health.rules_loaded(target.target for target in rules.targets)
        if self.standing is not None:
            self.standing.rules_loaded(_shards(self.settings, rules), digest=rules.digest)
        else:
            self.metrics.rules_loaded(rules.digest, _alerts(rules.targets))
        self.roster.replace(rules.targets)
        await _warn_of_missing_permissions(self.cluster, _permissions(self.settings, rules.targets))


def _standing(
    settings: Settings, rules: RuleSet, *, metrics: Metrics, health: Health, post: Callable[[Alert], None]
) -> Standing | None:
    """Who tells of the Leases; None without an election."""
    if not settings.leader_election:
        return None
    return Standing(
        _shards(settings, rules),
        digest=rules.digest,
        metrics=metrics,
        health=health,
        post=post,
        namespace=settings.namespace or "",
        me=replica_name(settings),
    )


def _shards(settings: Settings, rules: RuleSet) -> list[dict[str, list[str]]]:
    return [_alerts(shard) for shard in shards_of(rules.targets, settings.shards)]


async def _watch_until(stopping: asyncio.Event, roster: Roster, watch_of: Callable[[Target], Watch]) -> None:
    """Watches; once stopping is set, each watch ends its tick within a grace, or is cancelled."""
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(roster.watch(watch_of, stopping))
        await stopping.wait()
        _log.info("stopping")
        _, late = await asyncio.wait((watching,), timeout=TICK_GRACE_SECONDS)
        for task in late:
            task.cancel()


def _alerts(targets: Iterable[Target]) -> dict[str, list[str]]:
    return {target.target: [rule.alert for rule in target.rules] for target in targets}


def _journal(settings: Settings, target: Target, cluster: Cluster, memories: dict[str, MemoryJournal]) -> JournalStore:
    """Where the target's journal is; ``memories`` are those of this process, for the next watch of the same target."""
    if settings.dry_run or target.mode is Mode.DRY_RUN:
        return memories.setdefault(target.target, MemoryJournal(target.target))
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


def _where_to_tell(settings: Settings, targets: Iterable[Target]) -> Myself | None:
    """The watchdog's own Deployment, but not in a dry run: an Event is a write."""
    is_dry = settings.dry_run or all(target.mode is Mode.DRY_RUN for target in targets)
    return None if is_dry else _myself(settings)


@asynccontextmanager
async def _sources(
    settings: Settings, targets: Iterable[Target], *, known: Collection[str] = ()
) -> AsyncIterator[Mapping[str, Source]]:
    """The sources that the rules need beside those that are known, and no other: their clients cost memory."""
    asked = {rule.source for target in targets for rule in target.rules}
    needed = {"prometheus" if name == "compare" else name for name in asked} - set(known)
    async with AsyncExitStack() as stack:
        sources: dict[str, Source] = {}
        if "prometheus" in needed:
            if settings.prometheus is None:
                raise MissingSourceError("the rules ask Prometheus; say where it is with WATCHDOG_PROMETHEUS__URL")
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
        if "http" in needed:
            from watchdog.sources.probe import ProbeSource  # noqa: PLC0415

            probes = ProbeSource()
            stack.push_async_callback(probes.close)
            sources["http"] = probes
        yield sources


def _enforced(settings: Settings, targets: Iterable[Target]) -> list[Target]:
    return [target for target in targets if target.mode is Mode.ENFORCE and not settings.dry_run]


def _looking(target: Target) -> tuple[Permission, ...]:
    return permissions_to_look(target, keda=False)  # not every cluster has it


def _with_baselines(sources: Mapping[str, Source], target: Target) -> Mapping[str, Source]:
    """The sources of one target: only it knows which color is compared with which."""
    prometheus = sources.get("prometheus")
    if not isinstance(prometheus, PrometheusSource):
        return sources
    return {**sources, "compare": ComparingSource(prometheus, colors=target.colors)}


def _permissions(settings: Settings, targets: Iterable[Target]) -> list[Permission]:
    """What to ask for at the start. A dry run asks for nothing: asking is a POST."""
    enforced = _enforced(settings, targets)
    needed = [permission for target in enforced for permission in permissions_needed(target)]
    for target in enforced:
        needed += journal_permissions(settings.namespace or target.namespace, [target.target])
    if enforced and settings.namespace is not None:
        needed.append(census_permission(settings.namespace))
    if enforced and settings.namespace is not None and settings.deployment is not None:
        needed.append(own_event_permission(settings.namespace))
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
