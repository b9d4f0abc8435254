"""Asks Prometheus for the instants of a whole time, a range at a time, and keeps what is needed next.

Law: a range that failed is an error at each of its instants; one that is too much for the server is halved. No secret
that the server repeats leaves this module.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp

from watchdog.core.rules.reads import why_not_of_the_past
from watchdog.settings import PrometheusSettings
from watchdog.sources.answer import Answer, AnswerError
from watchdog.sources.credentials import CredentialsError, Handshake, Proof, prove
from watchdog.sources.envelope import Reading, read_range
from watchdog.sources.failure import sentence, without
from watchdog.sources.http_answer import read_answer, why_broken
from watchdog.sources.points import Points, Series

MOST_POINTS = 8000
"""In one request: Prometheus refuses more than 11,000, and what we believe of one answer is not larger than this."""
FEWEST_POINTS = 500
SIDE_BY_SIDE = 2  # requests: people look at dashboards, and a range is work
_KEPT = 3  # ranges of one expression: the one in use, the next one, and one before
_TOO_MUCH = ("too many samples", "timed out", "timeout", "parts; aggregate", "MiB; aggregate")
_LOOKED_AT = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})  # a query that cannot be answered
_ALMOST = 1e-6  # of a step: instants are sums of floats


class Ranges:
    """A Prometheus that is asked about instants until ``end`` (Unix seconds). To be used from one event loop.

    It is quickest when they are asked for in their order: the next range is fetched while one is in use. ``requests``
    counts what was asked, and ``has_answered`` says whether anything was looked at, were it to be refused.
    """

    def __init__(self, settings: PrometheusSettings, *, end: float) -> None:
        self._settings = settings
        self._handshake = Handshake.of(settings)
        self._end = end
        self.server = f"Prometheus at {settings.url}"
        """What a sentence about it begins with."""
        self._deadline = settings.deadline
        self._known: dict[tuple[str, int, int], list[_Range]] = {}
        self._session: aiohttp.ClientSession | None = None
        self._free = asyncio.Semaphore(SIDE_BY_SIDE)
        self.requests = 0
        self.has_answered = False

    async def close(self) -> None:
        """Closes the connections, and asks for nothing any more."""
        for known in self._known.values():
            for each in known:
                each.task.cancel()
        if self._session is not None:
            await self._session.close()

    async def series(self, expr: str, *, start: float, step: float) -> list[Series]:
        """Every series of an expression from an instant on, with its samples. Raises AnswerError, CredentialsError."""
        found: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
        first = start
        while first <= self._end:
            points = min(MOST_POINTS, int((self._end - first) / step + _ALMOST) + 1)
            for labels, samples in await self._series(expr, first, points, step):
                found.setdefault(tuple(sorted(labels.items())), []).extend(samples)
            first += points * step
        return [(dict(labels), samples) for labels, samples in found.items()]

    async def look(self, exprs: Sequence[str], *, at: float, newest: float, step: float) -> list[Reading]:
        """The readings of expressions at an instant, from ranges of instants ``step`` seconds apart.

        ``newest`` is the newest instant that is asked for in the same slot: what lies behind it by a day now will do so
        until the end.
        """
        until = self._end - (newest - at)
        found = [self._range_at(expr, at, step, until=until) for expr in exprs]
        if coming := [each.task for each in found if not each.task.done()]:
            await asyncio.gather(*coming)
        return [each.at(at) for each in found]

    def _range_at(self, expr: str, at: float, step: float, *, until: float) -> _Range:
        """The range that an instant is in, which begins there unless one is known; the next one is on its way then."""
        grid = _milliseconds(step)
        known = self._known.setdefault((expr, grid, _milliseconds(at) % grid), [])
        found = next((each for each in reversed(known) if each.first <= _milliseconds(at) <= each.last), None)
        if found is None:
            found = self._begin(known, expr, at, step, until=until)
        after = found.last + grid
        if found is known[-1] and _milliseconds(at) > found.middle and after <= _milliseconds(until):
            self._begin(known, expr, after / 1000, step, until=until)
        return found

    def _begin(self, known: list[_Range], expr: str, first: float, step: float, *, until: float) -> _Range:
        points = min(MOST_POINTS, max(0, int((until - first) / step + _ALMOST)) + 1)
        task = asyncio.get_running_loop().create_task(self._points(expr, first, points, step))
        begun = _Range(first=_milliseconds(first), step=_milliseconds(step), points=points, task=task)
        known.append(begun)
        del known[:-_KEPT]
        return begun

    async def _points(self, expr: str, first: float, points: int, step: float) -> Points:
        """The readings of a range."""
        if why := why_not_of_the_past(expr):
            return Points.failed(points, Reading(error=f"the past of an expression cannot be played: {why}"))
        try:
            series = await self._range(expr, first, points, step)
            return Points.of(points, series, first=first, step=step)
        except (AnswerError, CredentialsError) as error:
            if _is_too_much(error, points):
                halves = [await self._points(expr, *half, step) for half in _halves(first, points, step)]
                return halves[0].then(halves[1])
            return Points.failed(points, Reading(error=sentence(f"{self.server} {error}")))

    async def _series(self, expr: str, first: float, points: int, step: float) -> list[Series]:
        """The series of a range, in pieces where it is too much at once. Raises AnswerError."""
        try:
            return await self._range(expr, first, points, step)
        except AnswerError as error:
            if not _is_too_much(error, points):
                raise
        return [each for half in _halves(first, points, step) for each in await self._series(expr, *half, step)]

    async def _range(self, expr: str, first: float, points: int, step: float) -> list[Series]:
        """The series of a range that is asked for at once. Raises AnswerError, CredentialsError."""
        proof = prove(self._settings, self._settings.headers, token_scheme="Bearer")  # noqa: S106 - no secret
        try:
            answer = await self._answer(expr, first, first + (points - 1) * step, step, proof=proof)
            self.has_answered |= answer.status in _LOOKED_AT
            series = read_range(answer)
        except AnswerError as error:
            raise AnswerError(without(proof.secrets, str(error)), trouble=error.trouble, wait=error.wait) from None
        self.has_answered = True
        return series

    async def _answer(self, expr: str, first: float, last: float, step: float, *, proof: Proof) -> Answer:
        context = self._handshake.context()
        sent = {
            "partial_response": "false",
            **self._settings.parameters,
            "query": expr,
            "start": f"{first:.3f}",
            "end": f"{last:.3f}",
            "step": f"{step:.3f}",
            "timeout": f"{self._deadline:g}s",
        }
        self.requests += 1
        try:
            async with self._free, asyncio.timeout(self._deadline):
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


@dataclass(frozen=True, slots=True)
class _Range:
    """Instants that are asked for at once; ``first`` and ``step`` are milliseconds."""

    first: int
    step: int
    points: int
    task: asyncio.Task[Points]

    @property
    def last(self) -> int:
        return self.first + (self.points - 1) * self.step

    @property
    def middle(self) -> int:
        return self.first + self.points // 2 * self.step

    def at(self, instant: float) -> Reading:
        """The reading at one of the instants, when it has come."""
        return self.task.result().reading(round((_milliseconds(instant) - self.first) / self.step))


def _is_too_much(error: Exception, points: int) -> bool:
    """True when half of the range may be answered."""
    return points > FEWEST_POINTS and any(word in str(error) for word in _TOO_MUCH)


def _halves(first: float, points: int, step: float) -> list[tuple[float, int]]:
    """The beginnings of the two halves of a range, and how many points each has."""
    early = points // 2
    return [(first, early), (first + early * step, points - early)]


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
