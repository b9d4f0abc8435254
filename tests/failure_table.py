"""Joins failure modes, and what is no evidence, with the tests that carry their ids: ``make failure-table``.

Law: a test covers a row by naming it, and only what pytest itself collects is a test; what no test shows is said.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
ROWS = ROOT / "docs" / "failure-modes.yaml"
TABLE = ROOT / "docs" / "failure-modes.md"
# Between letters or digits it is part of a word; "_" separates.
ID = re.compile(r"(?<![0-9A-Za-z])[FV]\d{2,3}(?![0-9A-Za-z])")
_REAL = "on a real server: "
INTRODUCTION = """\
# Failure modes

What can go wrong around a rollback, what has to happen then, and the tests that show it. Written by
`make failure-table` from [failure-modes.yaml](failure-modes.yaml) and from the ids in the tests' names; edit those.
*Unknown* is an outcome `nodata`, `insufficient` or `error`: it never counts towards a rollback. *Hold* is no write, and
people are told.

A row is covered when its tests show all of it. **Open** says what none shows yet, also beside tests that show the rest.
*real* are tests on the real Prometheus, Elasticsearch or Kubernetes; the others are on a hand-made or simulated server,
or on values.
"""
EVIDENCE = """\
## What is no evidence

What a source can answer that is no value, or a wrong one, and what a rule makes of it. V11 and V12 cannot be seen in an
answer at all.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A failure mode; ``open`` is what no test shows yet, "" for nothing."""

    id: str
    failure: str
    required: str
    open: str = ""


def read_rows(text: str) -> tuple[Row, ...]:
    """The rows of the YAML file, in its order. Raises TypeError for a key that is unknown or missing."""
    listed: list[dict[str, Any]] = yaml.safe_load(text)
    return tuple(Row(**each) for each in listed)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Says which tests are on real servers, when this module is given to pytest as a plugin."""
    for item in session.items:
        if item.get_closest_marker("real"):
            print(f"{_REAL}{item.nodeid}")


def collect_tests() -> dict[str, bool]:
    """Every test that pytest would run, by its node id and in its order, and whether it is on a real server."""
    options = ["--collect-only", "-q", "--color=no", "-p", "no:cacheprovider", "-p", "tests.failure_table", "-s"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "tests"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the tests cannot be collected:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    lines = done.stdout.splitlines()
    real = {line.removeprefix(_REAL) for line in lines if line.startswith(_REAL)}
    return {line: line in real for line in lines if "::" in line and not line.startswith(_REAL)}


def ids_in(node: str) -> tuple[str, ...]:
    """The ids that a test carries, in the name of its function or in those of its parameters."""
    return tuple(dict.fromkeys(ID.findall(node.partition("::")[2])))


def join(tests: Iterable[str]) -> dict[str, list[str]]:
    """The tests of each id."""
    found: dict[str, list[str]] = {}
    for node in tests:
        for each in ids_in(node):
            found.setdefault(each, []).append(node)
    return found


def render(rows: Sequence[Row], collected: Mapping[str, bool]) -> str:
    """Both tables as Markdown, from the rows and from `collect_tests`."""
    failures = [row for row in rows if row.id.startswith("F")]
    evidence = [row for row in rows if row.id.startswith("V")]
    lines = [
        INTRODUCTION,
        *_table(failures, collected, head="| id | failure | required behavior | tests |"),
        "",
        EVIDENCE,
        *_table(evidence, collected, head="| id | answer | outcome | tests |"),
    ]
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[Row], collected: Mapping[str, bool], *, head: str) -> list[str]:
    tests = join(collected)
    covered = sum(not row.open for row in rows)
    in_part = sum(bool(row.open and tests.get(row.id)) for row in rows)
    count = f"{len(rows)} rows: {covered} covered, {in_part} covered in part, {len(rows) - covered - in_part} open.\n"
    return [count, head, "|---|---|---|---|", *(_line(row, tests.get(row.id, ()), collected) for row in rows)]


def _line(row: Row, tests: Sequence[str], collected: Mapping[str, bool]) -> str:
    shown = [*_links(row.id, tests, collected), *([f"**open**: {_cell(row.open)}"] if row.open else [])]
    return f"| {row.id} | {_cell(row.failure)} | {_cell(row.required)} | {'<br>'.join(shown)} |"


def _links(row: str, tests: Sequence[str], collected: Mapping[str, bool]) -> list[str]:
    """A link a test function; a parameter is named when it alone carries the id, and several are counted."""
    by_function: dict[str, list[str]] = {}
    real = set()
    for node in tests:
        function, _, parameters = node.partition("[")
        by_function.setdefault(function, []).append(parameters.removesuffix("]"))
        if collected[node]:
            real.add(function)
    return [
        _link(row, function, parameters) + ", *real*" * (function in real)
        for function, parameters in by_function.items()
    ]


def _link(row: str, function: str, parameters: Sequence[str]) -> str:
    file, _, name = function.partition("::")
    if row in ids_in(function):
        return f"[`{name}`](../{file})"
    if len(parameters) > 1:
        return f"[`{name}`](../{file}), {len(parameters)} cases"
    shown = parameters[0].replace("`", "'").replace("|", "\\|")
    return f"[`{name}[{shown}]`](../{file})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> None:
    """Writes the table, and names the rows whose `open` has to be looked at again."""
    rows, collected = read_rows(ROWS.read_text(encoding="utf-8")), collect_tests()
    tests = join(collected)
    TABLE.write_text(render(rows, collected), encoding="utf-8")
    both = [row.id for row in rows if row.open and tests.get(row.id)]
    print(f"{TABLE.relative_to(ROOT)} is written; open in part, does the reason still hold? {' '.join(both)}")
    bare = [row.id for row in rows if not row.open and not tests.get(row.id)]
    if bare:
        print(f"neither a test nor a reason: {' '.join(bare)}")
    unknown = sorted(set(tests) - {row.id for row in rows})
    if unknown:
        print(f"tests name what is no row: {' '.join(unknown)}")


if __name__ == "__main__":
    main()
