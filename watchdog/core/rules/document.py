"""YAML text as plain values, and where in the text each of them stands.

Law: one document of mappings, lists and scalars that mean what they look like; whatever YAML does behind the writer's
back (aliases, tags, merge keys, octal and base-60 numbers, a key that silently replaces another) is a problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from watchdog.core.rules.places import Places, Spot
from watchdog.core.rules.problem import KeyPath, Problem, quoted
from watchdog.core.rules.scalars import in_quotes, kind_of, read_word

# libyaml gives the same events many times as fast. With tabs and byte order marks the two differ in what they take.
_LIBYAML: type[Any] | None = getattr(yaml, "CSafeLoader", None)
_READ_IN_TWO_WAYS = re.compile("[\t\ufeff]")
MAX_BYTES = 1 << 20
MAX_DEPTH = 20
MAX_NODES = 50_000

_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\x7E\x85\xA0-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")

_BARE_PLACEHOLDER = (
    'a placeholder without quotes is a mapping to YAML; put the whole text in quotes, such as "{{ color }}"'
)
_CLOSED_EARLY = {
    '"': "the quote before this ends the text already; put all of it in single quotes, or on its own lines under |",
    "'": "the quote before this ends the text already; write it twice (''), or put the text on its own lines under |",
}
_GOES_ON = r"expected <block end>|expected ',' or"
# PyYAML's complaints in our words. "opens here": the place is where the quotes or the bracket open.
_SYNTAX = (
    (r"'\\t' that cannot start", "a tab stands where YAML expects spaces; indent with spaces"),
    (r"character (.+) that cannot start", "a value cannot start with {0}; put it in quotes"),
    (r"mapping values are not allowed", "a second ': ' in one value; put the text in quotes, or mend the indentation"),
    (r"could not find expected ':'", "a key without ': ' after it; write key: value, or mend the indentation"),
    (r"unknown escape character (.+)", "\\ starts an escape in double quotes, and {0} is none; use single quotes or |"),
    (r"unexpected end of stream", "the quote that opens here is never closed; close it"),
    (r"expected ',' or '([]}])'", "the bracket that opens here is not closed in time; check for a missing , or {0}"),
    (
        r"expected <block end>",
        "this does not fit the lines above; mend the indentation, or put the whole value in quotes",
    ),
    (r"expected '<document start>'", "this does not belong to what is above it; mend the indentation"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a text says.

    ``value`` is None when the text cannot be read to its end; ``problems`` says why then. ``refused`` are the paths
    that a problem names already: what follows from their values is not worth a second one.
    """

    value: Any
    problems: tuple[Problem, ...]
    refused: frozenset[KeyPath]
    places: Places

    def is_refused(self, path: KeyPath) -> bool:
        """True when a problem names the path, or what it is part of, already."""
        return any(path[:length] in self.refused for length in range(len(path) + 1))

    def bare_word(self, path: KeyPath) -> str:
        """The scalar that a path leads to, as it is written, if it is written without quotes; else ""."""
        while path and path not in self.places.spots:
            path = path[:-1]
        spot = self.places.spots.get(path)
        return spot.scalar if spot is not None and spot.style is None else ""


def read_document(file: str, text: str) -> Document:
    """The document in the text. It never raises, whatever the text is."""
    text = text.removeprefix("\ufeff")
    if _LIBYAML is not None and not _READ_IN_TWO_WAYS.search(text):
        reader = _Reader(file, text, _LIBYAML)
        try:
            return reader.document(reader.read())
        except _UnreadableError:
            pass  # it is read again, by the one that says more of it
    reader = _Reader(file, text, yaml.SafeLoader)
    try:
        return reader.document(reader.read())
    except _UnreadableError as unreadable:
        reader.give_up(unreadable)
        return reader.document(None)


class _UnreadableError(Exception):
    """The text cannot be read beyond an offset."""

    def __init__(self, offset: int, message: str, code: str = "R102") -> None:
        super().__init__(message)
        self.offset = offset
        self.code = code
        self.message = message


