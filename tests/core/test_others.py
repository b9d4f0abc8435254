"""The other writers around a rollback: what is left to them, and what people are told of them."""

from dataclasses import replace
from typing import Any

import pytest

from tests.core.making import NOW, TRIPPED, deployment, status, target, trip
from watchdog.core import advice, messages
from watchdog.core.annotations import TRIP
from watchdog.core.contest import is_superseded
from watchdog.core.decide import decide
from watchdog.core.decision import Rollback, Situation
from watchdog.core.journal import Ending, Journal, Stay, last_left
from watchdog.core.model import End, FinishedTrip, TargetStatus
from watchdog.core.others import HPA, KEDA, NOBODY, Autoscaler, Budget, Others, size_to_restore, why_kept
from watchdog.core.plan import plan
from watchdog.core.steps import Stage

OPEN = {TRIP: "{}"}
GREEN = deployment("backend-green", scaled_by="argocd-controller")
BLUE = deployment("backend-blue", replicas=1, labels={"app": "backend-blue", "color": "blue"})


def scaler(**fields: Any) -> Others:
    defaults: dict[str, Any] = {"kind": HPA, "name": "a", "deployment": "backend-green", "least": 1, "most": 10}
    return Others(autoscalers=(Autoscaler(**defaults | fields),))


@pytest.mark.parametrize(
    ("others", "why"),
    [
        pytest.param(NOBODY, "", id="nobody"),
        pytest.param(scaler(), "", id="F59 an HPA is off at 0"),
        pytest.param(scaler(kind=KEDA), "the ScaledObject a would scale it up again", id="F59 KEDA"),
        pytest.param(scaler(kind=KEDA, held_at=2), "the ScaledObject a would scale it up again", id="F59 held at 2"),
        pytest.param(scaler(kind=KEDA, idle=True), "", id="F59 KEDA is paused"),
        pytest.param(scaler(kind=KEDA, deployment="other"), "", id="KEDA scales something else"),
        pytest.param(Others(scaled_down={"backend-green": 2}), "", id="F61 scaled up again twice"),
        pytest.param(
            Others(scaled_down={"backend-green": 3}),
            "argocd-controller scales it up again and again",
            id="F61 scaled up again three times",
        ),
    ],
)
def test_what_is_not_scaled_to_0(others: Others, why: str) -> None:
    assert why_kept(trip(), status(target()), GREEN, others) == why


@pytest.mark.parametrize(
    ("fields", "size", "told"),
    [
        pytest.param({"least": 1}, 4, "", id="less than is needed"),
        pytest.param({"least": 6}, 6, "", id="F60 its minimum is larger"),
        pytest.param({"wants": 7}, 7, "", id="F60 it wants more"),
        pytest.param({"wants": 7, "most": 5}, 5, "", id="never above its maximum"),
        pytest.param({"most": 3}, 3, "the HorizontalPodAutoscaler a keeps", id="F60 its maximum is too small"),
        pytest.param({"kind": KEDA, "held_at": 0}, 0, "paused-replicas from it", id="F60 KEDA is to keep it at 0"),
        pytest.param({"kind": KEDA, "held_at": 5, "least": 9}, 4, "", id="held where it is enough"),
    ],
)
def test_F60_how_large_a_good_deployment_is_made(fields: dict[str, Any], size: int, told: str) -> None:
    replicas, sentence = size_to_restore(scaler(deployment="backend-blue", **fields), BLUE, 4)
    assert replicas == size
    assert (told in sentence) if told else (sentence == "")


def test_F59_F65_people_are_told_of_the_bad_color() -> None:
    within, seen = target(), status(target(), deployment_fields={"green": {"grace": 120.0}})
    others = Others(
        autoscalers=(
            *scaler(name="cpu").autoscalers,
            *scaler(kind=KEDA, name="queue", deployment="frontend-green").autoscalers,
        ),
        unseen=("scaledobjects could not be looked at: 403",),
    )
    told = "\n".join(text for _, text in advice.notes(within, trip(), seen, others))
    assert "the HorizontalPodAutoscaler cpu scales backend-green; at 0 replicas it is switched off" in told
    assert "the ScaledObject queue scales frontend-green and would scale it up from 0" in told
    assert "a pod of backend-green may take 2m to end" in told
    assert "scale_down_delay is 30s" in told
    assert "could not be looked at" in told
    ((_, command),) = advice.commands(within, trip(), seen, others)
    assert command == "kubectl -n banking-app annotate scaledobject queue autoscaling.keda.sh/paused-replicas=0"
    undo = trip(undoes="banking-app-0")
    assert advice.notes(within, undo, seen, replace(others, unseen=())) == advice.commands(within, undo, seen, others)


def test_F65_a_pod_that_ends_within_the_delay_is_no_news() -> None:
    assert advice.notes(target(), trip(), status(target()), NOBODY) == ()


@pytest.mark.parametrize(
    ("healthy", "color", "told"),
    [
        pytest.param(2, "blue", True, id="F64 the good color's is violated"),
        pytest.param(3, "blue", False, id="F64 the good color's is met"),
        pytest.param(0, "green", False, id="F64 the bad color's is violated"),
    ],
)
def test_F64_only_the_good_color_s_budget_is_told(healthy: int, color: str, told: bool) -> None:  # noqa: FBT001 - of the table
    seen = status(target(), deployment_fields={each: {"labels": {"color": each}} for each in ("blue", "green")})
    others = Others(budgets=(Budget(name="b", selector={"color": color}, healthy=healthy, needed=3),))
    assert bool(advice.notes(target(), trip(), seen, others)) is told


# F63: intent, or a revert


