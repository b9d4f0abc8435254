"""The fixtures of the stories.

``hooks``     what the alert webhooks were sent
``watchdog``  a factory: ``watchdog(app)`` starts ``watchdog run`` on the application with fast rules
``scene``     a paused target whose green is bad, and replicas of ``watchdog run``: `replicas.py`
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.cluster.conftest import make_bank
from tests.stack.admin import path_of
from tests.stack.banking import BankingApp
from tests.stack.kubernetes import ControlPlane
from tests.stack.prometheus import PrometheusServer
from tests.stack.style import BY_APP_AND_COLOR
from tests.stories.hooks import Hooks, receiving
from tests.stories.replicas import Scene
from tests.stories.rules import rule_file
from tests.stories.watchdog_process import Watchdog


class WatchdogFactory(Protocol):
    """Starts a watchdog that ends with the test."""

    def __call__(
        self,
        app: BankingApp,
        *,
        rules: str | None = None,
        kubeconfig: Path | None = None,
        settings: dict[str, str] | None = None,
    ) -> Watchdog:
        """``rules`` is the text of the rule file, ``settings`` more WATCHDOG_… variables."""
        ...


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def watchdog(tmp_path: Path, hooks: Hooks) -> Iterator[WatchdogFactory]:
    with ExitStack() as started:

        def start(
            app: BankingApp,
            *,
            rules: str | None = None,
            kubeconfig: Path | None = None,
            settings: dict[str, str] | None = None,
        ) -> Watchdog:
            process = Watchdog(
                app=app,
                folder=tmp_path,
                rules=rules or rule_file(app),
                hooks=hooks,
                kubeconfig=kubeconfig or app.plane.kubeconfig,
                prometheus_url=app.prometheus.url,
                settings=settings or {},
            )
            started.callback(process.child.stop)
            process.start()
            return process

        yield start


@pytest.fixture
def scene(
    control_plane: ControlPlane, prometheus_server: PrometheusServer, namespace: str, tmp_path: Path
) -> Iterator[Scene]:
    make_bank(control_plane, namespace, BY_APP_AND_COLOR)
    scene = Scene(control_plane, prometheus_server, namespace, tmp_path)
    for name in ("backend-blue", "frontend-blue"):
        path = path_of("deployments", namespace, name)
        control_plane.admin.annotate(path, **{"canary-watchdog/known-good": "true"})
    scene.give_to("")
    scene.pause("true")
    try:
        yield scene
    finally:
        for replica in scene.replicas.values():
            replica.child.stop()
