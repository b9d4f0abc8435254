"""The outbox: takes alerts at once and sends them to every sink in its own time.

Law: `Outbox.post` never waits and never raises; a sink that is slow or down delays no other; an alert that is lost is
counted and logged.

Each sink has a lane with one worker. An alert gets a round of attempts; after a failed round it goes to the end of
its lane, so that one alert that a receiver chokes on does not keep the others waiting. In a storm, what comes within a
few seconds is sent as one message, because nobody reads a hundred.
"""

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import aiohttp
import stamina
import structlog

from watchdog.core.alert import Alert, digest
from watchdog.notify.delivery import DeliveryError, UnavailableError, open_session

_REMEMBERED_KEYS = 4096
_MINUTE = 60.0
_ENDS = "the watchdog ends"

_log = structlog.get_logger()


class Sink(Protocol):
    """Where alerts go."""

    @property
    def name(self) -> str:
        """A word for logs and metrics, unique among the sinks."""

    async def send(self, alert: Alert, session: aiohttp.ClientSession) -> None:
        """Sends it once, or raises DeliveryError; the outbox sets the deadline and tries again."""


class Result(StrEnum):
    """What became of an alert at a sink; one that is late is still tried, and comes to another end."""

    LATE = "late"
    DELIVERED = "delivered"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    OVERFLOWED = "overflowed"
    EXPIRED = "expired"
    UNSENT = "unsent"


