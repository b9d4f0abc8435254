"""How long a switch takes: by the watchdog, and by what cannot be left out of it.

Law: the floor and the watchdog use one client, one API server and one bank. The floor never pauses between two looks;
the watchdog runs at the pace at which it runs in a cluster.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from bench.banks import APPS, BAD, GOOD, STYLE, Bank
from tests.stack.admin import path_of
from watchdog.cluster.client import Cluster
from watchdog.cluster.endpoints import SERVICE_NAME
from watchdog.cluster.journal import ConfigMapJournal
from watchdog.cluster.observe import read_namespace, status_of
from watchdog.core.model import Measurement
from watchdog.core.rules.language import Rule
from watchdog.core.transition import Event, Transition
from watchdog.watch.announce import Silent
from watchdog.watch.loop import Watch

PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Script:
    """A source that has its answers ready: the errors of each color."""

    errors: dict[str, float]

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:  # noqa: ARG002
        """The errors of a color; one that is not in the script has no traffic."""
        value = self.errors.get(color)
        return Measurement.nodata("no traffic") if value is None else Measurement(value=value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A switch by the watchdog: seconds from the decision until it is verified, and until both writes are read back."""

    verified: float
    written: float


@dataclass(slots=True)
class Stopwatch(Silent):
    """Notes when the watchdog says that it has decided, switched a Service, and seen the endpoints follow."""

    decided_at: float = 0.0
    switched_at: float = 0.0
    verified_at: float = 0.0
    is_verified: asyncio.Event = field(default_factory=asyncio.Event)

    def transition(self, transition: Transition) -> None:
        """Something changed."""
        if transition.event is Event.DECISION and transition.after == "rollback" and not self.decided_at:
            self.decided_at = time.perf_counter()
        elif transition.event is Event.SELECTOR:
            self.switched_at = time.perf_counter()
        elif transition.event is Event.VERIFIED:
            self.verified_at = time.perf_counter()
            self.is_verified.set()

    @property
    def switch(self) -> Switch:
        """What took how long."""
        return Switch(verified=self.verified_at - self.decided_at, written=self.switched_at - self.decided_at)


async def by_hand(cluster: Cluster, bank: Bank, color: str) -> float:
    """The floor: one PATCH a Service, then the EndpointSlices are read until only that color is in them; seconds."""
    began = time.perf_counter()
    for app in APPS:
        patch = [{"op": "replace", "path": "/spec/selector", "value": STYLE.selector(app, color)}]
        await cluster.patch(bank.service_path(app), patch)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not _follow(await cluster.get(path_of("endpointslices", bank.namespace)), color):
            pass
    return time.perf_counter() - began


def _follow(slices: dict[str, Any], color: str) -> bool:
    """True when each Service has ready endpoints of that color and no other."""
    pods: dict[str, list[str]] = {f"{app}-service": [] for app in APPS}
    for piece in slices["items"]:
        for endpoint in piece.get("endpoints") or ():
            if endpoint["conditions"].get("ready"):
                pods[piece["metadata"]["labels"][SERVICE_NAME]].append(endpoint["targetRef"]["name"])
    return all(pods[f"{app}-service"] for app in APPS) and all(
        pod.startswith(f"{app}-{color}-") for app in APPS for pod in pods[f"{app}-service"]
    )


async def by_watchdog(cluster: Cluster, bank: Bank) -> Switch:
    """A rollback up to its verified switch."""
    stopwatch, stopping = Stopwatch(), asyncio.Event()
    watch = _watch(cluster, bank, stopwatch, errors={BAD: 0.3}, clock=_a_slot_later(bank))
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(watch.run(stopping))
        await stopwatch.is_verified.wait()
        stopping.set()
    return stopwatch.switch


async def observation(cluster: Cluster, bank: Bank) -> float:
    """One look at a target; seconds."""
    began = time.perf_counter()
    status = status_of(bank.target, await read_namespace(cluster, bank.namespace, None), now=time.time())
    took = time.perf_counter() - began
    if status.active != BAD:
        raise RuntimeError(f"{bank.namespace} is not {BAD}")
    return took


async def idle_tick(cluster: Cluster, bank: Bank) -> float:
    """One whole tick of a new slot in which nothing fires; seconds."""
    now = [time.time()]
    # Under another name, since what it keeps in its journal is from the future.
    idle = replace(bank, target=bank.target.model_copy(update={"target": f"{bank.namespace}-idle"}))
    watch = _watch(cluster, idle, Stopwatch(), errors={BAD: 0.0}, clock=lambda: now[0])
    await watch.tick()  # the first one sees everything for the first time
    now[0] += bank.target.interval
    began = time.perf_counter()
    await watch.tick()
    return time.perf_counter() - began


def _watch(
    cluster: Cluster,
    bank: Bank,
    stopwatch: Stopwatch,
    *,
    errors: dict[str, float],
    clock: Callable[[], float],
) -> Watch:
    return Watch(
        bank.target,
        cluster=cluster,
        sources={"prometheus": Script(errors)},
        journal=ConfigMapJournal(cluster, bank.home, bank.target.target),
        reporter=stopwatch,
        clock=clock,
    )


def _a_slot_later(bank: Bank) -> Callable[[], float]:
    """A clock that is ahead: a slot that began before the color was switched is no evidence about it."""
    return lambda: time.time() + bank.target.interval


async def reset(cluster: Cluster, bank: Bank) -> None:
    """Brings the bad color back, as whoever releases would."""
    await by_hand(cluster, bank, BAD)


async def pair(cluster: Cluster, bank: Bank, *, floor_first: bool) -> tuple[float, Switch]:
    """The floor, in seconds, and the watchdog on one bank, in either order."""
    if floor_first:
        floor = await by_hand(cluster, bank, GOOD)
        await reset(cluster, bank)
        return floor, await by_watchdog(cluster, bank)
    watchdog = await by_watchdog(cluster, bank)
    await reset(cluster, bank)
    return await by_hand(cluster, bank, GOOD), watchdog
