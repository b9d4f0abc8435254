"""Finds which fields a log rule needs, and what `_field_caps` says against them.

A field that is misspelled or mapped anew matches nothing, without any error.

Law: pure, and the one judge of fields: when a rule is loaded, and for `check --online`. What makes a query match
nothing at all is fatal; what merely makes a part of it idle may be the author's will.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from typing import Any

from watchdog.core.placeholders import fill
from watchdog.core.rules.kinds import ElasticsearchQuery
from watchdog.sources.answer import quote

_EXACT = frozenset({"term", "terms", "terms_set", "prefix", "wildcard", "regexp"})
_BY_FIELD = _EXACT | {"match", "match_phrase", "match_phrase_prefix", "match_bool_prefix", "range", "fuzzy"}
_TEXTS = frozenset({"text", "match_only_text"})
_DATES = frozenset({"date", "date_nanos"})
_CONTAINERS = frozenset({"object", "nested"})
_OPEN = frozenset({"flattened", "passthrough"})  # their keys are not listed
_OPTIONS = frozenset({"boost", "_name", "minimum_should_match", "must_not"})


@dataclass(frozen=True, slots=True)
class Field:
    """A field that has to exist. ``is_exact``: its whole value is compared; ``is_time``: it is a point in time."""

    name: str
    place: str
    is_exact: bool = False
    is_time: bool = False


class Of(Enum):
    """How many of the parts of a query have to be able to match."""

    ALL = "all"
    ANY = "any"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Needs:
    """Parts of a query, and how many of them have to be able to match."""

    parts: tuple[Needs | Field, ...]
    of: Of = Of.ALL


Parts = Sequence[Needs | Field]


class Fault(StrEnum):
    """What can be wrong with a field."""

    MISSING = "missing"
    NO_DATE = "no date"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """What is wrong with a field, ``said`` in a sentence without its end.

    Without ``is_fatal`` the query can match all the same.
    """

    field: Field
    fault: Fault
    said: str
    is_fatal: bool = True


def needs_of(query: ElasticsearchQuery, names: Mapping[str, str]) -> Needs:
    """What a rule's search needs, with its placeholders filled; there is no parser for KQL."""
    parts: list[Needs | Field] = [Field(query.timestamp_field, "timestamp_field", is_time=True)]
    parts += [_dsl(clause, names, "filter") for clause in query.filter]
    if query.query is not None:
        parts.append(_lucene(fill(query.query, names), "query"))
    if query.dsl is not None:
        parts.append(_dsl(query.dsl, names, "dsl"))
    if query.ratio_of is not None:
        parts.append(_lucene(fill(query.ratio_of, names), "ratio_of"))
    return Needs(tuple(parts))


def asked_fields(needs: Needs) -> list[str]:
    """The names to ask `_field_caps` for: the fields, and the objects that they are in."""
    names = {field.name for field in _fields(needs)}
    parents = {name[:at] for name in names for at, letter in enumerate(name) if letter == "."}
    return sorted(names | parents)


def field_problems(needs: Needs, capabilities: Any) -> list[FieldProblem]:
    """What is wrong, from the body of a `_field_caps` answer."""
    fields = capabilities.get("fields") if isinstance(capabilities, dict) else None
    if not isinstance(fields, dict):
        return []
    return list(dict.fromkeys(_problems(needs, fields)))


def _problems(needs: Needs | Field, fields: Mapping[str, Any]) -> list[FieldProblem]:
    if isinstance(needs, Field):
        return list(_field_problem(needs, fields))
    each = [_problems(part, fields) for part in needs.parts]
    found = [problem for problems in each for problem in problems]
    can_match = needs.of is Of.ANY and not all(any(problem.is_fatal for problem in problems) for problems in each)
    return [replace(problem, is_fatal=False) for problem in found] if can_match or needs.of is Of.NONE else found


def _field_problem(field: Field, fields: Mapping[str, Any]) -> Iterator[FieldProblem]:
    kinds = fields.get(field.name)
    name = f"'{quote(field.name)}' of {field.place}"
    if not isinstance(kinds, dict) or kinds.keys() <= _CONTAINERS:
        if not _is_inside_open(field.name, fields):
            yield FieldProblem(field=field, fault=Fault.MISSING, said=f"no index has the field {name}")
    elif field.is_time and not kinds.keys() <= _DATES:
        said = f"the field {name} is no date ({quote(', '.join(sorted(kinds)))})"
        yield FieldProblem(field=field, fault=Fault.NO_DATE, said=said)
    elif field.is_exact and kinds.keys() & _TEXTS:
        said = f"the field {name} is a text{_indices_with(kinds)}, of which no whole value is kept; name its keyword"
        yield FieldProblem(field=field, fault=Fault.TEXT, said=said)


