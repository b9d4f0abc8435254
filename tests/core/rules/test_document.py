"""YAML text as plain values, each with its place; what YAML does behind the writer's back is told."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.core.rules.document import MAX_BYTES, MAX_NODES, Document, read_document
from watchdog.core.rules.problem import Finding, KeyPath

GENEROUS = 20.0
"""Seconds for the worst file of 1 MiB; it takes about one."""


def said(text: str) -> list[str]:
    """The problems without the file's name and their codes."""
    return [f"{problem.line}:{problem.column}: {problem.message}" for problem in read_document("f", text).problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("a: 1\nb: [x, 2.5, true]\n", {"a": 1, "b": ["x", 2.5, True]}, id="plain values"),
        pytest.param("a: no\nb: on\nc: Off\n", {"a": False, "b": True, "c": False}, id="YAML's other booleans"),
        pytest.param("a:\nb: ~\n", {"a": None, "b": None}, id="nothing"),
        pytest.param("a: '5'\nb: \"no\"\nc: |\n  5\n", {"a": "5", "b": "no", "c": "5\n"}, id="quotes make text"),
        pytest.param("a: 2026-01-01\nb: 1e-3\n", {"a": "2026-01-01", "b": "1e-3"}, id="a date is text"),
        pytest.param("a: -.inf\nb: -0.5\nc: 1.5e+3\n", {"a": float("-inf"), "b": -0.5, "c": 1500.0}, id="decimals"),
        pytest.param("\ufeffa: 1\n", {"a": 1}, id="a byte order mark is ignored"),
        pytest.param("a: 1\r\nb: 2\r\n", {"a": 1, "b": 2}, id="line breaks of Windows"),
        pytest.param("---\na: 1\n...\n", {"a": 1}, id="document marks"),
    ],
)
def test_a_text_becomes_plain_values(text: str, value: object) -> None:
    document = read_document("f", text)
    assert document.problems == ()
    assert document.value == value


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        pytest.param(
            "a: &x 1\nb: *x\n",
            [
                "1:4: &x is an anchor; anchors are not accepted: write the value out",
                "2:4: *x is an alias; aliases are not accepted: write the value out",
            ],
            id="F69 anchor and alias",
        ),
        pytest.param(
            'a: "\u2028"\nb: *x\n',
            ["2:4: *x is an alias; aliases are not accepted: write the value out"],
            id="a line separator starts no line, as in editors",
        ),
        pytest.param("a: !!str 5\n", ["1:4: !!str is a tag; tags are not accepted: remove it"], id="tag"),
        pytest.param(
            "a: !!python/object/apply:os.system [x]\n",
            ["1:4: !!python/object/apply:os.system is a tag; tags are not accepted: remove it"],
            id="a tag that would run code elsewhere",
        ),
        pytest.param(
            "<<: {a: 1}\n",
            ["1:1: << is a merge key; merge keys are not accepted: write the keys out"],
            id="merge key",
        ),
        pytest.param(
            "a: 1\nb: 2\na: 3\n", ["3:1: duplicate key 'a', already on line 1; keep one of them"], id="duplicate key"
        ),
        pytest.param(
            "a: 1\n---\nb: 2\n",
            ["2:1: a second document starts here; one file holds one target: split it"],
            id="second document",
        ),
        pytest.param(
            "a: 1\n...\nb: 2\n",
            ["3:1: this does not belong to what is above it; mend the indentation"],
            id="text after the end of the document",
        ),
        pytest.param("", ["1:1: the file is empty; write a target (see docs/rule-files.md)"], id="empty"),
        pytest.param("# x\n", ["1:1: the file is empty; write a target (see docs/rule-files.md)"], id="only a comment"),
        pytest.param(
            "a:\n\tb: 1\n",
            ["2:1: a tab stands where YAML expects spaces; indent with spaces"],
            id="tab for indentation",
        ),
        pytest.param(
            "a: 1\nb: x\0y\n", ["2:5: the character '\\x00' is not allowed; remove it"], id="control character"
        ),
        pytest.param(
            'a: "\\e[31m"\n',
            ["1:4: the character '\\x1b' is not allowed in a value; remove it"],
            id="control character by escape",
        ),
        pytest.param(
            '"\\e": 1\n',
            ["1:1: the character '\\x1b' is not allowed in a key; remove it"],
            id="control character in a key",
        ),
        pytest.param(
            'a: "\\ud800"\n',
            ["1:4: the character '\\ud800' is not allowed in a value; remove it"],
            id="half a character",
        ),
        pytest.param(
            'a: "\\UFFFFFFFF"\n',
            ["1:2: YAML cannot read what follows here; write it in plain characters"],
            id="an escape beyond Unicode",
        ),
        pytest.param(
            "on: 1\n404: 2\n",
            [
                '1:1: YAML does not read the key on as text; put it in quotes: "on"',
                '2:1: YAML does not read the key 404 as text; put it in quotes: "404"',
            ],
            id="keys that are no text",
        ),
        pytest.param(
            "? [a]\n: b\n",
            ["1:3: a list or a mapping stands where a key is needed; write key: value"],
            id="a list for a key",
        ),
        pytest.param(
            "a: {{ color }}-x\n",
            [
                (
                    "1:5: a placeholder without quotes is a mapping to YAML; "
                    'put the whole text in quotes, such as "{{ color }}"'
                )
            ],
            id="placeholder without quotes",
        ),
        pytest.param(
            "a: @b\n", ["1:4: a value cannot start with '@'; put it in quotes"], id="a value that starts with @"
        ),
        pytest.param(
            "a: b: c\n",
            ["1:5: a second ': ' in one value; put the text in quotes, or mend the indentation"],
            id="two colons",
        ),
        pytest.param("a: 'x\n", ["1:4: the quote that opens here is never closed; close it"], id="open quote"),
        pytest.param(
            "a: [1, 2\nb: 3\n",
            ["1:4: the bracket that opens here is not closed in time; check for a missing , or ]"],
            id="open bracket",
        ),
        pytest.param(
            "a: {b: c: d}\n",
            ["1:9: a second ': ' in one value; put the text in quotes"],
            id="a colon in a flow mapping",
        ),
        pytest.param(
            'a: "x{b="c"}"\n',
            [
                (
                    "1:10: the quote before this ends the text already; put all of it in single quotes, "
                    "or on its own lines under |"
                )
            ],
            id="double quotes in double quotes",
        ),
        pytest.param(
            'a: "x{b="{{ color }}"}"\n',
            [
                (
                    "1:10: the quote before this ends the text already; put all of it in single quotes, "
                    "or on its own lines under |"
                )
            ],
            id="a placeholder in double quotes in double quotes",
        ),
        pytest.param(
            "a: {b: 'c'd'}\n",
            [
                (
                    "1:11: the quote before this ends the text already; write it twice (''), "
                    "or put the text on its own lines under |"
                )
            ],
            id="a single quote in single quotes",
        ),
        pytest.param(
            'a: "5\\d"\n',
            ["1:7: \\ starts an escape in double quotes, and 'd' is none; use single quotes or |"],
            id="a regular expression in double quotes",
        ),
        pytest.param(
            "a:\n  b: 1\n c: 2\n",
            ["3:2: this does not fit the lines above; mend the indentation, or put the whole value in quotes"],
            id="wrong indentation",
        ),
        pytest.param(
            "a: *\n",
            [
                (
                    "1:5: this is not YAML (expected alphabetic or numeric character, but found '\\n'); "
                    "mend the line or put it in quotes"
                )
            ],
            id="what PyYAML has its own words for",
        ),
        pytest.param(
            "- " * 30, ["1:43: nested more than 20 levels deep; a rule file needs far fewer"], id="F69 nested too deep"
        ),
        pytest.param(
            "x" * (MAX_BYTES + 1),
            ["1:1: the file is larger than 1 MiB; a rule file holds one target: split it"],
            id="F69 more than 1 MiB",
        ),
        pytest.param(
            "é" * (MAX_BYTES // 2 + 1),
            ["1:1: the file is larger than 1 MiB; a rule file holds one target: split it"],
            id="more than 1 MiB in bytes",
        ),
        pytest.param(
            "- \n" * (MAX_NODES + 1),
            ["50000:2: the file holds more than 50000 values; split it"],
            id="F69 too many values",
        ),
    ],
)
def test_what_is_not_plain_is_told_with_its_place(text: str, problems: list[str]) -> None:
    assert said(text) == problems


