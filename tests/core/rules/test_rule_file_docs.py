"""The reference of rule files knows every key, and tells the defaults that the models have."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from watchdog.core.durations import parse_duration
from watchdog.core.rules.keys import EXAMPLES, SECTIONS, keys_of

DOCUMENT = (Path(__file__).parents[3] / "docs" / "rule-files.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \|", re.MULTILINE)


def rows() -> list[tuple[str, str, str]]:
    """Key, type and default of each row that describes a key."""
    return [(key, kind, default.strip("`")) for key, kind, default in ROW.findall(DOCUMENT) if key in EXAMPLES]


def test_every_key_of_every_section_has_a_row() -> None:
    assert sorted(key for key, _, _ in rows()) == sorted(key for model in SECTIONS.values() for key in keys_of(model))


@pytest.mark.parametrize("model", SECTIONS.values(), ids=lambda model: model.__name__)
def test_the_defaults_are_those_of_the_models(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        told = [(kind, default) for key, kind, default in rows() if key == (field.alias or name)]
        default = field.get_default()
        if field.is_required():
            assert any(text.startswith("required") for _, text in told), name
        elif isinstance(default, float) and told[0][0].startswith("duration"):
            assert default in {parse_duration(text) for kind, text in told if kind.startswith("duration")}, name
        elif isinstance(default, bool | int | str):
            assert told[0][1].strip('"') == str(default).lower(), name
