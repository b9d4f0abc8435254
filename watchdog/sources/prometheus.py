"""Measures rules by PromQL.

Law: `measure` ends within the deadline, with a measurement; what hangs on one query holds up no other.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass

from watchdog.core.model import Measurement
from watchdog.core.placeholders import fill
from watchdog.core.rules.kinds import BurnRate, PrometheusQuery
from watchdog.core.rules.language import Rule
from watchdog.core.rules.reads import reads_of
from watchdog.settings import PrometheusSettings
from watchdog.sources import burn_rate
from watchdog.sources.envelope import Query, Reading, to_measurement
from watchdog.sources.freshness import Newest, companions, proven
from watchdog.sources.patience import Patience
from watchdog.sources.restarts import Restarts
from watchdog.sources.sharing import Shared
from watchdog.sources.workers import Job, Workers

# Below the 20 queries that Prometheus evaluates at once by default: people look at dashboards during an incident.
CONNECTIONS = 8

_Prove = Callable[[Measurement], Measurement]


@dataclass(frozen=True, slots=True)
class _Asked:
    """The expressions of one rule, and what counts its samples; those of ``may_be_absent`` may yield nothing."""

    exprs: Sequence[str]
    counter: str | None
    _: KW_ONLY
    max_age: float
    may_be_absent: Collection[str]

    @property
    def all(self) -> list[str]:
        """The counter among them."""
        return [*self.exprs, *([] if self.counter is None else [self.counter])]


class PrometheusSource:
    """A Prometheus, or anything that speaks its query API. To be used from one event loop."""

    def __init__(self, settings: PrometheusSettings) -> None:
        # Imported here: the client costs time and memory, and a command that only checks files has no use for it.
        from watchdog.sources.prometheus_line import PrometheusLine  # noqa: PLC0415

        self._deadline = settings.deadline
        self._server = f"Prometheus at {settings.url}"
        self._max_age = settings.max_age
        self._newest = Newest()
        self._restarts = Restarts()
        self._patience = Patience()
        self._shared: Shared[tuple[str | None, float], Reading] = Shared()
        self._workers = Workers(lambda: PrometheusLine(settings), size=CONNECTIONS, name="prometheus")

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:
        """What the rule's expressions yield at the slot (Unix seconds), all asked at the same time."""
        names = {"color": color, "namespace": namespace}
        counter = fill(rule.min_samples.expr, names) if rule.min_samples is not None and rule.min_samples.expr else None
        match rule.prometheus or rule.burn_rate:
            case PrometheusQuery() as query:
                exprs = [fill(query.expr, names)]
                asked = _Asked(
                    exprs, counter, max_age=query.max_age or self._max_age, may_be_absent=exprs * query.absent_is_zero
                )
                values, samples, prove = await self._read(asked, slot)
                measurement = to_measurement(
                    query, rule.min_samples, value=values[0], samples=samples, server=self._server
                )
            case BurnRate() as burn:
                exprs = burn_rate.expressions(burn, names)
                asked = _Asked(exprs, counter, max_age=self._max_age, may_be_absent=exprs[::2] * burn.absent_is_zero)
                values, samples, prove = await self._read(asked, slot)
                measurement = burn_rate.to_measurement(burn, values, samples, server=self._server)
            case None:
                return Measurement.error(f"rule {rule.alert} asks nothing of Prometheus")
        return prove(measurement)

    async def read(self, questions: Sequence[tuple[str, float]]) -> list[Reading]:
        """The readings of expressions, each at its own instant (Unix seconds), all within one deadline.

        They are not held to be new: whoever names the instants says what they are evidence of.
        """
        deadline = time.monotonic() + self._deadline
        queries = [Query(expr=expr, slot=at, deadline=deadline) for expr, at in questions]
        return await asyncio.gather(*map(self._ask_once, queries))

    async def ask(self, expr: str, *, slot: float) -> Reading:
        """What one expression yields at an instant (Unix seconds)."""
        return await self._ask(Query(expr=expr, slot=slot, deadline=time.monotonic() + self._deadline))

    async def close(self) -> None:
        """Ends the threads and their connections."""
        self._workers.close()

    async def _read(self, asked: _Asked, slot: float) -> tuple[list[Reading], Reading | None, _Prove]:
        """The readings of the expressions and of the counter, and what a measurement made of them has to pass."""
        proofs = companions(asked.all, may_be_absent=asked.may_be_absent)
        unproven = self._newest.unproven(proofs, slot=slot, max_age=asked.max_age)
        readings = await self._read_once([*asked.all, *unproven], slot)
        newest = {proofs[proof]: readings[proof] for proof in unproven}
        window = max(reads_of(expr).window for expr in asked.all)

        def prove(measurement: Measurement) -> Measurement:
            fresh = proven(measurement, newest, slot=slot, max_age=asked.max_age, server=self._server)
            return self._restarts.held(fresh, slot=slot, window=window, server=self._server)

        return [readings[expr] for expr in asked.exprs], readings[asked.counter] if asked.counter else None, prove

    async def _read_once(self, exprs: Iterable[str], slot: float) -> dict[str, Reading]:
        """The reading of each expression; beside them, now and then, when the server was started."""
        deadline = time.monotonic() + self._deadline
        asked: list[str | None] = [*dict.fromkeys(exprs)]
        if self._restarts.is_due():
            asked.append(None)
        answers = await asyncio.gather(
            *(self._ask_once(Query(expr=expr, slot=slot, deadline=deadline)) for expr in asked)
        )
        by_expr = dict(zip(asked, answers, strict=True))
        start = by_expr.pop(None, None)
        has_failed = any(reading.error for reading in by_expr.values())
        if has_failed:
            self._restarts.suspect()
        if start is not None:
            self._restarts.note(start, slot=slot, others_failed=has_failed)
        readings = {expr: reading for expr, reading in by_expr.items() if expr is not None}
        self._newest.note(readings)
        return readings

    async def _ask_once(self, query: Query) -> Reading:
        return await self._shared.get((query.expr, query.slot), lambda: self._ask(query))

    async def _ask(self, query: Query) -> Reading:
        if left := self._patience.left():
            return Reading(error=f"{self._server} has asked to be left alone for {left:.0f} s more (Retry-After)")
        job = self._workers.submit(query)
        try:
            async with asyncio.timeout(query.deadline - time.monotonic()):
                reading = await job.reading
        except TimeoutError:
            reading = None
        finally:
            job.give_up()
        if reading is not None:
            self._patience.note(reading.wait)
        return reading or Reading(error=f"{self._server} {self._why_unread(job)}")

    def _why_unread(self, job: Job) -> str:
        if time.monotonic() < job.query.deadline:
            return "was not asked to the end: the source was closed, or has a bug"
        if job.has_begun:
            return f"did not answer within {self._deadline:g} s"
        return f"was not asked within {self._deadline:g} s: all {CONNECTIONS} connections wait for earlier queries"
