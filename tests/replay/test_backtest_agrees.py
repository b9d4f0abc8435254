"""What a backtest says of a time, against what the live sources said while it was the present: every kind of rule.

(KQL and ES|QL are not in the distribution that the tests build.)

The present is written into the real servers slot by slot, and the live sources are asked before anything later is
there; then the same slots are played from the past.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.stack.elasticsearch import ElasticsearchServer
from tests.stack.prometheus import STALE, PrometheusServer, Series
from watchdog.commands.past import Past, Sources, sources_of
from watchdog.core.instant import show_instant
from watchdog.core.model import Outcome, Phase
from watchdog.core.rules.language import Target
from watchdog.core.rules.rulefile import parse_rule_file
from watchdog.core.slots import slot_at
from watchdog.replay.past import Schedule, schedule_of
from watchdog.replay.player import Player, acting
from watchdog.replay.story import Switch
from watchdog.replay.track import Point, Track
from watchdog.settings import ElasticsearchSettings, PrometheusSettings, Settings
from watchdog.sources.compare import ComparingSource
from watchdog.sources.elasticsearch import ElasticsearchSource
from watchdog.sources.prometheus import PrometheusSource

INTERVAL = 15.0
SLOTS = 90
SWITCHED = 76
OFFSET = 7.0  # seconds that samples are taken to be late
COMPARED = {
    "Concurrent": "baseline: concurrent",
    "Offset": "baseline: offset\n      offset: 7m",
}
LOGS = {
    "Lucene": "query: 'level:ERROR AND color:{{ color }}', ratio_of: 'color:{{ color }}'",
    "Dsl": "dsl: {bool: {filter: [{term: {level: ERROR}}, {term: {color: '{{ color }}'}}]}}",
}


def rules(app: str) -> str:
    """A rule of every kind that keeps a past, on this application."""
    compared = "".join(
        f"""  - alert: {name}
    compare:
      error_expr: 'sum(increase(requests_total{{app="APP",color="{{{{ color }}}}",code="500"}}[{{{{ window }}}}]))'
      total_expr: 'sum(increase(requests_total{{app="APP",color="{{{{ color }}}}"}}[{{{{ window }}}}]))'
      absent_is_zero: true
      {baseline}
"""
        for name, baseline in COMPARED.items()
    )
    searched = "".join(
        f"""  - alert: {name}
    elasticsearch: {{index: APP, {query}, timeframe: 1m, query_delay: 15s}}
    threshold: {{max: {0.2 if "ratio_of" in query else 10}}}
"""
        for name, query in LOGS.items()
    )
    text = """\
target: shop
namespace: shop
interval: 15s
services: [{name: web, deployment: "web-{{ color }}"}]
rules:
  - alert: Ratio
    prometheus:
      expr: >-
        sum(rate(requests_total{app="APP",color="{{ color }}",code="500"}[1m]))
        / sum(rate(requests_total{app="APP",color="{{ color }}"}[1m]))
      absent_is_zero: true
    min_samples: {expr: 'sum(increase(requests_total{app="APP",color="{{ color }}"}[1m]))', value: 50}
    threshold: {max: 0.05}
    for: 30s
    initial_delay: 45s
  - alert: Queue
    prometheus: {expr: 'max(queue{app="APP",color="{{ color }}"})', max_age: 1m}
    threshold: {max: 3}
  - alert: Burn
    burn_rate:
      error_expr: 'sum(rate(requests_total{app="APP",color="{{ color }}",code="500"}[{{ window }}]))'
      total_expr: 'sum(rate(requests_total{app="APP",color="{{ color }}"}[{{ window }}]))'
      absent_is_zero: true
      objective: 99%
      pairs: [{long: 10m, short: 1m, budget: 0.1%}, {long: 5m, short: 30s, budget: 0.1%}]
    datapoints_to_alarm: 2
    evaluation_periods: 3
