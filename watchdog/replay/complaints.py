"""pydantic's errors about a file of tests, as sentences: what is wrong; what would be right.

Law: no wording of pydantic's is ever shown.
"""

from __future__ import annotations

import difflib

from pydantic_core import ErrorDetails

from watchdog.core.rules.problem import KeyPath, quoted
from watchdog.replay.testfile import keys_at

_NEEDED = {
    "string_type": "text; put it in quotes",
    "float_type": "a number, such as 0.05",
    "int_type": "a whole number, such as 10",
    "bool_type": "true or false",
    "list_type": "a list; write - before each item",
    "dict_type": "a mapping; write key: value",
    "model_type": "a mapping; write key: value",
}


def complain(error: ErrorDetails) -> tuple[KeyPath, str, bool]:
    """Where one of pydantic's errors is, the sentence about it, and whether it is the key that is wrong."""
    path, kind = tuple(error["loc"]), error["type"]
    if kind == "extra_forbidden":
        return path, _unknown(path), True
    return path, _sentence(error, path, kind), False


def _sentence(error: ErrorDetails, path: KeyPath, kind: str) -> str:
    given, context = error["input"], error.get("ctx", {})
    if kind == "missing":
        return f"the key {quoted(path[-1])} is missing; add it"
    if given is None or kind == "too_short":
        return "there is nothing in it; write at least one value, or remove the key"
    if kind in _NEEDED:
        return f"{_shown(given)} stands here, and what is needed is {_NEEDED[kind]}"
    if kind in ("literal_error", "enum"):
        return f"{_shown(given)} is not known here; write {context['expected']}"
    if kind == "value_error":
        return str(context["error"])
    bounds = ", ".join(f"{name} {limit}" for name, limit in context.items())
    return f"{_shown(given)} is out of range ({bounds})" if bounds else f"{_shown(given)} is not accepted here"


def _unknown(path: KeyPath) -> str:
    key, known = str(path[-1]), keys_at(path[:-1])
    close = difflib.get_close_matches(key[:60], known, n=1)
    if close:
        return f"unknown key {quoted(key)}; did you mean {quoted(close[0])}?"
    return f"unknown key {quoted(key)}; known here are {', '.join(known)}"


def _shown(given: object) -> str:
    match given:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return quoted(given)
