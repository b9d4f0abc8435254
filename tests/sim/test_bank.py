"""The simulated traffic, second by second, without any real time."""

from dataclasses import dataclass, field

import pytest

from watchdog.sim.bank import Bank
from watchdog.sim.elasticsearch.documents import DocumentStore
from watchdog.sim.elasticsearch.lucene import compile_query
from watchdog.sim.kubernetes.cluster import Cluster
from watchdog.sim.kubernetes.json_patch import merge_patch
from watchdog.sim.kubernetes.kinds import DEPLOYMENT, NAMESPACE, SERVICE, Json
from watchdog.sim.prometheus.promql import evaluate
from watchdog.sim.prometheus.series import SeriesStore

START = 1_800_000_000.0


@dataclass(slots=True)
class Story:
    """One Service, ``web``, of two colors; green is served."""

    now: float = START
    cluster: Cluster = field(init=False)
    bank: Bank = field(init=False)
    series: SeriesStore = field(default_factory=SeriesStore)
    documents: DocumentStore = field(default_factory=DocumentStore)

    def __post_init__(self) -> None:
        self.cluster = Cluster(clock=lambda: self.now, pod_ready_delay=1.0)
        self.cluster.create(NAMESPACE, "", {"metadata": {"name": "bank"}})
        for color in ("blue", "green"):
            labels = {"app": "web", "color": color}
            template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "web:1"}]}}
            spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
            self.cluster.create(DEPLOYMENT, "bank", {"metadata": {"name": f"web-{color}"}, "spec": spec})
        spec = {"selector": {"app": "web", "color": "green"}, "ports": [{"port": 80}]}
        self.cluster.create(SERVICE, "bank", {"metadata": {"name": "web"}, "spec": spec})
        deployments = {f"web-{color}": ("web", color) for color in ("blue", "green")}
        self.bank = Bank(self.cluster, self.series, self.documents, namespace="bank", deployments=deployments)
        self.now += 3

    def live(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1
            self.bank.live_through(self.now)

    def select(self, **selector: str) -> None:
        def change(old: Json) -> Json:
            return old | {"spec": old["spec"] | {"selector": selector}}

        self.cluster.patch(SERVICE, "bank", "web", change)

    def scale(self, deployment: str, replicas: int) -> None:
        self.cluster.patch_scale("bank", deployment, lambda old: merge_patch(old, {"spec": {"replicas": replicas}}))

    def value(self, query: str) -> float | None:
        found = evaluate(self.series, query, at=round(self.now * 1000)).value
        assert isinstance(found, list)
        values = [element.value for element in found if hasattr(element, "value")]
        return values[0] if values else None

    def count(self, query: str) -> int:
        matches = compile_query(query, now=round(self.now * 1000))
        return sum(map(matches, self.documents.within(self.documents.indices)))


@pytest.fixture
def story() -> Story:
    return Story()


def test_the_served_color_has_the_traffic(story: Story) -> None:
    story.live(60)
    assert story.value('sum(rate(http_requests_total{color="green"}[30s]))') == pytest.approx(50)
    assert story.value('sum(rate(http_requests_total{color="blue"}[30s]))') == 0
    assert (story.bank.answered, story.bank.lost_requests) == (60 * 50, 0)


def test_a_switch_moves_the_traffic(story: Story) -> None:
    story.live(10)
    story.select(color="blue")
    story.live(10)
    assert story.value('sum(rate(http_requests_total{color="blue"}[5s]))') == pytest.approx(50)
    assert story.value('sum(rate(http_requests_total{color="green"}[5s]))') == 0


def test_counters_are_there_before_the_first_error(story: Story) -> None:
    story.live(1)
    assert story.value('http_requests_total{color="green", code="500"}') == 0
    assert story.value('http_requests_total{color="blue", code="200"}') == 0


def test_a_bad_color_fails_in_both_signals(story: Story) -> None:
    story.bank.go_bad("green", error_ratio=0.3)
    story.live(60)
    ratio = 'sum(rate(http_requests_total{code="500"}[30s])) / sum(rate(http_requests_total[30s]))'
    assert story.value(ratio) == pytest.approx(0.3)
    assert story.count("log.level:ERROR") / story.count("*") == pytest.approx(0.3, abs=0.01)
    assert story.count("kubernetes.labels.color:green AND log.level:ERROR") == story.count("log.level:ERROR")
    assert story.bank.failed == 60 * 15


def test_a_slow_color_shows_in_the_histogram(story: Story) -> None:
    story.bank.go_bad("green", error_ratio=0.0, latency=0.9)
    story.live(30)
    quantile = 'histogram_quantile(0.5, sum by (le) (rate(http_request_duration_seconds_bucket{color="green"}[20s])))'
    value = story.value(quantile)
    assert value is not None
    assert 0.5 < value <= 1.0


def test_half_of_the_pods_get_half_of_the_traffic(story: Story) -> None:
    story.select(app="web")
    story.live(20)
    assert story.value('sum(rate(http_requests_total{color="blue"}[5s]))') == pytest.approx(25, abs=0.5)


def test_nobody_answers_for_a_service_without_endpoints(story: Story) -> None:
    story.select(color="red")
    story.live(10)
    assert (story.bank.answered, story.bank.lost_requests) == (0, 500)


def test_a_color_that_is_gone_is_stale_and_starts_from_zero_when_it_is_back(story: Story) -> None:
    story.live(30)
    story.scale("web-green", 0)
    story.live(3)
    assert story.value('http_requests_total{color="green", code="200"}') is None
    assert story.value('up{instance="web-green:8080"}') is None
    story.scale("web-green", 2)
    story.live(3)
    back = story.value('http_requests_total{color="green", code="200"}')
    assert back is not None
    assert back < 30 * 50