"""
    return f"{text}{compared}{searched}".replace("APP", app)


@dataclass
class Present:
    """An application that is written into the servers as time goes by."""

    target: Target
    prometheus: PrometheusServer
    elasticsearch: ElasticsearchServer
    app: str
    start: float
    draw: random.Random = field(default_factory=lambda: random.Random(5))
    counted: dict[tuple[str, ...], float] = field(default_factory=dict)
    late: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    def goes_on(self, number: int) -> None:
        """Writes what a slot brings: green fails from 20 to 39, nobody is scraped from 44 to 54, green gets new pods.

        Log lines of the slots 58 to 66 are late.
        """
        at = self.start + number * INTERVAL
        written: list[Series] = []
        for color in ("blue", "green"):
            pod = "b" if number >= 62 and color == "green" else "a"
            failed = self.draw.randrange(3) + (12 if color == "green" and 20 <= number < 40 else 0)
            for code, more in (("500", failed), ("200", 60 - failed)):
                key = (color, pod, code)
                self.counted[key] = self.counted.get(key, 0.0) + more
                if not 44 <= number < 55:
                    written.append(
                        self._series("requests_total", at, self.counted[key], color=color, pod=pod, code=code)
                    )
            if number == 62 and color == "green":
                written += [
                    self._series("requests_total", at, STALE, color=color, pod="a", code=c) for c in ("200", "500")
                ]
            if not 44 <= number < 60:
                written.append(self._series("queue", at, float(failed), color=color))
            self._log(at, color, failed, late=70.0 if 58 <= number <= 66 else 1.0)
        self.prometheus.remote_write(*written)
        arrived = [document for when, document in self.late if when <= at]
        self.late = [each for each in self.late if each[0] > at]
        if arrived:
            self.elasticsearch.index(self.app, arrived)

    def _series(self, name: str, at: float, value: float, **labels: str) -> Series:
        return Series(name, {"app": self.app, **labels}, [(at - 4.0, value)])

    def _log(self, at: float, color: str, failed: int, *, late: float) -> None:
        for number in range(12):
            when = at - 14.0 + number
            level = "ERROR" if number < failed else "INFO"
            document = {"@timestamp": show_instant(when), "level": level, "color": color}
            self.late.append((when + late, document | {"event": {"ingested": show_instant(when + late)}}))


@asynccontextmanager
async def live(present: Present) -> AsyncIterator[Mapping[str, Any]]:
    """The sources of the daemon, by the source that a rule asks."""
    prometheus = PrometheusSource(PrometheusSettings(url=present.prometheus.url, query_offset=OFFSET))
    elasticsearch = ElasticsearchSource(ElasticsearchSettings(urls=[present.elasticsearch.url]))
    comparing = ComparingSource(prometheus, colors=present.target.colors)
    yield {"prometheus": prometheus, "elasticsearch": elasticsearch, "compare": comparing}
    await prometheus.close()
    await elasticsearch.close()


async def lived(present: Present, player: Player, events: list[Any]) -> dict[str, list[Point]]:
    """The slots of each rule as they came to be."""
    tracks = {rule.alert: Track(rule) for rule in present.target.rules}
    async with live(present) as sources:
        for number in range(SLOTS):
            slot = present.start + number * INTERVAL
            present.goes_on(number)
            while events and events[0].at <= slot:
                player.happen(events.pop(0))
            dialogue = player.tick(slot)
            try:
                questions = next(dialogue)
                while True:
                    asked = [
                        sources[each.rule.source].measure(each.rule, color=each.color, namespace="shop", slot=slot)
                        for each in questions
                    ]
                    questions = dialogue.send(await asyncio.gather(*asked))
            except StopIteration as stop:
                for alert, state in stop.value.states.items():
                    if state.slot == slot:
                        tracks[alert].add(state, stop.value.active)
    return {alert: [*track] for alert, track in tracks.items()}


@pytest.fixture
def present(prometheus_server: PrometheusServer, elasticsearch_server: ElasticsearchServer) -> Any:
    app = f"app{secrets.token_hex(4)}"
    read = parse_rule_file("r", rules(app))
    assert read.target is not None, [str(problem) for problem in read.problems]
    keyword = {"type": "keyword"}
    fields = {"level": keyword, "color": keyword, "event": {"properties": {"ingested": {"type": "date"}}}}
    fields["@timestamp"] = {"type": "date"}
    elasticsearch_server.send("PUT", f"/{app}", {"mappings": {"properties": fields}})
    start = slot_at(read.target, time.time() - 60) - SLOTS * INTERVAL
    yield Present(read.target, prometheus_server, elasticsearch_server, app, start)
    elasticsearch_server.send("DELETE", f"/{app}")


@pytest.mark.timeout(300)
async def test_every_kind_of_rule_comes_to_the_same_live_and_from_the_past(present: Present) -> None:
    end = present.start + (SLOTS - 1) * INTERVAL
    switches = [Switch(at=0, color="green"), Switch(at=present.start + SWITCHED * INTERVAL - 5, color="blue")]
    schedule: Schedule = schedule_of(switches)
    at = PrometheusSettings(url=present.prometheus.url, query_offset=OFFSET)
    settings = Settings(_env_file=None, prometheus=at)
    servers = sources_of(
        settings, end=end, prometheus_url=present.prometheus.url, elasticsearch_url=present.elasticsearch.url
    )
    async with servers as sources:
        assert isinstance(sources, Sources)
        past = Past(sources, schedule, present.start, end)
        earlier = {rule.alert: OFFSET for rule in present.target.rules if rule.alert not in LOGS}
        now = await lived(present, past.begin(acting(present.target), earlier), [*past.events()])
        (findings,) = await past.play(present.target, incidents=None)
        asked = sources.prometheus.requests if sources.prometheus is not None else 0
    then = {each.rule.alert: [*each.track] for each in findings}
    assert set(then) == set(now) == {"Ratio", "Queue", "Burn", *COMPARED, *LOGS}
    for alert, points in now.items():
        assert len(points) == SLOTS
        for live_point, past_point in zip(points, then[alert], strict=True):
            assert past_point == live_point, (alert, round((live_point.slot - present.start) / INTERVAL))
    # It was worth comparing: each kind has fired and has been well, and the gap and the late lines were no evidence.
    seen = {alert: {point.outcome for point in points} for alert, points in now.items()}
    for alert, points in now.items():
        assert {Outcome.OK, Outcome.BREACH} <= seen[alert], alert
        assert any(point.phase is Phase.FIRING for point in points), alert
    for alert in ("Ratio", "Queue", "Burn", *LOGS):
        assert Outcome.NODATA in seen[alert], alert
    # Another limit is evaluated anew: with the rule's own it comes to what was played.
    for finding in findings:
        assert dict(finding.sweep)[1.0] == len(finding.firings) > 0, finding.rule.alert
        assert finding.closest is not None
    assert asked < 100, "ranges, and not instants"
