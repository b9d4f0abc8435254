"""pydantic's errors as sentences for people on call: what is wrong; what would be right.

Law: no wording of pydantic's is ever shown, and no value is called wrong without an example of a right one.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import ErrorDetails

from watchdog.core.rules.document import Document
from watchdog.core.rules.keys import EXAMPLES, section_of, unknown_key
from watchdog.core.rules.problem import Finding, KeyPath, ValueRefusedError, quoted
from watchdog.core.rules.scalars import in_quotes
from watchdog.core.rules.values import FindingsError

_FREE = frozenset({"labels", "annotations", "selector"})
_NEEDED = {
    "string_type": "text",
    "float_type": "a number",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}
_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than_equal": ("le", "at most"),
}
_SIZES = {
    "too_short": "there is nothing in it; {write}",
    "too_long": "more than {most} are given; write at most {most}",
    "string_too_short": "the text is empty; {write}",
    "string_too_long": "the text is longer than {most} characters; shorten it",
}
_CHOICE = frozenset({"literal_error", "enum"})
_CODES = {
    "missing": "R202",
    **dict.fromkeys(_NEEDED, "R203"),
    **dict.fromkeys(_BOUNDS | _SIZES, "R205"),
    **dict.fromkeys(_CHOICE, "R206"),
}
_WITHOUT_EXPONENT = 1e9


def explain(error: ErrorDetails, document: Document) -> tuple[Finding, ...]:
    """What one of pydantic's errors has found in the document."""
    path, kind = error["loc"], error["type"]
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, FindingsError):
        return tuple(finding.under(path) for finding in cause.findings)
    if path and path[-1] == "[key]":
        return (Finding(path=path[:-1], code=_code(error), message=str(cause), at_key=True),)
    if kind == "extra_forbidden":
        return (unknown_key(path),)
    return (Finding(path=path, code=_code(error), message=_sentence(error, document.bare_word(path))),)


def empty(path: KeyPath) -> Finding:
    """A key that has no value."""
    return Finding(path=path, code="R204", message=f"the value is empty; {_write(path)}, or remove the key")


def _code(error: ErrorDetails) -> str:
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, ValueRefusedError):
        return cause.code
    if error["input"] is None:
        return "R204"
    return _CODES.get(error["type"], "R207")


def missing_key(path: KeyPath) -> Finding:
    """A key that has to be there."""
    return Finding(path=path, code="R202", message=_missing(path))


def _sentence(error: ErrorDetails, word: str) -> str:
    """What is wrong, and the cure. ``word`` is the value as written, if it is a bare word."""
    match error["type"]:
        case "missing":
            return _missing(error["loc"])
        case _ if not error["loc"]:
            return f"{_kind(error['input'])} stands here, and a rule file is a mapping; begin with {EXAMPLES['target']}"
        case _:
            return _about_value(error["input"], word, error=error)


def _about_value(given: Any, word: str, *, error: ErrorDetails) -> str:
    kind, path, context = error["type"], error["loc"], error.get("ctx", {})
    if given is None:
        return f"the value is empty; {_write(path)}"
    if isinstance(given, bool) and word.lower() not in ("true", "false", ""):
        cure = f"write {context['expected']}" if kind in _CHOICE else _instead(word, path, kind)
        return f"YAML reads the bare word {word} as {str(given).lower()}; {cure}"
    if kind in _NEEDED:
        return _wrong_kind(given, word, path=path, kind=kind)
    if kind == "value_error":
        return str(context["error"])
    if kind in _CHOICE:
        return f"{_shown(given, word)} is not known here; write {context['expected']}"
    return _out_of_bounds(kind, given, path=path, context=context)


def _missing(path: KeyPath) -> str:
    if isinstance(path[-1], int):
        return _two_colors()
    return f"the key {quoted(path[-1])} is missing; add {EXAMPLES[str(path[-1])]}"


def _wrong_kind(given: Any, word: str, *, path: KeyPath, kind: str) -> str:
    shown = (
        f"{_kind(given)} stands here" if isinstance(given, list | dict) else f"{_shown(given, word)} is {_kind(given)}"
    )
    return f"{shown}, and {_NEEDED[kind]} is needed; {_instead(word or given, path, kind)}"


def _instead(given: Any, path: KeyPath, kind: str) -> str:
    match kind, given:
        case "bool_type", _:
            return "write true or false"
        case "string_type", str() if given:
            return f"put it in quotes: {in_quotes(given)}"
        case "string_type", _ if section_of(path[:-1]) in _FREE:
            return "write text"
        case "float_type", str() if (number := _number_in(given)) is not None:
            return f"write {number}"
        case _:
            return _write(path)


def _number_in(text: str) -> str | None:
    """The number that a text means: ``5%`` is 0.05, ``1e-3`` is 0.001."""
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        return None
    is_plain = abs(number) < _WITHOUT_EXPONENT and round(number, 10) == number
    return f"{number:.10f}".rstrip("0").rstrip(".") if is_plain else None


def _write(path: KeyPath) -> str:
    section = section_of(path)
    if section_of(path[:-1]) in _FREE or section not in EXAMPLES:
        return "write text, or remove the key"
    return f"write {EXAMPLES[section]}"


def _out_of_bounds(kind: str, given: Any, *, path: KeyPath, context: dict[str, Any]) -> str:
    if kind in _BOUNDS:
        name, word = _BOUNDS[kind]
        limit = f"it has to be {word} {context[name]:g}"
        return f"{_shown(given, '')} is out of range; {limit}, such as {EXAMPLES[section_of(path)].partition(': ')[2]}"
    if kind == "too_long" and section_of(path) == "colors":
        return _two_colors()
    sentence = _SIZES.get(kind, "{given} is not accepted here; {write}")
    return sentence.format(given=_shown(given, ""), write=_write(path), most=context.get("max_length"))


def _two_colors() -> str:
    return f"there are two colors, neither more nor less; write {EXAMPLES['colors']}"


def _kind(given: Any) -> str:
    match given:
        case bool():
            return "a switch"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return "nothing"


def _shown(given: Any, word: str) -> str:
    return in_quotes(word, quote="") if word and not isinstance(given, str) else quoted(given)
