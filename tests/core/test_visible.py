"""Text from outside is shown whole, on one line, and steers nothing."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.core.visible import clip, visible

ANY_TEXT = st.text(alphabet=st.characters(codec=None))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("plain", "plain", id="nothing to do"),
        pytest.param("größer 🔥 ¡", "größer 🔥 ¡", id="letters and pictures"),
        pytest.param("a\r\n\tb", "a\\r\\n\\tb", id="line breaks and tabs"),
        pytest.param("\x1b[31m\x7f\x9b", "\\x1b[31m\\x7f\\x9b", id="ANSI, delete, C1"),
        pytest.param("\u202e\u200b\u2028", "\\u202e\\u200b\\u2028", id="bidi, zero width, line separator"),
        pytest.param("\U000e0041", "\\U000e0041", id="beyond four digits"),
        pytest.param("\ud800", "\\ud800", id="half a pair"),
    ],
)
def test_what_steers_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(ANY_TEXT)
def test_F93_nothing_that_steers_is_left(text: str) -> None:
    shown = visible(text)
    assert {unicodedata.category(char) for char in shown}.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})
    assert visible(shown) == shown


@pytest.mark.parametrize(
    ("text", "limit", "clipped"),
    [
        pytest.param("abcd", 4, "abcd", id="fits"),
        pytest.param("abcde", 4, "a…", id="the ellipsis takes three bytes"),
        pytest.param("ééé", 5, "é…", id="never half a character"),
        pytest.param("🔥🔥", 4, "…", id="only room for the ellipsis"),
    ],
)
def test_clip(text: str, limit: int, clipped: str) -> None:
    assert clip(text, limit) == clipped


@given(ANY_TEXT, st.integers(min_value=4, max_value=50))
def test_F93_clipped_text_fits(text: str, limit: int) -> None:
    assert len(clip(text, limit).encode("utf-8", "surrogatepass")) <= limit
