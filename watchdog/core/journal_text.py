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
from watchdog.core.model import End

SCHEMA = 2
TRIPPED = "tripped"
_JOURNAL = TypeAdapter(Journal)
_MOST_DIGITS = 9
# How a trip ended, as it was said before there was one word for it.
_ENDS_BEFORE = (
    ("switched", False, End.GIVEN_UP),
    ("superseded", True, End.SUPERSEDED),
    ("recovered", True, End.RECOVERED),
    ("recovered", False, End.NOT_RECOVERED),
)
_PARTS = ("trip", "stays", "vouched", "paused_since", "mixed_at", "finished", "in_force", "states", "outbox")


def name_of_journal(target: str) -> str:
    """The name of the ConfigMap that holds a target's journal."""
    return f"canary-watchdog-{target}"


class NewerSchemaError(UnreadableRecordError):
    """A newer program wrote this journal."""


class _Loader(yaml.SafeLoader):
    """Reads what is written here, which has no aliases: a few lines of them can stand for gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The next node; raises a YAMLError for an alias."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="there are no aliases in a journal", problem_mark=self.get_mark())
        return super().compose_node(parent, index)


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
    if not (schema.isascii() and schema.isdigit() and len(schema) <= _MOST_DIGITS):
        raise UnreadableRecordError(f"the journal's schema is {schema[:_MOST_DIGITS]!r}, which is no number of ours")
    if int(schema) > SCHEMA:
        raise NewerSchemaError(f"the journal's schema is {schema}, and this program reads up to {SCHEMA}; upgrade it")
    if data.get("target") != target:
        raise UnreadableRecordError(f"the journal is of the target {data.get('target')!r}, not of {target!r}")
    fields: dict[str, Any] = {name: _part(name, data[name]) for name in _PARTS if name in data}
    if isinstance(fields.get("finished"), list):
        fields["finished"] = list(map(_with_end, fields["finished"]))
    try:
        return replace(_JOURNAL.validate_python(fields | {"target": target}), target=target)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise UnreadableRecordError(f"the journal cannot be read at {where}: {first['msg']}") from error


def _with_end(finished: Any) -> Any:
    """A finished trip with how it ended, also when an earlier program wrote it."""
    if not isinstance(finished, dict) or "end" in finished:
        return finished
    end = next((end for key, value, end in _ENDS_BEFORE if finished.get(key) is value), None)
    return finished if end is None else finished | {"end": end}


def _part(name: str, text: str) -> Any:
    try:
        return _Loader(text).get_single_data()
    except (yaml.YAMLError, RecursionError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        # What stands behind a tag and does not fit it, such as the date 2020-99-99, comes as Python's own errors.
        raise UnreadableRecordError(f"the journal's part {name} is not YAML: {error}") from error
