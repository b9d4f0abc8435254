"""The state machine of a rule, cell by cell of the design's table, and its laws."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.making import rule, target
from watchdog.core.evaluate import all_well, breaches_now, evaluate, fresh_state, is_blind, is_starved, judge, tripped
from watchdog.core.model import Measurement, Outcome, Phase, RuleState
from watchdog.core.rules.language import Rule

INTERVAL = 15.0
BREACH = Measurement(value=0.3)
OK = Measurement(value=0.01)
FEW = Measurement(value=0.3, samples=1)
NODATA = Measurement.nodata("no series")
ERROR = Measurement.error("refused")
INFINITE, MINUS_INFINITE, NAN = (Measurement(value=value) for value in (math.inf, -math.inf, math.nan))
LETTERS = {"b": BREACH, "o": OK, "i": INFINITE, "m": MINUS_INFINITE, "n": NODATA, "q": NAN, "e": ERROR}


def play(given_rule: Rule, slots: str, *, interval: float = INTERVAL) -> list[RuleState]:
    """The states after each slot; ``_`` is a slot in which nobody looked."""
    states, state = [], fresh_state(given_rule, "green:1")
    for number, letter in enumerate(slots):
        if letter != "_":
            state = evaluate(given_rule, state, LETTERS[letter], slot=number * interval, interval=interval)
        states.append(state)
    return states


def phases(given_rule: Rule, slots: str, *, interval: float = INTERVAL) -> str:
    """One letter a slot: inactive, pending, firing."""
    return "".join(state.phase.value[0] for state in play(given_rule, slots, interval=interval))


@pytest.mark.parametrize(
    ("fields", "measurement", "outcome"),
    [
        pytest.param({}, Measurement(value=0.05), Outcome.OK, id="the threshold itself is healthy"),
        pytest.param({}, Measurement(value=0.0500001), Outcome.BREACH, id="above max"),
        pytest.param({"threshold": {"min": 5}}, Measurement(value=4.9), Outcome.BREACH, id="below min"),
        pytest.param({"threshold": {"min": 5}}, Measurement(value=5), Outcome.OK, id="min itself is healthy"),
        pytest.param({"threshold": {"min": 1, "max": 2}}, Measurement(value=3), Outcome.BREACH, id="outside a range"),
        pytest.param({}, Measurement(value=math.nan), Outcome.NODATA, id="F05 NaN is no data"),
        pytest.param({}, Measurement(value=math.inf), Outcome.INSUFFICIENT, id="F06 +Inf is insufficient, not above"),
        pytest.param({}, Measurement(value=-math.inf), Outcome.INSUFFICIENT, id="F06 -Inf is insufficient"),
        pytest.param({}, Measurement(), Outcome.NODATA, id="no value is no data"),
        pytest.param({}, NODATA, Outcome.NODATA, id="the source has nothing"),
        pytest.param({}, ERROR, Outcome.ERROR, id="the source failed"),
        pytest.param({"no_data": "breach"}, NODATA, Outcome.BREACH, id="no_data: breach is the author's choice"),
        pytest.param(
            {"no_data": "breach"}, Measurement(value=math.nan), Outcome.BREACH, id="NaN under no_data: breach"
        ),
        pytest.param({"no_data": "ok"}, NODATA, Outcome.OK, id="no_data: ok"),
        pytest.param(
            {"no_data": "breach"}, ERROR, Outcome.ERROR, id="an outage is never a breach, whatever no_data says"
        ),
        pytest.param({"min_samples": {"expr": "n", "value": 200}}, FEW, Outcome.INSUFFICIENT, id="too few samples"),
        pytest.param(
            {"min_samples": {"expr": "n", "value": 200}},
            Measurement(value=0.3, samples=200),
            Outcome.BREACH,
            id="just enough samples",
        ),
        pytest.param(
            {"min_samples": {"expr": "n", "value": 200}}, BREACH, Outcome.INSUFFICIENT, id="unknown samples are none"
        ),
    ],
)
def test_judge(fields: dict[str, object], measurement: Measurement, outcome: Outcome) -> None:
    found, reason = judge(rule(**fields), measurement)
    assert found is outcome
    assert reason


@pytest.mark.parametrize(
    ("fields", "slots", "expected"),
    [
        pytest.param({}, "b", "f", id="inactive, breach: fires at once with for 0 and one datapoint"),
        pytest.param({"for": "1m"}, "b", "p", id="inactive, breach: pending"),
        pytest.param({}, "o", "i", id="inactive, ok: stays"),
        pytest.param({}, "i", "i", id="inactive, insufficient: stays"),
        pytest.param({}, "n", "i", id="inactive, nodata: stays"),
        pytest.param({}, "e", "i", id="inactive, error: stays"),
        pytest.param({"for": "1m"}, "bbbbb", "ppppf", id="pending, breach: fires when for has passed"),
        pytest.param({"for": "61s"}, "bbbbbb", "pppppf", id="a second short of for"),
        pytest.param({"for": "1s"}, "bb", "pf", id="for shorter than the interval: the second slot"),
        pytest.param({"for": "1m"}, "bbbobbbbb", "pppippppf", id="pending, ok: inactive, and the clock restarts"),
        pytest.param({"for": "1m"}, "bbnnnbbb", "pppppppf", id="pending, nodata: the clock stands still"),
        pytest.param({"for": "1m"}, "bbeeebbb", "pppppppf", id="pending, error: the clock stands still"),
        pytest.param({"for": "1m"}, "bbiiibbb", "pppppppf", id="pending, insufficient: the clock stands still"),
        pytest.param({"for": "1m"}, "bb___bbb", "pppppppf", id="missed slots do not count towards for"),
        pytest.param(
            {"for": "1m", "no_data_timeout": "45s"}, "bbnnnnb", "pppppip", id="pending, blind too long: inactive"
        ),
        pytest.param(
            {"for": "1m", "no_data_timeout": "45s"},
            "bbninininbb",
            "ppppppppppp",
            id="an insufficient slot is not blind",
        ),
        pytest.param({}, "bb", "ff", id="firing, breach: stays"),
        pytest.param({}, "bo", "fi", id="firing, ok: resolved without keep_firing_for"),
        pytest.param({"keep_firing_for": "15s"}, "boo", "ffi", id="keep_firing_for of one interval: one slot more"),
        pytest.param({"keep_firing_for": "30s"}, "bobooo", "fffffi", id="a new breach starts keep_firing_for anew"),
        pytest.param({}, "bi", "ff", id="firing, insufficient: stays"),
        pytest.param({}, "bn", "ff", id="firing, nodata: stays"),
        pytest.param({}, "be", "ff", id="firing, error: stays"),
        pytest.param({"no_data_timeout": "15s"}, "bnnn", "ffff", id="firing and blind for long: stays"),
        pytest.param(
            {"datapoints_to_alarm": 3, "evaluation_periods": 4}, "bbb", "ppf", id="three real breaches are needed"
        ),
        pytest.param(
            {"datapoints_to_alarm": 3, "evaluation_periods": 4},
            "bbnb",
            "pppf",
            id="one slot without evidence is forgiven",
        ),
        pytest.param(
            {"datapoints_to_alarm": 3, "evaluation_periods": 4},
            "bbnnbb",
            "pppppp",
            id="two are not: they push breaches out",
        ),
        pytest.param(
            {"datapoints_to_alarm": 3, "evaluation_periods": 4}, "bbobb", "ppipp", id="a healthy slot is never forgiven"
        ),
        pytest.param(
            {"datapoints_to_alarm": 2, "evaluation_periods": 3, "for": "1m"},
            "beeeb",
            "ppppp",
            id="what fires in Prometheus on two observations does not here",
        ),
    ],
)
def test_phases(fields: dict[str, object], slots: str, expected: str) -> None:
    assert phases(rule(**fields), slots) == expected


def test_active_at_is_the_first_breaching_slot_and_does_not_move() -> None:
    states = play(rule(**{"for": "30s"}), "obnbb")
    assert [state.active_at for state in states] == [None, 15.0, 15.0, 15.0, 15.0]


def test_a_slot_is_evaluated_once() -> None:
    watched = rule(**{"for": "15s"})
    once = evaluate(watched, fresh_state(watched, "r"), BREACH, slot=15.0, interval=INTERVAL)
    assert evaluate(watched, once, BREACH, slot=15.0, interval=INTERVAL) == once


def test_starved_is_a_rule_that_has_had_no_evidence_for_an_hour_whatever_it_lacked() -> None:
    watched = rule(no_data_timeout="10m")
    an_hour = round(3600 / INTERVAL)
    lacking = ("inie" * an_hour)[: an_hour + 1]
    assert [is_starved(state) for state in play(watched, lacking)] == [False] * an_hour + [True]
    assert not any(is_blind(watched, state) for state in play(watched, lacking))
    for seen in "bo":
        cut = lacking[:100] + seen + lacking[100:-1]
        assert not any(is_starved(state) for state in play(watched, cut)), "one slot with evidence is enough"


def test_blind_is_told_once_the_timeout_has_passed() -> None:
    watched = rule(no_data_timeout="30s")
    assert [is_blind(watched, state) for state in play(watched, "oneno")] == [False, False, False, True, False]


def test_F17_F71_the_state_belongs_to_one_rule_text_and_one_release() -> None:
    keys = {
        fresh_state(rule(), "green:1").key,
        fresh_state(rule(), "green:2").key,
        fresh_state(rule(threshold={"max": 0.06}), "green:1").key,
    }
    assert len(keys) == 3
    assert fresh_state(rule(annotations={"summary": "other words"}), "green:1") == fresh_state(rule(), "green:1")


@pytest.mark.parametrize(
    ("slots", "fresh"),
    [
        pytest.param("b", True, id="a breach in this slot"),
        pytest.param("bn", False, id="firing, but blind in this slot"),
        pytest.param("bo", False, id="firing by keep_firing_for only"),
        pytest.param("b_", False, id="firing, but not evaluated in this slot"),
    ],
)
def test_only_a_breach_of_this_slot_is_fresh_evidence(slots: str, *, fresh: bool) -> None:
    watched = rule(keep_firing_for="1h")
    last = play(watched, slots)[-1]
    slot = (len(slots) - 1) * INTERVAL
    assert last.phase is Phase.FIRING
    assert breaches_now(last, slot) is fresh
    assert bool(tripped(target(), {"ErrorRatio": last}, slot)) is fresh


def test_a_rule_that_only_alerts_never_trips() -> None:
    watched = target(rules=[{"alert": "ErrorRatio", "prometheus": {"expr": "up"}, "threshold": {"max": 0.05}}])
    (last,) = play(watched.rules[0], "b")
    assert last.phase is Phase.FIRING
    assert tripped(watched, {"ErrorRatio": last}, 0.0) == ()


def test_F79_what_nobody_has_looked_at_for_long_is_forgotten() -> None:
    watched = rule(**{"for": "1m", "no_data_timeout": "2m"})
    fired = play(watched, "bbbbb")[-1]
    assert fired.phase is Phase.FIRING
    soon = evaluate(watched, fired, BREACH, slot=fired.slot + 120, interval=INTERVAL)  # type: ignore[operator]
    late = evaluate(watched, fired, BREACH, slot=fired.slot + 135, interval=INTERVAL)  # type: ignore[operator]
    assert (soon.phase, late.phase) == (Phase.FIRING, Phase.PENDING)


@pytest.mark.parametrize(
    ("slots", "well"),
    [
        pytest.param("ooo", True, id="healthy for its own for"),
        pytest.param("oo", False, id="a slot short of it"),
        pytest.param("oobooo", True, id="a breach starts it anew"),
        pytest.param("ooboo", False, id="and a slot short of it again"),
        pytest.param("oono", False, id="no data is no health"),
    ],
)
def test_recovery_is_being_well_for_as_long_as_it_takes_to_fire(slots: str, *, well: bool) -> None:
    watched = rule(**{"for": "30s"})
    assert all_well([watched], {"ErrorRatio": play(watched, slots)[-1]}) is well
    assert all_well([watched], {}) is False


RULES = st.builds(
    rule,
    **{
        "for": st.sampled_from(["0", "15s", "40s", "1m"]),
        "keep_firing_for": st.sampled_from(["0", "15s", "1m"]),
        "no_data_timeout": st.sampled_from(["15s", "5m"]),
        "datapoints_to_alarm": st.integers(1, 3),
        "evaluation_periods": st.integers(3, 5),
    },
)
SLOTS = st.text("boine_", min_size=1, max_size=40)


@given(RULES, SLOTS)
def test_only_a_breach_moves_a_rule_towards_firing(watched: Rule, slots: str) -> None:
    order = {Phase.INACTIVE: 0, Phase.PENDING: 1, Phase.FIRING: 2}
    states = [fresh_state(watched, "green:1"), *play(watched, slots)]
    for letter, before, after in zip(slots, states, states[1:], strict=False):
        if order[after.phase] > order[before.phase]:
            assert letter == "b"


@given(RULES, SLOTS)
def test_a_rule_that_begins_to_fire_had_its_breaches_and_its_time(watched: Rule, slots: str) -> None:
    states = [fresh_state(watched, "green:1"), *play(watched, slots)]
    for number, (before, after) in enumerate(pairwise(states), start=1):
        if before.phase is not Phase.FIRING and after.phase is Phase.FIRING:
            since_ok = slots[:number].rpartition("o")[2].replace("_", "")
            assert since_ok[-watched.evaluation_periods :].count("b") >= watched.datapoints_to_alarm
            assert (since_ok.count("b") - 1) * INTERVAL >= watched.for_


@given(RULES, st.text("oine_", min_size=1, max_size=40))
def test_F27_without_a_breach_nothing_is_ever_but_inactive(watched: Rule, slots: str) -> None:
    assert set(phases(watched, slots)) == {"i"}


@pytest.mark.parametrize(
    ("jump", "expected"),
    [
        pytest.param(3600.0, "ppppf", id="an hour forward: it begins anew"),
        pytest.param(-3600.0, "ppppf", id="an hour back: it begins anew, and is not blind until then"),
        pytest.param(-1.0, "pfff", id="a leap second, at most one slot twice"),
        pytest.param(1.0, "ffff", id="a second forward"),
    ],
)
def test_F79_a_clock_that_is_set_neither_fires_a_rule_nor_stops_it(jump: float, expected: str) -> None:
    given_rule, slot = rule(**{"for": "60s"}), 0.0
    state = fresh_state(given_rule, "green:1")
    for _ in range(4):
        slot += INTERVAL
        state = evaluate(given_rule, state, BREACH, slot=slot, interval=INTERVAL)
    assert (state.phase, state.breached_for) == (Phase.PENDING, 45.0)
    slot += jump
    phases_after = ""
    for _ in expected:
        slot += INTERVAL
        state = evaluate(given_rule, state, BREACH, slot=slot, interval=INTERVAL)
        phases_after += state.phase.value[0]
    assert phases_after == expected
