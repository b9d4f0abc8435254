"""promtool's notation of series, and that nothing but it is read."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchdog.replay.binding import parse_test_file
from watchdog.replay.notation import MOST_VALUES, Gap, NotationError, parse_series, parse_values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1 2.5 -3", (1, 2.5, -3)),
        ("0+300x3", (0, 300, 600, 900)),
        ("-2+4x3", (-2, 2, 6, 10)),
        ("1-2x3", (1, -1, -3, -5)),
        ("4x2", (4, 4, 4)),
        ("1 _ 2", (1, Gap.MISSING, 2)),
        ("_x3 1", (Gap.MISSING, Gap.MISSING, Gap.MISSING, 1)),
        ("1 stale", (1, Gap.STALE)),
        ("1e-3x1", (0.001, 0.001)),
        ("Inf -Inf", (float("inf"), float("-inf"))),
    ],
)
def test_it_is_read_as_promtool_reads_it(text: str, values: tuple[float | Gap, ...]) -> None:
    assert parse_values(text) == values


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("", 0),
        ("1 x3", 2),
        ("1 {{schema:1}}", 2),
        ("1x", 0),
        ("1 2 3+x4", 4),
        ("9x999999", 0),
        ("1 0x999999999", 2),
        pytest.param("1x" + "9" * 5000, 0, id="more digits than int reads"),
        pytest.param("1 _x" + "9" * 5000, 2, id="a gap of more digits than int reads"),
        ("1 \N{ARABIC-INDIC DIGIT THREE}", 2),
    ],
)
def test_anything_else_is_refused_at_its_character(text: str, offset: int) -> None:
    with pytest.raises(NotationError) as refused:
        parse_values(text)
    assert refused.value.offset == offset


def test_a_number_of_times_may_begin_with_zeros() -> None:
    assert parse_values("7x0000000002") == (7, 7, 7)


@pytest.mark.parametrize("text", ["1" * 20_000 + "z", "1." + "1" * 20_000 + "z", "1+" + "1" * 20_000 + "z"], ids=len)
def test_a_long_word_is_refused_as_quickly_as_it_is_read(text: str) -> None:
    before = time.process_time()  # a busy machine does not count; trying each way to split the word takes 12 s
    with pytest.raises(NotationError):
        parse_values(text)
    assert time.process_time() - before < 2


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        pytest.param("(" * 20_000 + "a" + ")" * 20_000, 0, id="so deep that the parser would take the process with it"),
        pytest.param("-" * 100_000 + "a", 0, id="so many signs that it would"),
        pytest.param("a offset 1e999", 2, id="an offset that makes the parser panic"),
        pytest.param("a[99999999999999999999]", 1, id="a range that makes the parser panic"),
        pytest.param('a{b="c"', 1, id="an open bracket"),
    ],
)
def test_a_name_that_is_too_much_for_the_parser_never_reaches_it(text: str, offset: int) -> None:
    with pytest.raises(NotationError, match="this is no series") as refused:
        parse_series(text)
    assert refused.value.offset == offset


COUNTS = st.integers(min_value=0, max_value=10**30).map("x{}".format) | st.just("x" + "9" * 5000) | st.just("")
NUMBERS = st.floats().map(str) | st.integers().map(str) | st.sampled_from(["_", "stale", "1e999", "-Inf", "1" * 400])
STEPS = st.just("") | st.floats().map("{:+}".format) | st.integers().map("{:+}".format)


@given(st.lists(st.tuples(NUMBERS, STEPS, COUNTS).map("".join), max_size=6).map(" ".join))
def test_no_series_stands_for_more_values_than_the_most(text: str) -> None:
    try:
        assert 0 < len(parse_values(text)) <= MOST_VALUES
    except NotationError as refused:
        assert 0 <= refused.offset <= len(text)  # noqa: PT017 - either is right


@given(st.text(alphabet="0123456789+-x._ staleINFnaf{}", max_size=40) | st.text(max_size=40))
def test_no_text_does_anything_but_be_read_or_refused(text: str) -> None:
    try:
        assert 0 < len(parse_values(text)) <= MOST_VALUES
    except NotationError as refused:
        assert 0 <= refused.offset <= len(text)  # noqa: PT017 - either is right


@given(st.text(alphabet="abc_{}=\"'\\,[]()~!:1m ", max_size=40))
def test_no_name_of_a_series_does_anything_but_be_read_or_refused(text: str) -> None:
    try:
        assert parse_series(text).name
    except NotationError as refused:
        assert str(refused)  # noqa: PT017 - either is right


@settings(max_examples=200)
@given(
    st.recursive(
        st.sampled_from(["1m", "'0x3'", "[]", "{}", "Errors", "-1", "~", "rollback"]),
        lambda inner: (
            st.dictionaries(
                st.sampled_from(["tests", "rule_files", "exp_actions", "input_results", "alert", "at", "values", "zz"]),
                inner,
                max_size=3,
            ).map(lambda found: "{" + ", ".join(f"{key}: {value}" for key, value in found.items()) + "}")
            | st.lists(inner, max_size=3).map(lambda found: f"[{', '.join(found)}]")
        ),
        max_leaves=12,
    )
)
def test_no_file_does_anything_but_be_read_or_refused(text: str) -> None:
    parsed = parse_test_file("t", text)
    assert (parsed.model is None) == bool(parsed.problems)
