"""The parts of one process: made from the settings and the rules, and told together when the rules change.

Law: rules are put in force in all parts or in none.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from watchdog.clients import Clients, MissingSourceError
from watchdog.cluster.client import Cluster
from watchdog.cluster.journal import ConfigMapJournal, JournalStore, MemoryJournal, last_rollbacks
from watchdog.cluster.observe import Myself
from watchdog.core.ownership import instance_name
from watchdog.core.rules.language import Mode, Target
from watchdog.core.sharding import shard_of
from watchdog.election.shards import name_in_leases, replica_name, shards_of
from watchdog.election.standing import Standing
from watchdog.rights import enforced, warn_of_missing_permissions
from watchdog.rulefiles.news import RulesNews
from watchdog.rulefiles.reload import Reloader, RulesRefusedError
from watchdog.rulefiles.ruleset import RuleSet
from watchdog.settings import Settings
from watchdog.watch.announce import Reporter
from watchdog.watch.fleet import Fleet
from watchdog.watch.loop import Watch
from watchdog.watch.orphans import Orphans
from watchdog.watch.roster import Roster
from watchdog.web.health import Health
from watchdog.web.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What watches, and whom it tells. ``standing`` is None without an election."""

    settings: Settings
    cluster: Cluster
    clients: Clients
    reporter: Reporter
    metrics: Metrics
    health: Health
    fleet: Fleet
    roster: Roster
    standing: Standing | None
    memories: dict[str, MemoryJournal] = field(default_factory=dict)

    def watch(self, target: Target, writer: Cluster) -> Watch:
        """A new watch of a target, which writes through ``writer``."""
        return Watch(
            target,
            cluster=writer,
            sources=self.clients.of(target),
            journal=self._journal(target, writer),
            reporter=self.reporter,
            fleet=self.fleet,
            instance=_instance(self.settings, target),
            dry_run=self.settings.dry_run,
            myself=self._myself,
            rules_since=self.roster.since,
        )

    def _journal(self, target: Target, writer: Cluster) -> JournalStore:
        """Where the target's journal is: one in memory outlives its watch, for the next one of the same target."""
        if self.settings.dry_run or target.mode is Mode.DRY_RUN:
            return self.memories.setdefault(target.target, MemoryJournal(target.target))
        namespace = self.settings.namespace or target.namespace
        return ConfigMapJournal(writer, namespace, target.target, instance=_instance(self.settings, target))

    def started(self, rules: RuleSet) -> None:
        """Tells whoever is scraped and probed which rules it has begun with."""
        self.health.rules_loaded(target.target for target in rules.targets)
        self.metrics.rules_loaded(rules.digest, _alerts(rules.targets))
        self.metrics.rules_reloaded(at=time.time())

    async def mind_orphans(self) -> None:
        """Looks for ever for rollbacks whose target is gone, where the journals of all targets are together."""
        settings = self.settings
        if settings.namespace is None or settings.dry_run:
            return
        orphans = Orphans(
            self.cluster,
            settings.namespace,
            instance=instance_name(settings.namespace, name_in_leases(settings)),
            is_minded=lambda name: self.roster.is_watched(name) or not self._speaks_for(name),
            post=self.reporter.alert,
        )
        await orphans.run()

    def _speaks_for(self, target: str) -> bool:
        return self.standing is None or self.standing.holds(shard_of(target, self.settings.shards))

    async def reload(self, rules: RuleSet) -> None:
        """Looks at the files for ever; ``rules`` are what they said at the start."""
        news = RulesNews(
            self.cluster,
            rules,
            metrics=self.metrics,
            post=self.reporter.alert,
            speaks=lambda: self.standing is None or self.standing.holds_the_first,
            myself=self._where_to_tell,
        )
        await Reloader(self.settings.rules, rules, apply=self.apply, listener=news).run()

    async def apply(self, rules: RuleSet) -> None:
        """Puts them in force. Raises RulesRefusedError, and has changed nothing then."""
        try:
            self.clients.open_for(rules.targets)
        except MissingSourceError as error:
            raise RulesRefusedError(str(error)) from error
        self.fleet.size = len(rules.targets)
        self.health.rules_loaded(target.target for target in rules.targets)
        if self.standing is not None:
            self.standing.rules_loaded(_shards(self.settings, rules), digest=rules.digest)
        else:
            self.metrics.rules_loaded(rules.digest, _alerts(rules.targets))
        self.roster.replace(rules.targets, since=rules.since)
        await warn_of_missing_permissions(self.cluster, self.settings, rules.targets)

    def _where_to_tell(self) -> Myself | None:
        """The watchdog's own Deployment, but not while it only watches: an Event is a write."""
        return self._myself if enforced(self.settings, self.roster.targets) else None

    @property
    def _myself(self) -> Myself | None:
        return Myself.named(self.settings.namespace, self.settings.deployment)


def assemble(
    settings: Settings,
    rules: RuleSet,
    *,
    cluster: Cluster,
    clients: Clients,
    reporter: Reporter,
    metrics: Metrics,
    health: Health,
) -> Parts:
    """The parts, for rules whose sources are open."""
    parts = Parts(
        settings=settings,
        cluster=cluster,
        clients=clients,
        reporter=reporter,
        metrics=metrics,
        health=health,
        fleet=_fleet(settings, rules, cluster),
        roster=Roster(rules.targets, since=rules.since),
        standing=_standing(settings, rules, reporter=reporter, metrics=metrics, health=health),
    )
    parts.started(rules)
    return parts


def _standing(
    settings: Settings, rules: RuleSet, *, reporter: Reporter, metrics: Metrics, health: Health
) -> Standing | None:
    """Who tells of the Leases; None without an election."""
    if not settings.leader_election:
        return None
    return Standing(
        _shards(settings, rules),
        digest=rules.digest,
        metrics=metrics,
        health=health,
        post=reporter.alert,
        namespace=settings.namespace or "",
        me=replica_name(settings),
    )


def _fleet(settings: Settings, rules: RuleSet, cluster: Cluster) -> Fleet:
    size, namespace = len(rules.targets), settings.namespace
    if namespace is None or settings.dry_run:
        return Fleet(size)  # one process has all of them
    is_shared = settings.leader_election and settings.shards > 1
    instance = instance_name(namespace, name_in_leases(settings))
    return Fleet(size, census=lambda: last_rollbacks(cluster, namespace, instance=instance), is_shared=is_shared)


def _shards(settings: Settings, rules: RuleSet) -> list[dict[str, list[str]]]:
    return [_alerts(shard) for shard in shards_of(rules.targets, settings.shards)]


def _alerts(targets: Iterable[Target]) -> dict[str, list[str]]:
    return {target.target: [rule.alert for rule in target.rules] for target in targets}


def _instance(settings: Settings, target: Target) -> str:
    return instance_name(settings.namespace or target.namespace, name_in_leases(settings))
