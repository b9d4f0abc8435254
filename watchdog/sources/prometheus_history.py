"""Answers the questions of the past: the same measurements, read from range queries instead of one query an instant.

Law: an instant of a range is believed exactly where the same answer to an instant query would be; a range that failed
is an error at each of its instants.
"""

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from watchdog.settings import PrometheusSettings
from watchdog.sources.answer import Answer, AnswerError
from watchdog.sources.credentials import CredentialsError, Handshake, prove
from watchdog.sources.envelope import Query, Reading, read_range
from watchdog.sources.failure import sentence
from watchdog.sources.http_answer import read_answer, why_broken
from watchdog.sources.prometheus import PrometheusSource

MOST_POINTS = 8000
"""In one request: Prometheus refuses more than 11,000, and what we believe of one answer is not larger than this."""
FEWEST_POINTS = 500
_KEPT = 48  # ranges
_TOO_MUCH = ("too many samples", "timed out", "timeout")


@dataclass(frozen=True, slots=True)
class _Range:
    """What one range came to: readings by instant; an instant that is not among them had no sample."""

    readings: Mapping[float, Reading]

    def at(self, instant: float) -> Reading:
        return self.readings.get(round(instant, 3)) or Reading()


class PrometheusHistory(PrometheusSource):
    """A Prometheus that is asked about the instants from ``start`` to ``end``, ``step`` seconds apart.

    ``requests`` counts what it was asked. To be used from one event loop.
    """

    def __init__(self, settings: PrometheusSettings, *, start: float, end: float, step: float) -> None:
        super().__init__(settings)
        self._settings = settings
        self._handshake = Handshake.of(settings)
        self._start, self._end, self._step = start - self.query_offset, end - self.query_offset, step
        self._ranges: OrderedDict[tuple[str, float, int], asyncio.Task[_Range]] = OrderedDict()
        self._session: aiohttp.ClientSession | None = None
        self._one_by_one = asyncio.Semaphore(2)
        self.requests = 0

    async def close(self) -> None:
        """Closes the connections."""
        await super().close()
        if self._session is not None:
            await self._session.close()

    async def series(self, expr: str) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """Every series of an expression, with its samples. Raises AnswerError."""
        found: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
        first = self._start
        while first <= self._end:
            last = min(first + (MOST_POINTS - 1) * self._step, self._end)
            for labels, samples in read_range(await self._answer(expr, first, last)):
                found.setdefault(tuple(sorted(labels.items())), []).extend(samples)
            first = last + self._step
        return [(dict(labels), samples) for labels, samples in found.items()]

    async def _ask(self, query: Query) -> Reading:
        if query.expr is None:
            return Reading()  # when the server was started the last time says nothing of its past
        number, phase = divmod(query.slot - self._start, self._step * MOST_POINTS)
        phase = round(phase % self._step, 3)
        key = query.expr, phase, int(number)
        task = self._ranges.get(key)
        if task is None:
            first = self._start + phase + number * self._step * MOST_POINTS
            last = first + (MOST_POINTS - 1) * self._step
            task = asyncio.get_running_loop().create_task(self._range(query.expr, first, min(last, self._end)))
            self._ranges[key] = task
            while len(self._ranges) > _KEPT:
                self._ranges.popitem(last=False)
        return (await task).at(query.slot)

    async def _range(self, expr: str, first: float, last: float) -> _Range:
        """The readings of a range; halves it as long as the server says that it is too much."""
        try:
            return _Range(_readings(read_range(await self._answer(expr, first, last))))
        except (AnswerError, CredentialsError) as error:
            failed = str(error)
        points = round((last - first) / self._step) + 1
        if points > FEWEST_POINTS and any(word in failed for word in _TOO_MUCH):
            middle = first + points // 2 * self._step
            halves = [await self._range(expr, first, middle - self._step), await self._range(expr, middle, last)]
            return _Range({**halves[0].readings, **halves[1].readings})
        reading = Reading(error=sentence(f"{self._server} {failed}"))
        return _Range({round(first + each * self._step, 3): reading for each in range(points)})

    async def _answer(self, expr: str, first: float, last: float) -> Answer:
        proof = prove(self._settings, self._settings.headers, token_scheme="Bearer")  # noqa: S106 - no secret
        context = self._handshake.context()
        sent = {
            "partial_response": "false",
            **self._settings.parameters,
            "query": expr,
            "start": f"{first:.3f}",
            "end": f"{last:.3f}",
            "step": f"{self._step:g}",
            "timeout": f"{self._deadline:g}s",
        }
        self.requests += 1
        try:
            async with self._one_by_one, asyncio.timeout(self._deadline):
                return await self._post(sent, dict(proof.headers), context)
        except TimeoutError:
            raise AnswerError(f"timed out: no answer within {self._deadline:g} s") from None
        except aiohttp.ClientError as error:
            raise AnswerError(f"cannot be asked: it {why_broken(error)}") from None

    async def _post(self, sent: Mapping[str, str], headers: dict[str, str], context: ssl.SSLContext | None) -> Answer:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        url = f"{self._settings.url}/api/v1/query_range"
        options: dict[str, Any] = {"allow_redirects": False, "headers": headers, "ssl": context or True}
        async with self._session.post(url, data=dict(sent), **options) as response:
            return await read_answer(response)


def _readings(series: Sequence[tuple[dict[str, str], list[tuple[float, float]]]]) -> dict[float, Reading]:
    """The reading at each instant: the one number there, or that there are several."""
    found: dict[float, Reading] = {}
    for _, samples in series:
        for instant, value in samples:
            at = round(instant, 3)
            if at in found:
                found[at] = Reading(error="several series where one is expected; aggregate with sum() or max()")
            else:
                found[at] = Reading(value=value)
    return found