def _indices_with(kinds: Mapping[str, Any]) -> str:
    """Where a field is a text, when it is something else elsewhere."""
    texts = [kinds[kind] for kind in _TEXTS & kinds.keys() if isinstance(kinds[kind], dict)]
    indices = [str(index) for text in texts for index in _listed(text.get("indices"))]
    return f" in {quote(', '.join(indices[:3]))}" if indices else ""


def _is_inside_open(name: str, fields: Mapping[str, Any]) -> bool:
    parents = [name[:at] for at, letter in enumerate(name) if letter == "."]
    kinds = (fields.get(parent) for parent in parents)
    return any(isinstance(each, dict) and _OPEN & each.keys() for each in kinds)


def _fields(needs: Needs | Field) -> Iterator[Field]:
    if isinstance(needs, Field):
        yield needs
    else:
        for part in needs.parts:
            yield from _fields(part)


def _field(name: str, place: str, *, is_exact: bool = False) -> Needs | Field:
    """A field by its name; a pattern, and what Elasticsearch has of itself, are not checked."""
    if not name or name.startswith("_") or "*" in name:
        return Needs(())
    return Field(name, place, is_exact=is_exact)


def _lucene(text: str, place: str) -> Needs | Field:
    from luqum.exceptions import ParseError  # noqa: PLC0415 - it builds its tables when it is imported
    from luqum.thread import parse  # noqa: PLC0415

    try:
        return _lucene_node(parse(text), place)
    except (ParseError, ValueError, ArithmeticError, RecursionError):
        return Needs(())  # a rule file does not let it pass; Elasticsearch says what is wrong with it


def _lucene_node(node: Any, place: str) -> Needs | Field:
    from luqum import tree  # noqa: PLC0415

    match node:
        case tree.SearchField(name="_exists_"):
            return _field(str(node.expr).strip().strip('"'), place)
        case tree.SearchField():
            return _field(node.name.replace("\\", ""), place)
        case tree.OrOperation() | tree.UnknownOperation():
            out, must = tree.Prohibit | tree.Not, tree.Plus
            should = [child for child in node.children if not isinstance(child, out | must)]
            required = [child for child in node.children if isinstance(child, must)]
            left_out = [child for child in node.children if isinstance(child, out)]
            return _clauses(
                *([_lucene_node(child, place) for child in group] for group in (required, should, left_out))
            )
        case _:
            of = Of.NONE if isinstance(node, tree.Not | tree.Prohibit) else Of.ALL
            return Needs(tuple(_lucene_node(child, place) for child in getattr(node, "children", ())), of)


def _dsl(clause: Any, names: Mapping[str, str], place: str) -> Needs | Field:
    if not isinstance(clause, dict):
        return Needs(())
    bodies = ((str(kind), body) for kind, body in clause.items() if isinstance(body, dict))
    return Needs(tuple(_dsl_clause(kind, body, names, place) for kind, body in bodies))


def _dsl_clause(kind: str, body: Mapping[str, Any], names: Mapping[str, str], place: str) -> Needs | Field:
    match kind:
        case "bool":
            return _dsl_bool(body, names, place)
        case "exists":
            return _field(fill(str(body.get("field", "")), names), place)
        case "query_string":
            text, default = body.get("query"), body.get("default_field")
            named = _field(default, place) if isinstance(default, str) else Needs(())
            return Needs((named, _lucene(fill(text, names), place))) if isinstance(text, str) else named
        case "constant_score" | "nested":
            return _dsl(body.get("filter") or body.get("query"), names, place)
        case _ if kind in _BY_FIELD:
            return Needs(tuple(_compared(kind, body, names, place)))
        case _:
            return Needs(())


def _compared(kind: str, body: Mapping[str, Any], names: Mapping[str, str], place: str) -> Iterator[Needs | Field]:
    for name, value in body.items():
        if name not in _OPTIONS:
            yield _field(fill(str(name), names), place, is_exact=kind in _EXACT and not _is_word(value, names))


def _is_word(value: Any, names: Mapping[str, str]) -> bool:
    """True when what is compared is a token of a text too: a word in small letters."""
    match value:
        case dict():
            return _is_word(value.get("value"), names)
        case list():
            return all(_is_word(each, names) for each in value)
        case str():
            return fill(value, names).isalnum() and value.islower()
        case _:
            return True


def _dsl_bool(body: Mapping[str, Any], names: Mapping[str, str], place: str) -> Needs:
    must, should, must_not = (
        [_dsl(clause, names, place) for key in keys for clause in _listed(body.get(key))]
        for keys in (("must", "filter"), ("should",), ("must_not",))
    )
    return _clauses(must, should, must_not)


def _clauses(must: Parts, should: Parts, must_not: Parts) -> Needs:
    """What a query of such clauses needs: one of ``should`` only where nothing else has to match."""
    return Needs((*must, Needs(tuple(should), Of.NONE if must else Of.ANY), Needs(tuple(must_not), Of.NONE)))


def _listed(given: Any) -> Iterable[Any]:
    if given is None:
        return ()
    return given if isinstance(given, list) else (given,)
