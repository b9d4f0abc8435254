"""The simulated Elasticsearch: searches and writes over a `DocumentStore`.

Law: it matches nothing itself; it finds the indices, reads parameters and prints answers, each with the header by
which clients know the product. Documents are visible at once.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from watchdog.sim.elasticsearch.capabilities import capabilities
from watchdog.sim.elasticsearch.documents import DocumentStore
from watchdog.sim.elasticsearch.dsl import compile_dsl
from watchdog.sim.elasticsearch.errors import Json, SearchError, ShardError, illegal, index_not_found, not_simulated
from watchdog.sim.elasticsearch.indexing import Indexer, read_json
from watchdog.sim.elasticsearch.search import read_body, search

VERSION = "8.19.3"
_MEDIA_TYPE = "application/vnd.elasticsearch+json"
_SEARCH_PARAMETERS = frozenset(
    {
        "allow_no_indices",
        "allow_partial_search_results",
        "expand_wildcards",
        "ignore_unavailable",
        "preference",
        "pretty",
        "request_cache",
        "size",
        "timeout",
        "track_total_hits",
    }
)
Answer = tuple[int, Any]


def elasticsearch_app(store: DocumentStore, *, clock: Callable[[], float]) -> web.Application:
    """A node over a store; ``clock`` is what queries call ``now``."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    node = _Node(store, clock)
    routes: list[tuple[str, str, Callable[[web.Request, bytes], Answer]]] = [
        ("*", "/", node.about),
        ("GET", "/_cluster/health", node.health),
        ("*", "/_bulk", node.bulk),
        ("*", "/_search", node.search),
        ("*", "/_msearch", node.several_searches),
        ("*", "/{index}/_bulk", node.bulk),
        ("*", "/{index}/_count", node.count),
        ("POST", "/{index}/_doc", node.write),
        ("PUT", "/{index}/_doc/{id}", node.write),
        ("POST", "/{index}/_doc/{id}", node.write),
        ("GET", "/{index}/_doc/{id}", node.read),
        ("*", "/{index}/_field_caps", node.field_caps),
        ("*", "/{index}/_msearch", node.several_searches),
        ("*", "/{index}/_refresh", node.refresh),
        ("*", "/{index}/_search", node.search),
        ("*", "/{rest:.*}", node.unknown),
    ]
    for method, path, answer in routes:
        app.router.add_route(method, path, _handler(answer))
    return app


