"""When Flux is switched off beside a rollback, and when it goes on."""

from typing import Any

import pytest

from tests.core.making import NOW, status, target, trip
from watchdog.core import messages
from watchdog.core.annotations import FLUX_PAUSED, FLUX_RECONCILE, REPLICAS, TRIP, is_flux_off
from watchdog.core.decision import Hold, Reason
from watchdog.core.flux import pause_command, resume_command, resuming
from watchdog.core.model import TargetStatus, Trip
from watchdog.core.plan import plan
from watchdog.core.rules.language import Target
from watchdog.core.steps import Plan, RestoreGood, ResumeFlux, ScaleDown, Stage, SwitchSelector

PAUSE = target(rollback={"gitops": {"flux": "pause"}})
MARKED = {FLUX_PAUSED: "banking-app-1"}
SWITCHED = ("blue", "blue")
SMALL = {"blue": {"replicas": 0, "ready": 0}}


def planned(within: Target, seen: TargetStatus, going: Trip | None = None, *, now: float = NOW) -> Plan:
    return plan(within, going or trip(), seen, verified_since=NOW - 60, well=True, now=now)


def pauses(found: Plan) -> list[bool]:
    assert found.steps
    return [step.pause_flux for step in found.steps if isinstance(step, RestoreGood | SwitchSelector | ScaleDown)]


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param({"colors": ("green", "green")}, id="the switch"),
        pytest.param({"colors": SWITCHED}, id="the scale-down"),
        pytest.param({"ready": {"blue": 0}, "deployment_fields": SMALL}, id="the scale-up"),
    ],
)
def test_F62_every_write_that_flux_would_undo_switches_it_off_when_the_file_says_so(seen: dict[str, Any]) -> None:
    assert pauses(planned(PAUSE, status(PAUSE, **seen))) == [True, True]
    assert pauses(planned(target(), status(target(), **seen))) == [False, False]


def test_F62_an_undo_goes_the_way_of_git_and_switches_nothing_off() -> None:
    undo = trip(undoes="banking-app-0")
    assert pauses(planned(PAUSE, status(PAUSE), undo)) == [False, False]
    assert pauses(planned(PAUSE, status(PAUSE, ready={"blue": 0}, deployment_fields=SMALL), undo)) == [False, False]


def test_F62_what_is_off_already_is_not_marked_as_ours() -> None:
    off = status(PAUSE, service_fields={"flux_off": True})
    assert pauses(planned(PAUSE, off)) == [False, False]


def test_F62_an_undo_gives_back_what_is_marked_and_nothing_else() -> None:
    undo = trip(id="banking-app-2", undoes="banking-app-1", bad="blue", good="green")
    marks = {"blue": {}, "green": {"annotations": MARKED | {REPLICAS: "3"}, "flux_off": True}}
    seen = status(target(), ("green", "green"), deployment_fields=marks, service_fields={"annotations": {TRIP: "{}"}})
    found = planned(target(), seen, undo)
    assert found.stage is Stage.FINISHED
    names = [step.owned.name for step in found.steps if isinstance(step, ResumeFlux)]
    assert names == ["backend-green", "frontend-green"]


def test_F62_a_rollback_that_ends_leaves_flux_off() -> None:
    scaled = {"replicas": 0, "ready": 0, "annotations": MARKED, "flux_off": True}
    seen = status(PAUSE, SWITCHED, ready={"green": 0}, deployment_fields={"green": scaled})
    found = planned(PAUSE, seen)
    assert (found.stage, found.steps) == (Stage.FINISHED, ())


@pytest.mark.parametrize(
    ("mark", "given_back"),
    [
        pytest.param("banking-app-1", ["backend-blue", "frontend-blue"], id="its own"),
        pytest.param("banking-app-0", [], id="an earlier one's"),
    ],
)
def test_F62_one_that_is_given_up_gives_back_what_it_had_switched_off(mark: str, given_back: list[str]) -> None:
    waiting = {"replicas": 3, "annotations": {FLUX_PAUSED: mark}, "flux_off": True}
    seen = status(PAUSE, ready={"blue": 0}, deployment_fields={"blue": waiting})
    found = planned(PAUSE, seen, now=NOW + 121)
    assert found.stage is Stage.GIVEN_UP
    assert [step.owned.name for step in found.steps if isinstance(step, ResumeFlux)] == given_back


def test_F62_only_what_is_there_is_removed() -> None:
    seen = status(PAUSE, service_fields={"annotations": MARKED, "flux_off": True})
    assert resuming(seen.services[0]) == (FLUX_RECONCILE, FLUX_PAUSED)
    assert resuming(status(PAUSE, service_fields={"annotations": MARKED}).services[0]) == (FLUX_PAUSED,)
    assert resuming(status(PAUSE, service_fields={"flux_off": True}).services[0]) == ()


def test_F62_people_are_told_how_flux_goes_on() -> None:
    seen = status(PAUSE, service_fields={"annotations": MARKED}, deployment_fields={"green": {"annotations": MARKED}})
    ((does, command),) = resume_command(PAUSE, seen)
    names = "service/backend service/frontend deployment/backend-green deployment/frontend-green"
    assert does == "let Flux go on"
    assert command == f"kubectl -n banking-app annotate {names} {FLUX_RECONCILE}- {FLUX_PAUSED}-"
    assert resume_command(PAUSE, status(PAUSE)) == ()


def test_F62_what_a_trip_that_is_left_to_another_installation_has_paused_is_told() -> None:
    """Nothing is written there any more, and Flux might take the pods away on which the other one's traffic rests."""
    paused, others = {FLUX_PAUSED: trip().id}, {FLUX_PAUSED: "another-1"}
    seen = status(PAUSE, deployment_fields={"blue": {"annotations": paused}, "green": {"annotations": others}})
    hold = Hold(reason=Reason.FOREIGN, sentence="another watchdog acts")
    commands = dict(messages.held(PAUSE, hold, seen, trip(), (), now=NOW).commands)
    assert "deployment/backend-blue deployment/frontend-blue kustomize" in commands["let Flux go on"]
    assert "green" not in commands["let Flux go on"]


def test_F62_people_are_told_how_flux_leaves_alone_what_a_rollback_writes() -> None:
    """With our mark, so that an undo gives it back; what somebody else has switched off is not ours."""
    seen = status(target(), deployment_fields={"blue": {"flux_off": True}})
    names = "service/backend service/frontend deployment/backend-green deployment/frontend-green"
    marks = f"{FLUX_RECONCILE}=disabled {FLUX_PAUSED}=banking-app-1"
    command = f"kubectl -n banking-app annotate --overwrite {names} {marks}"
    assert pause_command(target(), trip(), seen) == command


@pytest.mark.parametrize(("value", "off"), [("disabled", True), ("Disabled", True), ("disabled ", False), ("", False)])
def test_F62_only_one_word_switches_flux_off(value: str, off: bool) -> None:  # noqa: FBT001 - of the table
    assert is_flux_off({FLUX_RECONCILE: value}) is off
