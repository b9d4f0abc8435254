"""Placeholders in rule files: ``{{ color }}`` and its few fellows.

Law: text is data. Only declared names are replaced, once, in one pass; there is no template language.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_OPENING = re.compile(r"\{\{")


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with each declared placeholder replaced; undeclared ones stay as they are."""
    return _PLACEHOLDER.sub(lambda match: values.get(match.group(1), match.group(0)), text)


def names_in(text: str) -> tuple[str, ...]:
    """The names of the placeholders in the text, in order."""
    return tuple(match.group(1) for match in _PLACEHOLDER.finditer(text))


def mistakes_in(text: str, allowed: Collection[str]) -> Iterator[tuple[int, str]]:
    """Each placeholder that is unknown or not closed: its offset, and what is wrong; what would be right."""
    for match in _PLACEHOLDER.finditer(text):
        if match.group(1) not in allowed:
            known = ", ".join(f"{{{{ {each} }}}}" for each in sorted(allowed)) or "none here"
            yield match.start(), f"unknown placeholder {{{{ {match.group(1)} }}}}; known are: {known}"
    rest = _PLACEHOLDER.sub(lambda match: " " * len(match.group()), text)
    for match in _OPENING.finditer(rest):
        yield match.start(), "a placeholder is not closed; write it as {{ color }}"
