"""ES|QL queries: whether they divide, and what of them is carried out."""

from __future__ import annotations

from collections.abc import Iterator

from tests.fuzz.target import Target
from watchdog.core.rules.esql import has_ratio, without_comments


def _parse(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    has_ratio(text)
    assert len(without_comments(text)) <= len(text)


def _seeds() -> Iterator[bytes]:
    yield b'FROM logs-* | WHERE url.path == "/pay" | STATS e = COUNT(m == "//"), a = COUNT(*) | EVAL value = e / a'
    yield b'FROM <logs-{now/d}> // "why" | STATS /* a / b */ value = COUNT(`a/b`) / 1000'
    yield b'ROW a = """x "/" y""" | WHERE b == "\\"/" | LIMIT 1'


TARGET = Target(
    parse=_parse,
    seeds=_seeds,
    words=('"""', '\\"', "//", "/*", "*/", "`", "<a-{", "}>", " | WHERE ", " / ", "{{ color }}"),
)
