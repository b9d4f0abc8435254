"""What stands for the placeholders of a query while it is parsed.

Law: a stand-in is as long as its placeholder, so that offsets stay what they are.
"""

from __future__ import annotations

import re

STAND_IN = "zqcolor"
"""What stands for {{ color }} in the tree of an expression."""
_STAND_INS = {"color": STAND_IN, "namespace": "zqspace"}
_SPAN = "1y"
"""What stands for {{ window }}: no range is too short then, since the windows are looked at by themselves."""
_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_STANDING_IN = re.compile("|".join(f"({word})x*" for word in _STAND_INS.values()))


def sampled(text: str) -> str:
    """The text with a stand-in for each placeholder."""
    return _PLACEHOLDER.sub(_stand_in, text)


def as_written(text: str) -> str:
    """What is said of a sampled text, with the placeholders that the stand-ins stand for."""
    return _STANDING_IN.sub(lambda match: f"{{{{ {[*_STAND_INS][(match.lastindex or 1) - 1]} }}}}", text)


def _stand_in(match: re.Match[str]) -> str:
    name, length = match.group(1), len(match.group())
    return _SPAN.ljust(length) if name == "window" else _STAND_INS.get(name, "").ljust(length, "x")
