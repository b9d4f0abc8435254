"""Placeholders in rule files: ``{{ color }}`` and its few fellows.

Law: text is data. Only declared names are replaced, once, in one pass; there is no template language.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with each declared placeholder replaced; undeclared ones stay as they are."""
    return _PLACEHOLDER.sub(lambda match: values.get(match.group(1), match.group(0)), text)


def names_in(text: str) -> tuple[str, ...]:
    """The names of the placeholders in the text, in order."""
    return tuple(match.group(1) for match in _PLACEHOLDER.finditer(text))


def check_placeholders(text: str, allowed: Collection[str]) -> str:
    """The text unchanged; raises ValueError for an unknown placeholder, saying which are known."""
    for name in names_in(text):
        if name not in allowed:
            known = ", ".join(f"{{{{ {each} }}}}" for each in sorted(allowed)) or "none here"
            raise ValueError(f"unknown placeholder {{{{ {name} }}}}; known are: {known}")
    return text
