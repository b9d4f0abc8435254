"""The heartbeat, tick by tick, on a simulated cluster whose API fails in every way; the rules are answered by a script.

Law: the clock is the test's own, so that a slot is over when the test says so.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.core.making import NOW, RULE, trip
from tests.stack.wait import PATIENCE, eventually
from watchdog.cluster.client import Cluster, ClusterError, UnreachableError
from watchdog.cluster.journal import ConfigMapJournal
from watchdog.core.alert import Alert, AlertKind
from watchdog.core.annotations import KNOWN_GOOD, LAST_TRIP, PAUSED, REPLICAS, TRIP, write_trip
from watchdog.core.contest import MOST_DONE_AGAIN
from watchdog.core.decision import Hold, Reason, Rollback
from watchdog.core.journal import Ending, Journal
from watchdog.core.journal_text import read_journal, write_journal
from watchdog.core.model import End, Measurement, RuleState, TrippedRule, Trouble
from watchdog.core.rules.language import Rule, Target
from watchdog.core.slots import slot_at
from watchdog.core.transition import Event, Transition
from watchdog.sim.kubernetes.kinds import CONFIG_MAP, DEPLOYMENT, EVENT, SERVICE
from watchdog.sim.server import Answer, Hang, LoseReply, Refuse, Slow
from watchdog.sim.world import SimulatedWorld
from watchdog.watch.announce import Silent
from watchdog.watch.fleet import Fleet
from watchdog.watch.loop import FRESH_SECONDS, Watch

SERVICES = [
    {"name": "backend-service", "deployment": "backend-{{ color }}", "selector": {"app": "backend-{{ color }}"}},
    {"name": "frontend-service", "deployment": "frontend-{{ color }}"},
]
BAD, WELL = Measurement(value=0.3), Measurement(value=0.0)
IDLE = Measurement.nodata("no traffic")


@dataclass
class Script:
    """A source whose answers the test decides; ``hanging`` names the alerts that are not answered."""

    answers: dict[str, Measurement] = field(default_factory=lambda: {"green": BAD, "blue": IDLE})
    by_alert: dict[str, Measurement] = field(default_factory=dict)
    hanging: set[str] = field(default_factory=set)
    meanwhile: Callable[[str], None] = lambda _: None
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:
        self.asked.append((rule.alert, color))
        if rule.alert in self.hanging:
            await asyncio.Event().wait()
        self.meanwhile(rule.alert)
        return self.by_alert.get(rule.alert, self.answers[color])


@dataclass
class Ear(Silent):
    """Hears everything."""

    transitions: list[Transition] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    newest: dict[str, RuleState] = field(default_factory=dict)
    delivers: bool = True

    def measured(self, target: Target, rule: Rule, state: RuleState, *, seconds: float) -> None:
        self.newest[rule.alert] = state

    def transition(self, transition: Transition) -> None:
        self.transitions.append(transition)

    def alert(self, alert: Alert) -> None:
        self.alerts.append(alert)

    def is_settled(self, key: str) -> bool:
        return self.delivers

    def told(self, event: Event) -> list[str]:
        """What the transitions of one kind led to."""
        return [each.after for each in self.transitions if each.event is event]


@dataclass
class Stage:
    """A world, a script, a clock, and the watch of one target."""

    world: SimulatedWorld
    cluster: Cluster
    script: Script = field(default_factory=Script)
    ear: Ear = field(default_factory=Ear)
    now: float = NOW
    pace: float = 0.0
    is_deposed: bool = False
    fleet: Fleet = field(default_factory=lambda: Fleet(2))

    def __post_init__(self) -> None:
        self.raise_watch()

    def raise_watch(self, *, writes: int | None = None, **fields: Any) -> None:
        """A new process: it remembers nothing. After so many ``writes`` it is no longer the leader."""
        defaults = {"target": "banking-app", "namespace": "banking-app", "mode": "enforce", "services": SERVICES}
        rollback = {"scale_down_delay": "5s", "cooldown": "10m"}
        target = Target.model_validate(defaults | {"rules": [RULE], "rollback": rollback} | fields)
        self.now = slot_at(target, self.now) + target.interval
        cluster = self.cluster if writes is None else self.cluster.guarded(self._allowance(writes))
        self.watch = Watch(
            target,
            cluster=cluster,
            sources=dict.fromkeys(("prometheus", "elasticsearch", "http"), self.script),
            journal=ConfigMapJournal(cluster, "banking-app", "banking-app"),
            reporter=self.ear,
            fleet=self.fleet,
            clock=self.clock,
        )

    def _allowance(self, writes: int) -> Callable[[], bool]:
        allowed = iter(range(writes))

        def may_write() -> bool:
            is_leader = next(allowed, None) is not None
            self.is_deposed = self.is_deposed or not is_leader
            return is_leader

        return may_write

    def clock(self) -> float:
        """Stands still between ticks, or runs by ``pace`` seconds each time that somebody looks."""
        self.now += self.pace
        return self.now

    async def tick(self, *, after: float = 1.0) -> None:
        """Lets time pass, and ticks once."""
        self.now += after
        await self.watch.tick()

    async def tick_until(self, condition: Callable[[], bool], *, ticks: int = 60) -> None:
        """Ticks each second until the condition holds; the simulated controllers have a moment between two ticks."""
        for _ in range(ticks):
            await self.tick()
            if condition():
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"not within {ticks} ticks; told: {self.ear.transitions[-3:]}")

    async def settled(self) -> None:
        """Returns when the simulated controllers have made of every Deployment what its spec says."""
        await eventually(self._is_settled, "every Deployment has its pods, all new and ready")

    def _is_settled(self) -> bool:
        return all(
            each["status"]["observedGeneration"] == each["metadata"]["generation"]
            and each["status"].get(count, 0) == each["spec"]["replicas"]
            for each in self.world.cluster.read_all(DEPLOYMENT, "banking-app")
            for count in ("replicas", "updatedReplicas", "readyReplicas")
        )

    def colors(self) -> set[str]:
        """The colors that the Services select."""
        return set(self.world.active_colors().values())

    def replicas(self, color: str) -> list[int]:
        """The wanted pods of both Deployments of a color."""
        every = self.world.cluster.each(DEPLOYMENT, "banking-app")
        return [each["spec"]["replicas"] for each in every if each["metadata"]["name"].endswith(color)]

    def finished(self) -> bool:
        """True when a trip has ended."""
        return bool(self.ear.told(Event.FINISHED))

    def switches(self) -> list[str]:
        """The Services in the order in which they were told to be switched."""
        return [each.subject for each in self.ear.transitions if each.event is Event.SELECTOR]

    def annotations(self, service: str) -> dict[str, str]:
        """Those of a Service."""
        (found,) = [
            each for each in self.world.cluster.each(SERVICE, "banking-app") if each["metadata"]["name"] == service
        ]
        return dict(found["metadata"].get("annotations") or {})

    def journal(self) -> Journal:
        """As the next process would read it."""
        (found,) = self.world.cluster.each(CONFIG_MAP, "banking-app")
        return read_journal(found["data"], target="banking-app")

    def events(self, reason: str) -> list[str]:
        """The objects that have an Event of this reason."""
        every = self.world.cluster.each(EVENT, "banking-app")
        return sorted(each["involvedObject"]["name"] for each in every if each["reason"] == reason)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with (
        SimulatedWorld(active="green", history=0, pod_ready_delay=0.01) as world,
        await Cluster.connect(world.kubeconfig, None) as cluster,
    ):
        for deployment in ("backend-blue", "frontend-blue"):
            world.annotate("deployments", deployment, KNOWN_GOOD, "true")
        yield Stage(world, cluster)


async def recover(stage: Stage) -> None:
    """From the switch on, blue has traffic and is well."""
    await stage.tick_until(lambda: stage.colors() == {"blue"})
    stage.script.answers["blue"] = WELL
    await stage.tick_until(stage.finished)


def assert_rolled_back_once(stage: Stage, *, measured: bool = True) -> None:
    assert stage.colors() == {"blue"}
    assert (stage.replicas("green"), stage.replicas("blue")) == ([0, 0], [3, 3])
    for service in ("backend-service", "frontend-service"):
        assert TRIP not in stage.annotations(service)
        assert LAST_TRIP in stage.annotations(service)
    assert stage.events("RolledBack") == ["backend-service", "frontend-service"]
    assert stage.events("ScaledDown") == ["backend-green", "frontend-green"]
    assert stage.events("Recovered") == (["backend-service", "frontend-service"] if measured else [])


async def test_a_rollback_from_the_first_breach_to_the_end(stage: Stage) -> None:
    await recover(stage)
    assert_rolled_back_once(stage)
    assert stage.switches() == ["backend-service", "frontend-service"]
    assert [alert.kind for alert in stage.ear.alerts] == [AlertKind.SWITCHED, AlertKind.FINISHED]
    assert stage.ear.told(Event.DECISION)[0] == "rollback"


async def test_the_first_switch_happens_in_the_tick_that_decided_it(stage: Stage) -> None:
    await stage.tick()
    assert stage.colors() == {"blue"}


async def test_S1_what_was_seen_before_a_slow_journal_is_not_switched_by(stage: Stage) -> None:
    """The good color loses its pods while the trip is being journaled."""
    await stage.world.kubernetes.fail(Slow(seconds=FRESH_SECONDS + 0.5, methods=frozenset({"POST"})))
    ticking = asyncio.create_task(stage.tick())
    await eventually(lambda: ("ErrorRatio", "blue") in stage.script.asked, "a rollback is being decided")
    for deployment in ("backend-blue", "frontend-blue"):
        stage.world.scale(deployment, 0)
    await ticking
    assert stage.colors() == {"green"}
    await recover(stage)
    assert_rolled_back_once(stage)


async def test_an_api_server_that_takes_long_to_answer_holds_nothing_back(stage: Stage) -> None:
    """What counts is how old the look is when it has ended."""
    await stage.world.kubernetes.fail(Slow(seconds=FRESH_SECONDS + 0.2, methods=frozenset({"GET"})))
    await stage.tick()
    assert stage.colors() == {"blue"}


async def test_a_dry_run_is_put_down_to_whoever_wants_it(stage: Stage) -> None:
    stage.raise_watch(mode="dry-run")
    await stage.tick()
    text = stage.ear.alerts[-1].text
    assert "mode is dry-run in the rule file" in text
    assert "--dry-run" not in text


async def test_a_rollback_ends_though_no_event_can_be_written(stage: Stage) -> None:
    await stage.tick_until(lambda: stage.replicas("green") == [0, 0])
    stage.script.answers["blue"] = WELL
    await stage.world.kubernetes.fail(Hang(methods=frozenset({"POST"})))
    await stage.tick_until(stage.finished)


async def test_the_bad_color_is_not_asked_before_something_fires(stage: Stage) -> None:
    stage.script.answers["green"] = WELL
    await stage.tick()
    assert {color for _, color in stage.script.asked} == {"green"}


async def test_F50_the_color_that_was_rolled_back_is_never_returned_to(stage: Stage) -> None:
    await recover(stage)
    stage.script.answers |= {"blue": BAD, "green": IDLE}
    await stage.tick(after=15)
    assert stage.ear.told(Event.DECISION)[-1] == "not_known_good"
    assert stage.colors() == {"blue"}
    assert stage.ear.alerts[-1].kind is AlertKind.HELD
    assert "green was itself rolled back" in stage.ear.alerts[-1].text


async def test_a_color_that_was_never_seen_active_is_not_rolled_back_to(stage: Stage) -> None:
    for deployment in ("backend-blue", "frontend-blue"):
        stage.world.annotate("deployments", deployment, KNOWN_GOOD, None)
    await stage.tick()
    assert stage.ear.told(Event.DECISION) == ["not_known_good"]
    assert stage.colors() == {"green"}
    assert "annotate --overwrite deployment backend-blue frontend-blue" in stage.ear.alerts[-1].text


async def test_a_color_that_was_left_well_is_known_without_being_told(stage: Stage) -> None:
    for deployment in ("backend-blue", "frontend-blue"):
        stage.world.annotate("deployments", deployment, KNOWN_GOOD, None)
    stage.script.answers = {"green": WELL, "blue": WELL}
    stage.world.switch("blue")
    await stage.tick(after=15)
    stage.world.switch("green")
    await stage.tick(after=15)
    stage.script.answers["green"] = BAD
    stage.raise_watch()  # what was seen survives the process
    await recover(stage)
    assert_rolled_back_once(stage)


async def test_F47_a_good_color_at_zero_is_restored_before_the_switch(stage: Stage) -> None:
    for deployment in ("backend-blue", "frontend-blue"):
        stage.world.scale(deployment, 0)
        stage.world.annotate("deployments", deployment, REPLICAS, "5")
    await stage.settled()
    await stage.tick()
    assert stage.colors() == {"green"}, "nothing is switched before it is ready"
    assert stage.replicas("blue") == [5, 5]
    await recover(stage)
    assert (stage.colors(), stage.replicas("green")) == ({"blue"}, [0, 0])


PROBE = {"prometheus": None, "http": {"url": "http://{{ color }}/"}, "threshold": {"max": 0}}


@pytest.mark.parametrize(
    ("pods", "decision"),
    [
        pytest.param(0, "rollback", id="parked: its page says nothing"),
        pytest.param(3, "other_color_breaches", id="with pods: its page speaks for it"),
    ],
)
async def test_a_page_of_a_color_without_pods_is_no_breach_of_that_color(
    stage: Stage, pods: int, decision: str
) -> None:
    stage.script.answers |= {"green": Measurement(value=1.0), "blue": Measurement(value=1.0)}
    stage.raise_watch(rules=[RULE | PROBE])
    for deployment in ("backend-blue", "frontend-blue"):
        stage.world.scale(deployment, pods)
    await stage.settled()
    await stage.tick()
    assert stage.ear.told(Event.DECISION) == [decision]


async def test_a_color_that_is_scaled_to_0_under_traffic_is_left(stage: Stage) -> None:
    dead = {"prometheus": None, "kubernetes": {"count": "unready_pods"}, "threshold": {"max": 0}}
    stage.raise_watch(rules=[RULE | dead])
    for deployment in ("backend-green", "frontend-green"):
        stage.world.scale(deployment, 0)
    await stage.settled()
    await stage.tick_until(lambda: stage.colors() == {"blue"})


async def test_F17_a_release_that_is_mended_before_the_switch_is_not_left(stage: Stage) -> None:
    for deployment in ("backend-blue", "frontend-blue"):
        stage.world.scale(deployment, 0)
    stage.world.cluster.controllers.pod_ready_delay = 0.3
    await stage.tick()
    assert stage.journal().trip is not None, "blue is on its way"
    stage.script.answers["green"] = WELL
    stage.world.deploy("frontend-green", "bank:mended")
    await stage.settled()
    for _ in range(20):
        await stage.tick()
    assert (stage.colors(), stage.switches()) == ({"green"}, [])
    assert any("green has changed since it was decided" in alert.text for alert in stage.ear.alerts)


async def test_F67_a_good_color_that_does_not_get_ready_is_given_up(stage: Stage) -> None:
    for deployment in ("backend-blue", "frontend-blue"):
        stage.world.scale(deployment, 0)
    stage.world.cluster.controllers.pod_ready_delay = 3600
    await stage.tick_until(stage.finished, ticks=130)
    assert stage.colors() == {"green"}
    assert stage.ear.told(Event.SELECTOR) == []
    assert "blue did not get ready within 2m; backend-blue has 0 ready pods of 3" in stage.ear.alerts[-1].text
    assert stage.ear.alerts[-1].kind is AlertKind.GIVEN_UP
    assert stage.ear.alerts[-1].text.startswith("Gave up rolling banking-app back: blue did not get ready")
    assert "its pods do not get ready. Nothing was switched." in stage.ear.alerts[-1].text
    await stage.tick(after=15)
    assert stage.ear.told(Event.DECISION)[-1] == "good_not_ready"


def shrink(stage: Stage, *deployments: str) -> None:
    for deployment in deployments:
        stage.world.scale(deployment, 0)


BLUES = ("backend-blue", "frontend-blue")


async def test_F47_a_release_that_is_deployed_to_the_good_color_meanwhile_gets_no_traffic(stage: Stage) -> None:
    """The idle color is where a pipeline deploys, and pods that are on their way leave it two minutes to do so."""
    shrink(stage, *BLUES)
    stage.world.cluster.controllers.pod_ready_delay = 0.2
    await stage.tick()
    begun = stage.journal().trip
    assert begun is not None
    for deployment in BLUES:
        stage.world.deploy(deployment, "bank:untested")
    await asyncio.sleep(0.5)
    for _ in range(20):
        await stage.tick()
    assert (stage.colors(), stage.switches()) == ({"green"}, [])
    assert any("blue has changed since it was decided" in alert.text for alert in stage.ear.alerts)
    assert stage.ear.told(Event.DECISION)[-1] == "not_known_good", "it is decided anew: blue is untested"


async def test_F28_a_release_that_is_deployed_to_the_good_color_half_way_gets_no_more_traffic(stage: Stage) -> None:
    stage.raise_watch(writes=2)
    await stage.tick()
    assert stage.colors() == {"green", "blue"}
    stage.world.deploy("frontend-blue", "bank:untested")
    await asyncio.sleep(0.05)
    stage.raise_watch()
    for _ in range(3):
        await stage.tick()
    assert stage.switches() == ["backend-service"], "which had happened before"
    assert stage.ear.alerts[-1].kind is AlertKind.HELD
    assert "blue has changed since banking-app-" in stage.ear.alerts[-1].text
    stage.world.annotate("deployments", "frontend-blue", KNOWN_GOOD, "2")
    stage.world.annotate("deployments", "backend-blue", KNOWN_GOOD, "1")
    await recover(stage)
    assert stage.switches() == ["backend-service", "frontend-service"], "a person has vouched for it"


async def test_F61_a_good_color_that_is_scaled_down_again_and_again_is_given_up_and_not_tried_in_a_loop(
    stage: Stage,
) -> None:
    stage.world.cluster.controllers.pod_ready_delay = 3600
    for _ in range(400):
        shrink(stage, *BLUES)
        await stage.tick()
    assert stage.colors() == {"green"}
    restored = [each.subject for each in stage.ear.transitions if each.event is Event.REPLICAS]
    assert sorted(restored) == ["backend-blue"] * 3 + ["frontend-blue"] * 3
    assert len(stage.journal().finished) == 1
    assert [alert.kind for alert in stage.ear.alerts] == [AlertKind.GIVEN_UP, AlertKind.HELD]
    assert "scales backend-blue down again and again" in stage.ear.alerts[0].text
    assert "--even-if given_up" in stage.ear.alerts[1].text
    assert stage.ear.told(Event.DECISION)[-1] == "given_up"


async def test_F67_a_good_color_that_has_got_ready_after_all_is_switched_to_at_once(stage: Stage) -> None:
    shrink(stage, *BLUES)
    stage.world.cluster.controllers.pod_ready_delay = 3600
    await stage.tick_until(stage.finished, ticks=130)
    stage.world.cluster.controllers.pod_ready_delay = 0.01
    for deployment in BLUES:
        stage.world.set_ready(deployment, ready=True)
    await asyncio.sleep(0.05)
    stage.ear.transitions.clear()
    await stage.tick(after=15)
    assert stage.colors() == {"blue"}


async def test_F57_half_a_rollback_that_waits_for_whoever_keeps_the_good_color_small_is_told(stage: Stage) -> None:
    stage.raise_watch(writes=2)
    await stage.tick()
    assert stage.colors() == {"green", "blue"}
    stage.raise_watch()
    for _ in range(70):
        shrink(stage, "frontend-blue")
        await stage.tick()
    told = [alert for alert in stage.ear.alerts if "/stuck/" in alert.key]
    assert len({alert.key for alert in told}) == 1
    assert "scales frontend-blue down again and again" in told[0].text


async def test_F50_a_good_color_that_comes_and_goes_ends_with_a_person(stage: Stage) -> None:
    """It is never there for long enough to be proven, nor away for long enough to be told of."""
    await stage.tick()
    stage.script.answers["blue"] = BAD
    for second in range(500):
        is_down = second % 8 >= 4
        stage.world.set_ready("frontend-blue", ready=not is_down)
        await stage.tick()
        if second == 200:
            stage.raise_watch()
        if stage.finished():
            break
    assert stage.finished()
    assert stage.replicas("green") == [3, 3], "what could take the traffic in its place is left running"
    assert "blue has not kept its ready endpoints" in stage.ear.alerts[-1].text
    assert "A person has to look" in stage.ear.alerts[-1].text


async def test_F38_what_cannot_be_journaled_is_not_begun(stage: Stage) -> None:
    await stage.world.kubernetes.fail(Answer(status=503, methods=frozenset({"POST"})))
    for _ in range(5):
        await stage.tick()
    assert stage.colors() == {"green"}
    await stage.world.kubernetes.heal()
    await recover(stage)
    assert_rolled_back_once(stage)


async def test_F89_a_journal_that_is_deleted_half_way_is_written_anew(stage: Stage) -> None:
    await stage.tick()
    stage.world.cluster.delete(CONFIG_MAP, "banking-app", "canary-watchdog-banking-app")
    await recover(stage)
    assert_rolled_back_once(stage)


async def test_F89_a_journal_that_is_deleted_before_a_restart_is_rebuilt_from_the_objects(stage: Stage) -> None:
    await stage.tick()
    stage.world.cluster.delete(CONFIG_MAP, "banking-app", "canary-watchdog-banking-app")
    stage.raise_watch()
    await recover(stage)
    assert_rolled_back_once(stage)


async def test_S14_what_was_rolled_back_is_not_returned_to_although_the_journal_is_lost(stage: Stage) -> None:
    for deployment in ("backend-green", "frontend-green"):
        stage.world.annotate("deployments", deployment, KNOWN_GOOD, "true")  # of an earlier revision
    await recover(stage)
    stage.world.cluster.delete(CONFIG_MAP, "banking-app", "canary-watchdog-banking-app")
    stage.script.answers |= {"blue": BAD, "green": IDLE}
    stage.raise_watch()
    await stage.tick(after=900)
    assert (stage.colors(), stage.ear.told(Event.DECISION)[-1]) == ({"blue"}, "not_known_good")
    assert "green was itself rolled back" in stage.ear.alerts[-1].text


async def test_F89_an_undo_whose_journal_is_lost_keeps_the_pods_of_the_color_that_it_leaves(stage: Stage) -> None:
    await recover(stage)
    undoing = frozenset({Reason.NOT_KNOWN_GOOD, Reason.COOLDOWN})
    decision = await stage.watch.judge_by_hand(BY_HAND, overrides=undoing, undoes="banking-app-1")
    assert isinstance(decision, Rollback)
    stage.script.answers["green"] = WELL
    hand = stage.watch
    stage.raise_watch()
    begun = asyncio.create_task(hand.roll_back_by_hand(decision.trip))
    await stage.tick_until(lambda: stage.colors() == {"green"})
    begun.cancel()
    stage.world.cluster.delete(CONFIG_MAP, "banking-app", "canary-watchdog-banking-app")
    stage.ear.transitions.clear()
    stage.raise_watch()
    await stage.tick_until(stage.finished)
    assert (stage.colors(), stage.replicas("blue")) == ({"green"}, [3, 3])


async def test_F89_a_journal_that_cannot_be_read_holds(stage: Stage) -> None:
    stage.script.answers["green"] = WELL
    await stage.tick()
    broken = {"data": {"schema": "1", "target": "banking-app", "stays": "["}}
    stage.world.patch("configmaps", "canary-watchdog-banking-app", broken, manager="somebody")
    stage.script.answers["green"] = BAD
    stage.raise_watch()
    await stage.tick()
    assert stage.colors() == {"green"}
    assert stage.ear.told(Event.DECISION)[-1] == "unreadable"


ELSEWHERE = "the rollback banking-app-1 is from 'green' to 'azure', and the rule file's colors are blue and green"


async def test_F89_an_open_trip_of_colors_that_the_rule_file_does_not_have_holds(stage: Stage) -> None:
    """They were renamed while it was open."""
    stage.script.answers["green"] = WELL
    await stage.tick()
    renamed = write_journal(Journal(target="banking-app", trip=trip(good="azure")))
    change = {"data": {"trip": renamed["trip"]}}
    stage.world.patch("configmaps", "canary-watchdog-banking-app", change, manager="somebody")
    stage.raise_watch()
    for _ in range(3):
        await stage.tick(after=15)
    assert (stage.ear.told(Event.DECISION)[-1], stage.journal().trip) == ("unreadable", trip(good="azure"))
    (told,) = stage.ear.alerts
    assert ELSEWHERE in told.text
    assert "remove the key trip of the ConfigMap canary-watchdog-banking-app" in told.text
    taken_out: dict[str, dict[str, None]] = {"data": {"trip": None}}
    stage.world.patch("configmaps", "canary-watchdog-banking-app", taken_out, manager="somebody")
    await stage.tick(after=15)
    assert stage.ear.told(Event.DECISION)[-1] == "nothing_firing"


async def test_F89_a_mark_of_colors_that_the_rule_file_does_not_have_holds(stage: Stage) -> None:
    stage.world.annotate("services", "backend-service", TRIP, write_trip(trip(good="azure"), was={}))
    for _ in range(3):
        await stage.tick(after=15)
    assert (stage.ear.told(Event.DECISION), stage.colors()) == (["unreadable"], {"green"})
    (told,) = stage.ear.alerts
    assert ELSEWHERE in told.text
    assert f"kubectl -n banking-app annotate service backend-service {TRIP}-" in told.text


async def test_a_record_of_replicas_that_no_deployment_has_is_none(stage: Stage) -> None:
    for deployment in ("backend-blue", "frontend-blue"):
        stage.world.annotate("deployments", deployment, REPLICAS, "9" * 5000)
        stage.world.scale(deployment, 1)
    await asyncio.sleep(0.05)
    await stage.tick()
    assert stage.replicas("blue") == [3, 3]


async def test_F89_a_journal_that_cannot_be_read_again_is_told_again(stage: Stage) -> None:
    stage.script.answers["green"] = WELL
    for text in ("[", None, "["):
        broken = {"metadata": {"annotations": {TRIP: text}}}
        stage.world.patch("services", "backend-service", broken, manager="somebody")
        for _ in range(3):
            await stage.tick(after=15)
    told = [alert.key for alert in stage.ear.alerts if "/unreadable/" in alert.key]
    assert (len(told), len(set(told))) == (2, 2)


@pytest.mark.parametrize("paused", [False, True], ids=["", "unless it is paused"])
async def test_services_that_disagree_for_long_are_told_because_nothing_is_measured(
    stage: Stage, *, paused: bool
) -> None:
    stage.script.answers["green"] = WELL
    if paused:
        stage.world.annotate("services", "backend-service", PAUSED, "true")
    stage.world.switch("blue", services=("backend-service",))
    for _ in range(40):
        await stage.tick(after=15)
    assert stage.ear.alerts == []
    for _ in range(3):
        await stage.tick(after=15)
    told = [alert.text for alert in stage.ear.alerts if alert.kind is AlertKind.HELD]
    assert len(told) == (0 if paused else 1)
    assert all("nothing is measured" in text for text in told)


async def test_F45_what_was_not_sent_is_sent_by_the_next_process(stage: Stage) -> None:
    stage.ear.delivers = False
    await recover(stage)
    told = [alert.key for alert in stage.ear.alerts]
    stage.ear.alerts.clear()
    stage.raise_watch()
    await stage.tick()
    assert [alert.key for alert in stage.ear.alerts] == told
    stage.ear.alerts.clear()
    stage.ear.delivers = True
    await stage.tick(after=15)
    stage.raise_watch()
    await stage.tick(after=15)
    assert stage.ear.alerts == []


async def test_S16_what_was_told_since_survives_another_writer_of_the_journal(stage: Stage) -> None:
    """The alerts that were posted and not yet written, when the journal has to be read anew."""
    stage.ear.delivers = False
    await stage.tick_until(lambda: stage.replicas("green") == [0, 0])
    stage.script.answers["blue"] = WELL
    told = [alert.key for alert in stage.ear.alerts]
    assert told

    def forget(_: str) -> None:
        change = {"data": {"outbox": None}, "metadata": {"annotations": {"written-by": "another"}}}
        stage.world.patch("configmaps", "canary-watchdog-banking-app", change, manager="somebody")

    forget("")
    await stage.tick_until(stage.finished)
    assert set(told) < {alert.key for alert in stage.journal().outbox}
    stage.ear.delivers = True
    await stage.tick(after=15)
    assert stage.journal().outbox == ()


async def test_F41_what_another_has_written_is_read_before_anything_is_written_over_it(stage: Stage) -> None:
    stage.script.answers["green"] = WELL
    await stage.tick()
    theirs = write_journal(Journal(target="banking-app", trip=trip(good="blue", started_at=stage.now)))
    change = {"data": {"trip": theirs["trip"]}}

    def meanwhile(_: str) -> None:
        if stage.script.asked[-1][1] == "blue":  # all was looked at, and nothing is journaled yet
            stage.world.patch("configmaps", "canary-watchdog-banking-app", change, manager="canary-watchdog")
            stage.world.cluster.delete(SERVICE, "banking-app", "frontend-service")

    stage.script.answers["green"], stage.script.meanwhile = BAD, meanwhile
    await stage.tick(after=15)
    found = stage.journal().trip
    assert found is not None
    assert found.id == "banking-app-1", "the namespace could not be seen, so the journal was not read"


async def test_F51_a_second_target_of_two_is_held(stage: Stage) -> None:
    stage.fleet.tripped("another-app", stage.now)
    await stage.tick()
    assert stage.ear.told(Event.DECISION) == ["storm"]
    await stage.tick(after=660)
    assert stage.colors() == {"blue"}


async def test_F51_a_rollback_that_lost_the_race_for_the_journal_does_not_count_for_others(stage: Stage) -> None:
    stage.script.answers["green"] = WELL
    await stage.tick()

    def meanwhile(_: str) -> None:
        if stage.script.asked[-1][1] == "blue":  # all was looked at, and nothing is journaled yet
            stage.world.annotate("configmaps", "canary-watchdog-banking-app", "written-by", "another")

    stage.script.answers["green"], stage.script.meanwhile = BAD, meanwhile
    await stage.tick(after=15)
    assert (stage.journal().trip, stage.colors()) == (None, {"green"})
    assert stage.fleet.others_tripped("another-app", now=stage.now) == 0


async def test_F51_who_could_not_count_the_others_once_it_had_begun_counts_them_before_it_goes_on(stage: Stage) -> None:
    counts: list[dict[str, float] | ClusterError] = [{}, UnreachableError("no answer"), {"another": stage.now}]

    async def census() -> dict[str, float]:
        count = counts.pop(0) if len(counts) > 1 else counts[0]
        if isinstance(count, ClusterError):
            raise count
        return count

    stage.fleet = Fleet(2, census=census, is_shared=True)
    stage.raise_watch()
    for _ in range(3):
        await stage.tick()
    assert (stage.colors(), stage.switches()) == ({"green"}, [])
    assert "storm" in stage.ear.told(Event.DECISION)


async def test_F01_F27_a_blind_rule_is_told_and_rolls_nothing_back(stage: Stage) -> None:
    stage.script.answers["green"] = Measurement.error("Prometheus refused the connection")
    for _ in range(22):
        await stage.tick(after=15)
    assert stage.colors() == {"green"}
    assert [alert.kind for alert in stage.ear.alerts] == [AlertKind.BLIND]
    assert "Prometheus refused the connection" in stage.ear.alerts[0].text


@pytest.mark.parametrize(
    ("trouble", "cure"),
    [
        pytest.param(Trouble.CREDENTIALS, "Renew what the watchdog is given", id="F26 the credentials have expired"),
        pytest.param(Trouble.CLOCK, "Set the clock that is wrong", id="F11 a clock is wrong"),
    ],
)
async def test_F27_what_does_not_pass_by_itself_is_told_at_once_and_another_rule_still_fires(
    stage: Stage, trouble: Trouble, cure: str
) -> None:
    logs = {"elasticsearch": {"index": "logs", "query": "a"}, "threshold": {"max": 1}, "no_data_timeout": "10m"}
    names = ("FirstLogs", "SecondLogs")
    stage.raise_watch(rules=[*({"alert": name, "action": "alert"} | logs for name in names), RULE | {"for": "5m"}])
    stage.script.by_alert |= dict.fromkeys(names, Measurement.error("Elasticsearch cannot say", trouble=trouble))
    await stage.tick()
    (told,) = stage.ear.alerts
    assert told.kind is AlertKind.BLIND
    assert told.text.startswith(f"Elasticsearch cannot say. {cure}")
    for _ in range(21):
        await stage.tick(after=15)
    assert stage.colors() == {"blue"}
    assert [alert.kind for alert in stage.ear.alerts][:2] == [AlertKind.BLIND, AlertKind.SWITCHED]


async def test_F26_the_same_trouble_after_a_recovery_is_told_anew(stage: Stage) -> None:
    refused = Measurement.error("Prometheus refuses", trouble=Trouble.CREDENTIALS)
    for answer in (refused, refused, WELL, refused, refused):
        stage.script.answers["green"] = answer
        await stage.tick(after=15)
    assert [alert.kind for alert in stage.ear.alerts] == [AlertKind.BLIND, AlertKind.BLIND]


@pytest.mark.parametrize("action", ["rollback", "alert"])
async def test_V10_a_guard_that_never_passes_is_told_once_a_release(stage: Stage, action: str) -> None:
    needy = RULE | {"action": action, "min_samples": {"expr": "n", "value": 200}}
    stage.raise_watch(interval="5m", rules=[needy])
    stage.script.answers = dict.fromkeys(("green", "blue"), Measurement(value=0.3, samples=150))
    for switched_to in ("green", "green", "blue"):
        stage.world.switch(switched_to)
        for _ in range(14):
            await stage.tick(after=300)
    told = [alert.text for alert in stage.ear.alerts]
    assert len(told) == (2 if action == "rollback" else 0)
    assert all("150 samples, 200 are needed. Meanwhile it rolls nothing back" in text for text in told)
    assert "rollback" not in stage.ear.told(Event.DECISION)


async def test_the_journal_tells_the_story(stage: Stage) -> None:
    await recover(stage)
    journal = stage.journal()
    assert journal.trip is None
    (ended,) = journal.finished
    assert (ended.end, ended.trip.replicas) == (End.RECOVERED, {"backend-green": 3, "frontend-green": 3})
    assert ended.trip.selectors["frontend-service"] == {"app": "frontend", "color": "green"}
    assert [(stay.color, stay.ending) for stay in journal.stays] == [
        ("green", Ending.ROLLED_BACK),
        ("blue", Ending.LASTS),
    ]


async def test_F02_F27_a_rule_that_hangs_delays_no_other(stage: Stage) -> None:
    stage.raise_watch(rules=[RULE, RULE | {"alert": "Hanging"}])
    stage.script.hanging = {"Hanging"}
    await stage.tick()
    assert stage.colors() == {"blue"}


async def test_F02_no_answer_is_waited_for_beyond_the_slot(stage: Stage) -> None:
    """A deadline of the source that is longer than the interval would cost the other rules every other slot."""
    stage.script.answers = {"green": WELL, "blue": IDLE}
    stage.script.hanging = {"Hanging"}
    stage.raise_watch(interval="1s", rules=[RULE, RULE | {"alert": "Hanging"}])
    async with asyncio.timeout(PATIENCE):
        for _ in range(2):
            await stage.tick()
    assert stage.script.asked == [("ErrorRatio", "green"), ("Hanging", "green")] * 2
    assert stage.ear.newest["Hanging"].reason == "no answer within the slot, and there is one each 1s"


async def test_a_slot_that_has_begun_meanwhile_is_due_at_once(stage: Stage) -> None:
    stage.script.answers = {"green": WELL, "blue": IDLE}
    stage.raise_watch(interval="1h")
    stop, slots = asyncio.Event(), 3

    def take_long(_: str) -> None:
        stage.now += 3600
        if len(stage.script.asked) == slots:
            stop.set()

    stage.script.meanwhile = take_long
    async with asyncio.timeout(PATIENCE):
        await stage.watch.run(stop)
    assert len(stage.script.asked) == slots


async def test_F02_a_rollback_goes_on_beside_a_source_that_hangs(stage: Stage) -> None:
    rollback = {"scale_down_delay": "2m"}
    stage.raise_watch(interval="1m", rules=[RULE, RULE | {"alert": "Hanging"}], rollback=rollback)
    stage.script.hanging = {"Hanging"}
    await stage.tick_until(lambda: bool(stage.ear.told(Event.VERIFIED)))
    ticking = asyncio.create_task(stage.tick(after=60))
    await eventually(lambda: stage.script.asked[-1] == ("Hanging", "blue"), "the next slot is measured")
    stage.now += 121
    await eventually(lambda: stage.replicas("green") == [0, 0], "green is scaled down")
    assert not ticking.done()
    ticking.cancel()


async def test_F17_what_was_measured_of_a_release_that_is_gone_is_no_evidence(stage: Stage) -> None:
    """Somebody switches to blue while green is being asked; what green answers must not be held against blue."""
    stage.script.answers = {"green": BAD, "blue": WELL}
    stage.script.meanwhile = lambda _: stage.world.switch("blue")
    await stage.tick()
    assert stage.colors() == {"blue"}
    stage.script.meanwhile = lambda _: None
    for _ in range(3):
        await stage.tick(after=15)
    assert stage.colors() == {"blue"}
    assert stage.switches() == []
    assert "rollback" not in stage.ear.told(Event.DECISION)


async def test_two_rules_that_trip_in_one_slot_make_one_rollback(stage: Stage) -> None:
    stage.raise_watch(rules=[RULE, RULE | {"alert": "Latency"}])
    await recover(stage)
    assert_rolled_back_once(stage)
    assert stage.switches() == ["backend-service", "frontend-service"]


async def test_F49_a_shared_cause_holds(stage: Stage) -> None:
    stage.script.answers["blue"] = BAD
    await stage.tick()
    assert stage.ear.told(Event.DECISION) == ["other_color_breaches"]
    assert stage.colors() == {"green"}


async def test_F49_a_shared_cause_holds_until_the_rule_is_well_again(stage: Stage) -> None:
    """Nobody asks an idle color for anything: it falls silent before it is well."""
    stage.script.answers["blue"] = BAD
    await stage.tick()
    stage.script.answers["blue"] = IDLE
    await stage.tick(after=15)
    stage.raise_watch()
    await stage.tick(after=15)
    assert stage.colors() == {"green"}
    assert set(stage.ear.told(Event.DECISION)) == {"other_color_breaches"}
    assert len({alert.key for alert in stage.ear.alerts}) == 1
    assert "unless a person does so: watchdog rollback banking-app" in stage.ear.alerts[-1].text
    assert isinstance(await stage.watch.judge_by_hand(BY_HAND, overrides=frozenset()), Rollback)

    stage.script.answers["green"] = WELL
    await stage.tick(after=15)
    stage.script.answers["green"] = BAD
    await stage.tick(after=15)
    assert stage.colors() == {"blue"}, "it fires anew, and on green alone"


@pytest.mark.parametrize("restarted", [pytest.param(True, id="by a new process"), pytest.param(False, id="at once")])
async def test_F52_that_somebody_has_rolled_back_already_is_noted_and_told(stage: Stage, *, restarted: bool) -> None:
    for deployment in ("backend-blue", "frontend-blue"):
        stage.world.annotate("deployments", deployment, KNOWN_GOOD, None)
    await stage.tick()
    assert stage.ear.told(Event.DECISION) == ["not_known_good"]
    stage.world.switch("blue", manager="kubectl-edit")
    stage.script.answers = {"green": IDLE, "blue": WELL}
    if restarted:
        stage.raise_watch()
    for _ in range(3):
        await stage.tick(after=15)
    assert stage.ear.told(Event.ALREADY) == ["blue"]
    told = [alert for alert in stage.ear.alerts if alert.kind is AlertKind.RESOLVED]
    assert [(alert.from_color, alert.to_color) for alert in told] == [("green", "blue")]
    assert "was switched from green to blue by kubectl-edit while a rule was firing: nothing is left" in told[0].text
    assert [(stay.color, stay.ending) for stay in stage.journal().stays] == [
        ("green", Ending.LEFT_FIRING),
        ("blue", Ending.LASTS),
    ]
    assert stage.switches() == []
    assert (stage.replicas("green"), stage.replicas("blue")) == ([3, 3], [3, 3])


async def test_what_is_missing_on_the_idle_color_is_no_breach_of_it(stage: Stage) -> None:
    stage.raise_watch(rules=[RULE | {"no_data": "breach"}])
    await stage.tick()
    assert stage.colors() == {"blue"}


async def test_F76_paused_half_way_it_waits_and_goes_on(stage: Stage) -> None:
    await stage.tick()
    stage.world.annotate("services", "frontend-service", PAUSED, "true")
    for _ in range(10):
        await stage.tick()
    assert stage.replicas("green") == [3, 3]
    assert stage.ear.told(Event.DECISION)[-1] == "paused"
    stage.world.annotate("services", "frontend-service", PAUSED, None)
    await recover(stage)
    assert_rolled_back_once(stage)


async def test_F77_a_pause_that_lasts_is_told_once_a_day_whoever_restarts(stage: Stage) -> None:
    stage.script.answers["green"] = WELL
    stage.world.annotate("services", "backend-service", PAUSED, "true")
    await stage.tick()
    await stage.tick(after=86_000)
    assert stage.ear.alerts == []
    stage.raise_watch()  # since when it is paused is in the journal
    await stage.tick(after=500)
    await stage.tick(after=500)
    (alert,) = stage.ear.alerts
    assert alert.kind is AlertKind.PAUSED
    assert "and nothing is rolled back: Service backend-service is paused." in alert.text
    assert alert.commands == (("resume the watchdog", "watchdog resume banking-app"),)
    await stage.tick(after=86_400)
    assert [each.kind for each in stage.ear.alerts] == [AlertKind.PAUSED] * 2

    stage.world.annotate("services", "backend-service", PAUSED, None)
    await stage.tick()
    stage.world.annotate("services", "backend-service", PAUSED, "true")
    await stage.tick(after=86_400)
    await stage.tick(after=80_000)
    assert len(stage.ear.alerts) == 2, "it is another pause"


async def test_F61_a_switch_that_somebody_undoes_is_done_again_twice_and_then_left(stage: Stage) -> None:
    await stage.tick()
    for _ in range(10):
        stage.world.switch("green", services=("frontend-service",), manager="argocd-controller")
        await stage.tick()
    assert stage.world.active_colors() == {"backend-service": "blue", "frontend-service": "green"}
    assert stage.switches() == ["backend-service", *["frontend-service"] * 3]
    assert stage.replicas("green") == [3, 3]
    assert stage.ear.told(Event.DECISION)[-1] == "contested"
    assert "argocd-controller undid it" in stage.ear.alerts[-1].text
    assert stage.events("Contested") == ["frontend-service"]
    assert stage.events("RollbackHeld") == ["backend-service"]


async def test_F61_a_contested_rollback_ends_as_the_page_says(stage: Stage) -> None:
    await stage.tick()
    for _ in range(4):
        stage.world.switch("green", services=("frontend-service",), manager="argocd-controller")
        await stage.tick()
    services, mark = ("backend-service", "frontend-service"), "canary-watchdog/trip"
    assert f"annotate service {' '.join(services)} {mark}-' ends this rollback" in stage.ear.alerts[-1].text
    written = stage.switches()
    for service in services:
        stage.world.annotate("services", service, mark, None)
    await stage.tick_until(stage.finished)
    await stage.tick()
    assert stage.switches() == written
    assert f"somebody removed {mark} from its Services" in stage.ear.alerts[-1].text


async def test_F61_a_switch_that_is_refused_again_and_again_counts_once(stage: Stage) -> None:
    refused = Answer(status=403, body=b'{"kind":"Status","message":"may not"}', methods=frozenset({"PATCH"}))
    await stage.tick()
    for _ in range(MOST_DONE_AGAIN):
        stage.world.switch("green", services=("frontend-service",), manager="argocd-controller")
        await stage.world.kubernetes.fail(refused)
        for _ in range(5):
            await stage.tick()
        await stage.world.kubernetes.heal()
        await stage.tick()
        assert stage.colors() == {"blue"}


async def test_F61_services_that_are_put_back_one_after_the_other_are_one_revert(stage: Stage) -> None:
    await stage.tick()
    for times in (1, 2):
        for service in ("backend-service", "frontend-service"):
            stage.world.switch("green", services=(service,), manager="argocd-controller")
            await stage.tick()
        trip = stage.journal().trip
        assert trip is not None
        assert (trip.times_undone, stage.colors()) == (times, {"blue"})
        stage.now += 5


async def test_a_trip_that_is_undone_while_it_is_held_has_all_its_time_to_recover_afterwards(stage: Stage) -> None:
    await stage.tick_until(lambda: bool(stage.ear.told(Event.VERIFIED)))
    await stage.tick()
    trip = stage.journal().trip
    assert trip is not None
    assert trip.first_verified_at is not None
    stage.world.annotate("services", "backend-service", PAUSED, "true")
    stage.world.switch("green", manager="kubectl-edit")
    await stage.tick()
    trip = stage.journal().trip
    assert trip is not None
    assert trip.first_verified_at is None


def replace_services(stage: Stage, *services: str) -> None:
    """``kubectl replace``, Terraform, Argo CD's ``Replace=true``: Services as a file has them, without our marks."""
    for service in services:
        spec = {"selector": stage.world.selector_of(service, "green")}
        change = {"metadata": {"annotations": None}, "spec": spec}
        stage.world.patch("services", service, change, manager="kubectl-replace", whole=("selector",))


