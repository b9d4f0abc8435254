"""Files of rule tests: from the text to what can be played, or to all mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.fuzz.spoiling import spoil_yaml
from tests.fuzz.target import Target
from watchdog.core.rules.rulefile import parse_rule_file
from watchdog.replay.binding import MOST_SLOTS, bind, parse_test_file
from watchdog.replay.testfile import SECTIONS

_RULES = Path(__file__).parents[3] / "rules"
_RULE_FILE = parse_rule_file("rules.yaml", (_RULES / "banking-app.yaml").read_text())
_TARGETS = [_RULE_FILE.target] if _RULE_FILE.target is not None else []


def _parse(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    parsed = parse_test_file("f", text)
    assert (parsed.model is None) == bool(parsed.problems)
    tests, mistakes = bind(parsed, _TARGETS)
    assert bool(tests) != bool(mistakes)
    assert all(0 < test.slots <= MOST_SLOTS for test in tests)


def _seeds() -> Iterator[bytes]:
    """The shipped tests, a file each: a long file takes long to read."""
    shipped = yaml.safe_load((_RULES / "tests" / "banking-app.test.yaml").read_text())
    for case in shipped["tests"]:
        yield yaml.safe_dump(shipped | {"tests": [case]}, sort_keys=False, allow_unicode=True).encode()


_KEYS = {field.alias or name for section in SECTIONS.values() for name, field in section.model_fields.items()}

TARGET = Target(
    parse=_parse,
    seeds=_seeds,
    words=(*(f"{key}:" for key in sorted(_KEYS)), "1e308", "99999d", "0+1x9", "_x9", "stale", "- ", "[]", "{}"),
    spoil=spoil_yaml,
)
