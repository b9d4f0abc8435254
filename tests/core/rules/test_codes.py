"""Every code has an example that is wrong and gives this code, and one that is right and gives nothing."""

import re
from pathlib import Path

import pytest

from watchdog.core.rules.codes import CODES, Code, example_files
from watchdog.core.rules.codes.online import ONLINE
from watchdog.rulefiles.ruleset import check_rules

ROOT = Path(__file__).parents[3]
OFFLINE = [code for code in CODES.values() if code not in ONLINE]


def codes_of(folder: Path, example: str, *, encoding: str = "utf-8") -> set[str]:
    """The codes that the files of an example give."""
    for number, text in enumerate(example_files(example)):
        (folder / f"{number}.yaml").write_text(text, encoding=encoding)
    _, problems = check_rules(folder)
    return {problem.code for problem in problems}


@pytest.mark.parametrize("code", OFFLINE, ids=lambda code: code.id)
def test_the_wrong_example_gives_its_code(code: Code, tmp_path: Path) -> None:
    assert code.id in codes_of(tmp_path, code.wrong, encoding=code.encoding)


@pytest.mark.parametrize("code", CODES.values(), ids=lambda code: code.id)
def test_the_right_example_gives_nothing(code: Code, tmp_path: Path) -> None:
    assert codes_of(tmp_path, code.right) == set()


# Where the example needs a second mistake to make the first one: 210 unknown keys make "too many problems".
@pytest.mark.parametrize("code", [code for code in OFFLINE if code.id != "R109"], ids=lambda code: code.id)
def test_the_wrong_example_gives_no_other_code(code: Code, tmp_path: Path) -> None:
    assert codes_of(tmp_path, code.wrong, encoding=code.encoding) == {code.id}


def test_codes_are_in_order_and_of_their_groups() -> None:
    assert list(CODES) == sorted(CODES)
    assert all(re.fullmatch(r"R[1-6]\d\d", name) for name in CODES)


def test_every_code_in_the_program_is_registered_and_every_registered_one_is_given() -> None:
    files = [file for file in (ROOT / "watchdog").rglob("*.py") if file.parent.name != "codes"]
    given = {name for file in files for name in re.findall(r'"(R\d\d\d)"', file.read_text(encoding="utf-8"))}
    assert given == set(CODES)


def test_every_code_is_in_the_documentation() -> None:
    text = (ROOT / "docs" / "rule-files.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(R\d\d\d)` \| ([^|]*) \|", text, re.MULTILINE))
    assert rows == {code.id: code.title + " (warning)" * code.warns for code in CODES.values()}
