"""The body of a Prometheus remote write: protobuf, in snappy's block format without compression.

Law: pure. The messages are those of prometheus/prompb: WriteRequest{1: TimeSeries{1: Label{1: name, 2: value},
2: Sample{1: double, 2: int64 milliseconds}}}; labels and samples are in order.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from itertools import groupby

from watchdog.replay.feed import FedSeries

HEADERS = {
    "Content-Encoding": "snappy",
    "Content-Type": "application/x-protobuf",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
_STALE = struct.pack("<Q", 0x7FF0000000000002)  # the NaN that ends a series
_LITERAL = 60  # bytes; longer literals carry their length in the bytes that follow
_CHUNK = 1 << 16
_SLICE = 1800.0  # seconds
_CONTINUES = 0x7F


def requests_of(series: Iterable[FedSeries]) -> Iterator[bytes]:
    """The bodies to send one after the other: slices of time, since a server takes no sample older than an hour."""
    kept = [*series]
    samples = sorted(
        ((at, number, value) for number, one in enumerate(kept) for at, value in one.samples),
        key=lambda each: (each[0] // _SLICE, each[1], each[0]),
    )
    for _, in_slice in groupby(samples, key=lambda each: each[0] // _SLICE):
        body = b""
        for number, of_one in groupby(in_slice, key=lambda each: each[1]):
            body += _field(1, _labels(kept[number]) + b"".join(_sample(at, value) for at, _, value in of_one))
        yield _snappy(body)


def _labels(series: FedSeries) -> bytes:
    pairs = sorted(series.labels.items())
    return b"".join(_field(1, _field(1, name.encode()) + _field(2, value.encode())) for name, value in pairs)


def _sample(at: float, value: float | None) -> bytes:
    double = _STALE if value is None else struct.pack("<d", value)
    return _field(2, b"\x09" + double + b"\x10" + _varint(round(at * 1000)))


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > _CONTINUES:
        encoded.append(value & _CONTINUES | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _snappy(content: bytes) -> bytes:
    """The content as literals: valid snappy that needs no compressor."""
    pieces = [content[first : first + _CHUNK] for first in range(0, len(content), _CHUNK)]
    return _varint(len(content)) + b"".join(_literal(piece) for piece in pieces)


def _literal(piece: bytes) -> bytes:
    length = len(piece) - 1
    if length < _LITERAL:
        return bytes([length << 2]) + piece
    return bytes([(_LITERAL + 1) << 2]) + length.to_bytes(2, "little") + piece
