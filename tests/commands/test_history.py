"""``watchdog history``: what is shown of a journal, for people and for programs."""

import contextlib
import io
import json
from dataclasses import replace

from tests.commands.conftest import TARGET, Desk
from tests.core.making import NOW, TRIPPED, trip
from watchdog.commands.history import entries, show
from watchdog.core.journal import Ending, Journal, Stay
from watchdog.core.model import BY_HAND, End, FinishedTrip, TrippedRule

HAND = TrippedRule(alert=BY_HAND, value=None, threshold="the release notes were wrong", since=NOW - 6500)
RELEASE = "green:uid-a@3,uid-b@7"
JOURNAL = Journal(
    target=TARGET,
    stays=(
        Stay(color="blue", release="blue:uid-c@1,uid-d@1", since=NOW - 9000, ending=Ending.LEFT_WELL),
        Stay(color="green", release=RELEASE, since=NOW - 600, ending=Ending.ROLLED_BACK),
    ),
    finished=(
        FinishedTrip(trip=trip(id="first", started_at=NOW - 8000), finished_at=NOW - 7937, end=End.RECOVERED),
        FinishedTrip(trip=trip(id="second", started_at=NOW - 7000), finished_at=NOW - 6700, end=End.NOT_RECOVERED),
        FinishedTrip(
            trip=trip(id="by hand", rules=(HAND,), started_at=NOW - 6500), finished_at=NOW - 6440, end=End.UNMEASURED
        ),
        FinishedTrip(trip=trip(id="third", started_at=NOW - 6000), finished_at=NOW - 5880, end=End.GIVEN_UP),
    ),
    trip=trip(id="fourth"),
)
LINES = """\
2027-01-15T08:00:00Z  banking-app  rollback from green to blue  open  fourth: ErrorRatio is 0.3, healthy is at most 0.05
2027-01-15T07:50:00Z  banking-app  green active  rolled back  revisions 3, 7
2027-01-15T06:20:00Z  banking-app  rollback from green to blue  given up after 2m  third: ErrorRatio is 0.3, \
healthy is at most 0.05
2027-01-15T06:11:40Z  banking-app  rollback from green to blue  unmeasured after 1m  by hand: by hand: \
the release notes were wrong
2027-01-15T06:03:20Z  banking-app  rollback from green to blue  not recovered after 5m  second: ErrorRatio is 0.3, \
healthy is at most 0.05
2027-01-15T05:46:40Z  banking-app  rollback from green to blue  recovered after 1m3s  first: ErrorRatio is 0.3, \
healthy is at most 0.05
2027-01-15T05:30:00Z  banking-app  blue active  left well  revisions 1, 1
"""


async def test_it_is_told_with_the_newest_first(desk: Desk) -> None:
    await desk.write(JOURNAL)
    done = await desk.type("history", TARGET)
    assert (done.exit_code, done.stdout, done.stderr) == (0, LINES, "")
    assert (await desk.type("history")).stdout == LINES


async def test_programs_get_json(desk: Desk) -> None:
    await desk.write(JOURNAL)
    (told,) = json.loads((await desk.type("history", "-o", "json")).stdout)
    assert [(each["id"], each["ending"]) for each in told["trips"]] == [
        ("fourth", "open"),
        ("third", "given_up"),
        ("by hand", "unmeasured"),
        ("second", "not_recovered"),
        ("first", "recovered"),
    ]
    assert told["trips"][-1] == {
        "id": "first",
        "from": "green",
        "to": "blue",
        "startedAt": "2027-01-15T05:46:40.000Z",
        "finishedAt": "2027-01-15T05:47:43.000Z",
        "ending": "recovered",
        "rules": [
            {
                "alert": "ErrorRatio",
                "value": 0.3,
                "threshold": "at most 0.05",
                "since": "2027-01-15T07:59:00.000Z",
            }
        ],
        "undoes": None,
        "overrides": [],
    }
    assert told["stays"][0] == {
        "color": "green",
        "release": RELEASE,
        "since": "2027-01-15T07:50:00.000Z",
        "ending": "rolled_back",
        "by": None,
    }


async def test_the_journal_is_where_the_watchdog_runs(desk: Desk) -> None:
    await desk.write(JOURNAL)
    done = await desk.type("history", WATCHDOG_NAMESPACE="elsewhere")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "WATCHDOG_NAMESPACE" in done.stderr
    assert (await desk.type("history", WATCHDOG_NAMESPACE="banking-app")).stdout == LINES


async def test_a_journal_that_cannot_be_read_is_named(desk: Desk) -> None:
    await desk.write(JOURNAL)
    desk.world.patch("configmaps", f"canary-watchdog-{TARGET}", {"data": {"trip": "{"}}, manager="vi")
    done = await desk.type("history")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "the journal of banking-app in the namespace banking-app: the journal's part trip" in done.stderr


class Terminal(io.StringIO):
    """A standard output on which somebody looks."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_table_that_nothing_in_a_journal_can_steer() -> None:
    steering = replace(TRIPPED, alert="[red]\x1b[2J")
    with contextlib.redirect_stdout(Terminal()) as terminal:
        show(entries(replace(JOURNAL, trip=trip(rules=(steering,)))))
    shown = terminal.getvalue()
    assert "how it ended" in shown
    assert "[red]" in shown
    assert "\x1b[2J" not in shown
    assert shown.count("2027-01-15") == 7