class _Reader:
    """Builds values from PyYAML's events: they come one by one, so that a hostile text is left at its first excess."""

    def __init__(self, file: str, text: str, loader: type[Any]) -> None:
        self.problems: list[Problem] = []
        self.refused: set[KeyPath] = set()
        self._text = text
        self._spots: dict[KeyPath, Spot] = {}
        self.places = Places(file=file, text=text, spots=self._spots)
        self._events = _events(text, loader)
        self._nodes = 0

    def read(self) -> Any:
        """The value of the first document; raises _UnreadableError when there is none to be had."""
        _check_text(self._text)
        next(self._events)
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise _UnreadableError(0, "the file is empty; write a target (see docs/rule-files.md)", "R103")
        value = self._node(next(self._events), ())
        next(self._events)
        second = next(self._events)
        if isinstance(second, yaml.DocumentStartEvent):
            message = "a second document starts here; one file holds one target: split it"
            self.note(_start(second), "R103", message)
        return value

    def document(self, value: Any) -> Document:
        """What was read."""
        problems, refused = tuple(sorted(self.problems)), frozenset(self.refused)
        return Document(value=value, problems=problems, refused=refused, places=self.places)

    def note(self, offset: int, code: str, message: str) -> None:
        """A problem at an offset."""
        self.problems.append(self.places.problem_at(offset, code, message))

    def give_up(self, unreadable: _UnreadableError) -> None:
        """The problem that ends the reading, unless its line has one already, which then is the cause."""
        problem = self.places.problem_at(unreadable.offset, unreadable.code, unreadable.message)
        if all(known.line != problem.line for known in self.problems):
            self.problems.append(problem)

    def _refuse(self, event: yaml.Event, path: KeyPath, code: str, message: str) -> None:
        self.note(_start(event), code, message)
        self.refused.add(path)

    def _node(self, event: yaml.Event, path: KeyPath, *, key: int | None = None) -> Any:
        start, end = _start(event), _end(event)
        self._spots[path] = Spot(start, end, key)
        self._check_limits(start, path)
        if isinstance(event, yaml.AliasEvent):
            if path[-1:] != ("<<",):  # a merge key is told already
                message = f"*{event.anchor} is an alias; aliases are not accepted: write the value out"
                self._refuse(event, path, "R105", message)
            return None
        self._check_properties(event, path)
        match event:
            case yaml.ScalarEvent():
                self._spots[path] = Spot(start, end, key, event.value, event.style or None)
                return self._scalar(event, path)
            case yaml.SequenceStartEvent():
                return self._sequence(path)
            case _:
                return self._mapping(path)

    def _check_limits(self, start: int, path: KeyPath) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _UnreadableError(start, f"the file holds more than {MAX_NODES} values; split it", "R108")
        if len(path) > MAX_DEPTH:
            message = f"nested more than {MAX_DEPTH} levels deep; a rule file needs far fewer"
            raise _UnreadableError(start, message, "R108")

    def _check_properties(self, event: yaml.Event, path: KeyPath) -> None:
        if anchor := getattr(event, "anchor", None):
            message = f"&{anchor} is an anchor; anchors are not accepted: write the value out"
            self._refuse(event, path, "R105", message)
        if tag := getattr(event, "tag", None):
            shown = tag.replace("tag:yaml.org,2002:", "!!")
            self._refuse(event, path, "R105", f"{shown} is a tag; tags are not accepted: remove it")

    def _sequence(self, path: KeyPath) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items))))
        return items

    def _mapping(self, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            at = _start(event)
            key = self._key(event, path)
            if key in found:
                first = self.places.line_of(self._spots[*path, key].key or 0)
                self.note(at, "R104", f"duplicate key {quoted(key)}, already on line {first}; keep one of them")
                key = None
            if key is None:
                self._node(next(self._events), self._nowhere(path))
            else:
                found[key] = self._node(next(self._events), (*path, key), key=at)
        return found

    def _nowhere(self, path: KeyPath) -> KeyPath:
        """A path below this one that no value has: for what is read on, but dropped."""
        return (*path, -len(self._spots))

    def _key(self, event: yaml.Event, path: KeyPath) -> str | None:
        """The text of a key; None for one that cannot be a key at all."""
        at = _start(event)
        if not isinstance(event, yaml.ScalarEvent):
            self._node(event, self._nowhere(path))
            self._refuse(event, path, "R102", _not_a_key(self._text, at))
            return None
        self._check_properties(event, (*path, event.value))
        if match := _FORBIDDEN.search(event.value):
            message = f"the character {quoted(match.group())} is not allowed in a key; remove it"
            self._refuse(event, (*path, event.value), "R107", message)
        if not event.style and event.value == "<<":
            message = "<< is a merge key; merge keys are not accepted: write the keys out"
            self._refuse(event, (*path, "<<"), "R105", message)
        elif not event.style and kind_of(event.value) in ("bool", "int", "float", "null"):
            word = in_quotes(event.value)
            message = f"YAML does not read the key {word[1:-1]} as text; put it in quotes: {word}"
            self._refuse(event, (*path, event.value), "R106", message)
        return str(event.value)

    def _scalar(self, event: yaml.ScalarEvent, path: KeyPath) -> Any:
        text = event.value
        if match := _FORBIDDEN.search(text):
            message = f"the character {quoted(match.group())} is not allowed in a value; remove it"
            self._refuse(event, path, "R107", message)
            return None
        if event.style:
            return text
        try:
            return read_word(text)
        except ValueError as error:
            self._refuse(event, path, "R106", str(error))
            return None


def _events(text: str, loader: type[Any]) -> Iterator[yaml.Event]:
    """PyYAML's events; raises _UnreadableError instead of everything that PyYAML raises."""
    offset = 0
    events = yaml.parse(text, Loader=loader)
    try:
        for event in events:
            offset = _end(event)
            yield event
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text) from None
    except (yaml.YAMLError, ValueError, OverflowError):
        # An escape beyond Unicode and a version with thousands of digits come as Python's own errors.
        raise _UnreadableError(offset, "YAML cannot read what follows here; write it in plain characters") from None


