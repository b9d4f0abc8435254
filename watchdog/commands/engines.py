"""Who computes what a test's series and documents come to: a real server where there is one, else the simulator.

Law: the answer is read by the shipped source in either case; what the simulator cannot compute is an error that says
how to get the real thing, never a measurement.
"""

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import aiohttp

from watchdog.commands.counted import Counted
from watchdog.commands.own_prometheus import EngineError
from watchdog.core.model import Measurement
from watchdog.core.rules.language import Rule
from watchdog.replay.binding import RESULTS, RuleTest
from watchdog.replay.feed import FedDocument, FedSeries, documents_of, index_of, series_of
from watchdog.replay.remote_write import HEADERS, requests_of
from watchdog.settings import ElasticsearchSettings, PrometheusSettings
from watchdog.sim.elasticsearch.api import elasticsearch_app
from watchdog.sim.elasticsearch.documents import DocumentStore
from watchdog.sim.prometheus.api import prometheus_app
from watchdog.sim.prometheus.series import STALE, SeriesStore, labels_of
from watchdog.sim.server import LoopbackServer
from watchdog.sources.answer import AnswerError, quote
from watchdog.sources.compare import source_of
from watchdog.sources.credentials import CredentialsError, Proof, prove
from watchdog.sources.elasticsearch import ElasticsearchSource
from watchdog.sources.failure import sentence
from watchdog.sources.http_answer import read_answer, why_broken
from watchdog.sources.prometheus import PrometheusSource

DEADLINE = 60.0  # seconds for one query: a test has time
_NOT_SIMULATED = "not simulated"