def seen_after_a_switch(*, revision: str, green_replicas: int = 3) -> TargetStatus:
    """Backend was switched, and frontend too, but somebody gave frontend's traffic to green again."""
    fields = {"revision": revision, "replicas": green_replicas, "ready": green_replicas}
    return status(
        target(), ("blue", "green"), deployment_fields={"green": fields}, service_fields={"annotations": OPEN}
    )


BEGUN = trip(release=status(target()).release("green"))


def test_F63_the_same_release_that_comes_back_is_a_revert_and_another_one_is_intent() -> None:
    assert not is_superseded(seen_after_a_switch(revision="1"), BEGUN)
    assert is_superseded(seen_after_a_switch(revision="2"), BEGUN)
    assert not is_superseded(seen_after_a_switch(revision="2"), trip()), "nobody knows what was left"


def test_F63_intent_ends_the_rollback_and_is_not_contested() -> None:
    seen = seen_after_a_switch(revision="2")
    begun = replace(BEGUN, times_undone=3)
    decision = decide(
        Situation(
            target=target(),
            status=seen,
            journal=Journal(target="banking-app", trip=begun),
            tripped=(),
            other_breaches=(),
            now=NOW,
            dry_run=False,
        )
    )
    assert isinstance(decision, Rollback)
    found = plan(target(), begun, seen, verified_since=None, well=False, now=NOW)
    assert found.stage is Stage.SUPERSEDED
    assert len(found.steps) == 2


def test_F63_new_pods_of_the_bad_color_are_not_scaled_down() -> None:
    fields = {"green": {"revision": "2"}}
    seen = status(target(), ("blue", "blue"), deployment_fields=fields, service_fields={"annotations": OPEN})
    found = plan(target(), BEGUN, seen, verified_since=NOW - 60, well=True, now=NOW)
    assert found.stage is Stage.FINISHED
    assert "backend-green keeps running, green has changed since the rollback began" in found.sentence


LEFT = FinishedTrip(trip=BEGUN, finished_at=NOW, end=End.RECOVERED)
ROLLED_BACK = (
    Stay(color="green", release=BEGUN.release, since=NOW - 900, ending=Ending.ROLLED_BACK),
    Stay(color="blue", release="blue:1", since=NOW - 60),
)


def after(before: Journal, color: str) -> Journal:
    """Somebody switches, a minute after the rollback."""
    return replace(before, stays=(*before.stays, Stay(color=color, release="r", since=NOW + 60, by="helm")))


@pytest.mark.parametrize(
    ("before", "color", "told"),
    [
        pytest.param({}, "green", True, id="F63 to the color that was left"),
        pytest.param({}, "blue", False, id="to new pods of the color that was returned to"),
        pytest.param({"finished": ()}, "green", False, id="no rollback before it"),
        pytest.param({"trip": trip()}, "green", False, id="in the middle of a rollback"),
        pytest.param(
            {"finished": (replace(LEFT, end=End.SUPERSEDED),)}, "green", False, id="told as superseded already"
        ),
        pytest.param(
            {"finished": (replace(LEFT, trip=replace(BEGUN, undoes="x")),)},
            "green",
            False,
            id="it was an undo",
        ),
    ],
)
def test_F63_which_switch_is_told(before: dict[str, Any], color: str, told: bool) -> None:  # noqa: FBT001 - of the table
    fields: dict[str, Any] = {"target": "banking-app", "stays": ROLLED_BACK, "finished": (LEFT,)} | before
    journal = Journal(**fields)
    assert (last_left(journal, after(journal, color)) is not None) is told
    assert last_left(journal, journal) is None


def test_F63_it_is_told_once_after_a_rollback() -> None:
    journal = Journal(target="banking-app", stays=ROLLED_BACK, finished=(LEFT,))
    once = after(journal, "green")
    assert last_left(after(once, "blue"), after(after(once, "blue"), "green")) is None


@pytest.mark.parametrize(
    ("by", "ready", "said"),
    [
        pytest.param("helm", 3, "helm switched to green again", id="a person"),
        pytest.param("kustomize-controller", 3, "If nobody meant it: kustomize-controller undid it.", id="F61 Flux"),
        pytest.param("helm", 0, "no ready pods of green", id="to a color without pods"),
    ],
)
def test_F63_what_is_told_of_a_switch_forward(by: str, ready: int, said: str) -> None:
    seen = status(target(), ready={"green": ready}, service_fields={"selector_manager": by})
    stay = Stay(color="green", release=BEGUN.release, since=NOW + 60, by=by)
    alert = messages.forward(target(), LEFT, stay, seen, now=NOW + 60)
    assert said in alert.text
    assert "it is the release that was rolled back" in alert.text
    assert ("kustomize" in alert.text) is (by == "kustomize-controller")


@pytest.mark.parametrize(
    ("release", "said"),
    [
        pytest.param(BEGUN.release, "watchdog rollback banking-app --even-if rolled_back_before", id="the same"),
        pytest.param("green:other@2", "after the cooldown, ", id="a newer one"),
    ],
)
def test_F63_a_switch_forward_says_what_becomes_of_the_release(release: str, said: str) -> None:
    stay = Stay(color="green", release=release, since=NOW + 60, by="helm")
    alert = messages.forward(target(), LEFT, stay, status(target()), now=NOW + 60)
    assert said in alert.text


def test_F63_a_switch_forward_from_a_color_that_fails_is_one_message() -> None:
    seen = status(target())
    stay = Stay(color="green", release=BEGUN.release, since=NOW + 60, by="helm")
    alert = messages.forward(target(), LEFT, stay, seen, (TRIPPED,), now=NOW + 60)
    assert "blue was failing when it was left: ErrorRatio is 0.3, healthy is at most 0.05 (since" in alert.text
    assert alert.rules == (TRIPPED,)