def _syntax_error(error: yaml.MarkedYAMLError, text: str) -> _UnreadableError:
    place, opening = error.problem_mark or error.context_mark, error.context_mark
    offset = place.index if place else 0
    if (quote := text[max(offset - 1, 0) : offset]) in _CLOSED_EARLY and re.search(_GOES_ON, error.problem or ""):
        return _UnreadableError(offset, _CLOSED_EARLY[quote])
    if text.startswith("{{", offset):
        return _UnreadableError(offset, _BARE_PLACEHOLDER)
    if "but got ':'" in (error.problem or "") and opening and place and opening.line == place.line:
        return _UnreadableError(offset, "a second ': ' in one value; put the text in quotes")
    for pattern, sentence in _SYNTAX:
        if match := re.search(pattern, error.problem or ""):
            at = opening.index if opening and "opens here" in sentence else offset
            return _UnreadableError(at, sentence.format(*match.groups()))
    problem = error.problem or error.context or "it breaks off"
    return _UnreadableError(offset, f"this is not YAML ({problem}); mend the line or put it in quotes")


def _check_text(text: str) -> None:
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _UnreadableError(0, "the file is larger than 1 MiB; a rule file holds one target: split it", "R108")
    if match := _FORBIDDEN.search(text):
        message = f"the character {quoted(match.group())} is not allowed; remove it"
        raise _UnreadableError(match.start(), message, "R107")


def _not_a_key(text: str, offset: int) -> str:
    if "{{" in text[max(offset - 1, 0) : offset + 2]:
        return _BARE_PLACEHOLDER
    return "a list or a mapping stands where a key is needed; write key: value"


def _start(event: yaml.Event) -> int:
    return event.start_mark.index if event.start_mark else 0


def _end(event: yaml.Event) -> int:
    return event.end_mark.index if event.end_mark else 0
