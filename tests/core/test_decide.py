"""The guards of a rollback, each alone and in their order."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.core.making import NOW, TRIPPED, rule, status, target, trip
from watchdog.core.annotations import IRREVERSIBLE, REPLICAS, TRIP
from watchdog.core.contest import left_without_pods
from watchdog.core.decide import NEW_TRIP, OPEN_TRIP, decide
from watchdog.core.decision import Decision, Hold, Reason, Rollback, Situation
from watchdog.core.journal import Ending, Journal, Stay, adopt, close_trip, open_trip
from watchdog.core.model import End, FinishedTrip, Selected, ServiceStatus, TargetStatus
from watchdog.core.plan import plan
from watchdog.core.rules.language import Target
from watchdog.core.steps import Stage


def deciding(within: Target, seen: TargetStatus, **fields: Any) -> Decision:
    """A decision about a target of which one rule fires on fresh evidence."""
    journal = fields.pop("journal", None) or known(within, seen)
    defaults: dict[str, Any] = {"tripped": (TRIPPED,), "other_breaches": (), "now": NOW, "dry_run": False}
    return decide(Situation(target=within, status=seen, journal=journal, **defaults | fields))


def known(within: Target, seen: TargetStatus) -> Journal:
    """A journal that has seen blue, and then green, both well; with what the objects testify."""
    stays = tuple(
        Stay(color=color, release=seen.release(color), since=NOW - age, ending=ending)
        for color, age, ending in (("blue", 7200, Ending.LEFT_WELL), ("green", 600, Ending.LASTS))
    )
    return adopt(Journal(target=within.target, stays=stays), seen)


def reason(decision: Decision) -> Reason | None:
    return decision.reason if isinstance(decision, Hold) else None


def last_trip(*, seconds_ago: float) -> FinishedTrip:
    return FinishedTrip(trip=trip(), finished_at=NOW - seconds_ago, end=End.RECOVERED)


def test_a_firing_rule_and_no_guard_roll_back() -> None:
    decision = deciding(target(), status(target()))
    assert isinstance(decision, Rollback)
    assert (decision.trip.bad, decision.trip.good) == ("green", "blue")
    assert decision.trip.rules == (TRIPPED,)
    assert decision.trip.id == "banking-app-20270115t080000z"
    assert "ErrorRatio is 0.3, healthy is at most 0.05" in decision.sentence


def test_pods_that_are_still_ready_and_about_to_go_do_not_count() -> None:
    """The good color was scaled to 0 a moment ago, and its pods are not gone yet."""
    within = target(rollback={"restore_good": False})
    seen = status(within, deployment_fields={"blue": {"replicas": 0}})
    assert reason(deciding(within, seen)) is Reason.GOOD_NOT_READY


HOLDS: list[Any] = [
    pytest.param(lambda t: (status(t), {"tripped": ()}), Reason.NOTHING_FIRING, id="nothing fires on fresh evidence"),
    pytest.param(lambda t: (status(t, unreadable="broken"), {}), Reason.UNREADABLE, id="a record cannot be read"),
    pytest.param(lambda t: (status(t, paused="somebody paused"), {}), Reason.PAUSED, id="paused"),
    pytest.param(lambda t: (status(t), {"dry_run": True}), Reason.DRY_RUN, id="the whole watchdog runs dry"),
    pytest.param(
        lambda t: (status(t, deployment_fields={"green": {"annotations": {IRREVERSIBLE: "migration 42"}}}), {}),
        Reason.IRREVERSIBLE,
        id="the bad color cannot be left by a switch",
    ),
    pytest.param(lambda t: (status(t, ("blue", "green")), {}), Reason.SERVICES_DISAGREE, id="the Services disagree"),
    pytest.param(
        lambda t: (status(t, service_fields={"selector": {"app": "frontend"}}), {}),
        Reason.SERVICES_DISAGREE,
        id="a selector names neither color",
    ),
    pytest.param(
        lambda t: (status(t), {"other_breaches": ("ErrorRatio",)}), Reason.OTHER_COLOR_BREACHES, id="F49 a shared cause"
    ),
    pytest.param(lambda t: (status(t, last_trip=last_trip(seconds_ago=1799)), {}), Reason.COOLDOWN, id="F50 cooldown"),
    pytest.param(lambda t: (status(t, ready={"blue": 0}), {}), Reason.GOOD_NOT_READY, id="F46 good has no ready pods"),
    pytest.param(
        lambda t: (status(t, ready={"blue": 2}), {}), Reason.GOOD_NOT_READY, id="F48 good is smaller than 80 % of bad"
    ),
    pytest.param(
        lambda t: (status(t, service_fields={"foreign": 1}), {}), Reason.GOOD_NOT_READY, id="F54 pods of somebody else"
    ),
]


@pytest.mark.parametrize(("make", "expected"), HOLDS)
def test_holds(make: Callable[[Target], tuple[TargetStatus, dict[str, Any]]], expected: Reason) -> None:
    within = target()
    seen, fields = make(within)
    decision = deciding(within, seen, **fields)
    assert reason(decision) is expected
    assert isinstance(decision, Hold)
    assert decision.serious is (expected is not Reason.NOTHING_FIRING)
    assert decision.sentence


IN_THE_FILE = "mode is dry-run in the rule file"
FOR_ALL = "this watchdog runs with WATCHDOG_DRY_RUN or --dry-run, whatever the rule files say"


@pytest.mark.parametrize(
    ("mode", "dry_run", "why"),
    [
        pytest.param("dry-run", False, IN_THE_FILE, id="the rule file says so"),
        pytest.param("enforce", True, FOR_ALL, id="the watchdog was started so"),
        pytest.param("dry-run", True, f"{IN_THE_FILE}, and {FOR_ALL}", id="both, and to mend one is not enough"),
    ],
)
def test_a_dry_run_says_who_wants_it(mode: str, why: str, *, dry_run: bool) -> None:
    decision = deciding(target(mode=mode), status(target()), dry_run=dry_run)
    assert reason(decision) is Reason.DRY_RUN
    assert decision.sentence == f"{why}; would have rolled back from green to blue"


def test_a_cooldown_says_after_what_and_how_long_it_lasts() -> None:
    decision = deciding(target(), status(target(), last_trip=last_trip(seconds_ago=276.7)))
    assert decision.sentence == (
        "the rollback banking-app-1 to blue ended at 2027-01-15T07:55:23.300Z; the cooldown ends in 25m24s"
    )


@pytest.mark.parametrize(
    ("switched_at", "said"),
    [
        pytest.param(NOW - 3601, "green became active more than 1h ago, outside rollback_window", id="too long ago"),
        pytest.param(
            None,
            "nobody knows when green became active (the managedFields of backend, frontend do not say): it may be "
            "outside rollback_window, 1h",
            id="nobody knows",
        ),
    ],
)
def test_what_is_outside_the_window_and_what_is_not_known_are_told_apart(switched_at: float | None, said: str) -> None:
    within = target(rollback={"rollback_window": "1h"})
    decision = deciding(within, status(within, service_fields={"switched_at": switched_at}))
    assert (reason(decision), decision.sentence) == (Reason.OUTSIDE_WINDOW, said)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(lambda t: status(t, last_trip=last_trip(seconds_ago=1800)), None, id="cooldown has just passed"),
        pytest.param(lambda t: status(t, ready={"blue": 3, "green": 3}), None, id="as many ready as the bad color"),
        pytest.param(lambda t: status(t, ready={"blue": 1, "green": 0}), None, id="a dead bad color never holds back"),
        pytest.param(lambda t: status(t, ready={"blue": 8, "green": 10}), None, id="F48 exactly 80 %"),
        pytest.param(
            lambda t: status(t, ready={"blue": 7, "green": 10}, deployment_fields={"blue": {"replicas": 10}}),
            Reason.GOOD_NOT_READY,
            id="F48 a pod short of 80 %",
        ),
    ],
)
def test_edges(seen: Callable[[Target], TargetStatus], expected: Reason | None) -> None:
    within = target()
    assert reason(deciding(within, seen(within))) is expected


@pytest.mark.parametrize(
    ("switched_at", "expected"),
    [
        pytest.param(NOW - 3600, None, id="exactly the window"),
        pytest.param(NOW - 3601, Reason.OUTSIDE_WINDOW, id="a second later"),
        pytest.param(None, Reason.OUTSIDE_WINDOW, id="nobody knows when it was switched"),
    ],
)
def test_rollback_window(switched_at: float | None, expected: Reason | None) -> None:
    within = target(rollback={"rollback_window": "1h"})
    seen = status(within, service_fields={"switched_at": switched_at})
    assert reason(deciding(within, seen)) is expected


@pytest.mark.parametrize(
    ("others", "fleet", "expected"),
    [
        pytest.param(0, 1, None, id="alone"),
        pytest.param(1, 2, Reason.STORM, id="one of two is enough"),
        pytest.param(0, 2, None, id="the first of two"),
        pytest.param(2, 10, None, id="the third of ten"),
        pytest.param(3, 10, Reason.STORM, id="30 % of ten"),
    ],
)
def test_F51_a_storm_holds(others: int, fleet: int, expected: Reason | None) -> None:
    within = target()
    decision = deciding(within, status(within), others_tripped=others, fleet_size=fleet)
    assert reason(decision) is expected


def test_the_first_guard_that_applies_wins() -> None:
    """Each row takes one trouble away, from the first in order to the last."""
    within = target()
    troubles: dict[str, Any] = {
        "unreadable": "broken",
        "paused": "paused",
        "last_trip": last_trip(seconds_ago=10),
        "ready": {"blue": 0},
    }
    order = []
    for trouble in ("unreadable", "paused", "last_trip", "ready"):
        order.append(reason(deciding(within, status(within, **troubles))))
        del troubles[trouble]
    assert order == [Reason.UNREADABLE, Reason.PAUSED, Reason.COOLDOWN, Reason.GOOD_NOT_READY]
    assert reason(deciding(within, status(within))) is None


def test_the_order_of_the_guards_is_the_designs() -> None:
    assert [guard.__name__ for guard in NEW_TRIP] == [
        "unreadable",
        "foreign",
        "services_disagree",
        "nothing_firing",
        "paused",
        "dry_run",
        "irreversible",
        "outside_window",
        "rolled_back_before",
        "not_known_good",
        "other_color_breaches",
        "cooldown",
        "storm",
        "good_not_ready",
        "given_up_before",
    ]
    assert [guard.__name__ for guard in OPEN_TRIP] == [
        "unreadable",
        "foreign",
        "paused",
        "dry_run",
        "outdated",
        "altered",
        "contested",
        "good_has_changed",
        "good_is_hopeless",
    ]


def known_again(within: Target, seen: TargetStatus, *, release: str = "") -> Journal:
    """Blue, then green, which was rolled back; blue, and green again."""
    before = known(within, seen)
    left = trip(id="banking-app-0", release=release or seen.release("green"), started_at=NOW - 9000)
    journal = close_trip(
        open_trip(replace(before, stays=before.stays[:1]), left),
        FinishedTrip(trip=left, finished_at=NOW - 8000, end=End.RECOVERED),
    )
    stays = (
        before.stays[0],
        Stay(color="green", release=left.release, since=NOW - 9900, ending=Ending.ROLLED_BACK),
        replace(before.stays[0], since=NOW - 8900),
        replace(before.stays[1], by="argocd-controller"),
    )
    return replace(journal, stays=stays)


def test_S3_a_release_that_was_rolled_back_before_is_left_to_people() -> None:
    within, seen = target(), status(target())
    held = deciding(within, seen, journal=known_again(within, seen))
    assert isinstance(held, Hold)
    assert (held.reason, held.serious) == (Reason.ROLLED_BACK_BEFORE, True)
    assert "green was rolled back before (banking-app-0, 2027-01-15T05:30:00.000Z)" in held.sentence
    assert "argocd-controller gave it the traffic again" in held.sentence
    assert "watchdog rollback banking-app --even-if rolled_back_before" in held.sentence


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"overrides": frozenset({Reason.ROLLED_BACK_BEFORE})}, id="a person knows better"),
        pytest.param({"undoes": "banking-app-1"}, id="a person undoes an undo"),
    ],
)
def test_S3_people_may_leave_a_release_again(fields: dict[str, Any]) -> None:
    within, seen = target(), status(target())
    found = deciding(within, seen, journal=known_again(within, seen), **fields)
    assert isinstance(found, Rollback)


def test_S3_other_pods_are_another_release() -> None:
    within, seen = target(), status(target())
    assert reason(deciding(within, seen, journal=known_again(within, seen, release="green:older@1"))) is None


def test_F53_selectors_that_would_lose_pods_say_which_key_is_missing() -> None:
    """The bug that this tool exists to prevent: {app: frontend-blue, color: green} selects nothing."""
    within = target()
    seen = status(within)
    lost = {"blue": Selected(selector={"app": "frontend-green", "color": "blue"}, ready=0, foreign=0)}
    services = tuple(_with_selection(each, lost) for each in seen.services)
    decision = deciding(within, TargetStatus(services=services, deployments=seen.deployments))
    assert reason(decision) is Reason.GOOD_NOT_READY
    assert isinstance(decision, Hold)
    assert "name every selector key that differs by color" in decision.sentence


def _with_selection(service: ServiceStatus, lost: dict[str, Selected]) -> ServiceStatus:
    return replace(service, would_select=dict(service.would_select) | lost)


@pytest.mark.parametrize(
    ("is_outdated", "services", "expected"),
    [
        pytest.param(True, ("backend", "frontend", "search"), Reason.OUTDATED, id="F71 older rules lack a Service"),
        pytest.param(True, ("backend", "frontend"), None, id="the same Services"),
        pytest.param(False, ("backend", "frontend", "search"), None, id="a Service that was taken away since"),
    ],
)
def test_a_rollback_that_newer_rules_have_begun(
    *, is_outdated: bool, services: tuple[str, ...], expected: Reason | None
) -> None:
    within = target()
    begun = trip(selectors={name: {"color": "green"} for name in services})
    seen = status(within, ("blue", "green"), trip=begun)
    assert reason(deciding(within, seen, tripped=(), is_outdated=is_outdated)) is expected


OPEN = {TRIP: "{}"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, None, id="goes on with nothing firing"),
        pytest.param({"paused": "paused"}, Reason.PAUSED, id="F76 paused half-way"),
        pytest.param({"unreadable": "broken"}, Reason.UNREADABLE, id="a record cannot be read"),
        pytest.param({"last_trip": last_trip(seconds_ago=1)}, None, id="cooldown does not stop what was begun"),
        pytest.param({"ready": {"blue": 0}}, Reason.GOOD_NOT_READY, id="good died before the second switch"),
    ],
)
def test_an_open_trip(fields: dict[str, Any], expected: Reason | None) -> None:
    within = target()
    seen = status(within, ("blue", "green"), trip=trip(), **fields)
    decision = deciding(within, seen, tripped=())
    assert reason(decision) is expected
    if isinstance(decision, Hold):
        assert decision.serious
    else:
        assert decision.trip == trip()


def test_F61_a_switch_undone_by_somebody_else_is_contested() -> None:
    within = target()
    seen = status(within, ("green", "green"), trip=trip(times_undone=3), service_fields={"annotations": OPEN})
    decision = deciding(within, seen, tripped=())
    assert reason(decision) is Reason.CONTESTED
    assert isinstance(decision, Hold)
    assert f"'kubectl -n banking-app annotate service backend frontend {TRIP}-' ends" in decision.sentence


def test_F61_a_contested_rollback_without_marks_ends_though_the_good_color_is_not_ready() -> None:
    within = target()
    begun = trip(times_undone=3, switched=("backend", "frontend"))
    seen = status(within, ready={"blue": 0})
    journal = replace(known(within, seen), trip=begun)
    assert reason(deciding(within, seen, tripped=(), journal=journal)) is None
    assert plan(within, begun, seen, verified_since=None, well=False, now=NOW).stage is Stage.SUPERSEDED


@pytest.mark.parametrize("times_undone", [0, 1, 2])
def test_F61_a_switch_undone_by_somebody_else_is_done_again_twice(times_undone: int) -> None:
    within = target()
    seen = status(within, trip=trip(times_undone=times_undone), service_fields={"annotations": OPEN})
    assert reason(deciding(within, seen, tripped=())) is None


@pytest.mark.parametrize(
    ("manager", "cure"),
    [("argocd-controller", "RespectIgnoreDifferences=true"), ("kustomize-controller", "reconcile=disabled")],
)
def test_F61_who_undid_it_is_named_with_the_cure(manager: str, cure: str) -> None:
    within = target()
    fields = {"annotations": OPEN, "selector_manager": manager}
    decision = deciding(within, status(within, trip=trip(times_undone=3), service_fields=fields), tripped=())
    assert isinstance(decision, Hold)
    assert f"{manager} undid it" in decision.sentence
    assert cure in decision.sentence


@pytest.mark.parametrize(
    ("manager", "goes_on"),
    [
        pytest.param("kustomize-controller", True, id="by Flux"),
        pytest.param("argocd-controller", False, id="by another than Flux"),
    ],
)
def test_F62_what_flux_undid_is_done_again_when_flux_leaves_it_alone(manager: str, *, goes_on: bool) -> None:
    within = target()
    fields = {"annotations": OPEN, "selector_manager": manager, "flux_off": True}
    decision = deciding(within, status(within, trip=trip(times_undone=3), service_fields=fields), tripped=())
    assert reason(decision) is (None if goes_on else Reason.CONTESTED)


STAYS = {
    "never seen": ((), "has never been seen active"),
    "left firing": ((("blue", Ending.LEFT_FIRING),), "was firing on blue when it was left"),
    "rolled back itself": ((("blue", Ending.ROLLED_BACK),), "was itself rolled back"),
    "left well": ((("blue", Ending.LEFT_WELL),), ""),
    "left firing, and well the next time": ((("blue", Ending.LEFT_FIRING), ("blue", Ending.LEFT_WELL)), ""),
}


@pytest.mark.parametrize("case", STAYS)
def test_F50_known_good(case: str) -> None:
    within = target()
    seen = status(within)
    stays, why = STAYS[case]
    journal = Journal(
        target=within.target,
        stays=tuple(Stay(color=color, release=seen.release(color), since=0, ending=ending) for color, ending in stays),
    )
    decision = deciding(within, seen, journal=journal)
    assert reason(decision) is (Reason.NOT_KNOWN_GOOD if why else None)
    assert why in decision.sentence


def test_F47_a_new_image_on_the_idle_color_makes_it_untested() -> None:
    within = target()
    journal = known(within, status(within))
    pushed = status(within, deployment_fields={"blue": {"revision": "2"}})
    decision = deciding(within, pushed, journal=journal)
    assert reason(decision) is Reason.NOT_KNOWN_GOOD
    assert "it is untested" in decision.sentence
    vouching = "annotate --overwrite deployment backend-blue frontend-blue canary-watchdog/known-good=2"
    assert vouching in decision.sentence, "with the number: what stood there before was said of another revision"


def test_F47_deployments_at_different_revisions_are_vouched_for_one_by_one() -> None:
    within = target()
    seen = status(within)
    behind = replace(seen.deployments["frontend", "blue"], revision="7")
    seen = replace(seen, deployments={**seen.deployments, ("frontend", "blue"): behind})
    decision = deciding(within, seen, journal=Journal(target=within.target))
    assert "deployment backend-blue canary-watchdog/known-good=1 && kubectl" in decision.sentence
    assert "deployment frontend-blue canary-watchdog/known-good=7" in decision.sentence


def test_F50_nobody_is_told_to_vouch_for_what_was_itself_rolled_back() -> None:
    """It would change nothing."""
    within = target()
    seen = status(within)
    stay = Stay(color="blue", release=seen.release("blue"), since=0, ending=Ending.ROLLED_BACK)
    decision = deciding(within, seen, journal=Journal(target=within.target, stays=(stay,)))
    assert "vouch" not in decision.sentence
    assert "watchdog rollback banking-app --even-if not_known_good" in decision.sentence


def test_an_open_trip_goes_on_when_good_shrinks_after_the_switch() -> None:
    within = target()
    seen = status(within, ("blue", "blue"), trip=trip(), ready={"blue": 0}, service_fields={"annotations": OPEN})
    assert reason(deciding(within, seen, tripped=())) is None


def test_rules_of_the_other_kind_are_no_reason() -> None:
    within = target(rules=[rule(action="alert")])
    assert reason(deciding(within, status(within), tripped=())) is Reason.NOTHING_FIRING


SMALL = {"ready": {"blue": 0}, "deployment_fields": {"blue": {"replicas": 0, "scaled_by": "argocd-controller"}}}


def given_up(seen: TargetStatus, *, seconds_ago: float = 60, **fields: Any) -> FinishedTrip:
    releases = {"release": seen.release("green"), "good_release": seen.release("blue"), "unready": True}
    return FinishedTrip(trip=trip(**releases | fields), finished_at=NOW - seconds_ago, end=End.GIVEN_UP)


@pytest.mark.parametrize(
    ("fields", "ended", "expected"),
    [
        pytest.param(SMALL, {}, Reason.GIVEN_UP, id="F61 a moment ago, and still too small"),
        pytest.param({}, {}, None, id="it is ready now"),
        pytest.param(SMALL, {"seconds_ago": 1800}, None, id="the cooldown has passed"),
        pytest.param(SMALL, {"unready": False}, None, id="it was given up for something else"),
        pytest.param(SMALL, {"release": "green:before@1"}, None, id="of another bad release"),
        pytest.param(SMALL, {"good_release": "blue:before@1"}, None, id="to another good release"),
    ],
)
def test_F67_what_was_given_up_for_want_of_ready_pods_is_not_tried_in_a_loop(
    fields: dict[str, Any], ended: dict[str, Any], expected: Reason | None
) -> None:
    within = target()
    seen = status(within, **fields)
    journal = replace(known(within, seen), finished=(given_up(seen, **ended),))
    decision = deciding(within, seen, journal=journal)
    assert reason(decision) is expected
    if isinstance(decision, Hold):
        assert decision.serious
        assert "argocd-controller scaled it last" in decision.sentence
        assert "in 1740 s" in decision.sentence
        assert "kubectl -n banking-app scale deployment backend-blue --replicas=3" in decision.sentence
        assert "watchdog rollback banking-app --even-if given_up" in decision.sentence
    by_hand = deciding(within, seen, journal=journal, overrides=frozenset({Reason.GIVEN_UP}))
    assert isinstance(by_hand, Rollback)


def test_a_trip_says_of_which_releases_it_was_decided() -> None:
    within = target()
    seen = status(within)
    decision = deciding(within, seen)
    assert isinstance(decision, Rollback)
    assert (decision.trip.release, decision.trip.good_release) == (seen.release("green"), seen.release("blue"))


@pytest.mark.parametrize(
    ("colors", "fields", "expected"),
    [
        pytest.param(("blue", "green"), {}, Reason.NOT_KNOWN_GOOD, id="F28 half switched"),
        pytest.param(("green",) * 2, {"annotations": OPEN}, Reason.NOT_KNOWN_GOOD, id="F28 all of it undone"),
        pytest.param(("blue", "blue"), {}, None, id="all of it switched"),
        pytest.param(("green",) * 2, {}, None, id="nothing switched: the plan gives it up"),
    ],
)
def test_F28_the_rest_is_not_switched_to_another_release_than_the_decided_one(
    colors: tuple[str, ...], fields: dict[str, Any], expected: Reason | None
) -> None:
    within = target()
    seen = status(within, colors, service_fields=fields)
    journal = replace(known(within, seen), trip=trip(good_release="blue:before@1"), stays=())
    decision = deciding(within, seen, tripped=(), journal=journal)
    assert reason(decision) is expected
    if isinstance(decision, Hold):
        assert "watchdog trust banking-app" in decision.sentence
    vouched = replace(journal, vouched={"blue": seen.release("blue")})
    assert reason(deciding(within, seen, tripped=(), journal=vouched)) is None, "until a person vouches for it"


def test_F28_a_color_without_pods_gets_them_back_when_nothing_may_be_switched_to_the_other_one() -> None:
    within = target()
    parked = {"green": {"replicas": 0, "annotations": {REPLICAS: "3"}}}
    seen = status(within, service_fields={"annotations": OPEN}, deployment_fields=parked, ready={"green": 0})
    held = left_without_pods(seen, trip(good_release="blue:before@1"))
    assert [each.name for each in held] == ["backend-green", "frontend-green"]
    assert left_without_pods(seen, trip(good_release=seen.release("blue"))) == (), "it is switched again"
