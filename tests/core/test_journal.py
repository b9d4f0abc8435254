"""The journal: what is seen, vouched for, begun and ended; and that it is read back as it was written."""

import contextlib
from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.core.making import NOW, rule, status, target, trip
from watchdog.core.annotations import KNOWN_GOOD, UnreadableRecordError
from watchdog.core.evaluate import evaluate, fresh_state
from watchdog.core.journal import (
    MOST_FINISHED,
    MOST_STAYS,
    Ending,
    Journal,
    adopt,
    close_trip,
    left_firing,
    open_trip,
    remember,
    see,
    why_not_known_good,
    worth_keeping,
)
from watchdog.core.journal_text import SCHEMA, NewerSchemaError, read_journal, write_journal
from watchdog.core.model import End, FinishedTrip, Measurement, TargetStatus

WITHIN = target()
EMPTY = Journal(target=WITHIN.target)
VOUCHED = {"blue": {"annotations": {KNOWN_GOOD: "true"}}}


def seen(*looks: TargetStatus, firing: bool = False) -> Journal:
    journal = EMPTY
    for number, look in enumerate(looks):
        journal = see(journal, look, firing=firing, now=NOW + number)
    return journal


def stays(journal: Journal) -> list[tuple[str, Ending]]:
    return [(stay.color, stay.ending) for stay in journal.stays]


def test_a_switch_ends_a_stay_and_begins_another() -> None:
    journal = seen(status(WITHIN, ("blue", "blue")), status(WITHIN, ("blue", "green")), status(WITHIN))
    assert stays(journal) == [("blue", Ending.LEFT_WELL), ("green", Ending.LASTS)]


def test_looking_twice_is_looking_once() -> None:
    assert seen(status(WITHIN), status(WITHIN)) == seen(status(WITHIN))


def test_what_fired_when_it_was_left_was_not_left_well() -> None:
    journal = seen(status(WITHIN, ("blue", "blue")), status(WITHIN), firing=True)
    assert stays(journal)[0] == ("blue", Ending.LEFT_FIRING)


def test_a_new_revision_of_the_active_color_is_a_new_stay_since_now() -> None:
    pushed = status(WITHIN, deployment_fields={"green": {"revision": "2"}})
    journal = seen(status(WITHIN), pushed)
    assert [stay.since for stay in journal.stays] == [NOW - 600, NOW + 1]


def test_an_annotation_vouches_for_the_revision_that_it_was_first_seen_on() -> None:
    vouched = status(WITHIN, deployment_fields=VOUCHED)
    pushed = status(WITHIN, deployment_fields={"blue": VOUCHED["blue"] | {"revision": "2"}})
    assert why_not_known_good(seen(vouched), vouched, "blue") == ""
    assert why_not_known_good(seen(vouched, pushed), pushed, "blue")
    withdrawn = seen(vouched, status(WITHIN))
    assert why_not_known_good(withdrawn, status(WITHIN), "blue")


@pytest.mark.parametrize(
    ("values", "revision", "vouches"),
    [
        pytest.param(("3", "3"), "3", True, id="the revision that runs"),
        pytest.param(("3", "3"), "4", False, id="an older revision"),
        pytest.param(("4", "4"), "3", False, id="a revision that is still to come"),
        pytest.param(("3", "2"), "3", False, id="one Deployment of two"),
        pytest.param(("3", "true"), "3", True, id="a number and a word"),
        pytest.param(("0", "0"), "0", False, id="nought, which is no"),
        pytest.param(("03", "3"), "3", False, id="a number that no revision is written like"),
    ],
)
def test_a_number_vouches_for_that_revision_alone(values: tuple[str, str], revision: str, *, vouches: bool) -> None:
    look = status(WITHIN, deployment_fields={"blue": {"revision": revision}})
    keys = [key for key in look.deployments if key[1] == "blue"]
    annotated = {
        key: replace(look.deployments[key], annotations={KNOWN_GOOD: value})
        for key, value in zip(keys, values, strict=True)
    }
    look = replace(look, deployments={**look.deployments, **annotated})
    assert (why_not_known_good(seen(look), look, "blue") == "") is vouches


