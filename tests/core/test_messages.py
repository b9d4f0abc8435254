"""What people are told, word for word where the words were once wrong."""

from typing import Any

import pytest

from tests.core.making import NOW, rule, status, target, trip
from watchdog.core import messages
from watchdog.core.alert import Alert, AlertKind
from watchdog.core.model import BY_HAND, End, Measurement, RuleState, Trip, TrippedRule, Trouble
from watchdog.core.others import NOBODY
from watchdog.core.steps import Plan, Stage

WITHIN = target()
SINCE = "2027-01-15T07:59:00.000Z"
WHY = f"ErrorRatio is 0.3, healthy is at most 0.05 (since {SINCE})."
HAND = TrippedRule(alert=BY_HAND, value=None, threshold="the release notes were wrong", since=NOW - 60)
UNDO = trip(rules=(HAND,), undoes="banking-app-0")
STATE = RuleState(alert="ErrorRatio", key="k", blind_since=NOW - 60, reason="no answer within 5 s")


def given_up(of: Trip) -> Alert:
    lost = Plan(stage=Stage.GIVEN_UP, steps=(), sentence="green has changed since it was decided", end=End.GIVEN_UP)
    return messages.given_up(WITHIN, of, lost, now=NOW)


def switched(of: Trip) -> Alert:
    return messages.switched(WITHIN, of, status(WITHIN, ("blue", "blue")), NOBODY, now=NOW)


def stuck(of: Trip | None, **fields: Any) -> Alert:
    seen = fields.pop("seen", None)
    return messages.stuck(WITHIN, of, seen, error="no answer within 3 s", since=NOW - 60, now=NOW)


@pytest.mark.parametrize(
    ("alert", "kind", "text"),
    [
        pytest.param(
            given_up(trip()),
            AlertKind.GIVEN_UP,
            f"Gave up rolling banking-app back: green has changed since it was decided. Nothing was switched. {WHY}",
            id="a rollback is given up",
        ),
        pytest.param(
            given_up(UNDO),
            AlertKind.GIVEN_UP,
            "Gave up giving the traffic of banking-app back: green has changed since it was decided. Nothing was "
            f"switched. by hand: the release notes were wrong (at {SINCE}).",
            id="an undo is given up",
        ),
        pytest.param(
            switched(trip()),
            AlertKind.SWITCHED,
            f"Rolled banking-app back from green to blue: backend, frontend switched. {WHY}",
            id="a rollback has switched",
        ),
        pytest.param(
            switched(UNDO),
            AlertKind.SWITCHED,
            "Gave the traffic of banking-app back from green to blue: backend, frontend switched. by hand: the release "
            f"notes were wrong (at {SINCE}).",
            id="an undo has switched",
        ),
        pytest.param(
            stuck(trip(), seen=status(WITHIN, ("blue", "green"))),
            AlertKind.HELD,
            f"The rollback banking-app-1 to blue has been stuck since {SINCE}: no answer within 3 s. The watchdog "
            "keeps trying. Last seen: backend selects blue, frontend selects green.",
            id="a rollback is stuck",
        ),
        pytest.param(
            stuck(None),
            AlertKind.HELD,
            f"No rollback has been possible since {SINCE}: no answer within 3 s. The watchdog keeps trying. Last seen: "
            "nothing.",
            id="no rollback can begin",
        ),
        pytest.param(
            messages.blind(WITHIN, rule(), STATE, now=NOW),
            AlertKind.BLIND,
            f"ErrorRatio has been blind since {SINCE}: no answer within 5 s. Meanwhile it rolls nothing back.",
            id="a rule is blind",
        ),
        pytest.param(
            messages.troubled(
                WITHIN, rule(), Measurement.error("its clock is an hour behind", trouble=Trouble.CLOCK), STATE, now=NOW
            ),
            AlertKind.BLIND,
            "its clock is an hour behind. Set the clock that is wrong, or take the cache out of the way. Until then "
            "ErrorRatio rolls nothing back, like all that ask the same.",
            id="a clock is wrong",
        ),
        pytest.param(
            messages.still_paused(
                WITHIN, status(WITHIN, paused="Service backend is paused"), since=NOW - 60, days=1, now=NOW
            ),
            AlertKind.PAUSED,
            f"banking-app has been paused since {SINCE}, and nothing is rolled back: Service backend is paused.",
            id="a pause lasts",
        ),
    ],
)
def test_what_people_are_told(alert: Alert, kind: AlertKind, text: str) -> None:
    assert (alert.kind, alert.text) == (kind, text)
