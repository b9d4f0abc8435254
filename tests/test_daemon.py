"""The daemon asks every kind of rule where it has to be asked.

Law: the world is simulated and spoken to over HTTP; what it cannot answer is an error of that rule alone.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.core.making import target
from tests.sources.raw_server import http, sending, serving
from tests.stack.ports import free_port
from tests.stack.wait import eventually, wait_until
from watchdog import daemon
from watchdog.core.model import Outcome, RuleState
from watchdog.core.rules.language import BOUND_THEMSELVES, KINDS, Rule, Target
from watchdog.notify.outbox import Result
from watchdog.rulefiles.ruleset import RuleSet
from watchdog.settings import ElasticsearchSettings, PrometheusSettings, Settings
from watchdog.sim.world import SimulatedWorld
from watchdog.watch.announce import Silent

SERVICES = [
    {"name": "backend-service", "deployment": "backend-{{ color }}", "selector": {"app": "backend-{{ color }}"}},
    {"name": "frontend-service", "deployment": "frontend-{{ color }}"},
]
COUNTED = 'sum(increase(http_requests_total{{color="{{{{ color }}}}"{more}}}[{{{{ window }}}}]))'
COUNTS = {"error_expr": COUNTED.format(more=',code="500"'), "total_expr": COUNTED.format(more="")}


@dataclass
class Ear(Silent):
    """Hears what was measured."""

    states: dict[str, RuleState] = field(default_factory=dict)

    def measured(self, target: Target, rule: Rule, state: RuleState, *, seconds: float) -> None:
        self.states[rule.alert] = state


def rules(page: str) -> list[dict[str, Any]]:
    """One of each kind, named after it."""
    asked: dict[str, dict[str, Any]] = {
        "prometheus": {"expr": 'sum(http_requests_total{color="{{ color }}"})'},
        "elasticsearch": {"index": "logs-*", "query": "*"},
        "kubernetes": {"count": "unready_pods"},
        "burn_rate": COUNTS | {"objective": "99%", "pairs": [{"long": "12s", "budget": "0.001%"}]},
        "http": {"url": page},
        "compare": COUNTS | {"baseline": "concurrent"},
    }
    bounded: dict[str, Any] = {"threshold": {"max": 0}}
    return [{"alert": kind, kind: asked[kind], **({} if kind in BOUND_THEMSELVES else bounded)} for kind in KINDS]


async def test_every_kind_of_rule_reaches_its_source() -> None:
    ear = Ear()
    async with SimulatedWorld(active="green", history=30) as world, serving(sending(http("well"))) as page:
        settings = Settings(
            kubeconfig=world.kubeconfig,
            prometheus=PrometheusSettings(url=world.prometheus_url),
            elasticsearch=ElasticsearchSettings(urls=[world.elasticsearch_url]),
            listen="127.0.0.1:0",
        )
        watched = target(services=SERVICES, rules=rules(page.url), interval="1s", mode="dry-run")
        running = asyncio.create_task(daemon.run(settings, RuleSet((watched,), "1"), listener=ear))
        await eventually(lambda: set(ear.states) == set(KINDS) or running.done(), "each rule was measured")
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    assert ear.states["http"].outcome is Outcome.OK
    assert ear.states["kubernetes"].outcome is Outcome.OK
    assert (ear.states["prometheus"].value or 0) > 0
    for kind in ("burn_rate", "compare"):
        assert f"Prometheus at {world.prometheus_url}" in ear.states[kind].reason


async def test_F95_the_first_alert_that_is_lost_is_an_increase() -> None:
    """Of a series that begins with it Prometheus' increase() sees no step."""
    where = f"127.0.0.1:{free_port()}"
    watched = target(services=SERVICES, rules=[{"alert": "Dead", "kubernetes": {"count": "crash_loops"}}])
    async with SimulatedWorld(active="green", history=0) as world:
        settings = Settings(kubeconfig=world.kubeconfig, slack_webhook_url="http://127.0.0.1:1/", listen=where)
        running = asyncio.create_task(daemon.run(settings, RuleSet((watched,), "1")))
        scraped = await asyncio.to_thread(
            wait_until, lambda: requests.get(f"http://{where}/metrics", timeout=10).text, "it is scraped"
        )
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    shown = {line for line in scraped.splitlines() if line.startswith("watchdog_alerts_total{")}
    assert shown == {f'watchdog_alerts_total{{result="{result}",sink="slack"}} 0.0' for result in Result}
