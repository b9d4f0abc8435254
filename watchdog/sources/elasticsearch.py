"""Measures rules by one search in Elasticsearch.

Law: `measure` ends within the deadline, with a measurement; an answer from fewer shards than there are is none.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from watchdog.core.model import Measurement
from watchdog.core.placeholders import fill
from watchdog.core.rules.language import ElasticsearchQuery, Rule
from watchdog.settings import ElasticsearchSettings
from watchdog.sources.answer import AnswerError
from watchdog.sources.credentials import CredentialsError, Proof, check_authorities, prove
from watchdog.sources.failure import sentence
from watchdog.sources.search import build_search, read_field_caps, read_refusal, read_search

T = TypeVar("T")

CONNECTIONS = 8
# Who gives up first: Elasticsearch, which can say why; then the client, which remembers that the node did not answer
# and asks another one next time; then we.
_SERVER_SHARE = 0.9
_CLIENT_SHARE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldTypes:
    """What an index knows of some fields: the types of each that it has, which differ where its indices differ."""

    types: Mapping[str, frozenset[str]] = field(default_factory=dict)
    has_index: bool = True


class ElasticsearchSource:
    """An Elasticsearch cluster. To be used from one event loop."""

    def __init__(self, settings: ElasticsearchSettings) -> None:
        # Imported here: the client costs time and memory, and a command that only checks files has no use for it.
        import elasticsearch  # noqa: PLC0415

        from watchdog.sources.elasticsearch_node import BoundedNode, node_config  # noqa: PLC0415

        self._settings = settings
        self._server = f"Elasticsearch at {' or '.join(settings.urls)}"
        self._is_closed = False
        self._free = asyncio.Semaphore(CONNECTIONS)
        self._elasticsearch = elasticsearch
        self._client = elasticsearch.AsyncElasticsearch(
            [node_config(url, ca_file=settings.ca_file) for url in settings.urls],
            node_class=BoundedNode,
            max_retries=0,
            retry_on_timeout=False,
            request_timeout=settings.deadline * _CLIENT_SHARE,
        )

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:
        """What the rule's search counts in the window of the slot (Unix seconds)."""
        query = rule.elasticsearch
        if query is None:
            return Measurement.error(f"rule {rule.alert} has no Elasticsearch query")
        names = {"color": color, "namespace": namespace}
        answer = await self._believed(lambda proof: self._search(query, names, slot, proof))
        return answer if isinstance(answer, Measurement) else Measurement.error(answer)

    async def fields(self, index: str, names: Collection[str]) -> FieldTypes | str:
        """The types of those of the fields that the index or pattern has, or the sentence why they are not known."""

        async def ask(proof: Proof) -> FieldTypes:
            client = self._client.options(headers=proof.headers)
            try:
                answer = await client.field_caps(
                    index=index, fields=sorted(names), ignore_unavailable=False, allow_no_indices=False
                )
            except self._elasticsearch.NotFoundError:
                return FieldTypes(has_index=False)
            return FieldTypes(types=read_field_caps(answer.body))

        return await self._believed(ask)

    async def _believed(self, ask: Callable[[Proof], Awaitable[T]]) -> T | str:
        """What was asked for, or the sentence why it cannot be had."""
        try:
            proof = prove(self._settings, self._settings.headers, token_scheme="ApiKey")  # noqa: S106 - no secret
            check_authorities(self._settings.ca_file)
        except CredentialsError as error:
            return sentence(f"{self._server} {error}")
        try:
            async with asyncio.timeout(self._settings.deadline):
                return await ask(proof)
        except TimeoutError:
            said = f"{self._server} did not answer within {self._settings.deadline:g} s"
        except AnswerError as error:
            said = f"{self._server} {error}"
        except self._elasticsearch.UnsupportedProductError:
            said = f"{self._server} is not Elasticsearch: its answer lacks the header X-Elastic-Product"
        except self._elasticsearch.ApiError as error:
            said = f"{self._server} {read_refusal(error.meta.status, error.body)}"
        except self._elasticsearch.TransportError as error:
            said = error.message  # a whole sentence of the node's
        return sentence(said, secrets=proof.secrets)

    async def close(self) -> None:
        """Closes the connections."""
        self._is_closed = True
        await self._client.close()

    async def _search(self, query: ElasticsearchQuery, names: dict[str, str], slot: float, proof: Proof) -> Measurement:
        deadline = self._settings.deadline
        begun = time.monotonic()
        async with self._free:
            if self._is_closed:
                raise AnswerError("is not asked any more: the source was closed")
            if time.monotonic() - begun >= deadline * _SERVER_SHARE:
                raise AnswerError(
                    f"was not asked within {deadline:g} s: all {CONNECTIONS} connections wait for earlier searches"
                )
            answer = await self._client.options(headers=proof.headers).search(
                index=fill(query.index, names),
                body=build_search(query, names, slot=slot, patience=deadline * _SERVER_SHARE),
                # All three let a part of the truth look like the whole, and are on by default.
                allow_partial_search_results=False,
                ignore_unavailable=False,
                allow_no_indices=False,
            )
        return read_search(answer.body, query, slot=slot, server=self._server)
