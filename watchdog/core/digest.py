"""A short name for a long text: the same for the same text, on every replica and after every restart."""

import hashlib


def short_digest(text: str) -> str:
    """The first 64 bits of the text's SHA-256, as 16 hex digits; a text may hold bytes that are no UTF-8, escaped."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