OnResult = Callable[[str, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How patient the outbox is; seconds, but for ``attempts`` a round and ``capacity`` alerts a sink.

    After ``most_a_minute`` messages within a minute the alerts of each ``gather`` seconds are one message.
    """

    attempt_deadline: float = 5.0
    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 10.0
    rest: float = 30.0
    last_rest: float = 0.5
    keep_for: float = 86_400.0
    capacity: int = 256
    most_a_minute: int = 10
    gather: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsent:
    """An alert that was still waiting when the outbox closed; the last attempt may have reached the sink unheard."""

    sink: str
    alert: Alert


@dataclass(slots=True, eq=False)
class _Parcel:
    alert: Alert
    posted_at: float
    is_late: bool = False
    is_alone: bool = False  # a message of several was refused for it, or for another one


@dataclass(slots=True, eq=False)
class _Lane:
    sink: Sink
    waiting: deque[_Parcel] = field(default_factory=deque)
    in_hand: list[_Parcel] = field(default_factory=list)
    delivered: deque[float] = field(default_factory=deque)
    known: dict[str, None] = field(default_factory=dict)
    stirred: asyncio.Event = field(default_factory=asyncio.Event)

    def unsent(self) -> list[_Parcel]:
        """What is in hand, and what waits."""
        return [*self.in_hand, *self.waiting]

    def knows(self, key: str) -> bool:
        """Whether the key was posted before; remembers it, and forgets the oldest when there are too many."""
        if key in self.known:
            return True
        self.known[key] = None
        if len(self.known) > _REMEMBERED_KEYS:
            del self.known[next(iter(self.known))]
        return False


class Outbox:
    """Alerts on their way. `run` it as a task; `post` from the same event loop; `close` it at the end.

    ``on_result`` is told the sink's name and a `Result` for each alert; it must not raise.
    """

    def __init__(self, sinks: Iterable[Sink], *, on_result: OnResult | None = None, pace: Pace | None = None) -> None:
        self._lanes = [_Lane(sink) for sink in sinks]
        self._on_result = on_result
        self._pace = pace or Pace()
        self._closing = asyncio.Event()
        self._ended = asyncio.Event()
        self._until: asyncio.Timeout | None = None

    def post(self, alert: Alert) -> None:
        """Takes an alert for every sink that has not had one with its key."""
        for lane in self._lanes:
            parcel = _Parcel(alert, time.monotonic())
            if lane.knows(alert.key):
                self._count(lane, Result.DUPLICATE)
            elif self._ended.is_set():
                self._lose(lane, parcel, Result.UNSENT, why=_ENDS)
            else:
                self._enqueue(lane, parcel)

    def is_settled(self, key: str) -> bool:
        """True when no sink still has the alert with this key to send."""
        return not any(key == parcel.alert.key for lane in self._lanes for parcel in lane.unsent())

    async def run(self) -> None:
        """Sends until `close` has drained the lanes or its grace is over."""
        # Stamina would log a warning for each retry; ours tell of an alert when it is late and when it is lost.
        stamina.instrumentation.set_on_retry_hooks(())
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None) as self._until, open_session() as session:
                    await self._serve_all(session)
        finally:
            self._ended.set()

    async def close(self, grace_seconds: float) -> list[Unsent]:
        """Sends what is left within the grace, ends `run`, and returns what was not sent, each logged."""
        is_running = self._until is not None and not self._ended.is_set()
        if self._until is not None and is_running and not self._closing.is_set():
            self._until.reschedule(asyncio.get_running_loop().time() + grace_seconds)
        self._closing.set()
        for lane in self._lanes:
            lane.stirred.set()
        if is_running:
            await self._ended.wait()
        self._ended.set()
        return [Unsent(sink=lane.sink.name, alert=parcel.alert) for lane in self._lanes for parcel in self._left(lane)]

    def _left(self, lane: _Lane) -> list[_Parcel]:
        left = lane.unsent()
        lane.in_hand = []
        lane.waiting.clear()
        for parcel in left:
            self._lose(lane, parcel, Result.UNSENT, why=_ENDS)
        return left

    async def _serve_all(self, session: aiohttp.ClientSession) -> None:
        async with asyncio.TaskGroup() as workers:
            for lane in self._lanes:
                workers.create_task(self._serve(lane, session))
            await self._closing.wait()

    async def _serve(self, lane: _Lane, session: aiohttp.ClientSession) -> None:
        while parcels := await self._next(lane):
            lane.in_hand = parcels
            alerts = [parcel.alert for parcel in parcels]
            failure = await self._deliver(lane, alerts[0] if len(alerts) == 1 else digest(alerts), session)
            lane.in_hand = []
            if failure is None:
                self._delivered(lane, parcels)
            elif isinstance(failure, UnavailableError):
                for parcel in parcels:
                    self._postpone(lane, parcel, failure)
                await self._rest(failure)
            elif len(parcels) > 1:
                for parcel in reversed(parcels):
                    parcel.is_alone = True
                    lane.waiting.appendleft(parcel)
            else:
                self._lose(lane, parcels[0], Result.REFUSED, why=str(failure))

    async def _next(self, lane: _Lane) -> list[_Parcel]:
        """What is sent in the next message: one alert, in a storm all that wait; none when the outbox closes."""
        while not lane.waiting:
            if self._closing.is_set():
                return []
            lane.stirred.clear()
            await lane.stirred.wait()
        if lane.waiting[0].is_alone or not self._is_storm(lane):
            return [lane.waiting.popleft()]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._pace.gather):
                await self._closing.wait()
        gathered = sorted(lane.waiting, key=lambda each: each.posted_at)
        lane.waiting.clear()
        return gathered

    def _is_storm(self, lane: _Lane) -> bool:
        while lane.delivered and time.monotonic() - lane.delivered[0] > _MINUTE:
            lane.delivered.popleft()
        return len(lane.delivered) >= self._pace.most_a_minute

    def _delivered(self, lane: _Lane, parcels: list[_Parcel]) -> None:
        lane.delivered.append(time.monotonic())
        for parcel in parcels:
            self._count(lane, Result.DELIVERED)
            _log.info("alert delivered", **_fields(lane, parcel))

    async def _deliver(self, lane: _Lane, alert: Alert, session: aiohttp.ClientSession) -> DeliveryError | None:
        """One round of attempts; at the end of the watchdog's life one attempt, since others wait for theirs."""
        pace = self._pace
        try:
            async for attempt in stamina.retry_context(
                on=_wait_before_next,
                attempts=1 if self._closing.is_set() else pace.attempts,
                timeout=None,
                wait_initial=pace.first_wait,
                wait_max=pace.longest_wait,
                wait_jitter=pace.first_wait,
            ):
                with attempt:
                    await self._attempt(lane.sink, alert, session)
        except DeliveryError as error:
            return error
        return None

    async def _attempt(self, sink: Sink, alert: Alert, session: aiohttp.ClientSession) -> None:
        seconds = self._pace.attempt_deadline
        try:
            async with asyncio.timeout(seconds):
                await sink.send(alert, session)
        except TimeoutError:
            raise UnavailableError(f"no answer within {seconds:g} s") from None

    def _postpone(self, lane: _Lane, parcel: _Parcel, failure: UnavailableError) -> None:
        if time.monotonic() - parcel.posted_at > self._pace.keep_for:
            self._lose(lane, parcel, Result.EXPIRED, why=str(failure))
            return
        if not parcel.is_late:
            parcel.is_late = True
            self._count(lane, Result.LATE)
            _log.warning("alert late", reason=str(failure), **_fields(lane, parcel))
        self._enqueue(lane, parcel)

    async def _rest(self, failure: UnavailableError) -> None:
        """Leaves the sink alone for a while: as long as it asked for, or until the watchdog ends."""
        pace = self._pace
        if failure.retry_after is not None:
            await asyncio.sleep(_with_jitter(failure.retry_after))
        elif self._closing.is_set():
            await asyncio.sleep(_with_jitter(pace.last_rest))
        else:
            # Not wait_for: before 3.12 it swallows a cancellation that comes together with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_with_jitter(pace.rest)):
                    await self._closing.wait()

    def _enqueue(self, lane: _Lane, parcel: _Parcel) -> None:
        lane.waiting.append(parcel)
        if len(lane.waiting) > self._pace.capacity:
            oldest = min(lane.waiting, key=lambda each: each.posted_at)
            lane.waiting.remove(oldest)
            self._lose(lane, oldest, Result.OVERFLOWED, why="too many alerts wait for this sink")
        lane.stirred.set()

    def _lose(self, lane: _Lane, parcel: _Parcel, result: Result, *, why: str) -> None:
        # A sink that said no to this message will say so again; any other loss may be made good by a repetition.
        if result is not Result.REFUSED:
            lane.known.pop(parcel.alert.key, None)
        self._count(lane, result)
        _log.warning("alert lost", result=result.value, reason=why, **_fields(lane, parcel))

    def _count(self, lane: _Lane, result: Result) -> None:
        if self._on_result is not None:
            self._on_result(lane.sink.name, result.value)


def _wait_before_next(error: Exception) -> bool | float:
    """Stamina's question after a failed attempt: whether to try again, or after how many seconds."""
    if isinstance(error, UnavailableError):
        return True if error.retry_after is None else _with_jitter(error.retry_after)
    return False


def _with_jitter(seconds: float) -> float:
    """Never less than was asked for, and up to a quarter more."""
    return seconds * random.uniform(1, 1.25)  # noqa: S311 - spreads load, guards nothing


def _fields(lane: _Lane, parcel: _Parcel) -> dict[str, str]:
    alert = parcel.alert
    return {"sink": lane.sink.name, "alert": alert.key, "kind": alert.kind.value, "target": alert.target}
