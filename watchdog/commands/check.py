"""`watchdog check`, `watchdog explain` and `watchdog schema`: what can be told of rule files without a server.

Law: data on standard output and talk on standard error; 0 is well, 1 problems, 2 a path or a code that does not exist.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from watchdog.commands.exit_codes import FINDINGS, OK, USAGE
from watchdog.commands.formats import FORMATS, Checked
from watchdog.commands.talk import missing_paths, say, tell
from watchdog.core.rules.codes import CODES, Code
from watchdog.core.visible import visible
from watchdog.rulefiles.ruleset import check_rules


def check(paths: Sequence[Path], *, form: str) -> int:
    """Checks files and folders, prints what was found in one of `FORMATS`, and returns the exit code."""
    if missing := missing_paths(*paths):
        tell("\n".join(missing))
        return USAGE
    targets, problems = check_rules(*paths)
    return show(Checked(targets=targets, problems=problems), form=form)


def show(checked: Checked, *, form: str) -> int:
    """Prints what was found, and returns the exit code."""
    for line in FORMATS[form](checked):
        say(line)
    if worst := min(checked.problems, key=lambda problem: (problem.is_warning, problem.code), default=None):
        wrong = sum(not problem.is_warning for problem in checked.problems)
        warned = len(checked.problems) - wrong
        told = f"{wrong} problem{'s' * (wrong != 1)}, {warned} warning{'s' * (warned != 1)}"
        tell(f"{told}; watchdog explain {worst.code} says more about {worst.code}")
    return OK if checked.is_well else FINDINGS


def explain(name: str) -> int:
    """Prints what a code means, or all of them for "", and returns the exit code."""
    if not name:
        for code in CODES.values():
            say(f"{code.id}  {code.title}{' (warning)' * code.warns}")
        return OK
    known = CODES.get(name.upper())
    if known is None:
        tell(f"{visible(name)} is no code; watchdog explain lists them")
        return USAGE
    sys.stdout.write(_explained(known))
    return OK


def _explained(code: Code) -> str:
    kind = "A warning: it stops nothing." if code.warns else "An error: no file with it is taken."
    examples = f"Wrong:\n{_indented(code.wrong)}\nRight:\n{_indented(code.right)}"
    return f"{code.id}: {code.title}\n\n{code.why}\n{kind}\n\n{examples}"


def _indented(text: str) -> str:
    return "".join(f"    {visible(line)}\n" for line in text.splitlines())


def schema() -> int:
    """Prints the JSON Schema of rule files."""
    from watchdog.core.rules.schema import schema_text  # noqa: PLC0415 - checking files needs no schema

    sys.stdout.write(schema_text())
    return OK
