"""Changed rule files: the whole new set, or nothing of it; what people are told; what goes on meanwhile."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.core.making import RULE
from tests.notify.receiver import Receiver, listening
from tests.rulefiles.test_ruleset import RULES, mount, write
from tests.stack.ports import free_port
from tests.stack.wait import PATIENCE, eventually
from tests.watch.test_loop import SERVICES, WELL, Ear, Script
from watchdog.cluster.client import Cluster
from watchdog.cluster.journal import ConfigMapJournal, JournalStore, MemoryJournal
from watchdog.core.annotations import KNOWN_GOOD
from watchdog.core.model import Measurement, Phase
from watchdog.core.rules.language import Mode, Target
from watchdog.core.transition import Event
from watchdog.daemon import run
from watchdog.rulefiles.reload import Reloader, RulesRefusedError
from watchdog.rulefiles.ruleset import RuleSet, read_rules
from watchdog.rulefiles.subpath import subpath_mount
from watchdog.settings import PrometheusSettings, Settings
from watchdog.sim.kubernetes.kinds import EVENT
from watchdog.sim.world import SimulatedWorld
from watchdog.watch.loop import Watch
from watchdog.watch.roster import Roster


@dataclass
class Told:
    """What a reloader did: the targets of each set that it put in force, and what it told."""

    applied: list[list[str]] = field(default_factory=list)
    reload: list[str] = field(default_factory=list)
    refusals: list[list[str]] = field(default_factory=list)
    refuses: str = ""

    async def apply(self, rules: RuleSet) -> None:
        if self.refuses:
            raise RulesRefusedError(self.refuses)
        self.applied.append([target.target for target in rules.targets])

    async def reloaded(self, rules: RuleSet) -> None:
        self.reload.append(rules.digest)

    async def looked(self) -> None:
        raise AssertionError("it is for whoever looks for ever")

    async def refused(self, problems: Sequence[str], fingerprint: str) -> None:
        assert fingerprint
        self.refusals.append([problem.rpartition("/")[2].partition(";")[0] for problem in problems])


def reloader(folder: Path) -> tuple[Reloader, Told]:
    """A reloader of a folder whose files are in force."""
    rules, told = read_rules(folder), Told()
    assert isinstance(rules, RuleSet)
    return Reloader(folder, rules, apply=told.apply, listener=told), told


async def settle(looks: Reloader) -> None:
    """Looks until files that nobody saves any more are read."""
    for _ in range(2):
        await looks.look()


async def test_what_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml")
    looks, told = reloader(tmp_path)
    (tmp_path / "a.yaml").touch()
    (tmp_path / "notes.txt").touch()
    await looks.look()
    assert (told.applied, told.reload, told.refusals) == ([], [], [])


async def test_F70_a_config_map_that_is_swapped_is_put_in_force_as_a_whole(tmp_path: Path) -> None:
    mount(tmp_path, "..1", "a.yaml")
    looks, told = reloader(tmp_path)
    mount(tmp_path, "..2", "a.yaml", "b.yaml", version=2)
    await looks.look()
    await looks.look()
    assert told.applied == [["a", "b"]]
    assert len(told.reload) == 1


async def test_F68_a_set_with_a_problem_changes_nothing_and_is_told_once(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml")
    looks, told = reloader(tmp_path)
    write(tmp_path, "b.yaml")
    write(tmp_path, "a.yaml", RULES.format(name="a") + "    fro: 1m\n")
    await settle(looks)
    await settle(looks)
    assert told.applied == []
    assert told.refusals == [["a.yaml:8:5: R201: unknown key 'fro'"]]
    write(tmp_path, "a.yaml", RULES.format(name="a") + "    fra: 1m\n")
    await settle(looks)
    assert len(told.refusals) == 2


async def test_the_set_that_is_in_force_comes_back_well_after_a_refusal(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml")
    looks, told = reloader(tmp_path)
    for text in ("{", None):
        write(tmp_path, "a.yaml", text)
        await settle(looks)
    assert (told.applied, len(told.refusals), len(told.reload)) == ([], 1, 1)


async def test_F68_files_that_are_gone_change_nothing(tmp_path: Path) -> None:
    file = write(tmp_path, "a.yaml")
    looks, told = reloader(tmp_path)
    file.unlink()
    await settle(looks)
    shutil.rmtree(tmp_path)
    await settle(looks)
    assert told.applied == []
    assert len(told.refusals) == 2


async def test_a_set_that_cannot_be_put_in_force_is_refused_and_tried_again_when_it_changes(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml")
    looks, told = reloader(tmp_path)
    told.refuses = "nobody said where Elasticsearch is"
    write(tmp_path, "b.yaml")
    await settle(looks)
    assert told.refusals == [["nobody said where Elasticsearch is"]]
    told.refuses = ""
    write(tmp_path, "c.yaml")
    await settle(looks)
    assert told.applied == [["a", "b", "c"]]


async def test_F68_a_file_that_is_being_saved_is_not_read(tmp_path: Path) -> None:
    """The first half of it is a rule file too, and says less."""
    write(tmp_path, "a.yaml")
    looks, told = reloader(tmp_path)
    both = RULES.format(name="a") + "  - alert: More\n    prometheus: {expr: up}\n    threshold: {max: 2}\n"
    for text in (both[:20], RULES.format(name="a") + "\n", both):
        write(tmp_path, "a.yaml", text)
        await looks.look()
    assert (told.applied, told.refusals) == ([], [])
    await looks.look()
    assert told.applied == [["a"]]


async def test_F68_a_file_that_is_saved_twice_is_not_read_half_because_the_same_half_was_seen_before(
    tmp_path: Path,
) -> None:
    """Whoever saves a file unchanged empties it first as well."""
    write(tmp_path, "a.yaml")
    looks, told = reloader(tmp_path)
    for text in ("", RULES.format(name="a")) * 2:
        write(tmp_path, "a.yaml", text)
        await looks.look()
    assert (told.applied, told.refusals) == ([], [])


async def test_F68_an_editor_that_saves_by_a_rename_takes_no_file_away(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml")
    file = write(tmp_path, "b.yaml")
    looks, told = reloader(tmp_path)
    file.rename(tmp_path / "b.yaml~")
    await looks.look()
    write(tmp_path, "b.yaml", RULES.format(name="b").replace("max: 1", "max: 2"))
    await settle(looks)
    assert (told.applied, told.refusals) == ([["a", "b"]], [])


VOLUMES = "/var/lib/kubelet/pods/0b1f/volumes/kubernetes.io~configmap"


@pytest.mark.parametrize(
    ("root", "place", "is_subpath"),
    [
        pytest.param(f"{VOLUMES}/rules", "/etc/watchdog/rules", False, id="a whole ConfigMap"),
        pytest.param(
            f"{VOLUMES}/rules/..2026_01/shop.yaml", "/etc/watchdog/rules/shop.yaml", True, id="one file of it"
        ),
        pytest.param(f"{VOLUMES}/rules/..2026_01/sub", "/etc/watchdog/rules", True, id="a folder of it"),
        pytest.param(
            "/pods/0b1f/volume-subpaths/rules/dog/0", "/etc/watchdog/rules", True, id="as another runtime says"
        ),
        pytest.param(f"{VOLUMES}/other/..2026_01/x.yaml", "/etc/other/x.yaml", False, id="of something else"),
        pytest.param("/", "/etc/watchdog/rules", False, id="a disk"),
    ],
)
def test_F70_a_subpath_mount_is_recognized(root: str, place: str, *, is_subpath: bool) -> None:
    mounts = f"22 1 8:1 / / rw - ext4 /dev/sda rw\n36 22 98:0 {root} {place} ro,relatime master:1 - ext4 /dev/sda rw\n"
    assert subpath_mount(Path("/etc/watchdog/rules"), mounts) == (place if is_subpath else None)


def test_an_ordinary_folder_is_no_subpath_mount(tmp_path: Path) -> None:
    assert subpath_mount(tmp_path) is None


@dataclass
class Shop:
    """A roster on a simulated cluster, whose only source is a script."""

    cluster: Cluster
    script: Script = field(default_factory=lambda: Script({"green": WELL, "blue": WELL}))
    ear: Ear = field(default_factory=Ear)
    begun: list[Target] = field(default_factory=list)
    roster: Roster = field(default_factory=lambda: Roster([]))
    watches: dict[str, Watch] = field(default_factory=dict)

    def watch(self, target: Target) -> Watch:
        """A new watch of a target."""
        self.begun.append(target)
        self.watches[target.target] = watch = Watch(
            target,
            cluster=self.cluster,
            sources={"prometheus": self.script},
            journal=self.journal(target),
            reporter=self.ear,
            rules_since=self.roster.since,
        )
        return watch

    def journal(self, target: Target) -> JournalStore:
        """As the daemon keeps it."""
        if target.mode is Mode.DRY_RUN:
            return MemoryJournal(target.target)
        return ConfigMapJournal(self.cluster, "banking-app", target.target)

    async def has_in_force(self, *alerts: str) -> None:
        """Returns when the journal says that these rules of the banking application are in force."""
        deadline = asyncio.get_running_loop().time() + 10
        while (found := (await self.journal(banking()).load()).in_force) is None or alerts != tuple(
            name.partition("/")[0] for name in found.rules
        ):
            assert asyncio.get_running_loop().time() < deadline, found
            await asyncio.sleep(0.05)

    def phases(self, name: str) -> dict[str, Phase]:
        """The phases of the rules, as the next watch would read them."""
        if name not in self.watches:
            return {}
        return {alert: state.phase for alert, state in self.watches[name]._known.journal.states.items()}  # noqa: SLF001

    async def measured(self, *alerts: str) -> None:
        """Returns when each of the rules was asked once more."""
        before = len(self.script.asked)
        await eventually(
            lambda: {alert for alert, _ in self.script.asked[before:]} >= set(alerts), f"{alerts} are asked"
        )


def banking(**fields: object) -> Target:
    """The banking application with a slot each second."""
    defaults: dict[str, object] = {
        "target": "banking-app",
        "namespace": "banking-app",
        "mode": "enforce",
        "interval": "1s",
        "services": SERVICES,
        "rollback": {"scale_down_delay": "1s"},
        "rules": [rule()],
    }
    return Target.model_validate(defaults | fields)


def rule(alert: str = "ErrorRatio", **fields: object) -> dict[str, object]:
    """A rule on the script."""
    return {**RULE, "alert": alert, **fields}


@asynccontextmanager
async def shop(*targets: Target) -> AsyncIterator[Shop]:
    """The roster while it is watched."""
    async with (
        SimulatedWorld(active="green", history=0, pod_ready_delay=0.01) as world,
        await Cluster.connect(world.kubeconfig, None) as cluster,
        asyncio.TaskGroup() as group,
    ):
        for deployment in ("backend-blue", "frontend-blue"):
            world.annotate("deployments", deployment, KNOWN_GOOD, "true")
        found, stopping = Shop(cluster), asyncio.Event()
        found.roster = Roster(targets, since=1.0)
        group.create_task(found.roster.watch(found.watch, stopping))
        try:
            yield found
        finally:
            stopping.set()


async def test_a_removed_target_stops_a_new_one_starts_and_the_others_are_not_touched() -> None:
    one, two, three = (
        banking(target=name, services=[service], rules=[rule(name, action="alert")])
        for name, service in (("one", SERVICES[0]), ("two", SERVICES[1]), ("three", SERVICES[0]))
    )
    async with shop(one, two) as watched:
        await watched.measured("one", "two")
        watched.roster.replace([two, three])
        await watched.measured("three")
        await watched.measured("two", "three")
        before = len(watched.script.asked)
        await watched.measured("two", "three")
        assert "one" not in {alert for alert, _ in watched.script.asked[before:]}
        assert watched.begun == [one, two, three]


async def test_F71_a_changed_rule_begins_anew_and_the_one_beside_it_goes_on() -> None:
    patient = {"for": "1h", "action": "alert"}
    before = banking(rules=[rule("Changed", **patient), rule("Same", **patient)])
    after = banking(rules=[rule("Changed", **patient | {"for": "2h"}), rule("Same", **patient)])
    async with shop(before) as watched:
        watched.script.answers = {"green": Measurement(value=0.3)}
        await eventually(
            lambda: watched.phases("banking-app") == {"Changed": Phase.PENDING, "Same": Phase.PENDING},
            "both are pending",
        )
        watched.script.answers = {"green": Measurement.nodata("nothing")}
        watched.roster.replace([after])
        await eventually(lambda: watched.begun == [before, after], "the changed target is watched anew")
        await watched.measured("Changed", "Same")
        await eventually(
            lambda: watched.phases("banking-app").get("Same") is Phase.PENDING, "the unchanged rule is still pending"
        )
        assert watched.phases("banking-app").get("Changed") is not Phase.PENDING


@pytest.mark.parametrize(
    "after",
    [
        pytest.param([banking(rules=[rule("Another")])], id="changed"),
        pytest.param([], id="removed"),
        pytest.param([banking(target="banking-again")], id="under another name"),
    ],
)
async def test_F72_a_rollback_is_brought_to_its_end_by_the_rules_that_began_it(after: list[Target]) -> None:
    before = banking()
    async with shop(before) as watched:
        watched.script.answers = {"green": Measurement(value=0.3), "blue": Measurement.nodata("no traffic")}
        await eventually(lambda: watched.ear.told(Event.SELECTOR), "the first Service is switched")
        watched.script.answers = {"green": Measurement(value=0.3), "blue": WELL}
        watched.roster.replace(after)
        await eventually(lambda: watched.ear.told(Event.FINISHED), "the rollback has ended", within=60)
        assert watched.begun == [before]
        await eventually(lambda: watched.begun == [before, *after], "the new rules are in force")
        assert watched.ear.told(Event.SELECTOR) == ["blue", "blue"]
        assert watched.ear.told(Event.REPLICAS) == ["0", "0"]


async def test_F72_a_target_under_another_name_waits_for_its_services_in_another_shard_too() -> None:
    before, after = banking(), banking(target="banking-again")
    async with shop() as watched, asyncio.TaskGroup() as group:
        stopping, roster = asyncio.Event(), Roster([before])
        group.create_task(roster.watch(watched.watch, stopping, belongs=lambda target: target.target == "banking-app"))
        group.create_task(roster.watch(watched.watch, stopping, belongs=lambda target: target.target != "banking-app"))
        watched.script.answers = {"green": Measurement(value=0.3), "blue": Measurement.nodata("no traffic")}
        await eventually(lambda: watched.ear.told(Event.SELECTOR), "the first Service is switched")
        watched.script.answers = {"green": Measurement(value=0.3), "blue": WELL}
        roster.replace([after])
        await eventually(lambda: watched.ear.told(Event.FINISHED), "the rollback has ended", within=60)
        assert watched.begun == [before]
        await eventually(lambda: watched.begun == [before, after], "the new name is watched")
        stopping.set()


@pytest.mark.parametrize(
    ("after", "force"),
    [
        pytest.param([], (), id="taken away"),
        pytest.param([banking(mode="dry-run")], (), id="only watched from now on"),
        pytest.param([banking(rules=[rule("Other")])], ("Other",), id="changed"),
    ],
)
async def test_F71_a_target_that_is_left_says_so_to_replicas_that_lag(
    after: list[Target], force: tuple[str, ...]
) -> None:
    async with shop(banking()) as watched:
        await watched.has_in_force("ErrorRatio")
        watched.roster.replace(after, since=2.0)
        await watched.has_in_force(*force)


MOUNTED = """\
target: {name}
namespace: banking-app
mode: enforce
interval: 1s
services: [{{name: {service}, deployment: "{app}-{{{{ color }}}}", selector: {selector}}}]
rules:
  - alert: Errors
    prometheus: {{expr: vector(0)}}
    threshold: {{max: {limit}}}
