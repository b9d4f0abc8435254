"""What Prometheus answers: to an instant query, to a range query, and when it was started."""

from __future__ import annotations

from collections.abc import Iterator

from tests.fuzz.answers import WORDS, as_answer, as_bytes, check_text, spoil
from tests.fuzz.target import Target
from tests.sources.asking import SLOT, vector
from watchdog.sources.answer import AnswerError
from watchdog.sources.envelope import read_range, read_start, read_value


def _parse(data: bytes) -> None:
    answer = as_answer(data)
    for read in (lambda: read_value(answer, at=SLOT), lambda: read_start(answer), lambda: read_range(answer)):
        try:
            read()
        except AnswerError as error:
            check_text(str(error))


def _seeds() -> Iterator[bytes]:
    yield as_bytes(vector("0.05"))
    yield as_bytes(vector("1", "2"), date="Tue, 14 Nov 2023 22:13:20 GMT", content_type="application/json")
    yield as_bytes(vector(warnings=["a store is away"]), retry_after="30")
    yield as_bytes({"status": "success", "data": {"resultType": "scalar", "result": [int(SLOT), "NaN"]}})
    series = {"metric": {"color": "green"}, "values": [[SLOT, "1"], [SLOT + 15, "+Inf"]]}
    yield as_bytes({"status": "success", "data": {"resultType": "matrix", "result": [series]}, "isPartial": False})
    yield as_bytes({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "histogram": []}]}})
    yield as_bytes({"status": "success", "data": {"startTime": "2023-11-14T22:13:20.123456789Z"}})
    yield as_bytes({"status": "error", "errorType": "bad_data", "error": "parse error"}, status=400)
    yield as_bytes(b"<html>busy</html>", status=503, content_type="text/html", retry_after="Tue, 14 Nov 2023 22:13:20")
    yield as_bytes(b"", status=302, location="https://me:pw@login.example/sso?ticket=1")


TARGET = Target(
    parse=_parse,
    seeds=_seeds,
    words=(*WORDS, '"data":', '"resultType":', '"result":', '"metric":', '"value":', '"values":', '"startTime":'),
    spoil=spoil,
)
