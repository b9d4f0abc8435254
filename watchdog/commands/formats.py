"""What `watchdog check` found, as text for people, as GitHub's workflow commands, as JSON and as SARIF.

Law: the same problems in every format; nothing quoted from a file can end a line, forge a command or move a cursor.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from watchdog import __version__
from watchdog.core.rules.codes import CODES, Code
from watchdog.core.rules.language import Target
from watchdog.core.rules.problem import Problem
from watchdog.core.visible import visible

_SHOWN_BEFORE, _SHOWN_AT_MOST = 60, 110
_WIDE = frozenset({"W", "F"})
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What a rule's source says of one color now."""

    target: str
    alert: str
    color: str
    outcome: str
    reason: str
    value: float | None = None
    samples: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """All that is known after a check: the target of each file that is well, and what is wrong, with the warnings.

    ``values`` is what the servers said, if they were asked.
    """

    targets: dict[str, Target]
    problems: tuple[Problem, ...]
    values: tuple[Value, ...] = ()

    @property
    def is_well(self) -> bool:
        """True when there is nothing, or only warnings."""
        return all(problem.is_warning for problem in self.problems)


def as_text(checked: Checked) -> Iterator[str]:
    """A line a problem with the place below it; a line for each file when all are well."""
    for problem in checked.problems:
        yield str(problem)
        yield from _place(problem)
    if checked.is_well:
        for name, target in checked.targets.items():
            yield f"{visible(name)}: ok, {_summary(target)}"
    if checked.values:
        yield ""
        yield from _table(checked.values)


def as_github(checked: Checked) -> Iterator[str]:
    """GitHub's workflow commands: they become annotations on the lines of a pull request."""
    for problem in checked.problems:
        properties = {
            "file": visible(_relative(problem.file)),
            "line": str(problem.line),
            "col": str(problem.column),
            "title": f"{problem.code}: {CODES[problem.code].title}",
        }
        told = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
        yield f"::{_level(problem)} {told}::{_data(visible(problem.message))}"


def as_command(level: str, text: str) -> str:
    """A workflow command that says a text of any number of lines: ``notice``, ``warning`` or ``error``."""
    return f"::{level}::{_data(visible(text))}"


def as_json(checked: Checked) -> Iterator[str]:
    """One JSON object: ``files`` with their targets, ``problems`` with their places."""
    problems = [
        {
            "file": problem.file,
            "line": problem.line,
            "column": problem.column,
            "code": problem.code,
            "severity": _level(problem),
            "message": problem.message,
        }
        for problem in checked.problems
    ]
    files = [{"file": name, "target": target.target} for name, target in checked.targets.items()]
    values = [
        {name: _plain(each) for name, each in asdict(value).items()} | {"reason": visible(value.reason)}
        for value in checked.values
    ]
    yield json.dumps({"files": files, "problems": problems} | ({"values": values} if values else {}), indent=2)


def as_sarif(checked: Checked) -> Iterator[str]:
    """A SARIF 2.1.0 log with one run."""
    driver = {"name": "canary-watchdog", "version": __version__, "rules": [_rule(code) for code in CODES.values()]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(problem) for problem in checked.problems],
    }
    yield json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


FORMATS: dict[str, Callable[[Checked], Iterator[str]]] = {
    "text": as_text,
    "github": as_github,
    "json": as_json,
    "sarif": as_sarif,
}


def _table(values: Sequence[Value]) -> Iterator[str]:
    rows = [("target", "rule", "color", "value", "samples", "outcome", "")]
    rows += [
        (each.target, each.alert, each.color, _number(each.value), _number(each.samples), each.outcome, each.reason)
        for each in values
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, (*widths, 0), strict=True)]
        yield visible("  ".join(cells).rstrip())


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _plain(value: Any) -> Any:
    """A value as JSON has it: no NaN, and no infinity."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _place(problem: Problem) -> Iterator[str]:
    """The line of the file, and a caret under the place."""
    if not problem.excerpt.strip():
        return
    at = problem.column - 1
    start = max(0, at - _SHOWN_BEFORE) if len(problem.excerpt) > _SHOWN_AT_MOST else 0
    before, after = problem.excerpt[start:at], problem.excerpt[at : start + _SHOWN_AT_MOST]
    left = ("…" if start else "") + visible(before.replace("\t", " "))
    right = visible(after.replace("\t", " ")) + ("…" if len(problem.excerpt) > start + _SHOWN_AT_MOST else "")
    margin = len(str(problem.line))
    yield f"  {problem.line} | {left}{right}"
    yield f"  {'':{margin}} | {' ' * _width(left)}^"


def _width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in _WIDE) for char in text)


def _summary(target: Target) -> str:
    count, acting = len(target.rules), sum(rule.action == "rollback" for rule in target.rules)
    rules = "1 rule" if count == 1 else f"{count} rules"
    verb = "rolls back" if acting == 1 else "roll back"
    return f"target {target.target} ({target.mode}), {rules}, {acting} {verb}"


def _level(problem: Problem) -> str:
    return "warning" if problem.is_warning else "error"


def _relative(file: str) -> str:
    """The file as seen from here, if it is below: annotations are found by the path in the repository."""
    path = Path(file)
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_absolute() and path.is_relative_to(here) else path.as_posix()


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _rule(code: Code) -> dict[str, Any]:
    return {
        "id": code.id,
        "shortDescription": {"text": code.title},
        "fullDescription": {"text": code.why},
        "help": {
            "text": f"{code.why}\n\nWrong:\n{code.wrong}\nRight:\n{code.right}",
            "markdown": f"{code.why}\n\nWrong:\n```yaml\n{code.wrong}```\nRight:\n```yaml\n{code.right}```\n",
        },
        "defaultConfiguration": {"level": "warning" if code.warns else "error"},
    }


_INDEX: Sequence[str] = tuple(CODES)


def _result(problem: Problem) -> dict[str, Any]:
    path = _relative(problem.file)
    uri = Path(path).as_uri() if Path(path).is_absolute() else quote(path.encode("utf-8", "surrogateescape"))
    place = {
        "artifactLocation": {"uri": uri},
        "region": {"startLine": problem.line, "startColumn": problem.column},
    }
    return {
        "ruleId": problem.code,
        "ruleIndex": _INDEX.index(problem.code),
        "level": _level(problem),
        "message": {"text": visible(problem.message)},
        "locations": [{"physicalLocation": place}],
    }