@pytest.mark.parametrize("word", ["0500", "1:30", "1:30.5", "1_000", "0x1F", "0b101", "-012", "0x_", "1" * 500])
def test_a_number_that_does_not_look_like_its_value_is_refused(word: str) -> None:
    (problem,) = said(f"a: {word}\n")
    assert problem.startswith(f"1:4: YAML does not read {word[:60]}")
    assert "write a number in plain digits, or put text in quotes" in problem


def test_what_a_refused_value_leads_to_is_known() -> None:
    document = read_document("f", "a: {b: *x}\n")
    assert document.is_refused(("a", "b"))
    assert document.is_refused(("a", "b", "c"))
    assert not document.is_refused(("a",))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("a: xyz\n", "1:6", id="bare word"),
        pytest.param("a: 'xyz'\n", "1:7", id="quotes"),
        pytest.param('a: "x\\tz"\n', "1:8", id="quotes with an escape"),
        pytest.param('a: "\\"x\\"z"\n', "1:8", id="quotes in quotes"),
        pytest.param("a: ' ''x''z'\n", "1:9", id="single quotes in single quotes"),
        pytest.param('a: "xy\\\n  z"\n', "2:3", id="quotes over two lines"),
        pytest.param('a: "\\x41\\u0042z"\n', "1:15", id="escapes of letters"),
        pytest.param("a: x\n  z\n", "2:3", id="bare words over two lines"),
        pytest.param("a: >-  # why\n  x\n\n  z\n", "4:3", id="folded block with a comment and an empty line"),
        pytest.param("a: '  xyz'\n", "1:9", id="white space in front is not counted"),
        pytest.param("a: |\n  xyz\n", "2:5", id="block"),
        pytest.param("a: |-  # why\n\n  x\n  z\n", "4:3", id="block with a comment, an empty line, and two lines"),
        pytest.param("a: |2\n    xyz\n", "2:7", id="block that says how far it is indented"),
        pytest.param("a: |\r\n  x\r\n  z\r\n", "3:3", id="block with line breaks of Windows"),
        pytest.param("a: >\n  x\n  z\n", "3:3", id="folded block"),
        pytest.param("- {a: [é, xyz]}\n", "1:13", id="columns are characters"),
    ],
)
def test_the_third_character_of_a_value_has_a_place(text: str, found: str) -> None:
    document = read_document("f", text)
    assert document.problems == ()
    path = (0, "a", 1) if isinstance(document.value, list) else ("a",)
    problem = document.places.problem(Finding(code="R201", path=path, message="m", offset=2))
    assert str(problem) == f"f:{found}: R201: m"


