"""The JSON Schema of rule files, for editors.

Law: it is made from the models; what the schema refuses, `watchdog check` refuses too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from watchdog.core.durations import show_duration
from watchdog.core.rules.kinds.elasticsearch import LANGUAGES
from watchdog.core.rules.language import BOUND_THEMSELVES, KINDS, Target
from watchdog.core.rules.values import DURATION_PATTERN, POSITIVE_DURATION_PATTERN, SHARE_PATTERN

_MAY_BE_NULL = "rollback_window"
_COUNT = {"type": "number", "exclusiveMinimum": 0}


def rule_file_schema() -> dict[str, Any]:
    """The schema as plain values, ready for JSON."""
    schema = Target.model_json_schema(by_alias=True)
    for model in (schema, *schema["$defs"].values()):
        model.pop("title", None)
        for key, given in model.get("properties", {}).items():
            model["properties"][key] = _as_written(key, given)
    # What the models say in code: a rule asks one thing, and its threshold or the kind says what is too much; a search
    # is written in one language, ES|QL with its index inside; a range has a bound.
    models = schema["$defs"]
    models["Rule"]["oneOf"] = _each_required(KINDS)
    models["Rule"]["allOf"] = [{"oneOf": _each_required(("threshold", *sorted(BOUND_THEMSELVES)))}]
    models["ElasticsearchQuery"]["oneOf"] = _each_required(LANGUAGES)
    models["ElasticsearchQuery"]["allOf"] = [{"oneOf": _each_required(("index", "esql"))}]
    models["Threshold"]["anyOf"] = _each_required(("min", "max"))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Rule file", **schema}


def schema_text() -> str:
    """The schema as it stands in ``rules/schema.json``."""
    return json.dumps(rule_file_schema(), indent=2, ensure_ascii=False) + "\n"


def _each_required(keys: Iterable[str]) -> list[dict[str, Any]]:
    return [{"required": [key]} for key in keys]


def _as_written(key: str, given: dict[str, Any]) -> dict[str, Any]:
    """A property as people write it: durations and shares as text, and no null where nothing is said by absence."""
    written = {name: value for name, value in given.items() if name != "title"}
    if "anyOf" in written and key != _MAY_BE_NULL:
        (choice,) = (each for each in written.pop("anyOf") if each != {"type": "null"})
        written |= {"anyOf": [choice, _COUNT]} if key == "min_samples" else choice
        del written["default"]
    if "patternProperties" in written:
        written["additionalProperties"] = False  # pydantic's schema names the keys that fit, and lets others pass
    default = written.get("default")
    if isinstance(default, float) and written.get("pattern") in (DURATION_PATTERN, POSITIVE_DURATION_PATTERN):
        written["default"] = show_duration(default)
    if isinstance(default, float) and written.get("pattern") == SHARE_PATTERN:
        written["default"] = f"{default:.0%}"
    return written
