"""The fields that a log rule speaks of, in its Lucene queries and in its filter.

Law: only names that stand there as they are; what a pattern or a script reaches cannot be told.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_LEAVES = frozenset({"term", "terms", "match", "match_phrase", "range", "prefix", "wildcard", "regexp", "fuzzy"})
_EXACT = frozenset({"term", "terms"})


def fields_in_lucene(text: str) -> Iterator[str]:
    """The names of the fields in a query that `check_lucene` has passed."""
    from luqum.thread import parse  # noqa: PLC0415 - luqum builds its tables when it is imported
    from luqum.tree import SearchField  # noqa: PLC0415

    waiting = [parse(text)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, SearchField):
            name = str(node.expr).strip() if node.name == "_exists_" else node.name
            if "*" not in name:
                yield name.replace("\\", "")
        waiting.extend(getattr(node, "children", []))


def fields_in_filter(given: Any, *, exact: bool = False) -> Iterator[str]:
    """The names of the fields in query DSL; with ``exact`` those whose whole value is compared."""
    match given:
        case dict():
            for key, value in given.items():
                if key in (_EXACT if exact else _LEAVES) and isinstance(value, dict):
                    yield from (name for name in value if name != "boost")
                elif key == "exists" and not exact and isinstance(value, dict):
                    yield from (name for name in value.values() if isinstance(name, str))
                else:
                    yield from fields_in_filter(value, exact=exact)
        case list():
            for each in given:
                yield from fields_in_filter(each, exact=exact)
        case _:
            pass
