"""The journal as text: the data of a ConfigMap that tells the story to whoever reads it.

Law: what was written is read back as it was; what cannot be read is never guessed, and what a newer program wrote is
refused.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from watchdog.core.annotations import UnreadableRecordError
from watchdog.core.instant import read_instant, show_instant
from watchdog.core.journal import Journal, trips

SCHEMA = 1
TRIPPED = "tripped"
_JOURNAL = TypeAdapter(Journal)
_PARTS = ("trip", "stays", "vouched", "paused_since", "mixed_at", "finished", "in_force", "states", "outbox")


class NewerSchemaError(UnreadableRecordError):
    """A newer program wrote this journal."""


def write_journal(journal: Journal) -> dict[str, str]:
    """The data of the ConfigMap: a YAML text for each part, the empty ones left out."""
    fields = _JOURNAL.dump_python(journal, mode="json", exclude_defaults=True)
    parts = {name: yaml.safe_dump(fields[name], sort_keys=False) for name in _PARTS if fields.get(name)}
    return {"schema": str(SCHEMA), "target": journal.target, **_tripped(journal), **parts}


def _tripped(journal: Journal) -> dict[str, str]:
    """When the last rollback began, for whoever counts many journals and does not want to read them."""
    began = [trip.started_at for trip in trips(journal)]
    return {TRIPPED: show_instant(max(began))} if began else {}


def tripped_at(data: Mapping[str, str]) -> tuple[str, float] | None:
    """The target of a journal and when its last rollback began; None for what is no journal, or tells of none."""
    try:
        return data["target"], read_instant(data[TRIPPED])
    except (KeyError, ValueError):
        return None


def read_journal(data: Mapping[str, str], *, target: str) -> Journal:
    """The journal in the data. Raises UnreadableRecordError saying which part, or NewerSchemaError."""
    schema = data.get("schema", "")
    if not (schema.isascii() and schema.isdigit()):
        raise UnreadableRecordError(f"the journal's schema is {schema!r}, which is no number")
    if int(schema) > SCHEMA:
        raise NewerSchemaError(f"the journal's schema is {schema}, and this program reads up to {SCHEMA}; upgrade it")
    if data.get("target") != target:
        raise UnreadableRecordError(f"the journal is of the target {data.get('target')!r}, not of {target!r}")
    fields: dict[str, Any] = {name: _part(name, data[name]) for name in _PARTS if name in data}
    try:
        return replace(_JOURNAL.validate_python(fields | {"target": target}), target=target)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise UnreadableRecordError(f"the journal cannot be read at {where}: {first['msg']}") from error


def _part(name: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise UnreadableRecordError(f"the journal's part {name} is not YAML: {error}") from error
