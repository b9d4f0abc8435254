"""What a bare word of YAML means: text, a number, true, false or nothing.

Law: a word means what it looks like, or it is refused; YAML's octal, base-60 and underscored numbers are refused, and
its dates are text.
"""

from __future__ import annotations

import re
from functools import lru_cache

import yaml

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,99})")
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]*)?\.[0-9]*(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_TRUE = frozenset({"yes", "true", "on"})
_RESOLVER = yaml.resolver.Resolver()
_SHOWN_AT_MOST = 60


@lru_cache(maxsize=1024)  # keys and short values recur
def kind_of(word: str) -> str:
    """What YAML takes a bare word for: ``str``, ``bool``, ``int``, ``float``, ``null`` and a few more."""
    tag = _RESOLVER.resolve(yaml.ScalarNode, word, (True, False))  # type: ignore[no-untyped-call] # PyYAML's own gap
    return str(tag).rpartition(":")[2]


def read_word(word: str) -> str | bool | float | None:
    """The value of a bare word; raises ValueError with the cure for a number that does not look like its value."""
    match kind_of(word):
        case "null":
            return None
        case "bool":
            return word.lower() in _TRUE
        case "int" if _INTEGER.fullmatch(word):
            return int(word)
        case "float" if _DECIMAL.fullmatch(word):
            return float(word.lower().replace(".inf", "inf").replace(".nan", "nan"))
        case "int" | "float":
            raise ValueError(
                f"YAML does not read {in_quotes(word, quote='')} as it looks (octal, base 60, 1_000 and the like are "
                f"numbers to it); write a number in plain digits, or put text in quotes: {in_quotes(word)}"
            )
        case _:
            return word


def in_quotes(word: str, *, quote: str = '"') -> str:
    """The word in quotes, as it can be written in a file; cut if it is long."""
    return f"{quote}{word if len(word) <= _SHOWN_AT_MOST else word[:_SHOWN_AT_MOST] + '…'}{quote}"