def test_a_number_vouches_anew_where_a_word_had_vouched_for_an_older_revision() -> None:
    before = status(WITHIN, deployment_fields=VOUCHED)
    pushed = status(WITHIN, deployment_fields={"blue": {"revision": "2", "annotations": {KNOWN_GOOD: "2"}}})
    assert why_not_known_good(seen(before, pushed), pushed, "blue") == ""


def test_a_rollback_marks_the_release_that_it_leaves() -> None:
    opened = open_trip(seen(status(WITHIN)), trip())
    assert stays(opened) == [("green", Ending.ROLLED_BACK)]
    back = see(opened, status(WITHIN, ("blue", "blue")), firing=False, now=NOW + 9)
    assert stays(back) == [("green", Ending.ROLLED_BACK), ("blue", Ending.LASTS)]
    assert "was itself rolled back" in why_not_known_good(back, status(WITHIN, ("blue", "blue")), "green")


def test_while_a_rollback_leaves_a_release_its_stay_is_the_same_one() -> None:
    opened = open_trip(seen(status(WITHIN)), trip())
    assert see(opened, status(WITHIN), firing=True, now=NOW + 1) == opened


def test_a_rollback_that_was_given_up_leaves_the_release_where_it_was() -> None:
    before = seen(status(WITHIN))
    ended = FinishedTrip(trip=trip(), finished_at=NOW, end=End.GIVEN_UP)
    after = close_trip(open_trip(before, trip()), ended)
    assert stays(after) == stays(before)
    assert after.last_trip is None


def test_a_trip_that_was_void_because_of_a_new_revision_has_not_rolled_the_older_one_back() -> None:
    look, pushed = status(WITHIN), status(WITHIN, deployment_fields={"green": {"revision": "2"}})
    begun = trip(release=look.release("green"))
    void = FinishedTrip(trip=begun, finished_at=NOW + 2, end=End.GIVEN_UP)
    journal = close_trip(see(open_trip(seen(look), begun), pushed, firing=False, now=NOW + 1), void)
    assert stays(journal) == [("green", Ending.LEFT_FIRING), ("green", Ending.LASTS)]


@pytest.mark.parametrize("firing", [False, True])
def test_what_an_undo_leaves_ends_as_its_rules_say(*, firing: bool) -> None:
    """It had not failed: the rollback that is undone was to it."""
    before = seen(status(WITHIN, ("blue", "blue")))
    opened = open_trip(before, trip(bad="blue", good="green", undoes="banking-app-0"))
    after = see(opened, status(WITHIN), firing=firing, now=NOW + 1)
    assert stays(after)[0] == ("blue", Ending.LEFT_FIRING if firing else Ending.LEFT_WELL)
    assert bool(why_not_known_good(after, status(WITHIN), "blue")) is firing
    assert left_firing(opened, after) is None, "it is ours, and nobody else's"


def test_F89_a_journal_that_was_deleted_learns_from_the_objects() -> None:
    ended = FinishedTrip(trip=trip(id="before"), finished_at=NOW, end=End.RECOVERED)
    found = adopt(EMPTY, status(WITHIN, trip=trip(), last_trip=ended))
    assert (found.trip, found.last_trip) == (trip(), ended)


LEFT = trip(id="before", release=status(WITHIN).release("green"))
ENDED = FinishedTrip(trip=LEFT, finished_at=NOW, end=End.RECOVERED)
AFTER = status(WITHIN, ("blue", "blue"), last_trip=ENDED)


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(AFTER, id="after its end"),
        pytest.param(status(WITHIN, ("blue", "blue"), trip=LEFT), id="while it is under way"),
    ],
)
def test_S14_what_was_rolled_back_is_known_from_the_objects_alone(look: TargetStatus) -> None:
    rebuilt = see(adopt(EMPTY, look), look, firing=False, now=NOW)
    assert stays(rebuilt) == [("green", Ending.ROLLED_BACK), ("blue", Ending.LASTS)]
    assert "was itself rolled back" in why_not_known_good(rebuilt, look, "green")
    pushed = status(WITHIN, ("blue", "blue"), deployment_fields={"green": {"revision": "2"}})
    assert "was itself rolled back" not in why_not_known_good(rebuilt, pushed, "green")


