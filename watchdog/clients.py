"""The sources of the rules in force: each is opened when a rule first asks it, and closed when the watchdog ends.

Law: a server that no rule asks is not connected to; clients cost memory.
"""

from collections.abc import Collection, Iterable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from watchdog.core.rules.language import Target
from watchdog.settings import Settings
from watchdog.sources.compare import ComparingSource
from watchdog.sources.prometheus import PrometheusSource
from watchdog.watch.evidence import Source

_ASKED_THROUGH = {"compare": "prometheus"}


class MissingSourceError(Exception):
    """A rule asks a source that the settings do not name."""


def check_named(settings: Settings, servers: Collection[str]) -> None:
    """Raises MissingSourceError for a server that rules ask and the settings do not name."""
    if "prometheus" in servers and settings.prometheus is None:
        raise MissingSourceError("the rules ask Prometheus; say where it is with WATCHDOG_PROMETHEUS__URL")
    if "elasticsearch" in servers and settings.elasticsearch is None:
        raise MissingSourceError("the rules ask Elasticsearch; say where it is with WATCHDOG_ELASTICSEARCH__URLS")


class Clients:
    """Shared by all targets; an async context manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open: dict[str, Source] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def open_for(self, targets: Iterable[Target]) -> None:
        """Opens what their rules ask and is not open yet. Raises MissingSourceError, and has opened nothing then."""
        asked = {rule.source for target in targets for rule in target.rules}
        needed = {_ASKED_THROUGH.get(name, name) for name in asked} - self._open.keys()
        check_named(self._settings, needed)
        for name in sorted(needed):
            self._open_one(name)

    def of(self, target: Target) -> Mapping[str, Source]:
        """The sources for one target: only it knows which color is compared with which."""
        prometheus = self._open.get("prometheus")
        if not isinstance(prometheus, PrometheusSource):
            return self._open
        return {**self._open, "compare": ComparingSource(prometheus, colors=target.colors)}

    def _open_one(self, name: str) -> None:
        settings = self._settings
        if name == "prometheus" and settings.prometheus is not None:
            prometheus = PrometheusSource(settings.prometheus)
            self._stack.push_async_callback(prometheus.close)
            self._open[name] = prometheus
        elif name == "elasticsearch" and settings.elasticsearch is not None:
            from watchdog.sources.elasticsearch import ElasticsearchSource  # noqa: PLC0415

            elasticsearch = ElasticsearchSource(settings.elasticsearch)
            self._stack.push_async_callback(elasticsearch.close)
            self._open[name] = elasticsearch
        elif name == "http":
            from watchdog.sources.probe import ProbeSource  # noqa: PLC0415

            probes = ProbeSource()
            self._stack.push_async_callback(probes.close)
            self._open[name] = probes
