"""The JSON Schema beside the rule files is that of the models."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from tests.core.rules.test_rulefile import EVERY_KEY, VALUES, edited
from watchdog.core.rules.codes import CODES, Code, example_files
from watchdog.core.rules.document import read_document
from watchdog.core.rules.keys import SECTIONS, keys_of
from watchdog.core.rules.rulefile import parse_rule_file
from watchdog.core.rules.schema import rule_file_schema, schema_text

ROOT = Path(__file__).parents[3]
RULES = ROOT / "rules"
SHIPPED = (*sorted(RULES.glob("*.yaml")), ROOT / "watchdog" / "demo" / "rules.yaml")
SCHEMA = Draft202012Validator(rule_file_schema())
HEAD = """\
target: banking-app
namespace: banking-app
mode: enforce
services:
  - {name: frontend, deployment: "frontend-{{ color }}"}
rules:
"""
FENCED = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_schema_in_the_folder_is_the_one_of_the_models() -> None:
    text = (RULES / "schema.json").read_text(encoding="utf-8")
    assert text == schema_text(), "make it anew: watchdog schema > rules/schema.json"


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(rule_file_schema())


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_every_rule_file_names_its_schema_and_obeys_it(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    modeline, _, _ = text.partition("\n")
    before, _, path = modeline.partition("=")
    assert before == "# yaml-language-server: $schema"
    assert (file.parent / path).resolve() == RULES / "schema.json"
    SCHEMA.validate(yaml.safe_load(text))


def test_every_rule_of_the_reference_obeys_it_and_is_accepted() -> None:
    examples = FENCED.findall((ROOT / "docs" / "rule-files.md").read_text(encoding="utf-8"))
    rules = [example for example in examples if example.startswith("- alert:")]
    assert len(rules) == len(examples) > 0
    for rule in rules:
        text = HEAD + rule
        assert parse_rule_file("f", text).problems == (), rule
        SCHEMA.validate(yaml.safe_load(text))


@pytest.mark.parametrize("code", CODES.values(), ids=lambda code: code.id)
def test_what_check_accepts_the_schema_accepts(code: Code) -> None:
    for text in example_files(code.right):
        SCHEMA.validate(yaml.safe_load(text))


# Whatever is about the shape of one value; not how values fit together, and not what a query says.
VISIBLE = ["R201", "R202", "R203", "R204", "R205", "R206", "R208", "R209", "R210", "R211", "R212", "R217", "R220"]


@pytest.mark.parametrize("name", VISIBLE)
def test_what_a_schema_can_see_it_refuses(name: str) -> None:
    (text,) = example_files(CODES[name].wrong)
    assert not SCHEMA.is_valid(yaml.safe_load(text))


# How values fit together, and what a query says.
BEYOND_ONE_VALUE = re.compile(r"R211|R214|R219|R301|R401|R5\d\d")
UNSEEN = ("- {}", "term", "timeout")
"""Free query DSL, and a duration with a longest one."""


def refusals(text: str) -> set[str] | None:
    """The codes that check gives for the values; None for a text that YAML alone makes wrong: it has no value."""
    if read_document("f", text).problems:
        return None
    return {problem.code for problem in parse_rule_file("f", text).problems}


@pytest.mark.parametrize("value", [value for value in VALUES.splitlines() if value != ".nan"])  # JSON has no NaN
def test_check_and_schema_agree_on_any_value_at_any_key(value: str) -> None:
    lines = EVERY_KEY.splitlines()
    for number, line in enumerate(lines):
        key, _, _ = line.partition(":")
        text = "\n".join([*lines[:number], f"{key}: {value}", *lines[number + 1 :]])
        codes = refusals(text)
        if codes is not None and not key.strip().startswith(UNSEEN):
            is_valid = SCHEMA.is_valid(read_document("f", text).value)
            assert is_valid or codes, key
            assert not is_valid or all(map(BEYOND_ONE_VALUE.fullmatch, codes)), key


@settings(deadline=timedelta(seconds=5))
@given(edited())
def test_what_the_schema_refuses_check_refuses(text: str) -> None:
    value = read_document("f", text).value
    if value is not None and not SCHEMA.is_valid(value):
        assert parse_rule_file("f", text).problems


def models() -> list[dict[str, Any]]:
    schema = rule_file_schema()
    return [schema, *(model for name, model in schema["$defs"].items() if name != "Mode")]


def test_every_key_is_described_and_no_other_accepted() -> None:
    properties = [set(model["properties"]) for model in models()]
    assert sorted(map(sorted, properties)) == sorted(sorted(keys_of(model)) for model in SECTIONS.values())
    for model in models():
        assert model["additionalProperties"] is False
        assert all("description" in each for each in model["properties"].values())


@pytest.mark.parametrize(
    ("model", "key", "default"),
    [
        ("Rollback", "scale_down_delay", "30s"),
        ("Rollback", "min_ready", "80%"),
        ("Rollback", "rollback_window", None),
        ("Rule", "for", "0s"),
        ("Rule", "no_data_timeout", "5m"),
        ("Service", "selector", {"color": "{{ color }}"}),
    ],
)
def test_defaults_are_shown_as_people_write_them(model: str, key: str, default: object) -> None:
    assert rule_file_schema()["$defs"][model]["properties"][key]["default"] == default