def test_S14_a_journal_that_is_older_than_the_rollback_learns_of_it() -> None:
    rebuilt = see(adopt(seen(status(WITHIN)), AFTER), AFTER, firing=False, now=NOW + 1)
    assert stays(rebuilt)[-1] == ("blue", Ending.LASTS)
    assert "was itself rolled back" in why_not_known_good(rebuilt, AFTER, "green")


def test_S14_what_an_undo_has_left_was_not_rolled_back() -> None:
    undone = replace(ENDED, trip=replace(LEFT, undoes="banking-app-0"))
    assert adopt(EMPTY, replace(AFTER, last_trip=undone)).stays == ()


@pytest.mark.parametrize(
    ("value", "vouches"),
    [
        pytest.param("true", False, id="a word, whose revision is lost with the journal"),
        pytest.param("1", True, id="a number"),
    ],
)
def test_F89_a_word_of_before_vouches_for_nothing_once_the_journal_is_lost(value: str, *, vouches: bool) -> None:
    said = {"green": {}, "blue": {"annotations": {KNOWN_GOOD: value}}}
    look = status(WITHIN, deployment_fields=said, last_trip=replace(ENDED, trip=trip(release="green:older@1")))
    rebuilt = see(adopt(EMPTY, look), look, firing=False, now=NOW)
    assert (why_not_known_good(rebuilt, look, "blue") == "") is vouches
    if not vouches:
        taken_off = see(rebuilt, status(WITHIN), firing=False, now=NOW)
        again = see(taken_off, look, firing=False, now=NOW)
        assert why_not_known_good(again, look, "blue") == "", "said anew it is of what runs now"


def test_F43_a_trip_whose_end_was_written_on_its_services_alone_ends_once() -> None:
    opened = open_trip(seen(status(WITHIN)), LEFT)
    look = status(WITHIN, ("blue", "blue"), last_trip=ENDED)
    assert (adopt(opened, look).trip, adopt(opened, look).finished) == (LEFT, ())
    half = replace(look, trip=LEFT)
    assert (adopt(EMPTY, half).trip, adopt(EMPTY, half).finished) == (LEFT, ())


def test_what_the_objects_still_say_of_an_ended_trip_is_history() -> None:
    ended = FinishedTrip(trip=trip(), finished_at=NOW, end=End.RECOVERED)
    assert adopt(replace(EMPTY, finished=(ended,)), status(WITHIN, trip=trip())).trip is None


def test_F89_the_rings_are_bounded() -> None:
    journal = EMPTY
    for number in range(50):
        colors = ("green", "green") if number % 2 else ("blue", "blue")
        journal = see(journal, status(WITHIN, colors), firing=False, now=NOW + number)
        journal = close_trip(journal, FinishedTrip(trip=trip(id=str(number)), finished_at=NOW, end=End.RECOVERED))
    assert (len(journal.stays), len(journal.finished)) == (MOST_STAYS, MOST_FINISHED)
    assert sum(len(part) for part in write_journal(journal).values()) < 100_000


@pytest.mark.parametrize("given_up", [1, MOST_FINISHED])
def test_F67_what_was_given_up_makes_room_first_for_what_can_be_undone(given_up: int) -> None:
    journal = EMPTY
    for number in range(MOST_FINISHED - 1 + given_up):
        end = End.RECOVERED if number < MOST_FINISHED - 1 else End.GIVEN_UP
        journal = close_trip(journal, FinishedTrip(trip=trip(id=str(number)), finished_at=NOW, end=end))
    kept = [*range(MOST_FINISHED - 1), MOST_FINISHED - 2 + given_up]
    assert [each.trip.id for each in journal.finished] == list(map(str, kept))


def full() -> Journal:
    watched = rule(**{"for": "1m"})
    state = evaluate(watched, fresh_state(watched, "green:1"), Measurement(value=0.3), slot=NOW, interval=15)
    journal = remember(open_trip(seen(status(WITHIN, deployment_fields=VOUCHED)), trip(replicas={"x": 3})), state)
    return replace(journal, finished=(FinishedTrip(trip=trip(), finished_at=NOW, end=End.RECOVERED),))


def test_it_is_read_back_as_it_was_written() -> None:
    assert read_journal(write_journal(full()), target=WITHIN.target) == full()
    assert read_journal(write_journal(EMPTY), target=WITHIN.target) == EMPTY


