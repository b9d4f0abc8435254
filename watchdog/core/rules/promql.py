"""What can be told of a PromQL expression without a Prometheus.

Law: a text that would be too much for the parser never reaches it; what the parser refuses comes out as one exception.
"""

from __future__ import annotations

import re
from functools import lru_cache

from promql_parser import Expr, MatrixSelector, ParenExpr, StringLiteral, SubqueryExpr, parse

from watchdog.core.rules.promql_error import PromqlError, cure, function_in
from watchdog.core.rules.promql_place import place_of

# The parser builds and frees its tree recursively, and a deep one takes the whole process with it.
_DEEPEST = 50
_MOST_OPERATORS = 200
_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
    |   (?P<string>"(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*')
    |   (?P<raw>`[^`]*`)
    |   (?P<quote>["'`])
    |   (?P<span>\[[\w\s:.+-]*\] | \b(?i:offset)\b\s*[-+]?\s*[\w.]*)
    |   (?P<open>[(\[{])
    |   (?P<close>[)\]}])
    |   (?P<operator>[-+*/%^=<>!] | \b(?i:and|or|unless|atan2)\b)""",
    re.VERBOSE,
)
# A bare number is seconds, and one that is too large for the parser's clock makes it panic.
_ENDLESS = re.compile(r"(?i)inf|nan|0x|\d[\d.]*e|\d{10}")
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_UNITLESS = re.compile(r"\[\s*[\d.]+\s*[\]:]|:\s*[\d.]+\s*\]|(?i:offset)\s*[-+]?\s*[\d.]+$")


@lru_cache(maxsize=64)  # each rule of a file is looked at from several sides
def parse_promql(text: str) -> Expr:
    """The expression's tree, which nobody changes; raises PromqlError."""
    readable = _scan(text)
    try:
        return parse(readable)
    except ValueError as error:
        raise PromqlError(cure(str(error)), complaint=str(error)) from None


def place_of_error(text: str, error: PromqlError) -> int | None:
    """Where the expression that the parser has refused stops being one. It takes many parses."""
    if error.offset is not None or not error.complaint:
        return error.offset
    offset = place_of(text, _parses)
    function = function_in(error.complaint)
    begins = text.rfind(function, 0, offset + 1) if function else -1
    return begins if begins >= 0 else offset


def _parses(text: str) -> bool:
    try:
        parse(_TOKEN.sub(_readable, text))
    except ValueError:
        return False
    return True


def _scan(text: str) -> str:
    """The text as the parser is to get it; raises PromqlError for brackets and quotes that do not match."""
    opened: list[re.Match[str]] = []
    operators = 0
    for match in _TOKEN.finditer(text):
        match match.lastgroup:
            case "quote":
                raise PromqlError("the string that begins here is never closed; close it", match.start())
            case "open":
                opened.append(match)
            case "close":
                _check_pair(opened.pop() if opened else None, match)
            case "span" if _ENDLESS.search(match.group()):
                raise PromqlError("this is no span of time; write it with a unit, such as 5m", match.start())
            case "span" if _UNITLESS.search(match.group()):
                message = f"{match.group()} has no unit; write it such as {_with_unit(match.group())}"
                raise PromqlError(message, match.start(), code="R208")
            case "operator":
                operators += not opened or opened[-1].group() != "{"
            case _:
                pass
        if len(opened) > _DEEPEST or operators > _MOST_OPERATORS:
            message = "the expression is too deep or too long to check; move parts of it to recording rules"
            raise PromqlError(message, code="R302")
    if opened:
        raise PromqlError(f"{opened[-1].group()} is never closed; close it", opened[-1].start())
    return _TOKEN.sub(_readable, text)


def _with_unit(span: str) -> str:
    return re.sub(r"(?<![\w.])([\d.]+)(?![\w.])", r"\1m", span)


def _check_pair(opening: re.Match[str] | None, closing: re.Match[str]) -> None:
    if opening is None:
        raise PromqlError(f"{closing.group()} closes nothing; remove it, or open it before", closing.start())
    if _CLOSING[opening.group()] != closing.group():
        expected = _CLOSING[opening.group()]
        raise PromqlError(f"{closing.group()} stands where {expected} is due; close it first", closing.start())


def _readable(match: re.Match[str]) -> str:
    """A token as the parser reads it: it takes escapes in raw strings, where PromQL has none."""
    if match.lastgroup != "raw":
        return match.group()
    inside = match.group()[1:-1].replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{inside}"'


def yields_one_value(expr: Expr) -> bool:
    """False for what has no value at an instant: a range, or a string."""
    while isinstance(expr, ParenExpr):
        expr = expr.expr
    return not isinstance(expr, MatrixSelector | SubqueryExpr | StringLiteral)


def place_of_comparison(text: str) -> int | None:
    """Where an expression compares: at the first comparison of those that the fewest brackets are around."""
    found: list[tuple[int, int]] = []
    opened: list[str] = []
    for match in _TOKEN.finditer(text):
        if match.lastgroup == "open":
            opened.append(match.group())
        elif match.lastgroup == "close":
            opened.pop()
        elif match.group() in "<>=!" and "{" not in opened:
            found.append((len(opened), match.start()))
    return min(found)[1] if found else None