"""


def backend(limit: str = "1") -> str:
    """The rules of the backend."""
    selector = '{app: "backend-{{ color }}"}'
    return MOUNTED.format(name="bank", service="backend-service", app="backend", selector=selector, limit=limit)


def frontend() -> str:
    """The rules of the frontend."""
    selector = '{color: "{{ color }}"}'
    return MOUNTED.format(name="front", service="frontend-service", app="frontend", selector=selector, limit="1")


@dataclass
class Dog:
    """A daemon on a simulated cluster, and who is told."""

    port: int
    world: SimulatedWorld
    receiver: Receiver

    def value(self, name: str, **labels: str) -> float | None:
        """A metric; None where there is no such series, or nobody listens yet."""
        try:
            text = requests.get(f"http://127.0.0.1:{self.port}/metrics", timeout=10).text
        except requests.ConnectionError:
            return None
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        return next((each.value for each in samples if each.name == name and each.labels == labels), None)

    async def has(self, name: str, value: float | None, **labels: str) -> None:
        """Returns when a metric has a value."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while (found := await asyncio.to_thread(self.value, name, **labels)) != value:
            assert asyncio.get_running_loop().time() < deadline, f"{name} is {found}"
            await asyncio.sleep(0.1)

    async def measures(self, source: str) -> None:
        """Returns when a source has been asked."""
        name = "watchdog_measure_duration_seconds_count"
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while not await asyncio.to_thread(self.value, name, source=source):
            assert asyncio.get_running_loop().time() < deadline, f"{source} was not asked"
            await asyncio.sleep(0.1)

    def alerts(self) -> list[str]:
        """The kinds of the alerts about rules."""
        return [each.document["kind"] for each in self.receiver.received if each.document["key"].startswith("rules/")]


