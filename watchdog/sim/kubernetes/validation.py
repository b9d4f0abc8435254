"""What the API server refuses to store, in its own words.

Law: pure; every cause is named, not only the first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from watchdog.sim.kubernetes.kinds import DEPLOYMENT, EVENT, NAMESPACE, SCALE, SERVICE, Json, Kind

_NAME_PART = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_PREFIX_PART = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LONGEST_PART = 63
_LONGEST_SUBDOMAIN = 253
_MOST_ANNOTATION_BYTES = 256 * 1024
_DNS_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
NAME_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


Cause = tuple[str, str, str]


def causes(kind: Kind, new: Json, old: Json | None) -> Iterable[Cause]:
    """What the validation refuses: (field, reason, message)."""
    metadata, spec = new["metadata"], new.get("spec", {})
    if old is None:
        yield from _name_causes(kind, metadata)
    yield from _label_causes("metadata.labels", metadata.get("labels", {}))
    yield from _annotation_causes(metadata.get("annotations", {}))
    if kind is SERVICE:
        if not spec.get("ports") and spec.get("clusterIP") != "None" and spec["type"] != "ExternalName":
            yield ("spec.ports", "FieldValueRequired", "Required value")
        for place, port in enumerate(spec.get("ports", [])):
            if len(spec["ports"]) > 1 and not port.get("name"):
                yield (f"spec.ports[{place}].name", "FieldValueRequired", "Required value")
        yield from _label_causes("spec.selector", spec.get("selector", {}))
    if kind in (DEPLOYMENT, SCALE) and spec.get("replicas", 0) < 0:
        yield _bad("spec.replicas", str(spec["replicas"]), "must be greater than or equal to 0")
    if kind is DEPLOYMENT:
        yield from _selector_causes(spec, old)


def _name_causes(kind: Kind, metadata: Json) -> Iterable[Cause]:
    name = metadata.get("name", "")
    if not name:
        yield ("metadata.name", "FieldValueRequired", "Required value: name or generateName is required")
    elif kind in (NAMESPACE, SERVICE):
        yield from label_name_causes("metadata.name", name)
    elif kind is not EVENT:
        yield from subdomain_causes("metadata.name", name)


def label_name_causes(field: str, name: str) -> Iterable[Cause]:
    """What is wrong with a name that has to be a DNS label."""
    if not _DNS_LABEL.fullmatch(name):
        yield _bad(field, f'"{name}"', _DNS_LABEL_RULE)
    if len(name) > _LONGEST_PART:
        yield _bad(field, f'"{name}"', f"must be no more than {_LONGEST_PART} bytes")


def subdomain_causes(field: str, name: str) -> Iterable[Cause]:
    """What is wrong with a name that has to be a DNS subdomain."""
    if not _PREFIX_PART.fullmatch(name):
        yield _bad(field, f'"{name}"', _SUBDOMAIN_RULE)
    if len(name) > _LONGEST_SUBDOMAIN:
        yield _bad(field, f'"{name}"', f"must be no more than {_LONGEST_SUBDOMAIN} bytes")


def _selector_causes(spec: Json, old: Json | None) -> Iterable[Cause]:
    wanted = spec.get("selector", {}).get("matchLabels", {})
    labels = spec["template"]["metadata"].get("labels", {})
    if not wanted or any(labels.get(key) != value for key, value in wanted.items()):
        yield _bad("spec.template.metadata.labels", _compact(labels), "`selector` does not match template `labels`")
    if old is not None and old["spec"]["selector"] != spec.get("selector"):
        yield _bad("spec.selector", _compact(spec.get("selector")), "field is immutable")


def _label_causes(field: str, labels: Mapping[str, str]) -> Iterable[Cause]:
    for key, value in labels.items():
        if not _is_qualified_name(key):
            yield _bad(field, f'"{key}"', NAME_RULE)
        if not _VALUE.fullmatch(value) or len(value) > _LONGEST_PART:
            yield _bad(field, f'"{value}"', _VALUE_RULE)


def _annotation_causes(annotations: Mapping[str, str]) -> Iterable[Cause]:
    for key in annotations:
        if not _is_qualified_name(key.lower()):
            yield _bad("metadata.annotations", f'"{key}"', NAME_RULE)
    size = sum(len(text.encode()) for pair in annotations.items() for text in pair)
    if size > _MOST_ANNOTATION_BYTES:
        text = f"Too long: may not be more than {_MOST_ANNOTATION_BYTES} bytes"
        yield ("metadata.annotations", "FieldValueTooLong", text)


def _is_qualified_name(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    if slash and not _PREFIX_PART.fullmatch(prefix):
        return False
    return bool(_NAME_PART.fullmatch(name)) and len(name) <= _LONGEST_PART


def _bad(field: str, shown: str, rule: str) -> Cause:
    return (field, "FieldValueInvalid", f"Invalid value: {shown}: {rule}")


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