def _handler(answer: Callable[[web.Request, bytes], Answer]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        try:
            media_type = _media_type(request)
            status, content = answer(request, body)
        except SearchError as error:
            media_type, status, content = "application/json", error.status, error.body
        headers = {"X-Elastic-Product": "Elasticsearch", "Content-Type": media_type}
        response = web.Response(status=status, body=json.dumps(content).encode(), headers=headers)
        response.enable_compression()
        return response

    return handle


def _media_type(request: web.Request) -> str:
    """The type of the answer; raises SearchError for a form, and for a client of another generation."""
    if request.body_exists and "json" not in request.content_type:
        reason = f"Content-Type header [{request.content_type}] is not supported"
        raise SearchError(406, "media_type_header_exception", reason)
    accepted = request.headers.get("Accept", "").replace(" ", "")
    if not accepted.startswith(_MEDIA_TYPE):
        return "application/json"
    _, _, generation = accepted.partition("compatible-with=")
    if generation not in ("7", "8"):
        reason = "Invalid media-type value on headers [Accept, Content-Type]"
        raise SearchError(400, "media_type_header_exception", reason)
    return f"{_MEDIA_TYPE};compatible-with={generation}"


class _Node:
    def __init__(self, store: DocumentStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._indexer = Indexer(store)

    def about(self, _request: web.Request, _body: bytes) -> Answer:
        version = {"number": VERSION, "build_flavor": "default", "lucene_version": "9.12.2"}
        names = {"name": "simulated", "cluster_name": "simulated", "cluster_uuid": "simulated"}
        return 200, names | {"version": version, "tagline": "You Know, for Search"}

    def health(self, _request: web.Request, _body: bytes) -> Answer:
        return 200, {"cluster_name": "simulated", "status": "green", "timed_out": False, "number_of_nodes": 1}

    def search(self, request: web.Request, body: bytes) -> Answer:
        unknown = request.query.keys() - _SEARCH_PARAMETERS
        if unknown:
            raise illegal(f"request [{request.path}] contains unrecognized parameter: [{min(unknown)}]")
        given = read_body(read_json(body) if body else None)
        if "size" in request.query:
            given["size"] = int(request.query["size"])
        if "track_total_hits" in request.query:
            given["track_total_hits"] = json.loads(request.query["track_total_hits"])
        return 200, self._search(request.match_info.get("index", "*"), given, request.query)

    def several_searches(self, request: web.Request, body: bytes) -> Answer:
        lines = [read_json(line) for line in body.splitlines() if line.strip()]
        responses = []
        for header, given in zip(lines[::2], lines[1::2], strict=True):
            index = header.get("index", request.match_info.get("index", "*"))
            index = ",".join(index) if isinstance(index, list) else index
            options = {key: str(value).lower() for key, value in header.items()}
            try:
                responses.append(self._search(index, read_body(given), options) | {"status": 200})
            except SearchError as error:
                responses.append(error.body)
        return 200, {"took": 1, "responses": responses}

    def count(self, request: web.Request, body: bytes) -> Answer:
        names = self._indices(request.match_info["index"], request.query)
        matches = compile_dsl(read_json(body).get("query") if body else None, now=self._now())
        found = sum(map(matches, self._store.within(names)))
        shards = {"total": len(names), "successful": len(names), "skipped": 0, "failed": 0}
        return 200, {"count": found, "_shards": shards}

    def refresh(self, request: web.Request, _body: bytes) -> Answer:
        shards = len(self._indices(request.match_info["index"], request.query))
        return 200, {"_shards": {"total": shards, "successful": shards, "failed": 0}}

    def field_caps(self, request: web.Request, _body: bytes) -> Answer:
        names = self._indices(request.match_info["index"], request.query)
        wanted = request.query.get("fields", "*").split(",")
        return 200, {"indices": names, "fields": capabilities(self._store.within(names), wanted)}

    def bulk(self, request: web.Request, body: bytes) -> Answer:
        forced = request.query.get("refresh") in ("", "true")
        return 200, self._indexer.bulk(body, index=request.match_info.get("index"), forced=forced)

    def write(self, request: web.Request, body: bytes) -> Answer:
        index, given_id = request.match_info["index"], request.match_info.get("id")
        result = self._indexer.index(index, read_json(body), given_id)
        if request.query.get("refresh") in ("", "true"):
            result["forced_refresh"] = True
        return (201 if result["result"] == "created" else 200), result

    def read(self, request: web.Request, _body: bytes) -> Answer:
        index, wanted = request.match_info["index"], request.match_info["id"]
        if index not in self._store.indices:
            raise index_not_found(index)
        found = next((each for each in self._store.indices[index] if each.id == wanted), None)
        named = {"_index": index, "_id": wanted}
        if found is None:
            return 404, named | {"found": False}
        version = self._indexer.version(index, wanted)
        return 200, named | {"_version": version, "found": True, "_source": found.source}

    def unknown(self, request: web.Request, _body: bytes) -> Answer:
        raise not_simulated(f"{request.method} {request.path}")

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _search(self, pattern: str, given: Json, options: Mapping[str, str]) -> Json:
        names = self._indices(pattern, options)
        documents = [*self._store.within(names)]
        try:
            answer = search(documents, given, shards=len(names), now=self._now())
        except ShardError as error:
            if not names:
                return {"took": 0} | search([], {"size": 0}, shards=0, now=self._now())
            error.found_on(names[0])
            raise
        return {"took": 1} | answer

    def _indices(self, pattern: str, options: Mapping[str, str]) -> list[str]:
        """The names that a comma-separated pattern stands for; raises SearchError (404) as the options say."""
        names: list[str] = []
        for part in pattern.split(","):
            found = self._store.matching(part)
            is_wildcard = "*" in part or part == "_all"
            if not found and not is_wildcard and options.get("ignore_unavailable") != "true":
                raise index_not_found(part)
            if not found and is_wildcard and options.get("allow_no_indices") == "false":
                raise index_not_found(part)
            names += [name for name in found if name not in names]
        if not names and options.get("allow_no_indices") == "false":
            raise index_not_found(pattern)
        return sorted(names)
