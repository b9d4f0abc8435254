"""Makes text from outside safe to show: on a terminal, in a chat, in a log.

Law: what steers a terminal or turns the reading direction is shown as an escape, never obeyed; what is cut says so.
"""

import unicodedata

# Control and format characters (ANSI, CR and LF, bidi, zero width), lone surrogates, line and paragraph separators.
_STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ONE_BYTE, _TWO_BYTES = 0xFF, 0xFFFF
_CUT = "…"


def visible(text: str) -> str:
    """The text on one line, with every character that steers instead of showing written as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(char) if unicodedata.category(char) in _STEERING else char for char in text)


def clip(text: str, limit: int) -> str:
    """At most ``limit`` bytes of UTF-8 (4 or more); a text that was cut ends with an ellipsis."""
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) <= limit:
        return text
    return encoded[: limit - len(_CUT.encode())].decode("utf-8", "ignore") + _CUT


def _shown(char: str) -> str:
    code = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    if code <= _ONE_BYTE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _TWO_BYTES else f"\\U{code:08x}"
