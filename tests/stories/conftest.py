"""The fixtures of the stories.

``hooks``     what the alert webhooks were sent
``watchdog``  a factory: ``watchdog(app)`` starts ``watchdog run`` on the application with fast rules
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.stack.banking import BankingApp
from tests.stories.hooks import Hooks, receiving
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