@asynccontextmanager
async def daemon(folder: Path) -> AsyncIterator[Dog]:
    """`watchdog run` in this process, until the test has ended."""
    async with SimulatedWorld(history=0) as world, listening(Receiver()) as receiver:
        settings = Settings(
            rules=folder,
            kubeconfig=world.kubeconfig,
            namespace="banking-app",
            deployment="frontend-blue",
            prometheus=PrometheusSettings(url=world.prometheus_url),
            webhook_url=receiver.url,
            listen=f"127.0.0.1:{(port := free_port())}",
        )
        rules = read_rules(folder)
        assert isinstance(rules, RuleSet)
        running = asyncio.create_task(run(settings, rules, reloads=True))
        try:
            yield Dog(port, world, receiver)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_F68_F70_a_daemon_keeps_its_rules_when_a_config_map_is_refused_and_takes_the_next(tmp_path: Path) -> None:
    def swap(state: str, **files: str) -> None:
        mount(tmp_path, state)
        for name, text in files.items():
            write(tmp_path / state, f"{name}.yaml", text)

    mount(tmp_path, "..1", "bank.yaml")
    write(tmp_path / "..1", "bank.yaml", backend())
    async with daemon(tmp_path) as dog:
        await dog.has("watchdog_rule_value", 0.0, target="bank", alert="Errors")
        await dog.has("watchdog_interval_seconds", 1.0, target="bank")
        await dog.has("watchdog_rules_last_reload_successful", 1.0)
        first = await asyncio.to_thread(dog.value, "watchdog_rules_last_reload_success_timestamp_seconds")
        swap("..2", bank=backend("-"))
        await dog.has("watchdog_rules_last_reload_successful", 0.0)
        await eventually(lambda: dog.alerts() == ["rules_refused"], "people are told")
        events = [each for each in dog.world.cluster.each(EVENT, "banking-app") if each["reason"] == "RulesRefused"]
        assert [(each["involvedObject"]["name"], "R2" in each["message"]) for each in events] == [
            ("frontend-blue", True)
        ]
        slots = await asyncio.to_thread(dog.value, "watchdog_ticks_total", target="bank")
        assert slots is not None
        (tmp_path / "front.yaml").symlink_to("..data/front.yaml")
        swap("..3", bank=backend("2"), front=frontend())
        await dog.has("watchdog_rules_last_reload_successful", 1.0)
        await dog.has("watchdog_rule_value", 0.0, target="front", alert="Errors")
        await eventually(lambda: dog.alerts() == ["rules_refused", "resolved"], "people are told that it is well again")
        second = await asyncio.to_thread(dog.value, "watchdog_rules_last_reload_success_timestamp_seconds")
        assert (second or 0) > (first or 0) > 0
        swap("..4", front=frontend())
        await dog.has("watchdog_rule_value", None, target="bank", alert="Errors")
        swap("..5", bank=backend("-"))
        await eventually(lambda: dog.alerts()[2:] == ["rules_refused"], "the same mistake once more is told once more")
        swap("..6", front=frontend())
        await eventually(lambda: dog.alerts()[3:] == ["resolved"], "and so is that it is well again")


