"""Tells what became of changed rule files: to the log, the metrics, people, and on the watchdog's own Deployment.

Law: a refusal is told to people once for each state of the files, by the replica that speaks for all of them or by the
next one that does; nothing in here raises.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import structlog

from watchdog.cluster.client import Cluster, ClusterError
from watchdog.cluster.events import emit
from watchdog.cluster.observe import Myself
from watchdog.core.alert import Alert
from watchdog.core.digest import short_digest
from watchdog.core.objectevents import refused_event
from watchdog.core.rules.language import Target
from watchdog.core.rules_messages import rules_accepted, rules_refused
from watchdog.rulefiles.ruleset import RuleSet
from watchdog.web.metrics import Metrics

_log = structlog.get_logger()


class RulesNews:
    """Is told by the `Reloader`.

    ``rules`` are in force at the start. ``speaks`` says whether it is this replica that tells people; ``myself`` is
    asked for the Deployment to tell on, and says None where no Event may be written.
    """

    def __init__(
        self,
        cluster: Cluster,
        rules: RuleSet,
        *,
        metrics: Metrics,
        post: Callable[[Alert], None],
        speaks: Callable[[], bool],
        myself: Callable[[], Myself | None],
    ) -> None:
        self._cluster = cluster
        self._targets = _by_name(rules)
        self._metrics = metrics
        self._post = post
        self._speaks = speaks
        self._myself = myself
        self._refused = ""
        self._mended: Counter[str] = Counter()
        self._untold: Alert | None = None

    async def reloaded(self, rules: RuleSet) -> None:
        """The set is in force."""
        self._metrics.rules_reloaded(at=time.time())
        _log.info("rules reloaded", digest=rules.digest, targets=len(rules.targets), **self._difference(rules))
        for problem in rules.warnings:
            _log.warning("rule warning", sentence=str(problem))
        if self._refused and self._speaks():
            self._post(rules_accepted(self._refused, namespace=self._namespace, now=time.time()))
        self._mended[self._refused.partition("/")[0]] += 1
        self._refused, self._untold = "", None

    async def refused(self, problems: Sequence[str], fingerprint: str) -> None:
        """The set before it stays in force."""
        self._metrics.rules_refused()
        files = short_digest(fingerprint)
        # The same mistake after it was mended is told as another one.
        self._refused = "/".join((files, *(["again"] * self._mended[files])))
        for problem in problems:
            _log.error("rules refused", sentence=problem)
        self._untold = rules_refused(problems, self._refused, namespace=self._namespace, now=time.time())
        await self.looked()

    async def looked(self) -> None:
        """Tells people of a refusal, as soon as it is this replica that does; another one may have, and have gone."""
        if self._untold is not None and self._speaks():
            alert, self._untold = self._untold, None
            if await self._is_news(alert):
                self._post(alert)

    def _difference(self, rules: RuleSet) -> dict[str, list[str]]:
        """The names of the targets that came, went and changed, each where there are some."""
        before, now = self._targets, _by_name(rules)
        self._targets = now
        names = {
            "added": sorted(now.keys() - before.keys()),
            "removed": sorted(before.keys() - now.keys()),
            "changed": sorted(name for name in now.keys() & before.keys() if now[name] != before[name]),
        }
        return {what: found for what, found in names.items() if found}

    @property
    def _namespace(self) -> str:
        myself = self._myself()
        return myself.namespace if myself else ""

    async def _is_news(self, alert: Alert) -> bool:
        """False when the Event is there, by which another replica has told it; an Event that fails stops no alert."""
        if (myself := self._myself()) is None:
            return True
        try:
            path = f"/apis/apps/v1/namespaces/{myself.namespace}/deployments/{myself.deployment}"
            found = await self._cluster.get(path)
            event = refused_event(myself.deployment, found["metadata"]["uid"], alert.text, occasion=alert.key)
            return await emit(self._cluster, myself.namespace, event, now=alert.at)
        except ClusterError as error:
            _log.warning("event not written", sentence=str(error))
            return True


def _by_name(rules: RuleSet) -> Mapping[str, Target]:
    return {target.target: target for target in rules.targets}
