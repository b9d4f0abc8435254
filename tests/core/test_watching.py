"""When a rule is not looked at: after a switch and after a new revision, until all that it sees is of that release."""

import math
from dataclasses import replace

import pytest

from tests.core.making import NOW, RULE, rule, status, target
from watchdog.core.evaluate import fresh_state
from watchdog.core.journal import LONGEST_ROLLOUT, Journal, remember, see, worth_keeping
from watchdog.core.journal_text import read_journal, write_journal
from watchdog.core.model import Measurement, Outcome, Phase
from watchdog.core.watching import active_since, asking_to_leave, breaching_elsewhere, not_yet, release_of

QUERY = {"expr": "sum(rate(errors[2m]))"}


def seen(journal: Journal, *, color: str, revision: str, now: float, switched_at: float) -> Journal:
    """The journal after a look at a cluster in which the color is active."""
    looked = status(
        target(),
        (color, color),
        service_fields={"switched_at": switched_at},
        deployment_fields={color: {"revision": revision}},
    )
    return see(journal, looked, firing=False, now=now)


@pytest.fixture
def old() -> Journal:
    """Green has been active for long."""
    return seen(Journal(target="banking-app"), color="green", revision="1", now=NOW - 9000, switched_at=NOW - 9999)


def test_a_release_that_is_active_for_long_is_looked_at(old: Journal) -> None:
    assert not_yet(rule(prometheus=QUERY, initial_delay=None), old, color="green", slot=NOW) is None


@pytest.mark.parametrize(
    ("color", "since"),
    [
        pytest.param("blue", NOW - 20, id="since the switch, by the API server"),
        pytest.param("green", NOW, id="since the new revision was seen"),
    ],
)
@pytest.mark.parametrize(
    ("initial_delay", "seconds", "because"),
    [
        pytest.param(None, 120, "less than 2m, which it looks back", id="for as long as it looks back"),
        pytest.param("5m", 300, "less than 5m, its initial_delay", id="for as long as its author says"),
    ],
)
def test_F17_a_new_release_is_looked_at_when_all_that_is_seen_is_its_own(
    old: Journal, color: str, since: float, *, initial_delay: str | None, seconds: float, because: str
) -> None:
    watched = rule(prometheus=QUERY, initial_delay=initial_delay)
    new = seen(old, color=color, revision="2", now=NOW, switched_at=NOW - 20)
    assert active_since(new) == since
    early = not_yet(watched, new, color=color, slot=since + seconds - 1)
    assert early is not None
    assert early.failure is Outcome.INSUFFICIENT
    assert early.reason == f"{color} has been active for {because}"
    assert not_yet(watched, new, color=color, slot=since + seconds) is None


def rolling(journal: Journal, *, now: float, mixed: bool) -> Journal:
    """The journal after a look at green's second revision, whose rollout may still be on its way."""
    fields = {"green": {"revision": "2", "mixed": mixed}}
    looked = status(target(), service_fields={"switched_at": NOW - 9999}, deployment_fields=fields)
    return see(journal, looked, firing=False, now=now)


def test_F17_pods_of_the_revision_before_are_waited_for(old: Journal) -> None:
    for seconds in (0, 60, 120):
        old = rolling(old, now=NOW + seconds, mixed=True)
    done = rolling(old, now=NOW + 135, mixed=False)
    assert active_since(done) == NOW + 120
    kept = read_journal(write_journal(worth_keeping(done)), target="banking-app")
    assert active_since(kept) == NOW + 120, "the next process knows it too"


def test_F17_a_rollout_that_stands_still_half_way_is_looked_at_after_a_while(old: Journal) -> None:
    for seconds in range(0, 7200, 60):
        old = rolling(old, now=NOW + seconds, mixed=True)
    assert active_since(old) == NOW + LONGEST_ROLLOUT
    assert active_since(seen(old, color="blue", revision="1", now=NOW + 7300, switched_at=NOW + 7290)) == NOW + 7290


def test_F71_a_rule_that_is_gone_from_the_file_has_nothing_to_say(old: Journal) -> None:
    fires = replace(fresh_state(rule(), release_of(old)), phase=Phase.FIRING, outcome=Outcome.BREACH, slot=NOW)
    journal, looked = remember(old, fires), status(target())
    assert asking_to_leave(target(), journal, looked, slot=NOW)
    for rules in ([RULE | {"alert": "Another"}], [RULE | {"threshold": {"max": 0.06}}]):
        assert asking_to_leave(target(rules=rules), journal, looked, slot=NOW) == ()


@pytest.mark.parametrize("no_data", ["hold", "ok", "breach"])
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Measurement.nodata("no series"), id="no series"),
        pytest.param(Measurement(value=math.nan), id="V03 0 of 0 requests"),
    ],
)
def test_what_is_missing_on_an_idle_color_is_no_breach_of_it(answer: Measurement, no_data: str) -> None:
    watched = rule(no_data=no_data, min_samples=None)
    assert breaching_elsewhere([(watched, answer)]) == ()
    assert breaching_elsewhere([(watched, Measurement(value=0.5))]) == (watched.alert,)