@pytest.mark.parametrize(
    ("said", "end"),
    [
        pytest.param({"recovered": True}, End.RECOVERED, id="it had recovered"),
        pytest.param({"recovered": False}, End.NOT_RECOVERED, id="it had not"),
        pytest.param({"recovered": False, "switched": False}, End.GIVEN_UP, id="it had switched nothing"),
        pytest.param({"recovered": False, "superseded": True}, End.SUPERSEDED, id="somebody wanted it otherwise"),
    ],
)
def test_how_a_trip_ended_is_read_as_an_earlier_program_said_it(said: dict[str, bool], end: End) -> None:
    written = write_journal(full())
    (ended,) = yaml.safe_load(written["finished"])
    del ended["end"]
    read = read_journal(written | {"finished": yaml.safe_dump([ended | said])}, target=WITHIN.target)
    assert read.finished == (replace(full().finished[0], end=end),)


def test_rules_at_rest_are_not_worth_a_write() -> None:
    watched = rule()
    calm = evaluate(watched, fresh_state(watched, "green:1"), Measurement(value=0.0), slot=NOW, interval=15)
    assert worth_keeping(remember(EMPTY, calm)) == EMPTY


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"schema": ""}, "no number", id="no schema"),
        pytest.param({"schema": "²"}, "no number", id="a digit that is no number"),
        pytest.param({"schema": "9" * 5000}, "no number", id="a schema of more digits than int reads"),
        pytest.param({"target": "other"}, "not of 'banking-app'", id="of another target"),
        pytest.param({"trip": "{"}, "trip is not YAML", id="half a part"),
        pytest.param({"trip": "id: 1"}, "trip", id="a part that lacks what it needs"),
        pytest.param({"finished": "[{}]"}, "finished", id="an end that says nothing"),
        pytest.param({"finished": "[3]"}, "finished", id="an end that is none"),
        pytest.param({"finished": "3"}, "finished", id="no ends at all"),
        pytest.param({"stays": "[{color: blue, release: x, since: yesterday}]"}, "since", id="a time that is none"),
        pytest.param({"paused_since": ".inf"}, "paused_since: .* no calendar holds", id="a time that never comes"),
        pytest.param({"paused_since": ".nan"}, "paused_since: .* no calendar holds", id="a time that is no number"),
        pytest.param({"paused_since": "'9999-12-31T23:59:59-10:00'"}, "no calendar holds", id="a time after all years"),
        pytest.param({"states": "{a: &a {x: 1}, b: {<<: [*a, *a]}}"}, "no aliases", id="an alias, which can explode"),
        pytest.param({"states": "2020-99-99"}, "states is not YAML", id="a date that is none"),
        pytest.param({"states": "!!int tes"}, "states is not YAML", id="a tag that does not fit"),
        pytest.param({"states": "!!int ''"}, "states is not YAML", id="a tag of nothing"),
        pytest.param({"states": "!!bool maybe"}, "states is not YAML", id="a tag with another word"),
        pytest.param({"states": "!!timestamp soon"}, "states is not YAML", id="a tag with another time"),
        pytest.param(
            {"states": "1:" * 200 + "0.1"}, "states is not YAML", id="a number to the base 60 beyond all bounds"
        ),
    ],
)
def test_F89_what_cannot_be_read_is_named(change: dict[str, str], said: str) -> None:
    with pytest.raises(UnreadableRecordError, match=said):
        read_journal(write_journal(full()) | change, target=WITHIN.target)


def test_F88_a_journal_of_a_newer_program_is_refused() -> None:
    with pytest.raises(NewerSchemaError, match="upgrade"):
        read_journal(write_journal(full()) | {"schema": str(SCHEMA + 1)}, target=WITHIN.target)


@given(st.dictionaries(st.sampled_from(["schema", "trip", "stays", "states", "finished", "vouched"]), st.text()))
def test_F89_any_text_is_a_journal_or_unreadable(parts: dict[str, str]) -> None:
    with contextlib.suppress(UnreadableRecordError):
        assert read_journal(write_journal(EMPTY) | parts, target=WITHIN.target).target == WITHIN.target
