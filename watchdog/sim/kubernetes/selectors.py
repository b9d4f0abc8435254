"""Label and field selectors as they are written in a request.

Law: pure; a text that the API server would refuse raises ValueError with a reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Labels = Mapping[str, str]
_SET = re.compile(r"\s*(?P<key>[^\s!=,()]+)\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)\s*")
_EQUAL = re.compile(r"\s*(?P<key>[^\s!=,()]+)\s*(?P<op>==|=|!=)\s*(?P<value>[^\s!=,()]*)\s*")
_EXISTS = re.compile(r"\s*(?P<not>!?)\s*(?P<key>[^\s!=,()]+)\s*")
_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LONGEST_NAME = 63


def parse_label_selector(text: str) -> Callable[[Labels], bool]:
    """A predicate over labels."""
    requirements = []
    position = 0
    while text.strip() and position <= len(text):
        requirement, position = _requirement(text, position)
        requirements.append(requirement)
        if follower := _follower(text, position):
            raise ValueError(f"found '{follower}', expected: ',' or 'end of string'")
        position += 1
    return lambda labels: all(holds(labels) for holds in requirements)


def parse_field_selector(text: str) -> Callable[[Callable[[str], str]], bool]:
    """A predicate over a function from field to value."""
    requirements = []
    for part in filter(None, text.split(",")):
        match = re.fullmatch(r"([^=!]+)(==|=|!=)(.*)", part)
        if not match:
            raise ValueError(f"invalid selector: '{text}'; can't understand '{part}'")
        requirements.append((match[1], match[2] == "!=", match[3]))
    return lambda field: all((field(name) == value) != negated for name, negated, value in requirements)


def selects(selector: Labels, labels: Labels) -> bool:
    """True when a Service's selector picks these labels; an empty one picks nothing."""
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _requirement(text: str, position: int) -> tuple[Callable[[Labels], bool], int]:
    for pattern, make in ((_SET, _among), (_EQUAL, _equal), (_EXISTS, _exists)):
        match = pattern.match(text, position)
        if match:
            _check_key(match["key"])
            if make is _exists and (follower := _follower(text, match.end())):
                operators = "in, notin, =, ==, !=, gt, lt"
                raise ValueError(f"unable to parse requirement: found '{follower}', expected: {operators}")
            return make(match), match.end()
    raise ValueError(f"unable to parse requirement: found '{text[position : position + 1]}', expected: identifier")


def _follower(text: str, position: int) -> str:
    """The word that follows where a comma or the end should be, "" when all is well."""
    rest = text[position:]
    return "" if rest.startswith(",") or not rest else rest.split(maxsplit=1)[0]


def _check_key(key: str) -> None:
    name = key.rpartition("/")[2]
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise ValueError(f'unable to parse requirement: <nil>: Invalid value: "{key}"')


def _among(match: re.Match[str]) -> Callable[[Labels], bool]:
    key, wanted = match["key"], {value.strip() for value in match["values"].split(",")}
    if match["op"] == "in":
        return lambda labels: key in labels and labels[key] in wanted
    return lambda labels: labels.get(key) not in wanted


def _equal(match: re.Match[str]) -> Callable[[Labels], bool]:
    key, value = match["key"], match["value"]
    if match["op"] == "!=":
        return lambda labels: labels.get(key) != value
    return lambda labels: labels.get(key) == value


def _exists(match: re.Match[str]) -> Callable[[Labels], bool]:
    key, negated = match["key"], bool(match["not"])
    return lambda labels: (key in labels) != negated