PODS = "kubernetes: {count: crash_loops}"
PAGE = 'http: {url: "http://127.0.0.1:1/{{ color }}"}'
ERRORS = "prometheus: {expr: vector(0)}"
SUM = "sum(increase(http_requests_total[{{ window }}]))"
WORSE = f"compare: {{error_expr: '{SUM}', total_expr: '{SUM}', baseline: concurrent}}"


def asking(*kinds: str) -> str:
    """The rules of the backend, each of its own kind."""
    head, _, _ = backend().partition("rules:")
    rules = [
        f"  - alert: R{number}\n    {kind}\n" + "    threshold: {max: 0}\n" * (kind != WORSE)
        for number, kind in enumerate(kinds)
    ]
    return f"{head}rules:\n{''.join(rules)}"


async def test_rules_of_other_kinds_reach_their_sources_and_a_server_is_connected_to_once(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    write(tmp_path, "bank.yaml", asking(PODS))
    async with daemon(tmp_path) as dog:
        await dog.measures("kubernetes")
        write(tmp_path, "bank.yaml", asking(PODS, WORSE))
        await dog.measures("compare")
        write(tmp_path, "bank.yaml", asking(WORSE, ERRORS, PAGE))
        await dog.measures("prometheus")
        await dog.measures("http")
        assert [each.name for each in set(threading.enumerate()) - before].count("prometheus-0") == 1
