"""What can be told of a Lucene query without an Elasticsearch.

Law: what the grammar refuses comes out as one exception.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_POSITION = re.compile(r"position (\d+)")
_LOWER_CASE = frozenset({"and", "or", "not"})


class LuceneError(ValueError):
    """The query is not Lucene's. ``offset`` is where, if it can be told."""

    def __init__(self, message: str, offset: int | None = None, code: str = "R401") -> None:
        super().__init__(message)
        self.offset = offset
        self.code = code


def check_lucene(text: str) -> None:
    """Raises LuceneError for what the grammar refuses, and for what it takes for something else than was meant."""
    # luqum builds its tables when it is imported; its own thread-safe entry is used, since its lexer has state.
    from luqum.thread import parse  # noqa: PLC0415

    try:
        tree = parse(text)
    except (ValueError, ArithmeticError) as error:
        raise _refusal(text, str(error)) from None
    except RecursionError:
        raise LuceneError("the query is nested too deeply to check; simplify it") from None
    for offset, code, message in _misreadings(tree):
        raise LuceneError(message, offset, code)


def _refusal(text: str, complaint: str) -> LuceneError:
    position = _POSITION.search(complaint)
    if position is None and "the end" in complaint:
        return LuceneError("this is not a Lucene query: it breaks off; check for an open bracket or a missing term")
    if position is None:
        return LuceneError("this is not a Lucene query: a number after ~ or ^ is wrong; write it such as ~2 or ^1.5")
    offset = int(position.group(1))
    rest = text[offset : offset + 20]
    if rest.startswith(('"', "/")):
        return LuceneError(f"{rest[0]} is never closed; close it, or escape it as \\{rest[0]}", offset)
    return LuceneError(f"this is not a Lucene query from {rest!r} on; quote the term, or escape with \\", offset)


def _misreadings(tree: object) -> Iterator[tuple[int | None, str, str]]:
    from luqum.tree import SearchField, UnknownOperation, Word  # noqa: PLC0415

    waiting = [tree]
    while waiting:
        node = waiting.pop()
        children = getattr(node, "children", [])
        for child in children:
            if isinstance(node, UnknownOperation) and isinstance(child, Word) and child.value in _LOWER_CASE:
                upper = child.value.upper()
                yield (
                    child.pos,
                    "R402",
                    f"{child.value!r} is searched as a word in Lucene (it is an operator in KQL); write {upper}",
                )
            if isinstance(node, SearchField) and isinstance(child, SearchField):
                yield child.pos, "R403", "a term holds two fields; put the text with the colon in quotes"
        waiting.extend(reversed(children))
