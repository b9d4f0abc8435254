"""The plan of a rollback: what comes next, and the laws that hold whatever interrupts it."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.making import NOW, deployment, service, status, target, trip
from watchdog.core.annotations import REPLICAS, TRIP
from watchdog.core.contest import MOST_DONE_AGAIN
from watchdog.core.decide import decide
from watchdog.core.decision import Hold, Situation
from watchdog.core.journal import Journal
from watchdog.core.messages import finished
from watchdog.core.model import BY_HAND, End, TargetStatus, TrippedRule
from watchdog.core.objectevents import progress_events
from watchdog.core.others import HPA, Autoscaler, Others
from watchdog.core.plan import is_verified, plan
from watchdog.core.rules.language import Target
from watchdog.core.steps import CloseTrip, Plan, RestoreGood, ResumeFlux, ScaleDown, Stage, Step, SwitchSelector

OPEN = {TRIP: "{}"}
NAMES = ("backend", "frontend")


def planning(within: Target, seen: TargetStatus, **fields: Any) -> Plan:
    now = fields.get("now", NOW)
    defaults: dict[str, Any] = {"verified_since": NOW - 60, "well": True, "now": NOW, "planned_at": now}
    return plan(within, trip(), seen, **defaults | fields)


def names(found: Plan) -> list[str]:
    return [
        step.service.name if isinstance(step, SwitchSelector | CloseTrip) else step.deployment.name
        for step in found.steps
        if not isinstance(step, ResumeFlux)
    ]


def test_F57_every_service_is_switched_in_the_order_of_the_file() -> None:
    found = planning(target(), status(target()), verified_since=None)
    assert found.stage is Stage.SWITCHING
    assert names(found) == ["backend", "frontend"]
    assert all(isinstance(step, SwitchSelector) for step in found.steps)


def test_F53_F54_the_whole_selector_is_replaced_and_keeps_its_keys() -> None:
    found = planning(target(), status(target()))
    step = found.steps[0]
    assert isinstance(step, SwitchSelector)
    assert step.service.selector == {"app": "backend", "color": "green"}
    assert step.to_selector == {"app": "backend", "color": "blue"}


def test_F52_what_is_switched_already_is_left_alone() -> None:
    assert names(planning(target(), status(target(), ("blue", "green")))) == ["frontend"]


@pytest.mark.parametrize(
    ("seen", "fields", "stage"),
    [
        pytest.param({}, {"verified_since": None}, Stage.VERIFYING, id="switched, not verified"),
        pytest.param({}, {"verified_since": NOW - 29.9}, Stage.DRAINING, id="F65 a moment short of scale_down_delay"),
        pytest.param({}, {"verified_since": NOW - 30}, Stage.SCALING_DOWN, id="F65 scale_down_delay has passed"),
        pytest.param(
            {"deployment_fields": {"green": {"replicas": 0}}}, {"well": False}, Stage.RECOVERING, id="not yet well"
        ),
        pytest.param({"deployment_fields": {"green": {"replicas": 0}}}, {}, Stage.FINISHED, id="scaled down and well"),
        pytest.param(
            {"deployment_fields": {"green": {"replicas": 0}}},
            {"well": False, "verified_since": NOW - 330},
            Stage.FINISHED,
            id="recovery took too long: people take over",
        ),
    ],
)
def test_stages(seen: dict[str, Any], fields: dict[str, Any], stage: Stage) -> None:
    within = target()
    switched = status(within, ("blue", "blue"), trip=trip(), service_fields={"annotations": OPEN}, **seen)
    found = planning(within, switched, **fields)
    assert found.stage is stage
    if stage is Stage.SCALING_DOWN:
        assert names(found) == ["backend-green", "frontend-green"]
    if stage is Stage.FINISHED:
        assert found.end is (End.RECOVERED if fields.get("well", True) else End.NOT_RECOVERED)
        assert names(found) == ["backend", "frontend"]
    if stage in (Stage.VERIFYING, Stage.DRAINING, Stage.RECOVERING):
        assert found.steps == ()


HOPE = 30 + 300.0
BY_HANDS = (TrippedRule(alert=BY_HAND, value=None, threshold="the release notes were wrong", since=NOW),)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param(
            {}, "rolled back to blue, as asked by hand; no rule measured whether the service recovered", id="a rollback"
        ),
        pytest.param(
            {"undoes": "banking-app-0"},
            "gave the traffic back to blue, as asked by hand; no rule measured whether the service recovered",
            id="an undo",
        ),
    ],
)
@pytest.mark.parametrize("well", [True, False])
def test_nobody_says_of_a_trip_by_hand_that_it_recovered(fields: dict[str, Any], said: str, *, well: bool) -> None:
    within, begun = target(), trip(rules=BY_HANDS, **fields)
    left = {"green": {"replicas": 0}}
    seen = status(within, ("blue", "blue"), trip=begun, service_fields={"annotations": OPEN}, deployment_fields=left)
    found = plan(within, begun, seen, verified_since=NOW - 30, well=well, now=NOW)
    assert (found.end, found.sentence) == (End.UNMEASURED, said)
    assert [event.reason for event in progress_events(begun, seen, found)] == ["RolledBack", "RolledBack"]
    assert "person has to look" not in finished(within, begun, seen, found, now=NOW).text


def test_F50_a_trip_by_hand_to_pods_that_are_gone_is_told_as_such() -> None:
    within, begun = target(), trip(rules=BY_HANDS, first_verified_at=NOW - HOPE)
    found = plan(within, begun, status(within, ("blue", "blue")), verified_since=None, well=False, now=NOW)
    assert found.end is End.NOT_RECOVERED
    assert "not recovered; blue has not kept its ready endpoints" in found.sentence


def test_F66_a_deployment_that_serves_another_service_keeps_running() -> None:
    within = target()
    seen = status(within, ("blue", "blue"), trip=trip(), borrowers={"backend-green": ("reports",)})
    found = planning(within, seen)
    assert names(found) == ["frontend-green"]


def test_a_deployment_that_two_services_share_is_scaled_once() -> None:
    shared = [{"name": name, "deployment": "app-{{ color }}"} for name in ("backend", "frontend")]
    within = target(services=shared)
    found = planning(within, status(within, ("blue", "blue"), trip=trip()))
    assert names(found) == ["app-green"]


@pytest.mark.parametrize(
    ("colors", "seen", "planned_at", "age", "stage"),
    [
        pytest.param(("green",) * 2, {}, None, 60, Stage.SWITCHING, id="another process left it a minute ago"),
        pytest.param(("green",) * 2, {}, None, 61, Stage.GIVEN_UP, id="F44 another process left it longer ago"),
        pytest.param(("green",) * 2, {}, NOW + 240, 300, Stage.SWITCHING, id="it is this one's, and it is at it"),
        pytest.param(("green",) * 2, {}, NOW + 239, 300, Stage.GIVEN_UP, id="F44 it is this one's, and was held up"),
        pytest.param(("blue", "green"), {}, None, 3600, Stage.SWITCHING, id="half a switch is never void"),
        pytest.param(
            ("green",) * 2, {"annotations": OPEN}, None, 3600, Stage.SWITCHING, id="nor is one that somebody undid"
        ),
    ],
)
def test_an_old_trip_that_has_switched_nothing_is_void(
    colors: tuple[str, ...], seen: dict[str, Any], planned_at: float | None, age: float, stage: Stage
) -> None:
    within = target()
    found = planning(within, status(within, colors, service_fields=seen), planned_at=planned_at, now=NOW + age)
    assert (found.stage, found.end) == (stage, End.GIVEN_UP if stage is Stage.GIVEN_UP else None)


def test_F43_a_contested_trip_that_was_won_and_whose_marks_are_closed_was_not_withdrawn() -> None:
    """Its process died before the journal said so too."""
    within = target()
    seen = status(within, ("blue", "blue"), deployment_fields={"green": {"replicas": 0}})
    found = plan(within, trip(times_undone=3), seen, verified_since=NOW - 60, well=True, now=NOW)
    assert (found.stage, found.end) == (Stage.FINISHED, End.RECOVERED)


SMALL = {"ready": {"blue": 1, "green": 10}}


@pytest.mark.parametrize(
    ("colors", "fields", "age", "stage", "steps"),
    [
        pytest.param(("green",) * 2, {}, 0, Stage.RESTORING, ["backend-blue 8", "frontend-blue 8"], id="F48 too small"),
        pytest.param(
            ("green",) * 2,
            {"blue": {"replicas": 0, "annotations": {REPLICAS: "12"}}},
            0,
            Stage.RESTORING,
            ["backend-blue 12", "frontend-blue 12"],
            id="F47 at zero, with what it had before",
        ),
        pytest.param(
            ("green",) * 2, {"blue": {"replicas": 8}}, 120, Stage.RESTORING, [], id="its pods are on their way"
        ),
        pytest.param(("green",) * 2, {"blue": {"replicas": 8}}, 121, Stage.GIVEN_UP, [], id="F67 they do not come"),
        pytest.param(
            ("blue", "green"), {"blue": {"replicas": 8}}, 121, Stage.RESTORING, [], id="half a switch is not given up"
        ),
    ],
)
def test_a_good_color_that_is_too_small_is_restored_first(
    colors: tuple[str, ...], fields: dict[str, Any], age: float, stage: Stage, steps: list[str]
) -> None:
    within = target()
    seen = status(within, colors, deployment_fields=fields, **SMALL)
    found = planning(within, seen, verified_since=None, now=NOW + age)
    assert found.stage is stage
    assert [f"{step.deployment.name} {step.replicas}" for step in found.steps if isinstance(step, RestoreGood)] == steps
    assert len(found.steps) == len(steps)


GOOD_RELEASE = status(target()).release("blue")


@pytest.mark.parametrize(
    ("colors", "good_release", "stage"),
    [
        pytest.param(("green",) * 2, GOOD_RELEASE, Stage.SWITCHING, id="the release that was decided on"),
        pytest.param(("green",) * 2, "blue:another@1", Stage.GIVEN_UP, id="F47 it was deployed anew meanwhile"),
        pytest.param(("green",) * 2, "", Stage.SWITCHING, id="F88 an older program's journal does not say"),
        pytest.param(("blue",) * 2, "blue:another@1", Stage.FINISHED, id="it has all the traffic already"),
    ],
)
def test_F28_only_the_release_that_was_decided_on_gets_the_traffic(
    colors: tuple[str, ...], good_release: str, stage: Stage
) -> None:
    within = target()
    seen = status(within, colors, deployment_fields={"green": {"replicas": 0}})
    begun = trip(good_release=good_release)
    found = plan(within, begun, seen, verified_since=NOW - 60, well=True, now=NOW, planned_at=NOW)
    assert found.stage is stage
    if stage is Stage.GIVEN_UP:
        assert "blue has changed since it was decided" in found.sentence


def test_F61_a_good_color_that_somebody_scales_down_again_is_given_up_in_time() -> None:
    within = target()
    seen = status(within, deployment_fields={"blue": {"replicas": 0, "ready": 0}}, ready={"blue": 0})
    others = Others(restored_again=dict.fromkeys(("backend-blue", "frontend-blue"), MOST_DONE_AGAIN))
    assert planning(within, seen, verified_since=None, now=NOW + 120, others=others).stage is Stage.RESTORING
    found = planning(within, seen, verified_since=None, now=NOW + 121, others=others)
    assert (found.stage, found.steps, found.unready) == (Stage.GIVEN_UP, (), True)
    assert "backend-blue has 0 ready pods of 0, 3 are needed" in found.sentence


def test_F29_a_good_color_that_the_api_server_did_not_let_grow_is_made_ready_when_it_does() -> None:
    within = target()
    seen = status(within, deployment_fields={"blue": {"replicas": 0, "ready": 0}}, ready={"blue": 0})
    found = planning(within, seen, verified_since=None, now=NOW + 3600)
    assert [type(step) for step in found.steps] == [RestoreGood, RestoreGood]


@pytest.mark.parametrize(
    ("times", "steps"),
    [pytest.param(1, 2, id="once"), pytest.param(2, 1, id="F61 twice: backend-blue is left to whoever does it")],
)
def test_F61_a_good_color_that_is_scaled_down_again_is_restored_twice_more(times: int, steps: int) -> None:
    within = target()
    fields = {"replicas": 0, "ready": 0, "scaled_by": "argocd-controller"}
    seen = status(within, deployment_fields={"blue": fields}, ready={"blue": 0})
    others = Others(restored_again={"backend-blue": times})
    assert len(planning(within, seen, verified_since=None, others=others).steps) == steps
    everything = Others(restored_again={"backend-blue": times, "frontend-blue": times})
    late = planning(within, seen, verified_since=None, others=everything, now=NOW + 121)
    assert ("argocd-controller scales backend-blue down again and again" in late.sentence) is (times == 2)


@pytest.mark.parametrize(
    ("most", "said"),
    [
        pytest.param(
            8, "frontend-blue has 7 ready pods of 8, 8 are needed", id="F60 all that is needed, and not ready"
        ),
        pytest.param(7, "raise its maximum", id="F60 less than is needed"),
    ],
)
def test_F60_more_than_the_floor_is_not_asked_of_an_autoscaler(most: int, said: str) -> None:
    within = target()
    saved = {"replicas": most, "annotations": {REPLICAS: "12"}}
    seen = status(within, ("blue", "green"), ready={"blue": 7, "green": 10}, deployment_fields={"blue": saved})
    scaler = (Autoscaler(kind=HPA, name="a", deployment=f"{name}-blue", least=1, most=most) for name in NAMES)
    found = planning(within, seen, verified_since=None, others=Others(autoscalers=tuple(scaler)))
    assert (found.stage, found.steps) == (Stage.RESTORING, ())
    assert said in found.sentence
    assert ("raise its maximum" in found.sentence) is (most == 7)


@pytest.mark.parametrize(
    ("first", "since", "down", "stage"),
    [
        pytest.param(HOPE - 1, None, 3, Stage.VERIFYING, id="a second short of the end of all hope"),
        pytest.param(HOPE, None, 3, Stage.FINISHED, id="F50 it flaps, and is down again"),
        pytest.param(HOPE, 10, 3, Stage.DRAINING, id="it flaps, and is up again: it gets its chance"),
        pytest.param(HOPE, 30, 3, Stage.SCALING_DOWN, id="it flaps, and has been up for the delay"),
        pytest.param(HOPE, 60, 0, Stage.FINISHED, id="a new process does not wait all over again"),
        pytest.param(HOPE, 59, 0, Stage.RECOVERING, id="but until it can have seen the rules in a slot"),
        pytest.param(HOPE - 1, 60, 0, Stage.RECOVERING, id="nor does it give up early"),
        pytest.param(None, HOPE, 0, Stage.FINISHED, id="F88 an older program's journal does not say"),
    ],
)
def test_a_recovery_is_waited_for_from_the_first_moment_on_that_the_good_color_was_there(
    first: float | None, since: float | None, down: int, stage: Stage
) -> None:
    within = target()
    seen = status(within, ("blue", "blue"), deployment_fields={"green": {"replicas": down}})
    begun = trip(first_verified_at=None if first is None else NOW - first)
    verified = None if since is None else NOW - since
    found = plan(within, begun, seen, verified_since=verified, well=False, now=NOW)
    assert (found.stage, found.end) == (stage, End.NOT_RECOVERED if stage is Stage.FINISHED else None)
    if stage is Stage.FINISHED and down:
        assert "blue has not kept its ready endpoints: what runs of green is left running" in found.sentence


@pytest.mark.parametrize(
    ("endpoints", "verified"),
    [
        pytest.param({"blue": 3, "green": 0, "": 0}, True, id="good only"),
        pytest.param({"blue": 1, "green": 1, "": 0}, False, id="bad is still there"),
        pytest.param({"blue": 3, "green": 0, "": 1}, False, id="a pod of nobody"),
        pytest.param({"blue": 0, "green": 0, "": 0}, False, id="none at all"),
    ],
)
def test_verified_on_the_endpoint_slices(endpoints: dict[str, int], *, verified: bool) -> None:
    within = target()
    seen = status(within, ("blue", "blue"), service_fields={"endpoints": endpoints})
    assert is_verified(trip(), seen) is verified


# Laws. A cluster of values does the steps; anything may stop after any of them, and people do what they like.


class Cluster:
    """Does the steps as an API server would, and asserts after each what must hold always."""

    def __init__(self, within: Target) -> None:
        self.within = within
        self.colors = ["green", "green"]
        self.ready = {"blue": 3, "green": 3}
        self.replicas = {each.deployment_of(color): 3 for each in within.services for color in ("blue", "green")}
        self.saved: set[str] = set()
        self.opened = [False, False]
        self.paused = False
        self.dry_run = False
        self.writes: list[Step] = []

    def suffer(self, trouble: str) -> None:
        """What happens to it from outside."""
        match trouble:
            case "pause" | "resume":
                self.paused = trouble == "pause"
            case "dry run" | "enforce":
                self.dry_run = trouble == "dry run"
            case "good is scaled to 1":
                self.replicas |= {"backend-blue": 1, "frontend-blue": 1}
            case "good dies" | "good shrinks" | "good lives":
                self.ready["blue"] = {"good dies": 0, "good shrinks": 1, "good lives": 3}[trouble]
            case _:
                pass

    def serving(self, app: str, color: str) -> int:
        """The pods of a Deployment that are ready and stay."""
        return min(self.ready[color], self.replicas[f"{app}-{color}"])

    def observe(self) -> TargetStatus:
        services = tuple(
            service(
                declared,
                color,
                {each: self.serving(declared.name, each) for each in ("blue", "green")},
                within=self.within,
                annotations=OPEN if opened else {},
            )
            for declared, color, opened in zip(self.within.services, self.colors, self.opened, strict=True)
        )
        deployments = {
            (declared.name, color): deployment(
                declared.deployment_of(color),
                ready=self.serving(declared.name, color),
                replicas=self.replicas[declared.deployment_of(color)],
                annotations={REPLICAS: "3"} if declared.deployment_of(color) in self.saved else {},
            )
            for declared in self.within.services
            for color in ("blue", "green")
        }
        return TargetStatus(
            services=services,
            deployments=deployments,
            paused="paused" if self.paused else "",
            trip=trip() if any(self.opened) else None,
        )

    def do(self, step: Step) -> None:
        assert not self.paused
        assert not self.dry_run
        self.writes.append(step)
        match step:
            case RestoreGood(deployment=restored, replicas=replicas):
                assert restored.name.endswith("blue"), "only the good color is scaled up"
                assert replicas > self.replicas[restored.name]
                self.replicas[restored.name] = replicas
            case SwitchSelector(service=switched, to_selector=selector):
                assert selector.keys() == switched.selector.keys()
                assert selector["color"] in self.within.colors
                floor = max(1, math.ceil(self.within.rollback.min_ready * self.serving(switched.name, "green")))
                assert self.serving(switched.name, "blue") >= floor, "a Service would select too few"
                index = [each.name for each in self.within.services].index(switched.name)
                self.colors[index], self.opened[index] = "blue", True
            case ScaleDown(deployment=scaled):
                assert scaled.name.endswith("green"), "only the bad color is scaled down"
                assert self.colors == ["blue", "blue"], "only after every Service is switched"
                assert self.ready["blue"] > 0
                self.saved.add(scaled.name)
                self.replicas[scaled.name] = 0
            case CloseTrip(service=closed):
                index = [each.name for each in self.within.services].index(closed.name)
                self.opened[index] = False
            case ResumeFlux():
                pytest.fail("nobody has switched Flux off")


def tick(cluster: Cluster, *, now: float, stop_after: int, tripped: bool, verified_since: float | None) -> bool:
    """One tick that is killed after some writes; True when the trip is at its end."""
    seen = cluster.observe()
    decision = decide(
        Situation(
            target=cluster.within,
            status=seen,
            journal=Journal(target="banking-app", trip=seen.trip, vouched={"blue": seen.release("blue")}),
            tripped=trip().rules if tripped else (),
            other_breaches=(),
            now=now,
            dry_run=cluster.dry_run,
        )
    )
    if isinstance(decision, Hold):
        return False
    found = plan(cluster.within, trip(), seen, verified_since=verified_since, well=True, now=now)
    for step in found.steps[:stop_after]:
        cluster.do(step)
    return found.stage is Stage.FINISHED and stop_after >= len(found.steps)


TROUBLES = [
    "",
    "pause",
    "resume",
    "dry run",
    "enforce",
    "good dies",
    "good shrinks",
    "good is scaled to 1",
    "good lives",
]
INTERRUPTIONS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(TROUBLES)), max_size=12)


@given(INTERRUPTIONS)
def test_F43_stopped_after_any_step_the_next_ticks_still_finish(interruptions: list[tuple[int, str]]) -> None:
    cluster, now = Cluster(target()), NOW
    for stop_after, trouble in interruptions:
        cluster.suffer(trouble)
        verified = is_verified(trip(), cluster.observe())
        tick(cluster, now=now, stop_after=stop_after, tripped=True, verified_since=now - 60 if verified else None)
        now += 1
    for end in ("resume", "enforce", "good lives"):
        cluster.suffer(end)
    switches = [step for step in cluster.writes if isinstance(step, SwitchSelector)]
    begun = any(cluster.opened) or not switches
    for _ in range(6):
        verified = is_verified(trip(), cluster.observe())
        if tick(cluster, now=now, stop_after=9, tripped=begun, verified_since=now - 60 if verified else None):
            break
        now += 1
    assert cluster.colors == ["blue", "blue"]
    assert cluster.opened == [False, False]
    assert [cluster.replicas[name] for name in ("backend-green", "frontend-green")] == [0, 0]
    assert sum(isinstance(step, SwitchSelector) for step in cluster.writes) == 2, "each Service is switched once"


@given(st.data())
def test_without_a_tripped_rule_nothing_is_ever_written(data: st.DataObject) -> None:
    cluster = Cluster(target())
    cluster.colors = data.draw(st.sampled_from([["green", "green"], ["blue", "blue"], ["blue", "green"]]))
    cluster.ready = data.draw(st.fixed_dictionaries({"blue": st.integers(0, 3), "green": st.integers(0, 3)}))
    tick(cluster, now=NOW, stop_after=9, tripped=False, verified_since=None)
    assert cluster.writes == []


def test_a_finished_rollback_plans_nothing() -> None:
    within = target()
    seen = status(within, ("blue", "blue"), deployment_fields={"green": {"replicas": 0}})
    assert planning(within, seen).steps == ()
