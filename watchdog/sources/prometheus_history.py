"""Answers the questions of the past: the same measurements, read from range queries instead of one query an instant.

Law: what is made of the readings is the live sources' own; only who reads them differs.
"""

from __future__ import annotations

from collections.abc import Iterable

from watchdog.settings import PrometheusSettings
from watchdog.sources.envelope import Reading
from watchdog.sources.prometheus import PrometheusSource
from watchdog.sources.prometheus_ranges import Ranges


class PrometheusHistory(PrometheusSource):
    """A Prometheus that is asked about instants of the past, ``step`` seconds apart and in their order."""

    def __init__(self, settings: PrometheusSettings, ranges: Ranges, *, step: float) -> None:
        super().__init__(settings)
        self._settings = settings
        self._ranges = ranges
        self._step = step

    def every(self, step: float) -> PrometheusHistory:
        """The same server, asked about instants of another step; how new samples are is known to both."""
        other = PrometheusHistory(self._settings, self._ranges, step=step)
        other._newest = self._newest
        return other

    async def _readings(self, exprs: Iterable[str], *, at: float, newest: float) -> dict[str, Reading]:
        """The reading of each expression. When the server was started the last time says nothing of its past."""
        asked = [*dict.fromkeys(exprs)]
        answers = await self._ranges.look(asked, at=at, newest=newest, step=self._step)
        return dict(zip(asked, answers, strict=True))
