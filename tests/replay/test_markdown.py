"""A backtest as Markdown: text is data whatever it is, and the size is kept.

The judge is markdown-it-py, which is held to CommonMark's own examples and reads GitHub's tables.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.core.making import NOW, rule, target
from watchdog.core.model import Outcome, Phase, RuleState
from watchdog.core.visible import clip, visible
from watchdog.replay.findings import Finding, Firing, find
from watchdog.replay.markdown import as_markdown, cell, code, plainly
from watchdog.replay.past import Schedule
from watchdog.replay.report import Change, Cost, Report, as_json, as_text
from watchdog.replay.story import Switch
from watchdog.replay.track import Track

INTERVAL = 15.0
PARSER = MarkdownIt("commonmark").enable("table")
HOSTILE = (
    "`", "``", "a`b", " a ", "@team", "a|b", "\\|", "\\", "|`|", "``|``|`", "<script>alert(1)</script>", "**bold**",
    "[a](javascript:b)", "![](http://a/b)", "#1", "https://example.org", "</details>", "<!-- -->", "a\n\n# b", "&lt;",
    "\u202e", "", "-->", "~~a~~", "$x$", ":tada:",
)  # fmt: skip


def state(slot: int, **fields: Any) -> RuleState:
    """A healthy slot of a rule."""
    defaults: dict[str, Any] = {"outcome": Outcome.OK, "value": 0.01, "samples": 100.0}
    return RuleState(alert="ErrorRatio", key="k", slot=NOW + slot * INTERVAL, **defaults | fields)


def finding(*states: RuleState, **fields: Any) -> Finding:
    """What these slots say."""
    track = Track(rule(**fields))
    for each in states:
        track.add(each, "green")
    return find(track, (), interval=INTERVAL, incidents=None)


def report(*findings: Finding, **fields: Any) -> Report:
    """A backtest of eight slots in which green had the traffic."""
    defaults: dict[str, Any] = {
        "target": target(rules=[each.rule for each in findings]),
        "start": NOW,
        "end": NOW + 7 * INTERVAL,
        "slots": 8,
        "schedule": Schedule((Switch(at=0.0, color="green"),)),
        "findings": findings,
        "cost": Cost(),
    }
    return Report(**defaults | fields)


def firing(slot: int, did: str = "alert") -> Firing:
    """A firing of one slot."""
    at = NOW + slot * INTERVAL
    return Firing(at=at, until=at, color="green", value=0.5, samples=10, did=did)


def inline(tokens: list[Token]) -> list[Token]:
    """Every token within a line."""
    return [child for token in tokens for child in token.children or ()]


EIGHT = (
    state(0),
    state(1, value=0.04),
    *(state(slot, outcome=Outcome.BREACH, phase=Phase.FIRING, value=0.5) for slot in (2, 3)),
    state(4, outcome=Outcome.NODATA, value=None, samples=None, reason="http://user-name.example has no series"),
    state(5, outcome=Outcome.INSUFFICIENT, value=None, samples=3.0),
    state(6),
)


def test_it_says_of_each_rule_what_it_did_what_was_missing_and_how_near_it_came() -> None:
    text = as_markdown(report(finding(*EIGHT, action="alert")))
    assert text.startswith(
        "`banking-app`: 8 slots of 15s from 2027-01-15T08:00:00Z to 2027-01-15T08:01:45Z, 0 switches"
    )
    assert (
        "| `ErrorRatio`<br>alert, healthy is at most 0.05 | **fired 1 time**<br>1 `alert` "
        "| nodata 14.29%, insufficient 14.29% of 7 slots; 1 slot not evaluated "
        "| 0.04 at 2027-01-15T08:00:15Z, 80% of the threshold |"
    ) in text
    assert "- `ErrorRatio` 2027-01-15T08:00:30Z for 15s: 0.5 of 100 samples on `green`, `alert`" in text
    assert "- `ErrorRatio` 1 slot: `http://user-name.example has no series`" in text
    assert "http://" not in as_markdown(report(finding(*EIGHT)), reasons=False)


def test_no_evidence_is_no_verdict() -> None:
    text = as_markdown(report(finding(*(state(slot, outcome=Outcome.ERROR, value=None) for slot in range(8)))))
    assert "**nothing is known**: no slot had evidence | error 100.00% of 8 slots | none |" in text
    assert "did not fire" not in text


def test_what_nobody_saw_is_no_proof_that_nothing_changes() -> None:
    blind = finding(*(state(slot, outcome=Outcome.ERROR, value=None) for slot in range(8)))
    same = Change(alert="ErrorRatio", before=(), after=())
    text = as_markdown(report(blind, against="main", changes=(same,)))
    assert "no difference is seen**: each rule fires as before, but of 1 rule nothing is known." in text


@pytest.mark.parametrize("threshold", [{"max": 0}, {"min": 0}, {"min": 0, "max": 0}])
def test_a_multiple_of_nothing_is_no_other_threshold(threshold: dict[str, float]) -> None:
    found = finding(*EIGHT, threshold=threshold)
    assert found.sweep == ()
    told = "firings with another threshold: not known, since every multiple of 0 is 0"
    assert f"  {told}" in as_text(report(found))
    assert "Firings with another threshold" not in as_markdown(report(found))
    assert finding(*EIGHT, threshold=threshold | {"max": 1}).sweep


def test_each_release_has_figures_of_its_own() -> None:
    second = [
        replace(each, key="of the next release", slot=each.slot + 7 * INTERVAL) for each in EIGHT[4:] if each.slot
    ]
    found = finding(*EIGHT, *second)
    played = report(found)
    first, last = as_json(played)["rules"][0]["releases"]
    assert first["outcomes"] == {"breach": 2, "ok": 3, "insufficient": 1, "nodata": 1, "error": 0}
    assert (first["color"], first["slots"], first["firings"]) == ("green", 7, 1)
    assert (first["from"], first["to"]) == ("2027-01-15T08:00:00.000Z", "2027-01-15T08:01:30.000Z")
    assert (last["from"], last["slots"], last["firings"]) == ("2027-01-15T08:02:45.000Z", 3, 0)
    line = (
        "2027-01-15T08:02:45Z  green, 3 slots: breach 0.00%, ok 33.33%, insufficient 33.33%, nodata 33.33%, error 0.00%"
    )
    assert f"    {line}; fired 0 times" in as_text(played)
    assert "- `ErrorRatio` from 2027-01-15T08:02:45Z on, `green`: fired 0 times in 3 slots" in as_markdown(played)
    assert "release" not in "\n".join(as_text(report(finding(*EIGHT))))


def test_rules_without_a_past_are_named() -> None:
    probe = {"alert": "Probe", "http": {"url": "http://web.shop/health"}}
    played = finding(*EIGHT)
    known = target(rules=[played.rule, probe])
    assert "Without a past, and left out: `Probe`." in as_markdown(report(played, target=known))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param(
            (firing(1),),
            (firing(1),),
            "**Against `main` no difference is seen**: each rule fires as before.",
            id="the same",
        ),
        pytest.param(None, (firing(1),), "- `A` is **new**, and fires 1 time", id="a new rule"),
        pytest.param((firing(1), firing(3)), None, "- `A` is **gone**; it fired 2 times", id="a rule that is gone"),
        pytest.param((firing(1),), (), "- `A` fired 1 time, and fires 0 times now: 1 gone", id="a firing less"),
        pytest.param((), (firing(3),), "  - now 2027-01-15T08:00:45Z: 0.5 of 10 samples on `green`", id="one more"),
        pytest.param(
            (firing(1),),
            (firing(1, "rollback"),),
            "  - not `alert`, but now 2027-01-15T08:00:15Z: 0.5 of 10 samples on `green`, `rollback`",
            id="the same time, and now it acts",
        ),
    ],
)
def test_what_changes_comes_first(
    before: tuple[Firing, ...] | None, after: tuple[Firing, ...] | None, told: str
) -> None:
    change = Change(alert="A", before=before, after=after)
    text = as_markdown(report(finding(*EIGHT), against="main", changes=(change,)))
    assert told in text
    assert text.index(told) < text.index("| rule |")


def test_what_is_acted_on_now_is_said_on_a_terminal_too() -> None:
    change = Change(alert="A", before=(firing(1),), after=(firing(1, "rollback"),))
    lines = as_text(report(finding(*EIGHT), against="main", changes=(change,)))
    assert "  A: 1 firing before, 1 now" in lines
    (told,) = [line for line in lines if line.startswith("    not alert, but now 2027-01-15T08:00:15Z")]
    assert told.endswith(": rollback")


@given(st.text(max_size=80) | st.sampled_from(HOSTILE))
@example("``|``|`")
@example("\\|")
def test_text_is_data_in_a_line_and_in_a_table(text: str) -> None:
    expected = clip(visible(text), 300) or "(empty)"
    in_line = inline(PARSER.parse(f"- so {code(text)} end"))
    in_table = inline(PARSER.parse(f"| a | b |\n|---|---|\n| {cell(text)} | end |\n"))
    assert [token.type for token in in_line] == ["text", "code_inline", "text"]
    assert [token.type for token in in_table] == ["text", "text", "code_inline", "text"]
    # A text of spaces alone is the one that has other spaces around it.
    assert in_line[1].content.strip(" ") == in_table[2].content.strip(" ") == expected.strip(" ")


@given(st.lists(st.text(max_size=60) | st.sampled_from(HOSTILE), max_size=4))
def test_words_of_git_and_servers_make_no_markup(lines: list[str]) -> None:
    found = inline(PARSER.parse(f"**Note:** {plainly(chr(10).join(lines))}"))
    assert {token.type for token in found} <= {"strong_open", "strong_close", "text", "code_inline", "html_inline"}
    assert {token.content for token in found if token.type == "html_inline"} <= {"<br>"}
    assert "".join(token.content for token in found if token.type == "text") in ("Note: ", "Note:")


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_from_outside_is_markup_in_the_report(text: str) -> None:
    """No link, picture, heading or HTML that is not ours, and nobody is mentioned: GitHub leaves code alone."""
    blind = finding(*(state(slot, outcome=Outcome.ERROR, value=None, reason=text) for slot in range(8)))
    hostile = Firing(at=NOW, until=NOW, color=text, value=0.5, samples=1, did=text)
    change = Change(alert=text, before=(), after=(hostile,))
    tokens = PARSER.parse(as_markdown(report(blind, against=text, changes=(change,))))
    assert not [token for token in tokens if token.type.startswith(("heading", "fence", "code_block"))]
    blocks = "".join(token.content for token in tokens if token.type == "html_block")
    # One for why there was no evidence, one for other thresholds.
    assert (blocks.count("<details>"), blocks.count("</details>"), "script" in blocks) == (2, 2, False)
    for token in inline(tokens):
        assert token.type not in ("link_open", "image")
        assert token.type != "html_inline" or token.content == "<br>"
        assert token.type != "text" or not {"@", "<", "`", "#"} & set(token.content)


@pytest.mark.parametrize("rules", [1, 60, 700])
@pytest.mark.parametrize("limit", [150, 300, 2_000, 20_000, 60_000])
def test_it_is_never_larger_than_it_may_be_and_says_what_was_cut(rules: int, limit: int) -> None:
    blinking = [
        state(slot, **({"outcome": Outcome.BREACH, "phase": Phase.FIRING, "value": 0.5} if slot % 2 else {}))
        for slot in range(60)
    ]
    one = finding(*blinking)
    findings = tuple(replace(one, rule=rule(alert=f"ErrorRatio{number}")) for number in range(rules))
    text = as_markdown(report(*findings, slots=60), limit=limit)
    assert len(text.encode()) <= limit
    assert "cut to keep this short" in text or "this text may have no more than" in text
    assert text.count("<details>") == text.count("</details>")
