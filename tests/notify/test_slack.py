"""A Slack message shows what others wrote and obeys none of it, and keeps within Slack's limits."""

import json
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.notify.alerts import AT, switched
from watchdog.core.alert import Alert, AlertKind
from watchdog.core.model import TrippedRule
from watchdog.notify.slack import (
    FIELD_LIMIT,
    FIELDS_LIMIT,
    HEADER_LIMIT,
    SECTION_LIMIT,
    payload,
)

# What Slack takes at most, and no message comes near: blocks in a message, elements in a context.
BLOCKS_LIMIT, CONTEXT_LIMIT = 50, 10
HOSTILE = st.text(alphabet=st.sampled_from("ab &<>|!@#`*_~\n\r\x1b\u202e\u2028\U0001f525\ud800é"))
BORING_BUT_LONG = st.builds(str.__mul__, st.sampled_from("x&<\U0001f525`"), st.sampled_from([0, 149, 151, 600, 4000]))
STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
TEXT = HOSTILE | BORING_BUT_LONG
PAIRS = st.lists(st.tuples(TEXT, TEXT), max_size=25).map(tuple)
RULES = st.builds(TrippedRule, alert=TEXT, value=st.none() | st.floats(), threshold=TEXT, since=st.floats())
ALERTS = st.builds(
    Alert,
    kind=st.sampled_from(AlertKind),
    key=st.just("k"),
    target=TEXT,
    namespace=TEXT,
    at=st.floats(),
    text=TEXT,
    trip=st.none() | TEXT,
    from_color=st.none() | TEXT,
    to_color=st.none() | TEXT,
    rules=st.lists(RULES, max_size=20).map(tuple),
    labels=PAIRS,
    notes=PAIRS,
    commands=PAIRS,
)


def texts_of(message: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Every text of a message, with the most that Slack takes there."""
    yield message["text"], SECTION_LIMIT
    for block in message["blocks"]:
        match block["type"]:
            case "header":
                yield block["text"]["text"], HEADER_LIMIT
            case "section":
                yield from ((field["text"], FIELD_LIMIT) for field in block.get("fields", ()))
                yield from ((text["text"], SECTION_LIMIT) for text in [block.get("text")] if text)
            case "context":
                yield from ((element["text"], SECTION_LIMIT) for element in block["elements"])
            case other:
                pytest.fail(f"a block that nobody asked for: {other}")


def all_text(message: dict[str, Any]) -> str:
    return "\n".join(text for text, _ in texts_of(message))


@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # only when an example fails
@settings(deadline=None, max_examples=60)
@given(ALERTS)
def test_no_alert_breaks_a_limit_or_gets_out_of_its_text(alert: Alert) -> None:
    message = payload(alert)
    json.dumps(message, allow_nan=False)
    assert len(message["blocks"]) <= BLOCKS_LIMIT
    for block in message["blocks"]:
        assert len(block.get("fields", ())) <= FIELDS_LIMIT
        assert len(block.get("elements", ())) <= CONTEXT_LIMIT
    for text, limit in texts_of(message):
        assert 1 <= len(text.encode("utf-16-le")) // 2 <= limit
        assert "<" not in text
        assert ">" not in text
        assert all(part.startswith(("amp;", "lt;", "gt;")) for part in text.split("&")[1:])
        assert {unicodedata.category(char) for char in text if char != "\n"}.isdisjoint(STEERING)
        assert text.count("```") in (0, 2)


def test_the_message_says_what_where_which_rule_and_what_to_do() -> None:
    message = payload(switched())
    assert message["text"] == "Rolled back: banking-app: banking-app was switched from green to blue."
    header, sentence, fields, notes, commands, context = message["blocks"]
    assert header["text"] == {"type": "plain_text", "text": "Rolled back: banking-app", "emoji": False}
    assert sentence["text"]["text"] == "banking-app was switched from green to blue."
    assert [field["text"] for field in fields["fields"]] == [
        "*Target*\nbanking-app",
        "*Namespace*\nbanking",
        "*Color*\ngreen → blue",
        "*FrontendErrorRatio*\n0.25, healthy is at most 0.05, since 2026-01-02T03:02:50.500Z",
    ]
    assert notes["text"]["text"] == "*runbook*: <https://wiki.example/a?b=1&amp;c=2>\n*log*: boom &amp; &lt;bust&gt;"
    assert commands["text"]["text"] == (
        "```\n# pause\nkubectl annotate service frontend-service canary-watchdog/paused=true\n```"
    )
    assert [element["text"] for element in context["elements"]] == [
        "trip t-1",
        "2026-01-02T03:04:05.500Z",
        "severity=critical",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("<!channel> down", "&lt;!channel&gt; down", id="a mention of everybody"),
        pytest.param("<@U0123>", "&lt;@U0123&gt;", id="a mention of one"),
        pytest.param(
            "<https://evil.example|Grafana>", "&lt;https://evil.example|Grafana&gt;", id="a link with another face"
        ),
        pytest.param("&lt;!here&gt;", "&amp;lt;!here&amp;gt;", id="already escaped"),
        pytest.param("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m", id="ANSI"),
        pytest.param("a\r\nb", "a\\r\\nb", id="CRLF"),
        pytest.param("\u202egnp.exe", "\\u202egnp.exe", id="bidi override"),
        pytest.param("a\u2028b\u200bc", "a\\u2028b\\u200bc", id="line separator and zero width"),
        pytest.param("\U000e0041", "\\U000e0041", id="tag character"),
        pytest.param("\ud800", "\\ud800", id="lone surrogate"),
        pytest.param("größer 🔥", "größer 🔥", id="letters and pictures stay"),
        pytest.param("", "-", id="nothing"),
    ],
)
def test_F93_text_is_shown_and_never_obeyed(text: str, shown: str) -> None:
    message = payload(switched(text=text))
    assert message["blocks"][1]["text"] == {"type": "mrkdwn", "text": shown, "verbatim": True}
    assert message["unfurl_links"] is False


def test_a_command_cannot_leave_its_code_block() -> None:
    alert = Alert(
        kind=AlertKind.HELD,
        key="k",
        target="t",
        namespace="n",
        at=AT,
        text="x",
        commands=(("undo", "echo ``` <!here>\nrm"),),
    )
    assert "```\n# undo\necho ` ` ` &lt;!here&gt;\\nrm\n```" in all_text(payload(alert))


def test_what_does_not_fit_is_counted() -> None:
    alert = Alert(
        kind=AlertKind.HELD,
        key="k",
        target="t",
        namespace="n",
        at=AT,
        text="x",
        rules=tuple(TrippedRule(alert=f"R{n}", value=n, threshold="at most 0", since=AT) for n in range(20)),
        notes=tuple((f"log {n}", "y" * 2000) for n in range(40)),
    )
    shown = all_text(payload(alert))
    assert "… and 13 more rules" in shown
    assert "… and 31 more" in shown


def test_a_cut_never_leaves_half_an_entity() -> None:
    sentence = payload(switched(text="&" * 1000))["blocks"][1]["text"]["text"]
    assert sentence == "&amp;" * 599 + "…"
