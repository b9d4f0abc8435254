"""The simulated Prometheus: ``/api/v1/query`` over a `SeriesStore`.

Law: it evaluates nothing itself; it reads parameters and prints what the evaluation says, number for number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any

from aiohttp import web

from watchdog.core.durations import parse_duration
from watchdog.sim.prometheus.promql import evaluate
from watchdog.sim.prometheus.series import Labels, SeriesStore
from watchdog.sim.prometheus.values import Answer, ErrorKind, PromQLError, Range, Sample

_STATUS = {
    ErrorKind.BAD_DATA: HTTPStatus.BAD_REQUEST,
    ErrorKind.EXECUTION: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorKind.NOT_SIMULATED: HTTPStatus.NOT_IMPLEMENTED,
}
_SMALLEST_PLAIN, _LARGEST_PLAIN = 1e-6, 1e21


def prometheus_app(store: SeriesStore, *, clock: Callable[[], float]) -> web.Application:
    """The query API over a store; ``clock`` is the time of queries that give none."""
    app = web.Application()

    async def query(request: web.Request) -> web.Response:
        parameters: Mapping[str, Any] = request.query
        if request.method == "POST":
            parameters = {**request.query, **await request.post()}
        try:
            at = _instant(parameters.get("time"), clock)
            _check_timeout(parameters.get("timeout"))
            answer = evaluate(store, str(parameters.get("query", "")), at=at)
        except PromQLError as error:
            body = {"status": "error", "errorType": str(error.kind), "error": str(error)}
            return _json(json.dumps(body), _STATUS[error.kind])
        return _json(_print(answer, at))

    async def ready(_: web.Request) -> web.Response:
        return web.Response(text="Prometheus Server is Ready.\n")

    async def unknown(request: web.Request) -> web.Response:
        body = {"status": "error", "errorType": "not_simulated", "error": f"not simulated: {request.path}"}
        return _json(json.dumps(body), HTTPStatus.NOT_IMPLEMENTED)

    app.router.add_get("/api/v1/query", query)
    app.router.add_post("/api/v1/query", query)
    app.router.add_get("/-/ready", ready)
    app.router.add_route("*", "/{path:.*}", unknown)
    return app


def _json(text: str, status: int = HTTPStatus.OK) -> web.Response:
    return web.Response(body=text.encode(), status=status, headers={"Content-Type": "application/json"})


def show_number(value: float) -> str:
    """A float as Go prints it: the shortest digits, plain from 1e-6 up to 1e21."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value and not _SMALLEST_PLAIN <= abs(value) < _LARGEST_PLAIN:
        mantissa, _, exponent = f"{Decimal(repr(value)).normalize():e}".partition("e")
        return f"{mantissa}e{exponent[0]}{exponent[1:]:>02}"
    text = f"{Decimal(repr(value)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _instant(text: str | None, clock: Callable[[], float]) -> int:
    """Milliseconds."""
    if not text:
        return int(clock() * 1000)
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = datetime.fromisoformat(text).timestamp()
        except ValueError as error:
            message = (
                f'invalid parameter "time": invalid time value for \'time\': cannot parse "{text}" to a valid timestamp'
            )
            raise PromQLError(ErrorKind.BAD_DATA, message) from error
    return round(seconds * 1000)


def _check_timeout(text: str | None) -> None:
    if not text:
        return
    try:
        float(text)
    except ValueError:
        try:
            parse_duration(text)
        except ValueError as error:
            message = f'invalid parameter "timeout": cannot parse "{text}" to a valid duration'
            raise PromQLError(ErrorKind.BAD_DATA, message) from error


def _print(answer: Answer, at: int) -> str:
    match answer.value:
        case str() as text:
            result: Any = [_stamp(at), text]
        case float() as number:
            result = [_stamp(at), show_number(number)]
        case elements:
            result = [_print_element(each, at) for each in elements]
    body: dict[str, Any] = {"status": "success", "data": {"resultType": answer.kind, "result": result}}
    if answer.infos:
        body["infos"] = answer.infos
    return json.dumps(body, separators=(",", ":"))


def _print_element(element: Sample | Range, at: int) -> dict[str, Any]:
    if isinstance(element, Range):
        values = [[_stamp(time), show_number(value)] for time, value in element.points]
        return {"metric": _metric(element.labels), "values": values}
    return {"metric": _metric(element.labels), "value": [_stamp(at), show_number(element.value)]}


def _metric(labels: Labels) -> dict[str, str]:
    return dict(labels)


def _stamp(at: int) -> float | int:
    return at // 1000 if at % 1000 == 0 else at / 1000
