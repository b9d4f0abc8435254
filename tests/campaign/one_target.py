"""Watches one target until it is killed: the real loop and the real client, with rules that a script answers.

Law: green is bad and blue is well, always; everything else is the product's own doing.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from watchdog.cluster.client import Cluster
from watchdog.cluster.journal import ConfigMapJournal, JournalStore, MemoryJournal
from watchdog.core.alert import Alert
from watchdog.core.model import Measurement
from watchdog.core.rules.language import Rule, Target
from watchdog.core.transition import Transition
from watchdog.watch.announce import Silent
from watchdog.watch.loop import Watch

SCALE_DOWN_DELAY = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one process is to watch. ``pace``: how many seconds of its clock pass in one real second."""

    kubeconfig: str
    namespace: str
    log: str
    mode: str = "enforce"
    pace: int = 1


class Script:
    """The source of every rule."""

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:
        """A breach on green."""
        return Measurement(value=0.3 if color == "green" else 0.0, samples=100.0)


class Log(Silent):
    """Writes what happens as JSON lines, each with the process that says it."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def transition(self, transition: Transition) -> None:
        self._write("transition", asdict(transition))

    def alert(self, alert: Alert) -> None:
        self._write("alert", asdict(alert))

    def _write(self, what: str, fields: Mapping[str, Any]) -> None:
        print(json.dumps({"what": what, "pid": os.getpid(), **fields}), file=self._file, flush=True)


def target_of(order: Order) -> Target:
    """The banking application in the style of its own rule file; its times follow the pace."""
    return Target.model_validate(
        {
            "target": order.namespace,
            "namespace": order.namespace,
            "mode": order.mode,
            "interval": f"{order.pace}s",
            "services": [
                {
                    "name": "backend-service",
                    "deployment": "backend-{{ color }}",
                    "selector": {"app": "backend-{{ color }}"},
                },
                {"name": "frontend-service", "deployment": "frontend-{{ color }}"},
            ],
            "rollback": {"scale_down_delay": f"{SCALE_DOWN_DELAY * order.pace}s"},
            "rules": [
                {
                    "alert": "Errors",
                    "prometheus": {"expr": "errors"},
                    "threshold": {"max": 0.05},
                    "initial_delay": "0s",
                    "action": "rollback",
                }
            ],
        }
    )


def clock_of(order: Order) -> Callable[[], float]:
    """The real time, or one that runs ahead of it by the pace."""
    began = time.time()
    return lambda: began + (time.time() - began) * order.pace


def journal_of(order: Order, cluster: Cluster) -> JournalStore:
    """As the daemon chooses it."""
    if order.mode == "dry-run":
        return MemoryJournal(order.namespace)
    return ConfigMapJournal(cluster, order.namespace, order.namespace)


async def watch(order: Order, log: TextIO) -> None:
    """Never returns."""
    async with await Cluster.connect(Path(order.kubeconfig), None) as cluster:
        loop = Watch(
            target_of(order),
            cluster=cluster,
            sources={"prometheus": Script()},
            journal=journal_of(order, cluster),
            reporter=Log(log),
            clock=clock_of(order),
        )
        await loop.run(asyncio.Event())
