"""Lucene's query syntax: turns the text of a ``query_string`` query into a predicate over documents.

Law: pure; what Elasticsearch refuses to parse is refused, what is not matched exactly as it would be is refused as
"not simulated": fuzzy terms, sloppy phrases, regular expressions.

The grammar is luqum's tree; what operators mean is Lucene's classic parser (``QueryParserBase.addClause``), which knows
no precedence: each clause is required, prohibited or neither, AND requires the clauses on both of its sides, and
``a OR b AND c`` therefore requires b and c. Words that follow each other without an operator are one text, which
a keyword matches only as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import takewhile
from typing import Any

from luqum import tree
from luqum.thread import parse

from watchdog.sim.elasticsearch.errors import ShardError, not_simulated
from watchdog.sim.elasticsearch.matching import (
    TEXTS,
    Bounds,
    Predicate,
    everything,
    field_exists,
    has_phrase,
    has_terms,
    has_wildcard,
    nothing,
    tokens,
    within,
)

_UNESCAPED_WILDCARD = re.compile(r"(?<!\\)(?:\\\\)*[*?]")
_FORBIDDEN_IN_WORDS = re.compile(r"(?<!\\)(?:\\\\)*[/:^~\[\]{}()\"]")


class Occur(Enum):
    """What a clause has to do."""

    MUST = auto()
    SHOULD = auto()
    MUST_NOT = auto()


@dataclass(frozen=True, slots=True)
class _Item:
    """A clause as it is written: the operator before it, its own modifier, and itself."""

    joined_by: str
    modifier: str
    node: Any


def compile_query(text: str, *, now: int, default_field: str | None = None) -> Predicate:
    """The predicate of a query; raises ShardError for what is no query. ``now`` is in milliseconds."""
    if not text.strip():
        return nothing
    try:
        parsed = parse(text)
    except (ValueError, ArithmeticError) as error:
        raise _unparsable(text) from error
    return _Query(text, now).clauses_of(parsed, default_field)


def match_clauses(clauses: Sequence[tuple[Occur, Predicate]]) -> Predicate:
    """A document matches all MUST, no MUST_NOT, and where there is no MUST at least one SHOULD, if there are any."""
    must = [each for occur, each in clauses if occur is Occur.MUST]
    must_not = [each for occur, each in clauses if occur is Occur.MUST_NOT]
    should = [each for occur, each in clauses if occur is Occur.SHOULD]
    if not clauses:
        return nothing
    if len(clauses) == len(should) == 1:
        return should[0]
    wanted = [] if must else should
    return lambda document: (
        all(each(document) for each in must)
        and not any(each(document) for each in must_not)
        and (not wanted or any(each(document) for each in wanted))
    )


def _unparsable(text: str) -> ShardError:
    return ShardError("query_shard_exception", f"Failed to parse query [{text}]")


class _Query:
    """One query that is being compiled."""

    def __init__(self, text: str, now: int) -> None:
        self._text = text
        self._now = now

    def clauses_of(self, node: Any, field: str | None) -> Predicate:
        """A whole query, or what is between two parentheses."""
        clauses: list[tuple[Occur, Predicate]] = []
        items = [*self._items(node)]
        while items:
            item = items.pop(0)
            if item.joined_by == "AND" and clauses and clauses[-1][0] is not Occur.MUST_NOT:
                clauses[-1] = (Occur.MUST, clauses[-1][1])
            words = _text_from(item, items)
            if len(words) > 1:
                del items[: len(words) - 1]
                clauses += [(Occur.SHOULD, each) for each in self._words(" ".join(words), field)]
            elif (predicate := self._leaf(item.node, field)) is not None:
                clauses.append((_occur(item), predicate))
        return match_clauses(clauses)

    def _items(self, node: Any, joined_by: str = "") -> Iterator[_Item]:
        """The clauses in the order in which they are written, each with the operator in front of it."""
        operators = {tree.AndOperation: "AND", tree.OrOperation: "OR", tree.UnknownOperation: ""}
        if type(node) not in operators:
            yield self._item(node, joined_by)
            return
        pending = ""
        for place, child in enumerate(node.children):
            word = child.value if isinstance(child, tree.Word) else ""
            if word in ("&&", "||", "!"):
                pending = {"&&": "AND", "||": "OR", "!": "!"}[word]
                continue
            before = joined_by if place == 0 else operators[type(node)]
            modified = pending == "!"
            for number, item in enumerate(self._items(child, before if modified or not pending else pending)):
                yield _Item(item.joined_by, "-", item.node) if modified and number == 0 else item
            pending = ""
        if pending:
            raise _unparsable(self._text)

    def _item(self, node: Any, joined_by: str) -> _Item:
        modifiers = {tree.Not: "-", tree.Prohibit: "-", tree.Plus: "+"}
        if (modifier := modifiers.get(type(node))) is not None:
            inner = node.children[0]
            if type(inner) in modifiers:
                raise _unparsable(self._text)
            return _Item(joined_by, modifier, inner)
        if isinstance(node, tree.Word) and node.value.startswith("!"):
            return _Item(joined_by, "-", tree.Word(node.value[1:]))
        if isinstance(node, tree.SearchField) and node.name.startswith("!"):
            return _Item(joined_by, "-", tree.SearchField(node.name[1:], node.children[0]))
        return _Item(joined_by, "", node)

    def _leaf(self, node: Any, field: str | None) -> Predicate | None:  # noqa: PLR0911 - one a kind of node
        match node:
            case tree.SearchField():
                return self._searched(node, field)
            case tree.Group() | tree.FieldGroup():
                return self.clauses_of(node.children[0], field)
            case tree.Boost() if not node.implicit_force:
                return self._leaf(node.children[0], field)
            case tree.Word():
                return self._word(node.value, field)
            case tree.Phrase():
                return has_phrase(field, _unescape(node.value[1:-1]), now=self._now)
            case tree.Range():
                bounds = Bounds(
                    low=_end(node.low), high=_end(node.high), with_low=node.include_low, with_high=node.include_high
                )
                return self._within(field, bounds)
            case tree.From():
                return self._within(field, Bounds(low=_end(node.children[0]), with_low=node.include))
            case tree.To():
                return self._within(field, Bounds(high=_end(node.children[0]), with_high=node.include))
            case tree.Boost() | tree.Plus() | tree.Prohibit() | tree.Not():
                raise _unparsable(self._text)
            case _:
                raise not_simulated(f"{type(node).__name__.lower()} in a Lucene query")

    def _within(self, field: str | None, bounds: Bounds) -> Predicate:
        """A range; ends that cannot be read match nothing, as nowhere else."""
        try:
            return within(field, bounds, now=self._now, lenient=True)
        except ShardError:
            return nothing

    def _searched(self, node: Any, outer: str | None) -> Predicate | None:
        inner = node.children[0]
        if outer is not None or isinstance(inner, tree.SearchField):
            raise _unparsable(self._text)
        if node.name == "*":
            return everything if isinstance(inner, tree.Word) and inner.value == "*" else self._leaf(inner, None)
        if _UNESCAPED_WILDCARD.search(node.name):
            raise _unparsable(self._text)
        name = _unescape(node.name)
        if "*" in name:
            raise not_simulated("wildcards in the name of a field")
        if name == "_exists_":
            return field_exists(_unescape(str(inner).strip()))
        return self._leaf(inner, name)

    def _word(self, value: str, field: str | None) -> Predicate | None:
        if _FORBIDDEN_IN_WORDS.search(value):
            raise _unparsable(self._text)
        if value == "*":
            return everything if field is None else field_exists(field)
        if _UNESCAPED_WILDCARD.search(value):
            return has_wildcard(field, value)
        return has_terms(field, _unescape(value), now=self._now)

    def _words(self, text: str, field: str | None) -> Iterator[Predicate]:
        """Several words as one text: a clause for each term of a text, one clause for a keyword."""
        pieces: Sequence[str] = tokens(text) if field in TEXTS else (text,)
        for piece in pieces:
            if (predicate := has_terms(field, piece, now=self._now)) is not None:
                yield predicate


def _text_from(first: _Item, following: Sequence[_Item]) -> list[str]:
    """The words from this one on that are one text: a word before AND, OR or ``*`` is not of it."""
    words = [*takewhile(_is_plain, (first, *following))]
    after = following[len(words) - 1] if words and len(words) <= len(following) else None
    if after and (after.joined_by or (isinstance(after.node, tree.Word) and after.node.value == "*")):
        words.pop()
    return [_unescape(item.node.value) for item in words]


def _is_plain(item: _Item) -> bool:
    """A bare word with nothing before it: several of them are one text."""
    return (
        not item.joined_by
        and not item.modifier
        and isinstance(item.node, tree.Word)
        and not _UNESCAPED_WILDCARD.search(item.node.value)
        and not _FORBIDDEN_IN_WORDS.search(item.node.value)
    )


def _occur(item: _Item) -> Occur:
    if item.modifier == "-":
        return Occur.MUST_NOT
    return Occur.MUST if item.modifier == "+" or item.joined_by == "AND" else Occur.SHOULD


def _end(node: Any) -> str | None:
    text = str(node.value)
    if isinstance(node, tree.Phrase):
        return _unescape(text[1:-1])
    return None if text == "*" else _unescape(text)


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
