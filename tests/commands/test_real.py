"""The commands on a real control plane, beside a watch that obeys them."""

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from typer.testing import Result

from tests.cluster.conftest import Bank, make_bank
from tests.commands.typed import type_command
from tests.stack.kubernetes import ControlPlane
from tests.stack.style import BY_APP_AND_COLOR
from tests.stack.wait import PATIENCE
from watchdog.cluster.client import Cluster
from watchdog.cluster.journal import ConfigMapJournal
from watchdog.core.annotations import KNOWN_GOOD, PAUSED, PAUSED_REASON, PAUSED_UNTIL
from watchdog.core.model import Measurement
from watchdog.core.rules.language import Rule, Target
from watchdog.core.transition import Event, Transition
from watchdog.watch.announce import Silent
from watchdog.watch.loop import Watch

HOUR = 3600.0
ANSWERS = {"green": Measurement(value=0.3), "blue": Measurement(value=0.0)}


class Script:
    """A source to which green is bad and blue is well."""

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:
        return ANSWERS[color]


@dataclass
class Ear(Silent):
    """Hears what is decided, and when it is over."""

    heard: list[Transition] = field(default_factory=list)

    def transition(self, transition: Transition) -> None:
        self.heard.append(transition)

    def told(self, event: Event) -> list[str]:
        """What the transitions of one kind led to."""
        return [each.after for each in self.heard if each.event is event]


@dataclass
class Desk:
    """A person's machine, and the watch of the target that ticks when the test says so."""

    bank: Bank
    rules: Path
    cluster: Cluster
    ear: Ear = field(default_factory=Ear)
    now: float = field(default_factory=lambda: time.time() + HOUR)

    def __post_init__(self) -> None:
        name = self.bank.namespace
        self.watch = Watch(
            self.bank.target,
            cluster=self.cluster,
            sources={"prometheus": Script()},
            journal=ConfigMapJournal(self.cluster, name, name),
            reporter=self.ear,
            clock=lambda: self.now,
        )

    async def type(self, command: str, *words: str, code: int = 0) -> Result:
        """Types ``watchdog COMMAND TARGET …``."""
        kubeconfig = str(self.bank.plane.kubeconfig)
        words = (command, self.bank.target.target, *words, "--rules", str(self.rules))
        done = await type_command(*words, WATCHDOG_KUBECONFIG=kubeconfig)
        assert done.exit_code == code, done.stderr
        return done

    async def decides(self) -> str:
        """What is decided in the next slot."""
        self.now += self.bank.target.interval
        await self.watch.tick()
        return self.ear.told(Event.DECISION)[-1]

    async def tick_until(self, condition: Callable[[], bool]) -> None:
        """Ticks each second of its own clock; the real controllers have a moment between two ticks."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self.now += 1
                await self.watch.tick()
                await asyncio.sleep(0.05)

    def annotations(self, path: str) -> dict[str, str]:
        """Those under our prefix."""
        annotations = self.bank.plane.admin.get(path)["metadata"].get("annotations") or {}
        return {key: value for key, value in annotations.items() if key.startswith("canary-watchdog/")}


@pytest.fixture
async def desk(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> AsyncIterator[Desk]:
    bank = make_bank(control_plane, namespace, BY_APP_AND_COLOR)
    query = {"expr": 'error_ratio{color="{{ color }}"}'}
    rule = {"alert": "Errors", "prometheus": query, "threshold": {"max": 0.05}, "for": "15s", "action": "rollback"}
    declared = bank.target.model_dump(mode="json", include={"target", "namespace", "mode", "services"})
    declared |= {"rules": [rule], "rollback": {"scale_down_delay": "1s"}}
    (tmp_path / "bank.yaml").write_text(yaml.safe_dump(declared))
    async with await Cluster.connect(control_plane.kubeconfig, None) as cluster:
        yield Desk(Bank(control_plane, namespace, Target.model_validate(declared)), tmp_path, cluster)


async def test_paused_resumed_trusted_rolled_back_and_told(desk: Desk) -> None:
    service = desk.bank.service_path("backend-service")
    assert await desk.decides() == "nothing_firing"
    await desk.type("pause", "--reason", "load test", "--for", "2h")
    assert desk.annotations(service).keys() == {PAUSED, PAUSED_REASON, PAUSED_UNTIL}
    assert await desk.decides() == "paused"

    await desk.type("resume")
    assert desk.annotations(service) == {}
    assert await desk.decides() == "not_known_good"

    await desk.type("trust")
    assert desk.annotations(desk.bank.deployment_path("frontend-blue")) == {KNOWN_GOOD: "1"}
    assert await desk.decides() == "rollback"
    (told,) = json.loads((await desk.type("history", "-o", "json")).stdout)
    assert [each["ending"] for each in told["trips"]] == ["open"]

    await desk.tick_until(lambda: bool(desk.ear.told(Event.FINISHED)))
    (told,) = json.loads((await desk.type("history", "-o", "json")).stdout)
    (trip,) = told["trips"]
    assert (trip["from"], trip["to"], trip["ending"]) == ("green", "blue", "recovered")
    assert [(each["color"], each["ending"]) for each in told["stays"]] == [("blue", "lasts"), ("green", "rolled_back")]

    refused = await desk.type("trust", code=1)
    assert "green was itself rolled back" in refused.stderr


async def test_kubectl_does_what_a_dry_run_prints(desk: Desk, kubectl_program: Path) -> None:
    service, deployment = desk.bank.service_path("backend-service"), desk.bank.deployment_path("backend-blue")

    async def do(command: str, *words: str) -> None:
        for line in (await desk.type(command, *words, "--dry-run")).stdout.splitlines():
            program, _, arguments = line.partition(" ")
            assert program == "kubectl"
            subprocess.run(f"'{kubectl_program}' {arguments}", shell=True, check=True, capture_output=True, timeout=30)  # noqa: ASYNC221, S602 - the line is for a shell

    await do("pause", "--reason", 'it\'s "us", $HOME')
    assert desk.annotations(service) == {PAUSED: "true", PAUSED_REASON: 'it\'s "us", $HOME'}
    await do("trust")
    assert desk.annotations(deployment) == {KNOWN_GOOD: "1"}
    await do("resume")
    assert desk.annotations(service) == {}