BOTH = ("backend-service", "frontend-service")


@pytest.mark.parametrize("services", [BOTH, BOTH[1:]], ids=["all of them", "one of them"])
async def test_F61_a_switch_that_is_undone_together_with_its_mark_is_done_again_twice(
    stage: Stage, services: tuple[str, ...]
) -> None:
    await stage.tick()
    for _ in range(10):
        replace_services(stage, *services)
        await stage.tick()
    assert {stage.world.active_colors()[each] for each in services} == {"green"}
    assert stage.switches().count("frontend-service") == 3
    assert stage.replicas("green") == [3, 3]
    assert any("kubectl-replace" in alert.text for alert in stage.ear.alerts), "people are told who it was"


async def test_F61_what_lost_its_mark_and_has_the_traffic_gets_its_pods_back(stage: Stage) -> None:
    await stage.tick_until(lambda: stage.replicas("green") == [0, 0])
    for _ in range(5):
        replace_services(stage, *BOTH)
        await stage.tick()
    assert (stage.colors(), stage.replicas("green")) == ({"green"}, [3, 3])


async def test_F63_a_newer_release_that_comes_without_our_mark_ends_the_rollback(stage: Stage) -> None:
    await stage.tick()
    stage.script.answers["green"] = WELL
    for deployment in ("backend-green", "frontend-green"):
        stage.world.deploy(deployment, "bank:mended")
    await stage.settled()
    replace_services(stage, *BOTH)
    await stage.tick()
    assert (stage.colors(), stage.switches()) == ({"green"}, list(BOTH))
    assert stage.journal().finished[-1].end is End.SUPERSEDED


