"""``watchdog backtest`` on a real Prometheus and a real Elasticsearch whose past the tests have written."""

import asyncio
import json
import math
import secrets
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.sources.asking import prometheus
from tests.stack.elasticsearch import ElasticsearchServer
from tests.stack.prometheus import STALE, PrometheusServer, Series
from watchdog.commands.backtest import run_backtest
from watchdog.commands.backtest_input import Hindsight, Options
from watchdog.commands.past import Past as Played
from watchdog.commands.past import sources_of
from watchdog.core.instant import show_instant
from watchdog.core.rules.language import Rule, Target
from watchdog.core.rules.rulefile import parse_rule_file
from watchdog.core.slots import slot_at
from watchdog.replay.past import schedule_of
from watchdog.replay.story import Deploy, Switch
from watchdog.settings import PrometheusSettings, Settings
from watchdog.sources.prometheus_history import PrometheusHistory
from watchdog.sources.prometheus_ranges import MOST_POINTS, Ranges

INTERVAL = 15.0
SLOTS = 200
COLORS = ("blue", "green")


def rule_file(app: str, *, maximum: float = 0.5, extra: str = "") -> str:
    """One rule on a gauge of the application."""
    return f"""\
target: shop
namespace: shop
interval: 15s
services: [{{name: web, deployment: "web-{{{{ color }}}}"}}]
rules:
  - alert: Errors
    prometheus: {{expr: 'max(errors{{app="{app}",color="{{{{ color }}}}"}})'}}
    min_samples: {{expr: 'max(requests{{app="{app}",color="{{{{ color }}}}"}})', value: 10}}
    threshold: {{max: {maximum}}}
    for: 30s
    initial_delay: 0s
    action: rollback
{extra}"""


def target_of(text: str) -> Target:
    """The target of a rule file."""
    read = parse_rule_file("r", text)
    assert read.target is not None, read.problems
    return read.target


class Past:
    """Fifty minutes of an application: `errors` by slot, and when it began."""

    def __init__(self, server: PrometheusServer) -> None:
        self.app = f"app{secrets.token_hex(4)}"
        self.text = rule_file(self.app)
        self.start = slot_at(target_of(self.text), time.time() - 60) - SLOTS * INTERVAL
        self.server = server

    def at(self, slot: int) -> float:
        """The instant of a slot."""
        return self.start + slot * INTERVAL

    def write(self, metric: str, color: str, values: dict[int, float]) -> None:
        """The value of a gauge from each of these slots until the next, a sample a slot; NaN for none."""
        samples, value = [], math.nan
        for slot in range(SLOTS + 1):
            before, value = value, values.get(slot, value)
            if not math.isnan(value):
                samples.append((self.at(slot), value))
            elif not math.isnan(before):
                samples.append((self.at(slot), STALE))
        self.server.remote_write(Series(metric, {"app": self.app, "color": color}, samples))

    def options(self, folder: Path, **fields: Any) -> Options:
        """The options of a backtest of all its slots."""
        path = folder / "shop.yaml"
        path.write_text(self.text)
        span = {"since": show_instant(self.at(0)), "until": show_instant(self.at(SLOTS))}
        return Options(rules=path, prometheus=self.server.url, **span | fields)


@pytest.fixture
def past(prometheus_server: PrometheusServer) -> Past:
    """Green is bad in slots 50 to 59 and 150 to 154, says nothing in 100 to 109, has few requests in 120 to 129."""
    made = Past(prometheus_server)
    gone = {100: math.nan, 110: 0.1}
    made.write("errors", "green", {0: 0.1, 50: 0.9, 60: 0.1, **gone, 130: 0.45, 131: 0.1, 150: 0.7, 155: 0.1})
    made.write("requests", "green", {0: 100, 120: 5, 130: 100})
    made.write("errors", "blue", {0: 0.2, 150: 0.8, 155: 0.2})
    made.write("requests", "blue", {0: 100})
    return made


def report(options: Options, capsys: pytest.CaptureFixture[str], *, code: int = 0) -> dict[str, Any]:
    """The JSON of a backtest that exits with ``code``."""
    exited = run_backtest(options)
    said = capsys.readouterr()
    assert exited == code, said.err
    found: dict[str, Any] = json.loads(said.out)
    return found


