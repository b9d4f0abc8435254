"""promtool's notation: the name of a series and, on the lines below it, values."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.fuzz.target import Target
from watchdog.replay.notation import MOST_VALUES, NotationError, parse_series, parse_values


def _parse(data: bytes) -> None:
    name, _, values = data.decode("utf-8", "replace").partition("\n")
    _read(lambda: _named(name), length=len(name))
    _read(lambda: _valued(values), length=len(values))


def _read(read: Callable[[], None], *, length: int) -> None:
    try:
        read()
    except NotationError as error:
        assert 0 <= error.offset <= length  # noqa: PT017 - either is right


def _named(text: str) -> None:
    assert parse_series(text).name


def _valued(text: str) -> None:
    assert 0 < len(parse_values(text)) <= MOST_VALUES


def _seeds() -> Iterator[bytes]:
    yield b'http_requests_total{color="green",code="500"}\n0+300x80 _ 5x3 stale'
    yield b"(" * 40 + b"-a" + b")" * 40 + b"\n1x4"
    yield b"a[5m] offset 1e9\n1"
    yield b"{__name__='up',job=`a`}\n1e-3-.5x10 _x3 NaN -Inf"


TARGET = Target(
    parse=_parse,
    seeds=_seeds,
    words=("stale", "_x", "x9", "NaN", "-Inf", "1e9", "__name__", '="', "=~", "offset 5m", "@ 1", "[5m]", "sum(", "\n"),
)