async def test_F46_a_good_color_that_goes_with_a_revert_is_restored_and_the_rollback_goes_on(stage: Stage) -> None:
    await stage.tick_until(lambda: stage.replicas("green") == [0, 0])
    stage.now += 120  # ready_timeout is over
    for deployment in ("backend-blue", "frontend-blue"):
        stage.world.scale(deployment, 0)
    for deployment in ("backend-green", "frontend-green"):
        stage.world.scale(deployment, 3)
    stage.world.switch("green", manager="argocd-controller")
    stage.world.cluster.controllers.pod_ready_delay = 3600
    for _ in range(5):
        await stage.tick()
        await asyncio.sleep(0.02)
    assert stage.journal().trip is not None, "it has switched, and is not given up"
    assert stage.ear.told(Event.DECISION)[-1] == "good_not_ready"
    assert not any(alert.kind is AlertKind.GIVEN_UP for alert in stage.ear.alerts)


async def test_F61_a_switch_that_is_undone_once_is_done_again(stage: Stage) -> None:
    await stage.tick()
    stage.world.switch("green", services=("frontend-service",), manager="argocd-controller")
    await recover(stage)
    assert_rolled_back_once(stage)


async def test_a_recovery_that_does_not_come_ends_with_a_person(stage: Stage) -> None:
    await stage.tick_until(lambda: stage.colors() == {"blue"})
    stage.script.answers["blue"] = BAD
    await stage.tick_until(stage.finished, ticks=400)
    assert stage.events("NotRecovered") == ["backend-service", "frontend-service"]
    assert "A person has to look" in stage.ear.alerts[-1].text


