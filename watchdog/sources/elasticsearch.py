"""Measures rules by searches in Elasticsearch, those of one moment in one request, or by one ES|QL query.

Law: `measure` ends within the deadline, with a measurement; an answer from fewer shards than there are is none, and
neither is a search for a field that no index has.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from watchdog.core.model import Measurement, Trouble
from watchdog.core.placeholders import fill
from watchdog.core.rules.kinds import ElasticsearchQuery
from watchdog.core.rules.language import Rule
from watchdog.settings import ElasticsearchSettings
from watchdog.sources.answer import AnswerError, quote
from watchdog.sources.credentials import CredentialsError, Handshake, Proof, prove
from watchdog.sources.esql import build_esql, read_esql
from watchdog.sources.failure import sentence
from watchdog.sources.fields import FieldProblem, Needs, asked_fields, field_problems, needs_of
from watchdog.sources.patience import Patience, asked_to_wait
from watchdog.sources.search import build_search, read_refusal, read_search
from watchdog.sources.searches import NoAnswerError, NoIndexError, Search, SearchError, Searches
from watchdog.sources.sharing import Shared

CONNECTIONS = 8
FIELDS_SECONDS = 300.0
"""How long it is believed that a rule's fields are there."""
# Who gives up first: Elasticsearch, which can say why; then the client, which remembers that the node did not answer
# and asks another one next time; then we.
_SERVER_SHARE = 0.9
_CLIENT_SHARE = 0.95
# A look at the fields costs no measurement, which is there already: it takes a part of the deadline, and of what is
# left of it, after which the client gives up, and somewhat later we.
_FIELDS_SHARE, _LEFT_SHARE, _LATER = 0.25, 0.33, 1.5
_DEAD_SECONDS = 30.0  # how long a node that failed is not asked when there is another one; then longer and longer
# All three let a part of the truth look like the whole, and are on by default.
_STRICT: Mapping[str, Any] = {
    "allow_partial_search_results": False,
    "ignore_unavailable": False,
    "allow_no_indices": False,
}
# Statuses that no search among several is to blame for: who asks, and how busy it is.
_NOBODYS = frozenset({401, 429, 503})
Answered = TypeVar("Answered")


class _Turn:
    """Whether what waits for a free connection has got one."""

    has_come = False


