"""The table of failure modes says what the tests show, no more and no less."""

import pytest

from tests.failure_table import ROWS, TABLE, Row, collect_tests, ids_in, join, read_rows, render


@pytest.fixture(scope="module")
def rows() -> tuple[Row, ...]:
    return read_rows(ROWS.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def collected() -> dict[str, bool]:
    return collect_tests()


@pytest.fixture(scope="module")
def tests(collected: dict[str, bool]) -> dict[str, list[str]]:
    return join(collected)


def test_the_ids_are_all_there_and_in_order(rows: tuple[Row, ...]) -> None:
    failures, evidence = [f"F{number:02}" for number in range(1, 96)], [f"V{number:02}" for number in range(1, 13)]
    assert [row.id for row in rows] == [*failures, *evidence]


def test_no_test_names_what_is_no_row(rows: tuple[Row, ...], tests: dict[str, list[str]]) -> None:
    known = {row.id for row in rows}
    assert {each: nodes for each, nodes in tests.items() if each not in known} == {}


def test_a_row_without_a_test_says_why(rows: tuple[Row, ...], tests: dict[str, list[str]]) -> None:
    assert [row.id for row in rows if not tests.get(row.id) and not row.open] == []


def test_the_table_is_current(rows: tuple[Row, ...], collected: dict[str, bool]) -> None:
    written = TABLE.read_text(encoding="utf-8").splitlines()
    assert written == render(rows, collected).splitlines(), "make failure-table"


def test_the_tests_on_real_servers_are_known(collected: dict[str, bool]) -> None:
    assert collected["tests/test_failure_table.py::test_the_tests_on_real_servers_are_known"] is False
    assert collected["tests/sources/test_prometheus_real.py::test_several_series_are_named_F09_V05"] is True


@pytest.mark.parametrize(
    ("node", "ids"),
    [
        pytest.param("tests/a.py::test_F01_F02_an_outage", ("F01", "F02"), id="two in a name"),
        pytest.param("tests/a.py::test_many_series_F09", ("F09",), id="at the end of a name"),
        pytest.param("tests/a.py::test_many_series_F09_V05", ("F09", "V05"), id="of both tables"),
        pytest.param("tests/a.py::test_faults[the switch-F33 lost]", ("F33",), id="in a parameter"),
        pytest.param("tests/a.py::test_F28_b[F28 c]", ("F28",), id="twice is once"),
        pytest.param("tests/F33/test_F34.py::test_it", (), id="never in a path"),
        pytest.param("tests/a.py::test_it[0xF33-\\uF330]", (), id="never inside a word"),
    ],
)
def test_where_an_id_stands(node: str, ids: tuple[str, ...]) -> None:
    assert ids_in(node) == ids


def test_a_row_is_rendered_with_its_tests_and_with_what_is_open() -> None:
    text = (
        "- {id: F33, failure: a|b, required: c}\n- {id: F34, failure: d, required: e, open: f}\n"
        "- {id: V01, failure: g, required: h}"
    )
    nodes = {"tests/a.py::test_F33_x[1]": False, "tests/a.py::test_F33_x[2]": True}
    nodes |= {"tests/b.py::test_y[F33 z]": False, "tests/b.py::test_v_V01": True}
    nodes |= {f"tests/c.py::test_z[F33 {number}]": False for number in range(3)}
    rows = [line for line in render(read_rows(text), nodes).splitlines() if line.startswith(("| F", "| V"))]
    assert rows == [
        (
            "| F33 | a\\|b | c | [`test_F33_x`](../tests/a.py), *real*<br>[`test_y[F33 z]`](../tests/b.py)"
            "<br>[`test_z`](../tests/c.py), 3 cases |"
        ),
        "| F34 | d | e | **open**: f |",
        "| V01 | g | h | [`test_v_V01`](../tests/b.py), *real* |",
    ]