@pytest.mark.parametrize("steps", range(6))
async def test_F43_a_new_process_at_any_point_finishes_what_was_begun(stage: Stage, steps: int) -> None:
    for _ in range(steps):
        await stage.tick(after=3)
        stage.script.answers["blue"] = WELL
        await asyncio.sleep(0.02)
    stage.raise_watch()
    await recover(stage)
    assert_rolled_back_once(stage)
    assert len({each.trip for each in stage.ear.transitions if each.trip}) == 1
    assert len(stage.switches()) == 2


@pytest.mark.parametrize("writes", range(15))
async def test_F40_whoever_comes_after_a_deposed_leader_goes_on_beside_it(stage: Stage, writes: int) -> None:
    """The old one is deposed right before any one of its writes, and does not know it: it ticks on."""

    async def tick() -> None:
        if stage.colors() == {"blue"}:
            stage.script.answers["blue"] = WELL
        await stage.tick()
        await asyncio.sleep(0.02)

    stage.raise_watch(writes=writes)
    while not stage.is_deposed and not stage.finished():
        await tick()
    old, seen = stage.watch, stage.world.active_colors()
    assert stage.is_deposed, "there is a write less than this"
    await old.tick()
    assert stage.world.active_colors() == seen, "it stops before its next write"
    stage.raise_watch()
    for _ in range(60):
        await tick()
        await old.tick()
        if stage.finished():
            break
    assert_rolled_back_once(stage)
    assert stage.switches() == ["backend-service", "frontend-service"]
    assert len({each.trip for each in stage.ear.transitions if each.event is Event.SELECTOR}) == 1


