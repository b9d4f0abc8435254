"""What the daemon's reporter makes of what happens in the loops."""

import pytest
from structlog.testing import capture_logs

from tests.core.making import NOW
from tests.web.test_metrics import value
from watchdog.core.model import End
from watchdog.core.transition import Event, Problem, Transition
from watchdog.notify.outbox import Outbox
from watchdog.telling import Telling
from watchdog.web.health import Health
from watchdog.web.metrics import Metrics


@pytest.fixture
def metrics() -> Metrics:
    metrics = Metrics()
    metrics.rules_loaded("d1", {"banking-app": ["ErrorRatio"]})
    return metrics


@pytest.fixture
def telling(metrics: Metrics) -> Telling:
    return Telling(metrics=metrics, health=Health(), outbox=Outbox([]))


def happened(event: Event, *, before: str = "", after: str = "", end: End | None = None) -> Transition:
    return Transition(time=NOW, event=event, target="banking-app", before=before, after=after, end=end)


@pytest.mark.parametrize("end", End)
def test_a_rollback_is_counted_by_its_end(telling: Telling, metrics: Metrics, end: End) -> None:
    with capture_logs() as lines:
        telling.transition(happened(Event.FINISHED, before="green", after="blue", end=end))
    counted = {each for each in End if value(metrics, "watchdog_rollbacks_total", target="banking-app", result=each)}
    assert counted == {end}
    assert [(line["event"], line["to"], line["end"]) for line in lines] == [("finished", "blue", end.value)]


def test_a_look_that_failed_is_no_write(telling: Telling, metrics: Metrics) -> None:
    telling.transition(happened(Event.CLUSTER, after=Problem.NOT_SEEN))
    telling.transition(happened(Event.SELECTOR, before="green", after="blue"))
    assert value(metrics, "watchdog_cluster_errors_total", problem="not_seen") == 1
    assert value(metrics, "watchdog_writes_total", kind="selector") == 1
    assert value(metrics, "watchdog_writes_total", kind="replicas") == 0
