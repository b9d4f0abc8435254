"""Measures rules by PromQL.

Law: `measure` ends within the deadline, with a measurement; what hangs on one query holds up no other.
"""

import asyncio
import time
from collections.abc import Iterable

from watchdog.core.model import Measurement
from watchdog.core.placeholders import fill
from watchdog.core.rules.kinds import BurnRate, PrometheusQuery
from watchdog.core.rules.language import Rule
from watchdog.settings import PrometheusSettings
from watchdog.sources import burn_rate
from watchdog.sources.envelope import Query, Reading, to_measurement
from watchdog.sources.freshness import Newest, why_stale
from watchdog.sources.patience import Patience
from watchdog.sources.questions import Answered, Asked
from watchdog.sources.restarts import Restarts
from watchdog.sources.sharing import Shared
from watchdog.sources.workers import Job, Workers

# Below the 20 queries that Prometheus evaluates at once by default: people look at dashboards during an incident.
CONNECTIONS = 8


class PrometheusSource:
    """A Prometheus, or anything that speaks its query API. To be used from one event loop."""

    def __init__(self, settings: PrometheusSettings) -> None:
        # Imported here: the client costs time and memory, and a command that only checks files has no use for it.
        from watchdog.sources.prometheus_line import PrometheusLine  # noqa: PLC0415

        self.max_age = settings.max_age
        """Seconds: how old the newest sample of a series may be where a rule does not say it."""
        self.query_offset = settings.query_offset
        """Seconds before a slot for which it is asked: by remote write samples come late, and not all at once."""
        self._deadline = settings.deadline
        self._server = f"Prometheus at {settings.url}"
        self._newest = Newest()
        self._restarts = Restarts()
        self._patience = Patience()
        self._shared: Shared[tuple[str | None, float], Reading] = Shared()
        self._workers = Workers(lambda: PrometheusLine(settings), size=CONNECTIONS, name="prometheus")

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:
        """What the rule's expressions yield at the slot (Unix seconds), all asked at the same time."""
        kind, names = rule.prometheus or rule.burn_rate, {"color": color, "namespace": namespace}
        match kind:
            case PrometheusQuery():
                exprs = errors = [fill(kind.expr, names)]
            case BurnRate():
                exprs = burn_rate.expressions(kind, names)
                errors = exprs[::2]
            case None:
                return Measurement.error(f"rule {rule.alert} asks nothing of Prometheus")
        counter = [fill(rule.min_samples.expr, names)] if rule.min_samples is not None and rule.min_samples.expr else []
        at = slot - self.query_offset
        asked = Asked(
            exprs=[*exprs, *counter],
            at=at,
            max_age=kind.max_age or self.max_age,
            may_be_absent=errors if kind.absent_is_zero else (),
        )
        answered = await self.read(asked, newest=at)
        values, samples = answered.readings[: len(exprs)], answered.readings[-1] if counter else None
        if isinstance(kind, BurnRate):
            return answered.proven(burn_rate.to_measurement(kind, values, samples, server=self._server))
        return answered.proven(to_measurement(kind, value=values[0], samples=samples, server=self._server))

    async def read(self, asked: Asked, *, newest: float) -> Answered:
        """What the expressions yield, all asked at the same time and within one deadline.

        ``newest`` is the newest instant that anybody may ask for now.
        """
        proofs = asked.proofs
        unproven = self._newest.unproven(proofs, at=asked.at, max_age=asked.max_age)
        readings = await self._readings([*asked.exprs, *unproven], at=asked.at, newest=newest)
        taken = {query: readings[query] for query in unproven}
        if asked.at == newest:
            self._newest.note(taken)
        stale = why_stale(
            {proofs[query]: reading for query, reading in taken.items()},
            at=asked.at,
            max_age=asked.max_age,
            server=self._server,
        )
        held = self._restarts.why_held(at=asked.at, window=asked.window, server=self._server)
        return Answered(readings=[readings[expr] for expr in asked.exprs], flaw=stale or held)

    async def ask(self, expr: str, *, slot: float) -> Reading:
        """What one expression yields at an instant (Unix seconds)."""
        return await self._ask(Query(expr=expr, slot=slot, deadline=time.monotonic() + self._deadline))

    async def close(self) -> None:
        """Ends the threads and their connections."""
        self._workers.close()

    async def _readings(self, exprs: Iterable[str], *, at: float, newest: float) -> dict[str, Reading]:
        """The reading of each expression; beside them, now and then, when the server was started."""
        deadline = time.monotonic() + self._deadline
        asked = {expr: Query(expr=expr, slot=at, deadline=deadline) for expr in exprs}
        starts = [Query(expr=None, slot=newest, deadline=deadline)] if self._restarts.is_due() else []
        answers = await asyncio.gather(*map(self._ask_once, [*asked.values(), *starts]))
        readings = dict(zip(asked, answers, strict=False))
        has_failed = any(reading.error for reading in readings.values())
        if has_failed:
            self._restarts.suspect()
        for start in answers[len(asked) :]:
            # It is up now, and not only at the instant that is asked for: where the gap is does not depend on that.
            self._restarts.note(start, slot=newest + self.query_offset, others_failed=has_failed)
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