async def test_F44_an_old_trip_that_has_switched_nothing_is_decided_anew(stage: Stage) -> None:
    stage.raise_watch(writes=1)
    await stage.tick()
    begun = stage.journal().trip
    assert begun is not None
    assert stage.colors() == {"green"}, "it was journaled, and then its process died"

    stage.now += 61
    stage.script.answers["green"] = WELL
    stage.raise_watch()
    await stage.tick(after=0)
    assert (stage.journal().trip, stage.colors(), stage.switches()) == (None, {"green"}, [])
    assert "and nobody carried it on. Nothing was switched." in stage.ear.alerts[-1].text

    stage.script.answers["green"] = BAD
    await stage.tick(after=15)
    anew = stage.journal().trip
    assert anew is not None
    assert anew.id != begun.id
    stage.ear.transitions.clear()
    await recover(stage)
    assert_rolled_back_once(stage)


async def test_F44_a_trip_that_was_paused_before_its_first_switch_is_decided_anew(stage: Stage) -> None:
    stage.raise_watch(writes=1)
    await stage.tick()
    stage.world.annotate("services", "frontend-service", PAUSED, "true")
    stage.raise_watch()
    await stage.tick()
    stage.script.answers["green"] = WELL
    await stage.tick(after=3600)
    stage.world.annotate("services", "frontend-service", PAUSED, None)
    for _ in range(3):
        await stage.tick(after=15)
    assert (stage.journal().trip, stage.colors(), stage.switches()) == (None, {"green"}, [])