class ElasticsearchSource:
    """An Elasticsearch cluster. To be used from one event loop."""

    def __init__(self, settings: ElasticsearchSettings) -> None:
        # Imported here: the client costs time and memory, and a command that only checks files has no use for it.
        import elasticsearch  # noqa: PLC0415

        from watchdog.sources.elasticsearch_node import BoundedNode, node_config  # noqa: PLC0415

        self._settings = settings
        self._handshake = Handshake.of(settings)  # says what is wrong with the files; the nodes speak TLS
        self._server = f"Elasticsearch at {' or '.join(settings.urls)}"
        self._is_closed = False
        self._secrets: tuple[str, ...] = ()  # of the newest request: an answer may repeat them
        self._free = asyncio.Semaphore(CONNECTIONS)
        self._searches = Searches(self._send)
        self._patience = Patience()
        self._shared: Shared[tuple[str, Needs], list[FieldProblem]] = Shared()
        self._fields_seen: dict[tuple[str, Needs], float] = {}
        self._elasticsearch = elasticsearch
        self._client = elasticsearch.AsyncElasticsearch(
            [node_config(url, settings) for url in settings.urls],
            node_class=BoundedNode,
            # A node that refuses the connection has not begun to search: the next one is asked at once.
            max_retries=len(settings.urls) - 1,
            retry_on_status=(),
            retry_on_timeout=False,
            dead_node_backoff_factor=_DEAD_SECONDS,
            max_dead_node_backoff=10 * _DEAD_SECONDS,
            request_timeout=settings.deadline * _CLIENT_SHARE,
        )

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:
        """What the rule's search counts in the window of the slot (Unix seconds)."""
        try:
            return await self.measured(rule, color=color, namespace=namespace, slot=slot)
        except SearchError as error:
            return Measurement.error(str(error), trouble=error.trouble)

    async def measured(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:
        """The same. Raises SearchError where it failed, NoAnswerError where the rule has no part in that."""
        query = rule.elasticsearch
        if query is None:
            raise SearchError(f"rule {rule.alert} has no Elasticsearch query")
        names = {"color": color, "namespace": namespace}
        try:
            async with asyncio.timeout(self._settings.deadline) as deadline:
                if query.esql is not None:
                    return await self._esql(query, names, slot, needs_samples=rule.min_samples is not None)
                return await self._measure(query, names, slot, until=deadline.when() or 0.0)
        except TimeoutError:
            said = f"{self._server} did not answer within {self._settings.deadline:g} s"
            raise NoAnswerError(sentence(said)) from None

    async def close(self) -> None:
        """Closes the connections."""
        self._is_closed = True
        await self._client.close()
        await self._searches.close()

    async def _measure(
        self, query: ElasticsearchQuery, names: dict[str, str], slot: float, *, until: float
    ) -> Measurement:
        body = build_search(query, names, slot=slot, patience=self._settings.deadline * _SERVER_SHARE)
        search = Search(fill(query.index or "", names), json.dumps(body))
        answer = await self._searches.ask(search)
        try:
            measurement = read_search(answer, query, slot=slot, server=self._server)
        except AnswerError as error:
            said = sentence(f"{self._server} {error}", secrets=self._secrets)
            raise SearchError(said, trouble=error.trouble) from error
        if problems := await self._fatal_problems(query, names, until=until):
            said = f"{self._server} cannot find anything in {search.index}: {'; '.join(problems)}"
            return Measurement.error(sentence(said), trouble=Trouble.FIELDS)
        return measurement

    async def _esql(
        self, query: ElasticsearchQuery, names: dict[str, str], slot: float, *, needs_samples: bool
    ) -> Measurement:
        """It names its indices and fields by itself, and is refused when they are not there."""

        async def ask(proof: Proof) -> Measurement:
            client = self._client.options(headers=proof.headers)
            answer = await client.esql.query(**build_esql(query, names, slot=slot), allow_partial_results=False)
            return read_esql(answer.body, needs_samples=needs_samples, server=self._server)

        return await self._exchange(ask)

    async def _fatal_problems(self, query: ElasticsearchQuery, names: Mapping[str, str], *, until: float) -> list[str]:
        """Why a query can match nothing: looked at when it is new, now and then, and while it is so."""
        index, needs = fill(query.index or "", names), needs_of(query, names)
        if time.monotonic() < self._fields_seen.get((index, needs), 0.0) + FIELDS_SECONDS:
            return []
        left = until - asyncio.get_running_loop().time()
        within = min(self._settings.deadline * _FIELDS_SHARE, left * _LEFT_SHARE)
        try:
            async with asyncio.timeout(within * _LATER):
                found = await self._shared.get((index, needs), lambda: self.field_problems(index, needs, within=within))
        except (SearchError, TimeoutError):
            return []  # the search went well; the next slot looks again
        fatal = [problem.said for problem in found if problem.is_fatal]
        if not fatal:
            self._fields_seen[index, needs] = time.monotonic()
        return fatal

    async def field_problems(self, index: str, needs: Needs, *, within: float | None = None) -> list[FieldProblem]:
        """What `_field_caps` says against a query's fields, ``within`` so many seconds.

        Raises NoIndexError and SearchError.
        """
        seconds = within or self._settings.deadline * _CLIENT_SHARE

        async def ask(proof: Proof) -> Any:
            client = self._client.options(headers=proof.headers, request_timeout=seconds)
            try:
                answer = await client.field_caps(
                    index=index, fields=asked_fields(needs), ignore_unavailable=False, allow_no_indices=False
                )
            except self._elasticsearch.NotFoundError:
                raise NoIndexError(sentence(f"{self._server} has nothing of the name {quote(index)}")) from None
            return answer.body

        return field_problems(needs, await self._exchange(ask))

    async def _send(self, batch: Sequence[Search]) -> Sequence[Any]:
        if len(batch) == 1:
            return await self._exchange(lambda proof: self._one(batch[0], proof))
        return await self._exchange(lambda proof: self._several(batch, proof))

    async def _one(self, search: Search, proof: Proof) -> list[Any]:
        client = self._client.options(headers=proof.headers)
        return [(await client.search(index=search.index, body=search.body, **_STRICT)).body]

    async def _several(self, batch: Sequence[Search], proof: Proof) -> list[Any]:
        lines = [line for search in batch for line in ({"index": search.index, **_STRICT}, search.body)]
        body = (await self._client.options(headers=proof.headers).msearch(searches=lines)).body
        answers = body.get("responses") if isinstance(body, dict) else None
        if not isinstance(answers, list) or len(answers) != len(batch):
            raise AnswerError("answered JSON of another shape than several searches have")
        return [self._alone(answer, proof) for answer in answers]

    def _alone(self, answer: Any, proof: Proof) -> Any:
        """The body of one of several answers, or the error of this one alone."""
        if not isinstance(answer, dict) or "error" not in answer:
            return answer
        status = answer.get("status")
        refused = read_refusal(status if isinstance(status, int) else 0, answer)
        return SearchError(sentence(f"{self._server} {refused}", secrets=proof.secrets), trouble=refused.trouble)

    async def _exchange(self, ask: Callable[[Proof], Awaitable[Answered]]) -> Answered:
        """What one request yields, in time. Raises SearchError."""
        if left := self._patience.left():
            raise NoAnswerError(f"{self._server} has asked to be left alone for {left:.0f} s more (Retry-After)")
        try:
            proof = prove(self._settings, self._settings.headers, token_scheme="ApiKey")  # noqa: S106 - no secret
            self._handshake.context()
        except CredentialsError as error:
            raise NoAnswerError(sentence(f"{self._server} {error}"), trouble=error.trouble) from error
        self._secrets = proof.secrets
        turn = _Turn()
        try:
            async with asyncio.timeout(self._settings.deadline):
                return await self._in_turn(turn, ask, proof)
        except TimeoutError as error:
            raise self._explained(error if turn.has_come else self._never_asked(), proof) from error
        except (AnswerError, self._elasticsearch.ApiError, self._elasticsearch.TransportError) as error:
            raise self._explained(error, proof) from error

    async def _in_turn(self, turn: _Turn, ask: Callable[[Proof], Awaitable[Answered]], proof: Proof) -> Answered:
        begun = time.monotonic()
        async with self._free:
            if self._is_closed:
                raise AnswerError("is not asked any more: the source was closed")
            if time.monotonic() - begun >= self._settings.deadline * _SERVER_SHARE:
                raise self._never_asked()
            turn.has_come = True
            return await ask(proof)

    def _never_asked(self) -> AnswerError:
        deadline = self._settings.deadline
        return AnswerError(
            f"was not asked within {deadline:g} s: all {CONNECTIONS} connections wait for earlier searches"
        )

    def _explained(self, error: Exception, proof: Proof) -> SearchError:
        """What went wrong in a sentence; obeys a request to wait."""
        kind: type[SearchError] = NoAnswerError
        trouble, is_shared = None, True
        match error:
            case TimeoutError():
                said = f"{self._server} did not answer within {self._settings.deadline:g} s"
            case AnswerError():
                said, trouble, kind = f"{self._server} {error}", error.trouble, SearchError
            case self._elasticsearch.UnsupportedProductError():
                said = f"{self._server} is not Elasticsearch: its answer lacks the header X-Elastic-Product"
            case self._elasticsearch.ApiError(meta=meta, body=body):
                refused = read_refusal(meta.status, body)
                said, trouble, is_shared = f"{self._server} {refused}", refused.trouble, meta.status not in _NOBODYS
                kind = SearchError if is_shared else NoAnswerError
                self._patience.note(asked_to_wait(meta.status, meta.headers.get("retry-after") or "", now=time.time()))
            case self._elasticsearch.TransportError(message=said, __cause__=AnswerError() as cause):
                trouble = cause.trouble  # the message is a whole sentence of the node's
                self._patience.note(cause.wait)
            case self._elasticsearch.TransportError(message=said):
                is_shared = isinstance(error, self._elasticsearch.ConnectionTimeout)
            case _:
                raise error
        return kind(sentence(said, secrets=proof.secrets), trouble=trouble, spoils_all=is_shared)
