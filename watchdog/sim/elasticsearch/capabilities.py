"""Which fields there are, and what can be done with each.

Law: pure; types follow from names and values, as `matching` takes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

from watchdog.sim.elasticsearch.documents import Document
from watchdog.sim.elasticsearch.errors import Json
from watchdog.sim.elasticsearch.matching import DATES, TEXTS


def capabilities(documents: Iterable[Document], wanted: Sequence[str]) -> Json:
    """``_field_caps`` of the fields that a pattern of ``wanted`` names, and of the objects that they are in."""
    fields: Json = {}
    for document in documents:
        for name, values in document.fields.items():
            if any(fnmatchcase(name, pattern) for pattern in wanted):
                fields |= {parent: _capability("object") for parent in _parents(name)}
                fields[name] = _capability(_type_of(name, values[0]))
    return fields


def _parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    for length in range(1, len(parts)):
        yield ".".join(parts[:length])


def _type_of(name: str, value: Any) -> str:
    if name in TEXTS or name in DATES:
        return "text" if name in TEXTS else "date"
    match value:
        case bool():
            return "boolean"
        case int():
            return "long"
        case float():
            return "float"
        case _:
            return "keyword"


def _capability(kind: str) -> Json:
    is_object = kind == "object"
    capability = {
        "type": kind,
        "metadata_field": False,
        "searchable": not is_object,
        "aggregatable": not is_object and kind != "text",
    }
    return {kind: capability}
