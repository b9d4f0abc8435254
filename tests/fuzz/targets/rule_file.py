"""Rule files: from the text to the target or to all problems, and these as `watchdog check` tells them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import yaml

from tests.fuzz.spoiling import spoil_yaml
from tests.fuzz.target import Target
from watchdog.commands.formats import Checked, as_github, as_text
from watchdog.core.rules.claims import clashes
from watchdog.core.rules.codes import CODES
from watchdog.core.rules.language import Rule
from watchdog.core.rules.language import Target as RuleTarget
from watchdog.core.rules.rulefile import parse_rule_file
from watchdog.core.visible import visible

_ROOT = Path(__file__).parents[3]


def _parse(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    file = parse_rule_file("f.yaml", text)
    assert (file.target is None) == bool(file.problems)
    again = replace(file, claims=tuple(replace(each, place=replace(each.place, file="g.yaml")) for each in file.claims))
    problems = (*file.problems, *file.warnings, *clashes([*file.claims, *again.claims]))
    targets = {} if file.target is None else {"f.yaml": file.target}
    for form in (as_text, as_github):  # the others are JSON, which escapes whatever it is
        for line in form(Checked(targets=targets, problems=problems)):
            assert line == visible(line)


def _seeds() -> Iterator[bytes]:
    """The shipped rules, whole and a file each: a long file takes long to read."""
    for place in ("rules/banking-app.yaml", "watchdog/demo/rules.yaml"):
        text = (_ROOT / place).read_text()
        shipped = yaml.safe_load(text)
        yield text.encode()
        for rule in shipped["rules"]:
            yield yaml.safe_dump(shipped | {"rules": [rule]}, sort_keys=False, allow_unicode=True).encode()
    for code in CODES.values():
        yield from (example.encode() for example in (code.wrong, code.right))


TARGET = Target(
    parse=_parse,
    seeds=_seeds,
    words=(
        *(f"{name}:" for model in (RuleTarget, Rule) for name in model.model_fields),
        *("expr:", "index:", "query:", "ratio_of:", "dsl:", "kql:", "esql:", "max:", "value:", "url:", "pairs:"),
        *("{{ color }}", "{{ window }}", "rate(x[2m])", "!!", "&a", "*a", "<<:", "---", "? ", "|-", "\t", "0x1", "5m"),
    ),
    longest=8192,
    spoil=spoil_yaml,
)
