"""Which of two sets of rules is in force, and which rules decide meanwhile."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.making import NOW, RULE, rule, target
from watchdog.core.inforce import LAG_SECONDS, InForce, in_force, newest, obeyed, says_the_same
from watchdog.core.journal import Journal
from watchdog.core.journal_text import read_journal, write_journal
from watchdog.core.rules.language import Target


def shop(*alerts: str, **fields: object) -> Target:
    return target(rules=[RULE | {"alert": alert} for alert in alerts], **fields)


def alerts(found: Target) -> list[str]:
    return [each.alert for each in found.rules]


OLD, NEW = shop("Same", "Removed"), shop("Same", "Added")


@pytest.mark.parametrize(
    ("mine", "known", "now", "wins"),
    [
        pytest.param(0, None, 0, "mine", id="nothing was in force"),
        pytest.param(0, 60, 70, "known", id="F71 the kubelet of this replica lags"),
        pytest.param(80, 60, 80, "mine", id="F70 a change"),
        pytest.param(0, 60, 60 + LAG_SECONDS, "mine", id="by now these files would have come: they were taken back"),
        pytest.param(0, 1e6, 70, "mine", id="a clock that was wrong"),
    ],
)
def test_which_is_in_force(mine: float, known: float | None, now: float, wins: str) -> None:
    own = in_force(OLD, since=NOW + mine)
    journaled = None if known is None else in_force(NEW, since=NOW + known)
    assert newest(journaled, own, now=NOW + now) == (own if wins == "mine" else journaled)


def test_the_same_rules_are_in_force_since_they_first_were() -> None:
    known = in_force(OLD, since=NOW)
    assert newest(known, in_force(shop("Removed", "Same"), since=NOW + 60), now=NOW + 60) is known


def test_F71_what_a_newer_set_has_changed_or_taken_away_decides_nothing() -> None:
    assert alerts(obeyed(OLD, in_force(NEW, since=NOW))) == ["Same"]
    changed = target(rules=[OLD.rules[0], rule(alert="Removed", threshold={"max": 0.9})])
    assert alerts(obeyed(OLD, in_force(changed, since=NOW))) == ["Same"]


def test_F71_nothing_decides_where_the_target_is_another_or_gone() -> None:
    assert alerts(obeyed(OLD, in_force(shop("Same", "Removed", mode="dry-run"), since=NOW))) == []
    assert alerts(obeyed(OLD, InForce(since=NOW))) == []


def test_a_label_or_a_text_is_nothing_that_decides() -> None:
    told = target(rules=[rule(alert="Same", labels={"team": "a"}), rule(alert="Removed", annotations={"summary": "b"})])
    assert says_the_same(in_force(told, since=NOW), in_force(OLD, since=NOW))
    assert obeyed(told, in_force(OLD, since=NOW)) is told


def test_nothing_is_limited_where_nothing_is_known() -> None:
    assert obeyed(OLD, None) is OLD


sets = st.lists(st.sampled_from(["A", "B", "C"]), min_size=1, unique=True)


@given(sets, sets, st.floats(-1000, 1000), st.floats(-1000, 1000))
def test_whoever_acts_obeys_no_rule_that_the_set_in_force_does_not_have(
    mine: list[str], known: list[str], since: float, now: float
) -> None:
    own, journaled = shop(*mine), in_force(shop(*known), since=NOW)
    force = newest(journaled, in_force(own, since=NOW + since), now=NOW + now)
    assert set(alerts(obeyed(own, force))) <= {name.partition("/")[0] for name in force.rules}
    assert force is journaled or alerts(obeyed(own, force)) == mine


def test_it_is_read_back_as_it_was_written() -> None:
    journal = Journal(target=OLD.target, in_force=in_force(OLD, since=NOW))
    assert read_journal(write_journal(journal), target=OLD.target) == journal
