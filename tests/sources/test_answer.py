"""What any answer has to be before a source looks into it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sources.asking import ANY_JSON
from watchdog.sources.answer import MOST_PARTS, Answer, AnswerError, believe, parse_json, quote

NOW = 1_700_000_000.0


def answer(body: bytes = b"{}", **rest: Any) -> Answer:
    return Answer(**{"status": 200, "content_type": "application/json", "received_at": NOW, "body": body, **rest})


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=UTF-8", "Application/JSON", "application/vnd.elasticsearch+json"],
)
def test_json_goes_by_several_names(content_type: str) -> None:
    assert believe(answer(content_type=content_type)) == {}


@pytest.mark.parametrize("content_type", ["", "text/html", "text/json", "application/jsonp", "json"])
def test_what_does_not_say_that_it_is_json_is_none(content_type: str) -> None:
    with pytest.raises(AnswerError, match="instead of JSON"):
        believe(answer(content_type=content_type))


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        pytest.param("https://login.example/sso?ticket=1#x", "https://login.example/sso", id="without the ticket"),
        pytest.param("https://me:pw@login.example/", "https://login.example/", id="without credentials"),
        pytest.param("/login?next=1", "/login", id="on the same server"),
        pytest.param("http://[", "an address that is no URL", id="no URL"),
        pytest.param("/\x1b[2J", "/\\x1b[2J", id="with a terminal escape"),
    ],
)
def test_a_redirect_is_named_and_not_believed(location: str, shown: str) -> None:
    with pytest.raises(AnswerError) as caught:
        believe(answer(status=307, location=location))
    assert str(caught.value) == f"redirects (HTTP 307) to {shown}, and redirects are not followed"


@given(ANY_JSON)
def test_whatever_json_writes_is_read_back(value: Any) -> None:
    body = json.dumps(value).encode()
    assert parse_json(body) == value


@given(st.binary())
def test_any_bytes_are_json_or_an_answer_error_F14(body: bytes) -> None:
    try:
        value = parse_json(body)
    except AnswerError:
        return
    assert value == json.loads(body)


@pytest.mark.parametrize("sign", ["", "-"])
def test_every_whole_number_can_be_a_float_F14(sign: str) -> None:
    assert parse_json(f"[{sign}{'9' * 300}]".encode()) == [int(f"{sign}{'9' * 300}")]
    with pytest.raises(AnswerError, match="a number that cannot be read"):
        parse_json(f"[{sign}1{'0' * 400}]".encode())


@pytest.mark.parametrize(
    ("levels", "is_read"), [pytest.param(32, True, id="32 levels"), pytest.param(33, False, id="33 levels")]
)
@pytest.mark.parametrize("brackets", [("[", "]"), ('{"a":', "}")])
def test_the_depth_is_limited_F13(levels: int, is_read: bool, brackets: tuple[str, str]) -> None:  # noqa: FBT001
    opening, closing = brackets
    body = (opening * levels + "1" + closing * levels).encode()
    if is_read:
        parse_json(body)
    else:
        with pytest.raises(AnswerError, match="deeper than 32 levels"):
            parse_json(body)


def test_the_number_of_parts_is_limited() -> None:
    parse_json(json.dumps([0] * MOST_PARTS).encode())
    with pytest.raises(AnswerError, match="more than 30000 parts"):
        parse_json(json.dumps([0] * (MOST_PARTS + 1)).encode())


@given(st.text() | st.binary())
def test_a_quote_never_steers_a_terminal_F93(text: str | bytes) -> None:
    quoted = quote(text)
    assert not any(char < " " or char in "\x7f\x9b\u202e\u200f\u2028" for char in quoted)