class Stage(Protocol):
    """A server that holds what a test gives it."""

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:
        """The measurement of a rule, with what has arrived by the slot. Raises EngineError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """The real servers that there are."""

    prometheus: PrometheusSettings | None = None
    elasticsearch: ElasticsearchSettings | None = None

    @contextlib.asynccontextmanager
    async def stages(self, test: RuleTest, start: float) -> AsyncIterator[dict[str, Stage]]:
        """Who computes what comes of each input that the test has, by its section. Raises EngineError."""
        async with contextlib.AsyncExitStack() as stack:
            stages: dict[str, Stage] = {RESULTS: Counted(test, start)}
            if test.case.input_series:
                series, colors = series_of(test, start), test.target.colors
                settings = self.prometheus
                prometheus = _Series(series, colors) if settings is None else _RealSeries(series, colors, settings)
                stages["input_series"] = await stack.enter_async_context(prometheus)
            if test.case.input_documents:
                documents = documents_of(test, start)
                indices = {index_of(test, given) for given in test.case.input_documents}
                nodes = self.elasticsearch
                stages["input_documents"] = await stack.enter_async_context(
                    _Documents(documents, indices) if nodes is None else _RealDocuments(documents, indices, nodes)
                )
            yield stages


class _Series(contextlib.AbstractAsyncContextManager["_Series"]):
    """The simulated Prometheus, and the sources that ask it."""

    def __init__(self, series: Sequence[FedSeries], colors: tuple[str, str]) -> None:
        self._colors = colors
        store = SeriesStore()
        for each in series:
            for at, value in each.samples:
                store.append(labels_of(each.labels), round(at * 1000), STALE if value is None else value)
        self._server = LoopbackServer(prometheus_app(store, clock=time.time))

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        self._source = PrometheusSource(PrometheusSettings(url=self._server.url, deadline=DEADLINE))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._source.close()
        await self._server.__aexit__()

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:
        source = source_of(rule, self._source, colors=self._colors)
        measured = await source.measure(rule, color=color, namespace=namespace, slot=slot)
        cure = (
            "play the test on a real Prometheus: put the program prometheus on PATH, or name it with "
            "--prometheus-binary FILE, or an empty one that takes remote write with --prometheus URL"
        )
        return _simulated(rule, measured, cure)


class _RealSeries(contextlib.AbstractAsyncContextManager["_RealSeries"]):
    """A real Prometheus that is given the series by remote write."""

    def __init__(self, series: Sequence[FedSeries], colors: tuple[str, str], settings: PrometheusSettings) -> None:
        self._series = series
        self._colors = colors
        self._settings = settings

    async def __aenter__(self) -> Self:
        proof = _proof(self._settings, f"Prometheus at {self._settings.url}", token_scheme="Bearer")  # noqa: S106
        async with aiohttp.ClientSession() as session:
            for body in requests_of(self._series):
                await self._write(session, body, proof)
        self._source = PrometheusSource(self._settings)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._source.close()

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:
        source = source_of(rule, self._source, colors=self._colors)
        return await source.measure(rule, color=color, namespace=namespace, slot=slot)

    async def _write(self, session: aiohttp.ClientSession, body: bytes, proof: Proof) -> None:
        url = f"{self._settings.url}/api/v1/write"
        try:
            async with session.post(url, data=body, headers={**HEADERS, **proof.headers}) as response:
                answer = None if response.ok else await read_answer(response)
        except AnswerError as error:
            raise EngineError(f"{url} {error}") from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise EngineError(f"{url} cannot be written to: it {why_broken(error)}") from None
        if answer is not None:
            said = sentence(f"HTTP {answer.status}: {quote(answer.body)}", secrets=proof.secrets)
            raise EngineError(
                f"{url} refuses the series of the test ({said}); give an empty Prometheus that was started with "
                "--web.enable-remote-write-receiver"
            )


class _Documents(contextlib.AbstractAsyncContextManager["_Documents"]):
    """The simulated Elasticsearch; documents arrive as the slots go by."""

    def __init__(self, documents: Sequence[FedDocument], indices: set[str]) -> None:
        self._coming = [*reversed(documents)]
        self._store = DocumentStore({index: [] for index in indices})
        self._server = LoopbackServer(elasticsearch_app(self._store, clock=time.time))

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        self._source = ElasticsearchSource(ElasticsearchSettings(urls=[self._server.url], deadline=DEADLINE))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._source.close()
        await self._server.__aexit__()

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:
        while self._coming and self._coming[-1].at <= slot:
            arrived = self._coming.pop()
            self._store.add(arrived.index, arrived.source)
        measured = await self._source.measure(rule, color=color, namespace=namespace, slot=slot)
        return _simulated(rule, measured, "play the test on a real Elasticsearch: --elasticsearch URL")


class _RealDocuments(contextlib.AbstractAsyncContextManager["_RealDocuments"]):
    """A real Elasticsearch, in indices that are made for the test and deleted after it."""

    def __init__(self, documents: Sequence[FedDocument], indices: set[str], settings: ElasticsearchSettings) -> None:
        self._coming = [*reversed(documents)]
        self._indices = {index: index for index in indices}
        self._settings = settings
        self._server = f"Elasticsearch at {settings.urls[0]}"
        self._made: list[str] = []
        self._arriving = asyncio.Lock()

    async def __aenter__(self) -> Self:
        proof = _proof(self._settings, self._server, token_scheme="ApiKey")  # noqa: S106 - no secret
        self._secrets = proof.secrets
        self._session = aiohttp.ClientSession(self._settings.urls[0], headers=proof.headers)
        self._source = ElasticsearchSource(self._settings)
        try:
            for index in self._indices:
                await self._make(index)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._source.close()
        for path in self._made:
            await self._ask("DELETE", path)
        await self._session.close()

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:
        async with self._arriving:
            await self._index(slot)
        return await self._source.measure(rule, color=color, namespace=namespace, slot=slot)

    async def _index(self, slot: float) -> None:
        lines = []
        while self._coming and self._coming[-1].at <= slot:
            arrived = self._coming.pop()
            lines += [json.dumps({"create": {"_index": self._indices[arrived.index]}}), json.dumps(arrived.source)]
        if not lines:
            return
        answer = await self._ask("POST", "/_bulk?refresh=true", "\n".join(lines) + "\n")
        if answer.get("errors") is not False:
            raise EngineError(f"Elasticsearch refuses a document of the test: {self._shown(json.dumps(answer))}")

    async def _make(self, index: str) -> None:
        """Makes the index, or the data stream where a template says that the name is one."""
        name = index + secrets.token_hex(4) if index.endswith("rule-test") else index
        self._indices[index] = name
        for path in (f"/{name}", f"/_data_stream/{name}"):
            answer = await self._ask("PUT", path)
            if answer.get("acknowledged"):
                self._made.append(path)
                return
            said = answer.get("error", {})
            if "data_stream" not in str(said) and "data stream" not in str(said):
                break
        raise EngineError(
            f"the index {name} cannot be made for the test, and one that is there already is left alone: "
            f"{self._shown(str(said.get('reason', said) if isinstance(said, dict) else said))}"
        )

    def _shown(self, said: str) -> str:
        """Words of the server, as they may be shown."""
        return sentence(quote(said), secrets=self._secrets)

    async def _ask(self, method: str, path: str, body: str | None = None) -> Any:
        headers = {} if body is None else {"Content-Type": "application/x-ndjson"}
        try:
            async with self._session.request(method, path, data=body, headers=headers) as response:
                return await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            broken = "does not answer in JSON" if isinstance(error, ValueError) else why_broken(error)
            raise EngineError(f"{self._server} cannot be asked: it {broken}") from None


def _proof(settings: PrometheusSettings | ElasticsearchSettings, server: str, *, token_scheme: str) -> Proof:
    """Who asks the server. Raises EngineError."""
    try:
        return prove(settings, settings.headers, token_scheme=token_scheme)
    except CredentialsError as error:
        raise EngineError(f"{server} {error}") from None


def _simulated(rule: Rule, measured: Measurement, cure: str) -> Measurement:
    if measured.failure is not None and _NOT_SIMULATED in measured.reason:
        what = measured.reason.partition(_NOT_SIMULATED)[2].strip(": ")
        raise EngineError(f"{rule.alert}: the simulator does not compute {what}; {cure}")
    return measured