async def test_F72_a_rule_that_is_changed_meanwhile_changes_nothing_about_the_rollback(stage: Stage) -> None:
    await stage.tick()
    frozen = stage.journal().trip
    assert frozen is not None
    stage.raise_watch(rules=[RULE | {"threshold": {"max": 0.9}, "labels": {"team": "payments"}}])
    await recover(stage)
    assert_rolled_back_once(stage)
    assert replace(stage.journal().finished[-1].trip, first_verified_at=None) == frozen


async def test_F72_a_rule_that_is_gone_is_not_seen_to_be_well(stage: Stage) -> None:
    await stage.tick()
    stage.script.answers["blue"] = WELL
    stage.raise_watch(rules=[RULE | {"alert": "Latency"}])
    for _ in range(20):
        await stage.tick(after=30)
        await asyncio.sleep(0.02)
    assert (stage.colors(), stage.replicas("green")) == ({"blue"}, [0, 0])
    assert stage.events("NotRecovered") == ["backend-service", "frontend-service"]
    assert "ErrorRatio is 0.3" in stage.ear.alerts[-2].text, "people are told why, as it was decided"


FAULTS = [
    pytest.param(LoseReply(methods=frozenset({"PATCH"})), id="F33 the reply is lost after the commit"),
    pytest.param(Answer(status=500, methods=frozenset({"PATCH"})), id="F32 500"),
    pytest.param(
        Answer(status=200, body=b"<html>login</html>", content_type="text/html", methods=frozenset({"PATCH"})),
        id="F36 an HTML page that says 200",
    ),
    pytest.param(
        Answer(status=302, headers={"Location": "/version"}, methods=frozenset({"PATCH"})), id="F36 a redirect"
    ),
    pytest.param(
        Answer(status=403, body=b'{"kind":"Status","message":"no"}', methods=frozenset({"PATCH"})), id="F29 403"
    ),
    pytest.param(Refuse(), id="F37 the API server is gone"),
]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("at", ["the switch", "the scale-down"])
async def test_a_failing_api_server_delays_and_does_no_harm(stage: Stage, fault: Any, at: str) -> None:
    if at == "the scale-down":
        await stage.tick_until(lambda: stage.colors() == {"blue"})
        stage.script.answers["blue"] = WELL
    await stage.world.kubernetes.fail(fault)
    for _ in range(8):
        await stage.tick()
        await asyncio.sleep(0.02)
    await stage.world.kubernetes.heal()
    await recover(stage)
    assert_rolled_back_once(stage)
    assert len({each.trip for each in stage.ear.transitions if each.event is Event.SELECTOR}) == 1


