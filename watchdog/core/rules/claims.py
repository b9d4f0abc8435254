"""What only one target can have: its name, its Services and its Deployments.

Law: a file that is not well claims what can be read of it, so that its second mistake is told with the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from watchdog.core.placeholders import fill
from watchdog.core.rules.document import Document
from watchdog.core.rules.language import Target
from watchdog.core.rules.problem import Finding, KeyPath, Problem, quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What only one target can have, a name, a Service or a Deployment, and the place where a file says so."""

    thing: str
    place: Problem


def clashes(claims: Iterable[Claim]) -> Iterator[Problem]:
    """What two files both claim, told at the later one, once a place: both colors of a Deployment clash together."""
    first: dict[str, Problem] = {}
    told: set[tuple[str, int, int]] = set()
    for claim in claims:
        known, here = first.setdefault(claim.thing, claim.place), claim.place
        if known.file != here.file and (here.file, here.line, here.column) not in told:
            told.add((here.file, here.line, here.column))
            where = f"{known.file}:{known.line}:{known.column}"
            message = f"{claim.thing} is in {where} already; keep it in one of the two files"
            yield replace(here, message=message)


def claims_of(document: Document) -> Iterator[Claim]:
    """What a file claims, as far as it can be read."""
    value = document.value
    name, namespace = (value.get("target"), value.get("namespace")) if isinstance(value, dict) else (None, None)
    things: list[tuple[KeyPath, str]] = [(("target",), f"the target {quoted(name)}")] if isinstance(name, str) else []
    if isinstance(namespace, str):
        for path, service in texts_of(value, "services", "name"):
            things.append((path, f"the Service {quoted(service)} of namespace {quoted(namespace)}"))
        for path, template in texts_of(value, "services", "deployment"):
            names = dict.fromkeys(fill(template, {"color": color}) for color in _colors(value))
            things += [(path, f"the Deployment {quoted(name)} of namespace {quoted(namespace)}") for name in names]
    for path, thing in things:
        yield Claim(thing=thing, place=document.places.problem(Finding(path=path, code="R216", message="")))


def _colors(value: dict[str, Any]) -> list[str]:
    given = value.get("colors", Target.model_fields["colors"].default)
    return [color for color in given if isinstance(color, str)] if isinstance(given, list | tuple) else []


def items_of(value: Any, section: str) -> list[Any]:
    """The items of a list in a file, none if there is no list."""
    items = value.get(section) if isinstance(value, dict) else None
    return items if isinstance(items, list) else []


def texts_of(value: Any, section: str, key: str) -> Iterator[tuple[KeyPath, str]]:
    """The text at a key of each item of a list, where there is one."""
    for number, item in enumerate(items_of(value, section)):
        text = item.get(key) if isinstance(item, dict) else None
        if isinstance(text, str):
            yield (section, number, key), text
