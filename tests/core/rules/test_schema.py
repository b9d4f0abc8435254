"""The JSON Schema beside the rule files is that of the models."""

from pathlib import Path
from typing import Any

import pytest

from watchdog.core.rules.keys import SECTIONS, keys_of
from watchdog.core.rules.schema import rule_file_schema, schema_text

RULES = Path(__file__).parents[3] / "rules"
ANEW = (
    'python -c "from watchdog.core.rules.schema import schema_text; print(schema_text(), end=str())" '
    "> rules/schema.json"
)


def test_the_schema_in_the_folder_is_the_one_of_the_models() -> None:
    assert (RULES / "schema.json").read_text(encoding="utf-8") == schema_text(), f"make it anew: {ANEW}"


def test_every_rule_file_names_its_schema() -> None:
    files = list(RULES.glob("*.yaml"))
    assert files
    for file in files:
        assert file.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=./schema.json\n")


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