async def test_F57_a_rollback_that_cannot_go_on_is_told_with_what_is_missing(stage: Stage) -> None:
    refused = Answer(status=403, body=b'{"kind":"Status","message":"may not"}', methods=frozenset({"PATCH"}))
    await stage.tick()
    await stage.world.kubernetes.fail(refused)
    for _ in range(70):
        await stage.tick()
    told = [alert for alert in stage.ear.alerts if "/stuck/" in alert.key]
    assert [alert.kind for alert in told] == [AlertKind.HELD]
    assert "may not" in told[0].text
    assert "backend-service selects blue, frontend-service selects blue" in told[0].text
    await stage.world.kubernetes.heal()
    await recover(stage)
    assert_rolled_back_once(stage)


async def test_F57_a_good_color_that_loses_its_pods_after_the_switch_is_told_and_nothing_is_scaled(
    stage: Stage,
) -> None:
    await stage.tick()
    assert stage.colors() == {"blue"}
    stage.world.set_ready("frontend-blue", ready=False)
    for _ in range(70):
        await stage.tick()
    told = [alert for alert in stage.ear.alerts if "/stuck/" in alert.key]
    assert len({alert.key for alert in told}) == 1
    assert "waiting for ready endpoints of blue only: frontend-service has none" in told[0].text
    assert stage.replicas("green") == [3, 3]
    stage.world.set_ready("frontend-blue", ready=True)
    await recover(stage)
    assert_rolled_back_once(stage)


