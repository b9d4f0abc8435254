"""What a watchdog does that may open nothing more: no file, no connection.

Law: the watchdog is a process of its own, whose limit the kernel keeps; what it says is read from its log and its
health.
"""

import json
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.sources.raw_server import http, sending, serving
from tests.stack.banking import REPOSITORY
from tests.stack.ports import free_port
from tests.stack.process import Child
from tests.stack.wait import eventually
from tests.stories.mounts import Mount
from watchdog.sim.server import Refuse
from watchdog.sim.world import SimulatedWorld

SERVICES = [
    {"name": "backend-service", "deployment": "backend-{{ color }}", "selector": {"app": "backend-{{ color }}"}},
    {"name": "frontend-service", "deployment": "frontend-{{ color }}"},
]
EXHAUSTED = "Too many open files"


@contextmanager
def starved(pid: int) -> Iterator[None]:
    """Inside the block the process gets no descriptor beside those that it has; the first three are its log."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


def is_well(port: int, path: str = "/readyz") -> bool:
    """As the kubelet asks: by a new connection, for a second."""
    try:
        return requests.get(f"http://127.0.0.1:{port}{path}", timeout=1).ok
    except requests.RequestException:
        return False


def asking(page: str) -> str:
    """A rule file that asks a page each second, by a connection of its own each time."""
    rule: dict[str, Any] = {"alert": "Page", "http": {"url": page}, "for": "1s", "threshold": {"max": 0}}
    target = {"target": "banking-app", "namespace": "banking-app", "services": SERVICES, "interval": "1s"}
    return yaml.safe_dump(target | {"rules": [rule]})


def watchdog(folder: Path, *, rules: Path, kubeconfig: Path, port: int) -> Child:
    """The process."""
    environment = {
        "WATCHDOG_RULES": str(rules),
        "WATCHDOG_KUBECONFIG": str(kubeconfig),
        "WATCHDOG_LISTEN": f"127.0.0.1:{port}",
        "WATCHDOG_LOG_LEVEL": "debug",
        "PYTHONPATH": str(REPOSITORY),
    }
    command: list[str | Path] = [sys.executable, "-m", "watchdog", "run"]
    return Child(name="watchdog", command=command, folder=folder, environment=os.environ | environment)


async def test_F84_without_a_free_descriptor_it_is_not_ready_and_goes_on_when_there_are_some(tmp_path: Path) -> None:
    port = free_port()
    async with SimulatedWorld(active="green", history=0) as world, serving(sending(http("well"))) as page:
        rules = Mount(tmp_path / "rules")
        rules.bring(banking=asking(page.url))
        child = watchdog(tmp_path, rules=rules.folder, kubeconfig=world.kubeconfig, port=port)
        child.start()

        def lines(event: str) -> list[dict[str, Any]]:
            child.check()
            every = [json.loads(line) for line in child.log.read_text().rpartition("\n")[0].splitlines()]
            return [line for line in every if line["event"] == event]

        def outcomes() -> list[str]:
            return [line["outcome"] for line in lines("measured")]

        try:
            await eventually(lambda: is_well(port), "it is ready")
            await eventually(lambda: "ok" in outcomes(), "the page was seen")
            rules.bring(banking=asking(page.url) + "# again")
            await eventually(lambda: lines("rules reloaded"), "all is loaded that a changed file needs")
            with starved(child.pid):
                await world.kubernetes.fail(Refuse())  # which cuts the connection that it has
                await world.kubernetes.heal()
                await eventually(lambda: lines("cluster"), "the cluster is not seen")
                assert EXHAUSTED in lines("cluster")[-1]["sentence"]
                seen = len(outcomes())
                await eventually(lambda: outcomes()[seen:].count("error") >= 3, "three slots without a connection")
                assert EXHAUSTED in lines("measured")[-1]["reason"]
                await eventually(lambda: lines("rules not looked at"), "a look at the rule files failed")
                assert EXHAUSTED in lines("rules not looked at")[-1]["sentence"]
                assert not is_well(port)
                assert not is_well(port, "/livez")
            seen = len(outcomes())
            await eventually(lambda: is_well(port), "it is ready")
            await eventually(lambda: "ok" in outcomes()[seen:], "the page was seen again")
            requests = world.kubernetes.requests
            await eventually(lambda: world.kubernetes.requests > requests, "the cluster was seen again")
            assert not lines("rules refused"), "nobody has changed them"
        finally:
            child.stop()
    assert child.exit_code == 0
