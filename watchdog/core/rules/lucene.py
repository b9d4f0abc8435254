"""What can be told of a Lucene query without an Elasticsearch.

Law: what the grammar refuses comes out as one exception; what it takes for something else than was meant is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_POSITION = re.compile(r"position (\d+)")
_LOWER_CASE = frozenset({"and", "or", "not"})
_SYMBOLS = frozenset({"&&", "||", "!"})
_BRACKET = re.compile(r'\\.|"(?:\\.|[^"\\])*"|(?P<open>[(\[{])|(?P<close>[)\]}])')
_SLASH = re.compile(r"(?<!\\)/")
_ASSIGNED = re.compile(r"([\w.@-]+)=+(\S+)")


class LuceneError(ValueError):
    """The query is not Lucene's. ``offset`` is where, if it can be told."""

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.offset = offset


class Misreading(NamedTuple):
    """What Lucene takes for something else than its writer: where, the code, and a sentence."""

    offset: int
    code: str
    message: str


def misreadings(text: str) -> list[Misreading]:
    """What the query says and hardly means; raises LuceneError for what the grammar refuses."""
    # luqum builds its tables when it is imported; its own thread-safe entry is used, since its lexer has state.
    from luqum.thread import parse  # noqa: PLC0415

    try:
        tree = parse(text)
    except (ValueError, ArithmeticError) as error:
        raise _refusal(text, str(error)) from None
    except RecursionError:
        raise LuceneError("the query is nested too deeply to check; simplify it") from None
    return list(_misreadings(text, tree))


def _refusal(text: str, complaint: str) -> LuceneError:
    position = _POSITION.search(complaint)
    if position is None and "the end" in complaint:
        return _breaks_off(text)
    if position is None:
        return LuceneError("this is not a Lucene query: a number after ~ or ^ is wrong; write it such as ~2 or ^1.5")
    offset = int(position.group(1))
    rest = text[offset : offset + 20]
    if rest.startswith(('"', "/")):
        return LuceneError(f"{rest[0]} is never closed; close it, or escape it as \\{rest[0]}", offset)
    return LuceneError(f"this is not a Lucene query from {rest!r} on; quote the term, or escape with \\", offset)


def _breaks_off(text: str) -> LuceneError:
    opened: list[re.Match[str]] = []
    for match in _BRACKET.finditer(text):
        if match["open"]:
            opened.append(match)
        elif match["close"] and opened:
            opened.pop()
    if opened:
        return LuceneError(f"{opened[-1].group()} is never closed; close it", opened[-1].start())
    return LuceneError("this is not a Lucene query: it breaks off; write the term that is missing", len(text))


def _misreadings(text: str, tree: object) -> Iterator[Misreading]:
    from luqum.tree import SearchField, UnknownOperation, Word  # noqa: PLC0415

    waiting = [(tree, False)]
    while waiting:
        node, is_of_field = waiting.pop()
        children = getattr(node, "children", [])
        if isinstance(node, Word):
            yield from _in_word(node.pos, node.value, is_of_field=is_of_field)
        if isinstance(node, SearchField) and isinstance(children[0], SearchField):
            yield Misreading(children[0].pos, "R403", "a term holds two fields; put the text with the colon in quotes")
        elif isinstance(node, UnknownOperation):
            yield from _without_operator(text, children, is_of_field=is_of_field)
        is_of_field = is_of_field or isinstance(node, SearchField)
        waiting.extend((child, is_of_field) for child in reversed(children))


def _in_word(offset: int, word: str, *, is_of_field: bool) -> Iterator[Misreading]:
    if slash := _SLASH.search(word):
        message = "a / begins a regular expression in Lucene; put the text in quotes, or escape it as \\/"
        yield Misreading(offset + slash.start(), "R401", message)
    if len(word) > 1 and word.strip("*?") and word[0] in "*?":
        message = (
            "a term that begins with a wildcard is compared with every term of the field, in each slot; "
            "name how the terms begin, or index the field as wildcard"
        )
        yield Misreading(offset, "R404", message)
    if (assigned := _ASSIGNED.fullmatch(word)) and not is_of_field:
        message = f"= compares nothing in Lucene, and this is one word; write {assigned[1]}:{assigned[2]}"
        yield Misreading(offset, "R405", message)


def _without_operator(text: str, terms: list[object], *, is_of_field: bool) -> Iterator[Misreading]:
    """Terms that stand side by side: operators in lower case, halves of a path, and what Lucene joins by OR."""
    from luqum.tree import Plus, Prohibit, Word  # noqa: PLC0415

    words = [(term, term.value if isinstance(term, Word) else "") for term in terms]
    lower = [(term, word) for term, word in words if word in _LOWER_CASE]
    for term, word in lower:
        message = f"{word!r} is searched as a word in Lucene (it is an operator in KQL); write {word.upper()}"
        yield Misreading(_offset(term), "R402", message)
    if words[-1][1] in _SYMBOLS:
        yield Misreading(len(text), "R401", "this is not a Lucene query: it breaks off; write the term that is missing")
    is_joined = lower or any(isinstance(term, Plus | Prohibit) for term in terms)
    if is_joined or _SYMBOLS.intersection(word for _, word in words) or any(map(_holds_two_fields, terms)):
        return
    second = _offset(terms[1])
    if text[second - 1 : second] == "/":
        message = "a / begins a regular expression in Lucene, and another one ends it; put the text in quotes"
        yield Misreading(second - 1, "R401", message)
    elif not is_of_field:
        message = (
            "no operator stands before this, so that Lucene reads OR; write OR or AND, and the field of each word, "
            "such as level:(ERROR OR FATAL)"
        )
        yield Misreading(second, "R405", message)


def _holds_two_fields(term: object) -> bool:
    """True for a term that is told already, and whose rest stands beside it like another term."""
    from luqum.tree import SearchField  # noqa: PLC0415

    return isinstance(term, SearchField) and isinstance(term.children[0], SearchField)


def _offset(term: object) -> int:
    return int(getattr(term, "pos", None) or 0)