async def test_F37_an_outage_of_the_api_server_stops_no_rule(stage: Stage) -> None:
    """What begins to fire meanwhile is told to people, and acted on as soon as the cluster is seen again."""
    rules = [RULE, RULE | {"alert": "Slow", "action": "alert"}]
    stage.raise_watch(rules=rules)
    stage.script.answers["green"] = WELL
    await stage.tick(after=15)
    await stage.world.kubernetes.fail(Refuse())
    stage.script.asked.clear()
    stage.script.answers["green"] = BAD
    await stage.tick(after=15)
    assert stage.script.asked == [("ErrorRatio", "green"), ("Slow", "green")]
    assert [(alert.kind, alert.text[:4]) for alert in stage.ear.alerts] == [(AlertKind.FIRING, "Slow")]
    for _ in range(61):
        await stage.tick()
    assert "No rollback has been possible since" in stage.ear.alerts[-1].text
    await stage.world.kubernetes.heal()
    stage.ear.alerts.clear()
    await stage.tick()
    assert stage.colors() == {"blue"}, "a second after the API server is back"


async def test_F37_what_was_seen_before_an_outage_is_no_evidence_of_now(stage: Stage) -> None:
    dead = {"prometheus": None, "kubernetes": {"count": "unready_pods"}, "threshold": {"max": 0}}
    stage.raise_watch(rules=[RULE | dead | {"for": "20s", "action": "alert"}])
    for deployment in ("backend-green", "frontend-green"):
        stage.world.scale(deployment, 0)
    await stage.settled()
    await stage.tick(after=15)
    await stage.world.kubernetes.fail(Refuse())
    for _ in range(3):
        await stage.tick(after=15)
    assert stage.ear.alerts == []
    await stage.world.kubernetes.heal()
    for _ in range(2):
        await stage.tick(after=15)
    assert [alert.kind for alert in stage.ear.alerts] == [AlertKind.FIRING]


async def test_F91_what_is_gone_is_told_although_nothing_fires(stage: Stage) -> None:
    stage.script.answers["green"] = WELL
    stage.world.cluster.delete(SERVICE, "banking-app", "frontend-service")
    for _ in range(6):
        await stage.tick(after=15)
    assert [alert.kind for alert in stage.ear.alerts] == [AlertKind.HELD]
    assert "No rollback has been possible since" in stage.ear.alerts[0].text
    assert "Service frontend-service does not exist" in stage.ear.alerts[0].text


async def test_F34_a_call_that_hangs_ends_the_tick_after_its_deadline(stage: Stage) -> None:
    await stage.world.kubernetes.fail(Hang(methods=frozenset({"PATCH"})))
    await stage.tick()
    assert "no answer within 3 s" in stage.ear.transitions[-1].sentence
    await stage.world.kubernetes.heal()
    await recover(stage)
    assert_rolled_back_once(stage)


async def test_F47_the_replicas_are_saved_before_they_are_gone(stage: Stage) -> None:
    await recover(stage)
    deployments = [each["metadata"] for each in stage.world.cluster.each(DEPLOYMENT, "banking-app")]
    saved = {each["name"]: each["annotations"].get(REPLICAS) for each in deployments}
    assert saved == {"backend-green": "3", "frontend-green": "3", "backend-blue": None, "frontend-blue": None}


BY_HAND = TrippedRule(alert="by hand", value=None, threshold="the release notes were wrong", since=NOW)


async def test_a_person_rolls_back_by_the_same_path(stage: Stage) -> None:
    stage.script.answers["green"] = WELL
    decision = await stage.watch.judge_by_hand(BY_HAND, overrides=frozenset())
    assert isinstance(decision, Rollback)
    stage.pace = 3.0
    ended = await stage.watch.roll_back_by_hand(decision.trip)
    assert ended is not None
    assert ended.end is End.UNMEASURED
    assert_rolled_back_once(stage, measured=False)


async def test_a_person_is_told_what_holds_and_may_override_some_of_it(stage: Stage) -> None:
    for deployment in ("backend-blue", "frontend-blue"):
        stage.world.annotate("deployments", deployment, KNOWN_GOOD, None)
    held = await stage.watch.judge_by_hand(BY_HAND, overrides=frozenset())
    assert isinstance(held, Hold)
    assert held.reason is Reason.NOT_KNOWN_GOOD
    overridden = await stage.watch.judge_by_hand(BY_HAND, overrides=frozenset({Reason.NOT_KNOWN_GOOD}))
    assert isinstance(overridden, Rollback)
    assert overridden.trip.overrides == ("not_known_good",)
    stage.world.annotate("services", "frontend-service", PAUSED, "true")
    everything = await stage.watch.judge_by_hand(BY_HAND, overrides=frozenset(Reason))
    assert isinstance(everything, Hold)
    assert everything.reason is Reason.PAUSED, "a pause of somebody else is not overridden"


async def test_S13_a_trip_is_undone_from_its_journal(stage: Stage) -> None:
    await recover(stage)
    assert stage.replicas("green") == [0, 0]
    undoing = frozenset({Reason.NOT_KNOWN_GOOD, Reason.COOLDOWN})
    decision = await stage.watch.judge_by_hand(BY_HAND, overrides=undoing, undoes="banking-app-1")
    assert isinstance(decision, Rollback)
    stage.pace = 3.0
    assert await stage.watch.roll_back_by_hand(decision.trip) is not None
    assert stage.colors() == {"green"}
    assert (stage.replicas("green"), stage.replicas("blue")) == ([3, 3], [3, 3])


async def test_F63_S3_a_release_that_comes_back_after_the_end_is_not_rolled_back_again(stage: Stage) -> None:
    await recover(stage)
    written = stage.switches()
    for deployment in ("backend-green", "frontend-green"):
        stage.world.scale(deployment, 3)
    await asyncio.sleep(0.05)
    stage.world.switch("green", manager="argocd-controller")
    stage.script.answers["blue"] = IDLE
    for _ in range(3):
        stage.raise_watch()
        await stage.tick(after=900)
        await stage.tick(after=15)
    assert (stage.colors(), stage.switches()) == ({"green"}, written)
    assert stage.ear.told(Event.DECISION)[-1] == "rolled_back_before"
    assert "argocd-controller gave it the traffic again" in stage.ear.alerts[-1].text
    overrides = frozenset({Reason.ROLLED_BACK_BEFORE})
    by_hand = await stage.watch.judge_by_hand(BY_HAND, overrides=overrides)
    assert isinstance(by_hand, Rollback)
    assert by_hand.trip.overrides == ("rolled_back_before",)


async def test_S3_what_an_undo_has_left_is_returned_to_from_the_next_release(stage: Stage) -> None:
    await recover(stage)
    decision = await stage.watch.judge_by_hand(
        BY_HAND, overrides=frozenset({Reason.NOT_KNOWN_GOOD, Reason.COOLDOWN}), undoes="banking-app-1"
    )
    assert isinstance(decision, Rollback)
    stage.script.answers |= {"green": WELL, "blue": IDLE}
    stage.pace = 3.0
    await stage.watch.roll_back_by_hand(decision.trip)
    stage.pace = 0.0
    for deployment in ("backend-green", "frontend-green"):
        stage.world.deploy(deployment, "bank:worse")
    await asyncio.sleep(0.05)
    await stage.tick(after=900)
    stage.script.answers["green"] = BAD
    await stage.tick_until(lambda: stage.colors() == {"blue"})


async def test_a_running_watchdog_takes_up_what_a_person_began(stage: Stage) -> None:
    stage.script.answers["green"] = WELL
    await stage.tick()
    daemon = stage.watch
    stage.raise_watch()
    decision = await stage.watch.judge_by_hand(BY_HAND, overrides=frozenset())
    assert isinstance(decision, Rollback)
    stage.watch, hand = daemon, asyncio.create_task(stage.watch.roll_back_by_hand(decision.trip))
    stage.pace = 3.0
    while not hand.done():
        await stage.watch.tick()
        await asyncio.sleep(0.1)
    assert_rolled_back_once(stage, measured=False)
