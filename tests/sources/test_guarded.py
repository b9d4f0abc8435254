"""The sources against real servers that want to know who asks, over TLS, and let them do no more than read."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.sources.asking import elasticsearch, lucene, measured, prometheus, promql
from tests.sources.loglines import ERRORS, SLOT, documents, since_then
from tests.stack.elasticsearch import ElasticsearchServer
from tests.stack.ports import free_port
from tests.stack.prometheus import PrometheusServer
from watchdog.core.model import Measurement, Outcome, Trouble
from watchdog.core.rules.language import Rule

READING = {"reader": {"cluster": [], "index": [{"names": ["logs-*"], "privileges": ["read", "view_index_metadata"]}]}}


@pytest.fixture
def index(secured_elasticsearch_server: ElasticsearchServer) -> str:
    """An index with 300 lines, of which 30 are errors."""
    name = f"logs-{secrets.token_hex(4)}"
    lines = documents(30, "ERROR") + documents(270, "INFO") + since_then()
    secured_elasticsearch_server.index(name, lines)
    return name


def new_key(server: ElasticsearchServer) -> tuple[str, str]:
    """The id of an API key that may read logs and nothing else, and what is sent of it."""
    made = server.send("POST", "/_security/api_key", {"name": "watchdog", "role_descriptors": READING})
    return made["id"], made["encoded"]


async def asked_at_once(source: Any, rules: Iterable[Rule]) -> list[Measurement]:
    return await asyncio.gather(*(measured(source, rule, slot=SLOT) for rule in rules))


async def test_an_api_key_that_may_only_read_logs_is_enough_and_is_rotated_F26(
    secured_elasticsearch_server: ElasticsearchServer, index: str, tmp_path: Path
) -> None:
    """One rule alone, several in one request, and the fields of each: no other right is asked for."""
    server, file = secured_elasticsearch_server, tmp_path / "api-key"
    assert server.access is not None
    number, key = new_key(server)
    file.write_text(f"{key}\n")
    ratio, count = lucene(ERRORS, index=index, ratio_of="*"), lucene(ERRORS, index=index)
    async with elasticsearch(server.url, token_file=file, ca_file=server.access.ca_file) as source:
        assert await measured(source, ratio, slot=SLOT) == Measurement(value=0.1, samples=300.0)
        assert [each.value for each in await asked_at_once(source, (ratio, count))] == [0.1, 30.0]
        misspelled = await measured(source, lucene("levle:ERROR", index=index), slot=SLOT)
        assert misspelled.trouble is Trouble.FIELDS
        (hidden,) = await asked_at_once(source, [lucene(ERRORS, index="secrets")])
        server.send("DELETE", "/_security/api_key", {"ids": [number]})
        revoked = await asked_at_once(source, (ratio, count))
        _, newer = new_key(server)
        file.write_text(newer)
        rotated = await asked_at_once(source, (ratio, count))
    for refused in (hidden, *revoked):
        assert refused.trouble is Trouble.CREDENTIALS
        assert "refused the credentials (HTTP 40" in refused.reason
        assert key not in refused.reason
    assert [each.value for each in rotated] == [0.1, 30.0]


async def test_basic_authentication_by_a_file_against_several_hosts_F18_F26_F92(
    secured_elasticsearch_server: ElasticsearchServer, index: str, tmp_path: Path
) -> None:
    server, file, rule = secured_elasticsearch_server, tmp_path / "password", lucene(ERRORS, index=index)
    access = server.access
    assert access is not None
    who = {"username": access.username, "password_file": file}
    dead = f"https://127.0.0.1:{free_port()}"
    file.write_text("wrong")
    async with elasticsearch(dead, server.url, **who, ca_file=access.ca_file) as source:
        wrong = await measured(source, rule, slot=SLOT)
        file.write_text(f"{access.password}\n")
        right = [await measured(source, rule, slot=SLOT) for _ in range(4)]
    async with elasticsearch(server.url, **who) as source:
        untrusting = await measured(source, rule, slot=SLOT)
    assert wrong.trouble is Trouble.CREDENTIALS
    assert [each.value for each in right] == [30.0] * 4, "whichever of the two is asked first"
    assert untrusting.reason == f"Elasticsearch at {server.url} shows a certificate that is not trusted"


async def test_a_prometheus_behind_a_path_a_password_and_mutual_tls_F26_F92(
    guarded_prometheus: PrometheusServer, tmp_path: Path
) -> None:
    server, file, slot = guarded_prometheus, tmp_path / "password", SLOT
    access = server.access
    assert access is not None
    who = {"username": access.username, "password_file": file}
    tls = {"ca_file": access.ca_file, "cert_file": access.cert_file}
    file.write_text("wrong")
    async with prometheus(server.url, **who, **tls) as source:
        wrong = await measured(source, promql("time()"), slot=slot)
        file.write_text(access.password)
        right = await measured(source, promql("time()"), slot=slot)
    async with prometheus(server.url.removesuffix("/prometheus"), **who, **tls) as source:
        elsewhere = await measured(source, promql("time()"), slot=slot)
    async with prometheus(server.url, **who, ca_file=access.ca_file) as source:
        nameless = await measured(source, promql("time()"), slot=slot)
    async with prometheus(server.url, **who, cert_file=access.cert_file) as source:
        untrusting = await measured(source, promql("time()"), slot=slot)
    assert wrong.trouble is Trouble.CREDENTIALS
    assert "refused the credentials (HTTP 401)" in wrong.reason
    assert right.value == slot
    assert "answered HTTP 404 with text/plain instead of JSON" in elsewhere.reason
    assert nameless.failure is Outcome.ERROR
    assert untrusting.reason == f"Prometheus at {server.url} shows a certificate that is not trusted"
