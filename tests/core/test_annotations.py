"""Pause, and the records of a rollback on the objects."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.making import NOW, trip
from watchdog.core.annotations import (
    KNOWN,
    PAUSED,
    PAUSED_REASON,
    PAUSED_UNTIL,
    PREFIX,
    UnreadableRecordError,
    read_finished,
    read_trip,
    why_paused,
    write_finished,
    write_trip,
)
from watchdog.core.instant import show_instant
from watchdog.core.model import End, FinishedTrip


def pause(annotations: dict[str, str]) -> str:
    return why_paused(annotations, where="Service frontend", now=NOW)


@pytest.mark.parametrize(
    ("annotations", "paused"),
    [
        pytest.param({}, False, id="nothing"),
        pytest.param({PAUSED: "true"}, True, id="true"),
        pytest.param({PAUSED: "false"}, False, id="false"),
        pytest.param({PAUSED: " False "}, False, id="false, written carelessly"),
        pytest.param({PAUSED: "flase"}, True, id="a typo of false is not false"),
        pytest.param({PAUSED: ""}, True, id="empty"),
        pytest.param({PAUSED: "yes please"}, True, id="anything"),
        pytest.param({PREFIX + "pasued": "true"}, True, id="a typo of paused"),
        pytest.param({PREFIX + "Paused": "false"}, True, id="an unknown key, whatever its value"),
        pytest.param({PAUSED_REASON: "deploy"}, False, id="a reason alone pauses nothing"),
        pytest.param({PAUSED_UNTIL: show_instant(NOW + 1)}, True, id="until later"),
        pytest.param({PAUSED_UNTIL: show_instant(NOW)}, False, id="until now"),
        pytest.param({PAUSED: "true", PAUSED_UNTIL: show_instant(NOW - 1)}, False, id="paused until just before"),
        pytest.param({PAUSED_UNTIL: "tomorrow"}, True, id="until nobody knows when"),
        pytest.param({PAUSED_UNTIL: "2020-01-01T00:00:00"}, True, id="until a time without a zone"),
    ],
)
def test_pause(annotations: dict[str, str], *, paused: bool) -> None:
    assert bool(pause(annotations)) is paused


def test_the_sentence_names_place_end_and_reason() -> None:
    until = show_instant(NOW + 60)
    found = pause({PAUSED: "true", PAUSED_UNTIL: until, PAUSED_REASON: "release night"})
    assert found == f"Service frontend is paused until {until}: release night"


@given(st.integers(0, len("paused") - 1), st.sampled_from(["drop", "double", "swap"]))
def test_F75_every_small_typo_of_the_key_pauses(position: int, typo: str) -> None:
    word = "paused"
    edits = {
        "drop": word[:position] + word[position + 1 :],
        "double": word[:position] + word[position] + word[position:],
        "swap": word[:position] + word[position + 1 : position + 2] + word[position] + word[position + 2 :],
    }
    key = PREFIX + edits[typo]
    assert bool(pause({key: "false"})) is (key not in KNOWN)


def test_records_are_read_back_as_they_were_written() -> None:
    releases = {"release": "green:u@7", "good_release": "blue:u@5"}
    written = trip(**releases, undoes="banking-app-0", times_undone=2, switched=("backend",))
    assert read_trip(write_trip(written, was={"color": "green"})) == written
    finished = FinishedTrip(trip=written, finished_at=NOW + 30, end=End.NOT_RECOVERED)
    assert read_finished(write_finished(finished)) == finished
    earlier = json.loads(write_finished(finished))
    del earlier["end"]
    assert read_finished(json.dumps(earlier | {"recovered": True})) == replace(finished, end=End.RECOVERED)
    assert read_finished(json.dumps(earlier | {"recovered": False})) == finished
    assert json.loads(write_trip(written, was={"color": "green"}))["was"] == {"color": "green"}


def test_what_an_earlier_program_wrote_is_read() -> None:
    fields = json.loads(write_trip(trip(), was={}))
    for name in ("release", "goodRelease", "undoes", "timesUndone", "switched"):
        del fields[name]
    assert read_trip(json.dumps(fields)) == trip()


@pytest.mark.parametrize("part", [{"timesUndone": "often"}, {"timesUndone": 1e400}, {"switched": None}], ids=str)
def test_a_trip_of_another_kind_is_unreadable(part: dict[str, Any]) -> None:
    fields = json.loads(write_trip(trip(), was={}))
    with pytest.raises(UnreadableRecordError):
        read_trip(json.dumps(fields | part))


@pytest.mark.parametrize(
    "part",
    [
        pytest.param({"value": "much"}, id="a value that is no number"),
        pytest.param({"value": True}, id="a value that is a truth"),
        pytest.param({"value": 10**400}, id="a value beyond every float"),
        pytest.param({"threshold": None}, id="no threshold"),
        pytest.param({"alert": ["a"]}, id="several names"),
        pytest.param({"since": 7}, id="a time that is no text"),
        pytest.param({"since": "9999-12-31T23:59:59-10:00"}, id="a time after all years"),
        pytest.param({"more": 1}, id="something of a newer program"),
    ],
)
def test_evidence_of_another_kind_is_unreadable(part: dict[str, Any]) -> None:
    fields = json.loads(write_trip(trip(), was={}))
    fields["rules"][0] |= part
    with pytest.raises(UnreadableRecordError):
        read_trip(json.dumps(fields))


@given(st.one_of(st.text(), st.from_type(dict).map(lambda made: json.dumps(made, default=str)), st.just("[]")))
def test_a_record_that_is_not_ours_is_unreadable_and_nothing_worse(text: str) -> None:
    for read in (read_trip, read_finished):
        with pytest.raises(UnreadableRecordError):
            read(text)
