"""Tells what became of changed rule files: to the log, the metrics, people, and on the watchdog's own Deployment.

Law: a refusal is told once for each state of the files, by one of the replicas; nothing in here raises.
"""

import hashlib
import time
from collections.abc import Callable, Sequence

import structlog

from watchdog.cluster.client import Cluster, ClusterError
from watchdog.cluster.events import emit
from watchdog.cluster.observe import Myself
from watchdog.core.alert import Alert
from watchdog.core.messages import rules_accepted, rules_refused
from watchdog.core.objectevents import refused_event
from watchdog.ruleset import RuleSet
from watchdog.web.metrics import Metrics

_log = structlog.get_logger()


class RulesNews:
    """Is told by the `Reloader`.

    ``speaks`` says whether it is this replica that tells people; ``myself`` is None where no Event may be written.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        metrics: Metrics,
        post: Callable[[Alert], None],
        speaks: Callable[[], bool],
        myself: Myself | None,
    ) -> None:
        self._cluster = cluster
        self._metrics = metrics
        self._post = post
        self._speaks = speaks
        self._myself = myself
        self._refused = ""

    async def reloaded(self, rules: RuleSet) -> None:
        """The set is in force."""
        self._metrics.rules_reloaded(at=time.time())
        _log.info("rules reloaded", digest=rules.digest, targets=len(rules.targets))
        for problem in rules.warnings:
            _log.warning("rule warning", sentence=str(problem))
        if self._refused and self._speaks():
            self._post(rules_accepted(self._refused, namespace=self._namespace, now=time.time()))
        self._refused = ""

    async def refused(self, problems: Sequence[str], fingerprint: str) -> None:
        """The set before it stays in force."""
        self._metrics.rules_refused()
        self._refused = hashlib.sha256(fingerprint.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        for problem in problems:
            _log.error("rules refused", sentence=problem)
        if self._speaks():
            alert = rules_refused(problems, self._refused, namespace=self._namespace, now=time.time())
            self._post(alert)
            await self._emit(alert)

    @property
    def _namespace(self) -> str:
        return self._myself.namespace if self._myself else ""

    async def _emit(self, alert: Alert) -> None:
        if self._myself is None:
            return
        namespace, name = self._myself.namespace, self._myself.deployment
        try:
            found = await self._cluster.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")
            event = refused_event(name, found["metadata"]["uid"], alert.text, occasion=alert.key)
            await emit(self._cluster, namespace, event, now=alert.at)
        except ClusterError as error:
            _log.warning("event not written", sentence=str(error))
