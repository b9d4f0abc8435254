"""What a Retry-After asks for, before anybody bounds it."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.core.retry_after import read

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        pytest.param("7", 7, id="seconds"),
        pytest.param("0", 0, id="at once"),
        pytest.param("999999999999", 999999999999, id="for ever"),
        pytest.param("9" * 5000, math.inf, id="a number without end"),
        pytest.param("Fri, 02 Jan 2026 03:04:35 GMT", 30, id="a date"),
        pytest.param("Fri, 02 Jan 2026 03:04:35 -0000", 30, id="a date without a zone is in UTC, wherever we are"),
        pytest.param("Fri, 02 Jan 2026 04:04:35 +0100", 30, id="a date of another zone"),
        pytest.param("Fri, 02 Jan 2026 03:04:04 GMT", 0, id="the past"),
        pytest.param("Fri, 02 Jan 2026 03:04:05.5 GMT", None, id="no date"),
        pytest.param("Fri, 02 Jan 99999 03:04:05 GMT", None, id="a date that no calendar holds"),
        pytest.param("soon", None, id="a word"),
        pytest.param("-5", None, id="negative"),
        pytest.param("1.5", None, id="a fraction"),
        pytest.param("²", None, id="not a digit to us"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="not there"),
    ],
)
def test_what_it_asks_for(header: str | None, seconds: float | None) -> None:
    assert read(header, now=NOW) == seconds


@given(st.text() | st.text(alphabet="0123456789:, +-FriJanGMT", max_size=40))
def test_any_text_is_a_time_to_wait_or_none(header: str) -> None:
    seconds = read(header, now=NOW)
    assert seconds is None or seconds >= 0
