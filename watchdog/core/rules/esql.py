"""What can be told of an ES|QL query without a parser: whether its value is a ratio, and which placeholders it uses.

Law: what stands in a text, a comment, a quoted name or the date of an index is no operator.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r'''(?P<comment>//[^\n]* | /\*.*?(?:\*/|\Z))
    |   (?P<text>"""(?:.*?)(?:"""|\Z) | "(?:[^"\\\n]|\\.)*"? | `[^`]*`?)
    |   (?P<date><[^<>|\n{]*\{[^{}|\n]*\}[^<>|\n]*>)''',
    re.VERBOSE | re.DOTALL,
)
_DIVISION = re.compile(r"/(?!\s*[\d.])")
"""By a number it only changes the unit."""
_CONDITION = re.compile(r"\s*where\b", re.IGNORECASE)


def has_ratio(query: str) -> bool:
    """True when the query divides one quantity by another, outside of a condition."""
    bare = _TOKEN.sub(" ", query)
    return any(_DIVISION.search(command) for command in bare.split("|") if not _CONDITION.match(command))


def without_comments(query: str) -> str:
    """The query as it is carried out."""
    return _TOKEN.sub(lambda match: " " if match.lastgroup == "comment" else match.group(), query)