@pytest.mark.parametrize(
    ("finding", "place"),
    [
        pytest.param(Finding(code="R201", path=("a", "b"), message="m"), "2:6", id="a value"),
        pytest.param(Finding(code="R201", path=("a", "b"), message="m", at_key=True), "2:3", id="a key"),
        pytest.param(Finding(code="R201", path=("a", "c"), message="m"), "3:3", id="an empty value is told at its key"),
        pytest.param(
            Finding(code="R201", path=("a", "x", "y"), message="m"), "2:3", id="what is missing is told at its parent"
        ),
        pytest.param(
            Finding(code="R201", path=("x",), message="m", at_key=True), "1:1", id="what is missing at the top"
        ),
        pytest.param(Finding(code="R201", path=("a",), message="m"), "1:1", id="a block is told at its key"),
    ],
)
def test_a_finding_has_a_place(finding: Finding, place: str) -> None:
    document = read_document("f", "a:\n  b: 1\n  c:\n")
    assert str(document.places.problem(finding)) == f"f:{place}: R201: m"


def test_a_problem_stays_on_one_line_and_steers_no_terminal() -> None:
    (problem,) = read_document("a\nb\x1b[2J.yaml", "x: @\n").problems
    assert str(problem).isprintable()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * MAX_BYTES, id="brackets"),
        pytest.param("? " * (MAX_BYTES // 2), id="question marks"),
        pytest.param("a: b\n" * (MAX_BYTES // 5), id="one key many times"),
        pytest.param("[" + "a," * (MAX_BYTES // 2 - 1), id="a long list"),
        pytest.param("a" * (MAX_BYTES - 3) + ": b", id="a long key"),
        pytest.param('a: "' + "\\n" * (MAX_BYTES // 2 - 4), id="escapes"),
    ],
)
def test_F69_a_hostile_file_takes_bounded_time(text: str) -> None:
    begun = time.process_time()
    read_document("f", text)
    assert time.process_time() - begun < GENEROUS


YAML = st.text(
    alphabet=st.one_of(st.sampled_from("ab01 \n\t:-?[]{},#&*!|>'\"%@`<.~\\ue{{ }}"), st.characters()), max_size=80
)


@given(YAML)
def test_F68_any_text_is_a_document_or_has_problems(text: str) -> None:
    document = read_document("f", text)
    lines = text.count("\n") + text.count("\r") + 1
    for problem in document.problems:
        assert 1 <= problem.line <= lines
        assert problem.column >= 1
        assert str(problem).isprintable()
        assert "; " in problem.message


TWO_READERS = "#\t\n"
"""A first line on whose account a text is read by PyYAML alone, and not by libyaml."""
WRITTEN = st.lists(
    st.sampled_from(
        ["a: ", "- ", "  ", "\n", "\n  ", "x", "'y z'", '"é\\n"', "[1, ", "]", "{b: ", "}", "|\n", ">-\n", "#"]
    ),
    max_size=20,
).map("".join)


def places(document: Document, shift: int) -> dict[KeyPath, int]:
    """Where the values stand that span any text; the others are told at their keys."""
    return {path: spot.start + shift for path, spot in document.places.spots.items() if spot.start < spot.end}


@given(YAML | WRITTEN)
def test_both_readers_of_yaml_find_the_same_at_the_same_places(text: str) -> None:
    fast, slow = read_document("f", text), read_document("f", TWO_READERS + text)
    if slow.value is not None:  # libyaml takes a little more, such as {a?b: 1}
        assert repr(fast.value) == repr(slow.value)
        assert [(each.line + 1, each.column, each.code) for each in fast.problems] == [
            (each.line, each.column, each.code) for each in slow.problems
        ]
        assert places(fast, len(TWO_READERS)) == places(slow, 0)


def test_what_libyaml_refuses_is_told_in_the_words_for_pyyaml() -> None:
    text = "a: [1, 2\nb: 'x'y'\n"
    assert said(TWO_READERS + text) == [f"2{said(text)[0][1:]}"]