def test_it_says_when_the_rule_would_have_tripped_and_why_not(
    past: Past, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = report(past.options(tmp_path, hindsight=Hindsight(active="green"), form="json"), capsys)
    (rule,) = told["rules"]
    assert (told["slots"], rule["slots"]) == (SLOTS + 1, SLOTS + 1)
    assert rule["outcomes"] == {"breach": 15, "ok": 166, "insufficient": 10, "nodata": 10, "error": 0}
    assert [(each["at"], each["value"], each["samples"], each["did"]) for each in rule["firings"]] == [
        (show_instant(past.at(52)), 0.9, 100, "rollback"),
        # 24 minutes later, within the cooldown; the guards before it were asked too, and blue breaches.
        (show_instant(past.at(152)), 0.7, 100, "held: other_color_breaches"),
    ]
    # The slots in which a firing was pending are no near miss.
    assert rule["closest"] == {"at": show_instant(past.at(130)), "value": 0.45, "share": 0.9}
    assert {each["factor"]: each["firings"] for each in rule["sweep"]} == {
        0.5: 2, 0.75: 2, 0.9: 2, 1.0: 2, 1.1: 2, 1.25: 2, 1.5: 1, 2.0: 0,
    }  # fmt: skip
    # Value and samples of green in one request each, and how new the samples of each were; of blue, which is asked
    # about where something fires, too.
    assert told["cost"]["prometheusRangeQueries"] == 8


def test_a_switch_starts_a_release_of_its_own(past: Past, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    switches = tmp_path / "switches.yaml"
    at = [datetime.fromtimestamp(past.at(slot), UTC).isoformat() for slot in (10, 51)]
    switches.write_text(f"switches: [{{at: '{at[0]}', to: blue}}, {{at: '{at[1]}', to: green}}]")
    told = report(past.options(tmp_path, hindsight=Hindsight(switches=switches), form="json"), capsys)
    assert told["unknownBefore"] == show_instant(past.at(0))
    assert told["slots"] == SLOTS + 1 - 10
    first = told["rules"][0]["firings"][0]
    assert first["at"] == show_instant(past.at(53))


async def test_a_new_revision_starts_anew_as_it_does_live_F17(past: Past) -> None:
    """Two bad slots of one revision and one of the next are no bad minute of either."""
    target = target_of(past.text.replace("for: 30s", "for: 90s"))
    green = schedule_of([Switch(at=0.0, color="green")])
    known = replace(green, deploys=(Deploy(at=past.at(0) - 60, color="green"), Deploy(at=past.at(55), color="green")))
    options = {"prometheus_url": past.server.url, "elasticsearch_url": ""}
    async with sources_of(Settings(_env_file=None), end=past.at(SLOTS), **options) as sources:
        played = [Played(sources, each, past.at(0), past.at(SLOTS)) for each in (green, known)]
        (before,), (after,) = [(await each.play(target, incidents=None))[0] for each in played]
    assert [each.at for each in before.firings] == [past.at(56)]
    assert list(after.firings) == []
    assert (dict(before.sweep)[1.0], dict(after.sweep)[1.0]) == (1, 0)


def test_nobody_knows_of_new_revisions_but_the_journal(
    past: Past, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = past.options(tmp_path, hindsight=Hindsight(active="green"))
    unknown = "new revisions of a color are not known: all that ran between two switches is played as one"
    assert run_backtest(options) == 0
    assert f"\n  {unknown}\n" in capsys.readouterr().out
    assert run_backtest(replace(options, form="markdown")) == 0
    assert f"{unknown[0].upper()}{unknown[1:]}." in capsys.readouterr().out
    assert report(replace(options, form="json"), capsys)["deploys"] is None


def test_who_had_the_traffic_is_found_in_a_metric(
    past: Past, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    past.write("selected", "blue", {0: 1, 80: 0})
    past.write("selected", "green", {0: 0, 80: 1})
    metric = f'max by (color) (selected{{app="{past.app}"}})'
    told = report(past.options(tmp_path, hindsight=Hindsight(active_metric=metric), form="json"), capsys)
    assert [(each["at"], each["to"]) for each in told["switches"]] == [
        (show_instant(past.at(0)), "blue"),
        (show_instant(past.at(80)), "green"),
    ]
    assert [each["color"] for each in told["rules"][0]["firings"]] == ["green"]


def test_incidents_are_hit_or_missed_and_the_rest_was_false(
    past: Past, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    incidents = tmp_path / "incidents.yaml"
    incidents.write_text(
        f"incidents:\n  - {{name: ledger, start: '{show_instant(past.at(56))}', end: '{show_instant(past.at(70))}'}}\n"
        f"  - {{name: unseen, start: '{show_instant(past.at(5))}', end: '{show_instant(past.at(8))}'}}\n"
    )
    options = past.options(tmp_path, hindsight=Hindsight(active="green", incidents=incidents), form="json")
    told = report(options, capsys)["rules"][0]["incidents"]
    assert told["hits"] == [{"name": "ledger", "start": show_instant(past.at(56)), "leadSeconds": 60.0}]
    assert [each["name"] for each in told["misses"]] == ["unseen"]
    assert [each["at"] for each in told["false"]] == [show_instant(past.at(152))]


def test_what_another_revision_of_the_file_would_have_done_is_compared(
    past: Past, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = past.options(tmp_path, hindsight=Hindsight(active="green"), against="HEAD", form="json")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "shop.yaml"], ["commit", "-qm", "rules"]):
        subprocess.run([*git, *command], check=True)
    options.rules.write_text(rule_file(past.app, maximum=0.75))
    told = report(options, capsys)
    (change,) = told["changes"]
    assert (len(change["before"]), len(change["after"])) == (2, 1)
    assert told["cost"]["prometheusRangeQueries"] == 8, "what both revisions ask is asked once"


def test_the_page_has_plots_and_asks_nobody_for_anything(
    past: Past, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert run_backtest(past.options(tmp_path, hindsight=Hindsight(active="green"), html=page)) == 0
    text, said = page.read_text(), capsys.readouterr().out
    for part in ('<polyline class="value"', 'class="limit"', 'class="fired"', 'class="blind"', 'class="insufficient"'):
        assert part in text
    assert "0.9 on green, rollback</title>" in text
    assert not [word for word in ("src=", "href=", "<script", "@import", "url(") if word in text]
    assert "2 firings" not in said
    assert "fired 2 times:" in said
    assert "nodata 4.98%" in said


async def test_an_instant_of_the_past_is_believed_as_the_live_source_believes_it(
    past: Past, prometheus_server: PrometheusServer
) -> None:
    past.server.remote_write(
        Series("errors", {"app": past.app, "color": "red", "pod": "a"}, [(past.at(5), 1.0), (past.at(20), math.inf)]),
        Series("errors", {"app": past.app, "color": "red", "pod": "b"}, [(past.at(30), math.nan)]),
    )
    several = f'errors{{app="{past.app}",color="{{{{ color }}}}"}}'
    rules = [
        *target_of(past.text).rules,
        Rule.model_validate({"alert": "A", "prometheus": {"expr": several}, "threshold": {"max": 1}}),
        Rule.model_validate({"alert": "B", "prometheus": {"expr": f"{several} / 0"}, "threshold": {"max": 1}}),
        Rule.model_validate({"alert": "C", "prometheus": {"expr": "vector(time())"}, "threshold": {"max": 1}}),
    ]
    settings = PrometheusSettings(url=prometheus_server.url)
    ranges = Ranges(settings, end=past.at(SLOTS))
    history = PrometheusHistory(settings, ranges, step=INTERVAL)
    try:
        async with prometheus(url=prometheus_server.url) as live:
            for rule in rules:
                for color in ("green", "blue", "red"):
                    for slot in range(0, SLOTS, 7):
                        asked: dict[str, Any] = {"color": color, "namespace": "shop", "slot": past.at(slot)}
                        now, then = await asyncio.gather(live.measure(rule, **asked), history.measure(rule, **asked))
                        assert (then.failure, str(then.value), then.samples) == (
                            now.failure,
                            str(now.value),
                            now.samples,
                        ), (rule.alert, color, slot, now, then)
    finally:
        await history.close()
        await ranges.close()
    assert SLOTS < MOST_POINTS
    assert ranges.requests == 19  # each expression of each color once, and once how new its samples were


def test_a_server_that_is_down_is_an_error_in_every_slot_and_none_is_skipped(
    past: Past, prometheus_server: PrometheusServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prometheus_server.kill()
    told = report(past.options(tmp_path, hindsight=Hindsight(active="green"), form="json"), capsys, code=3)
    assert told["rules"][0]["outcomes"]["error"] == SLOTS + 1
    assert "cannot be asked" in told["rules"][0]["reasons"][0]["reason"]


@pytest.fixture
def log_index(elasticsearch_server: ElasticsearchServer) -> Iterator[str]:
    name = f"logs-{secrets.token_hex(4)}"
    yield name
    elasticsearch_server.send("DELETE", f"/{name}")


def test_documents_that_had_not_arrived_do_not_count(
    elasticsearch_server: ElasticsearchServer, log_index: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = tmp_path / "shop.yaml"
    rules.write_text(f"""\
target: shop
namespace: shop
interval: 15s
services: [{{name: web, deployment: "web-{{{{ color }}}}"}}]
rules:
  - alert: Logs
    elasticsearch: {{index: {log_index}, query: "level:ERROR", timeframe: 1m, query_delay: 15s}}
    threshold: {{max: 2}}
""")
    start = slot_at(target_of(rules.read_text()), time.time()) - 40 * INTERVAL

    def document(slot: int, *, late: float, level: str = "ERROR") -> dict[str, Any]:
        at = start + slot * INTERVAL
        ingested = show_instant(at + late)
        return {"@timestamp": show_instant(at), "level": level, "event": {"ingested": ingested}}

    alive = [document(slot, late=1, level="INFO") for slot in range(-10, 41)]
    on_time = [document(10, late=1) for _ in range(3)]
    too_late = [document(25, late=600) for _ in range(3)]
    elasticsearch_server.index(log_index, [*alive, *on_time, *too_late])
    options = Options(
        rules=rules,
        since=show_instant(start),
        until=show_instant(start + 40 * INTERVAL),
        elasticsearch=elasticsearch_server.url,
        hindsight=Hindsight(active="green"),
        form="json",
    )
    (rule,) = report(options, capsys)["rules"]
    (firing,) = rule["firings"]
    # A document of slot 10 is in the windows that end after it: those of slots 12 to 15.
    assert firing["at"] == show_instant(start + 12 * INTERVAL)
    assert firing["until"] == show_instant(start + 15 * INTERVAL)
    assert (rule["outcomes"]["breach"], rule["outcomes"]["ok"]) == (4, 37)


BLUE, GREEN = (f'label_replace(vector({number}), "color", "{color}", "", "")' for number, color in enumerate(COLORS))


async def test_more_than_is_believed_of_one_answer_is_asked_for_in_parts(prometheus_server: PrometheusServer) -> None:
    """Two series of 8,000 points are more than one answer may have."""
    end = float(int(time.time()))
    start = end - (MOST_POINTS - 1) * INTERVAL
    early = start + 3000 * INTERVAL
    ranges = Ranges(PrometheusSettings(url=prometheus_server.url, deadline=30), end=end)
    try:
        found = await ranges.series(f"{BLUE} or {GREEN}", start=start, step=INTERVAL)
        assert [(labels, len(samples)) for labels, samples in found] == [
            ({"color": color}, MOST_POINTS) for color in COLORS
        ]
        assert all(samples == sorted(samples) for _, samples in found)
        # Where there is one series it is a value, and an error only where there are two.
        expr = f"{GREEN} or ({BLUE} and on () (vector(time()) < {early}))"
        instants = [start + slot * INTERVAL for slot in (0, 2999, 3000, 7999)]
        readings = [(await ranges.look([expr], at=at, newest=at, step=INTERVAL))[0] for at in instants]
    finally:
        await ranges.close()
    assert [reading.value for reading in readings] == [None, None, 1, 1]
    assert ["several series" in reading.error for reading in readings] == [True, True, False, False]


def test_what_would_see_the_future_is_an_error_in_each_slot(
    past: Past, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    past.text = past.text.replace("\"}})'}".replace("}}", "}"), "\"} offset -5m)'}", 1)
    assert "offset -5m" in past.text
    options = past.options(tmp_path, hindsight=Hindsight(active="green"), form="json")
    (rule,) = report(options, capsys, code=1)["rules"]
    assert (rule["outcomes"]["error"], rule["firings"]) == (SLOTS + 1, [])
    assert "it has a negative offset, and would see what had not happened yet" in rule["reasons"][0]["reason"]
