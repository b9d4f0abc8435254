"""The sources against real servers that want to know who asks, over TLS, and let them do no more than read."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

import pytest

from tests.sources.asking import Source, elasticsearch, lucene, measured, prometheus, promql
from tests.sources.loglines import ERRORS, SLOT, documents, since_then
from tests.stack.elasticsearch import ElasticsearchServer
from tests.stack.ports import free_port
from tests.stack.prometheus import PrometheusServer
from watchdog.core.model import Measurement, Outcome, Trouble
from watchdog.core.rules.language import Rule


@pytest.fixture
def index(secured_elasticsearch_server: ElasticsearchServer) -> str:
    """An index with 300 lines, of which 30 are errors."""
    name = f"logs-{secrets.token_hex(4)}"
    lines = documents(30, "ERROR") + documents(270, "INFO") + since_then()
    secured_elasticsearch_server.index(name, lines)
    return name


async def asked_at_once(source: Source, *rules: Rule) -> list[Measurement]:
    """What rules of one moment say."""
    return await asyncio.gather(*(measured(source, rule, slot=SLOT) for rule in rules))


async def test_the_right_to_read_logs_is_enough_and_a_password_is_rotated_F26_F92(
    secured_elasticsearch_server: ElasticsearchServer, index: str, tmp_path: Path
) -> None:
    """One rule alone, several in one request, and the fields of each: no other right is asked for."""
    server, file = secured_elasticsearch_server, tmp_path / "password"
    access = server.access
    assert access is not None
    who = {"username": access.reader, "password_file": file}
    ratio, count = lucene(ERRORS, index=index, ratio_of="*"), lucene(ERRORS, index=index)
    hidden = lucene(ERRORS, index="secrets")
    file.write_text("outdated")
    async with elasticsearch(server.url, **who, ca_file=access.ca_file) as source:
        outdated = await asked_at_once(source, ratio, count)
        file.write_text(f"{access.password}\n")
        assert await measured(source, ratio, slot=SLOT) == Measurement(value=0.1, samples=300.0)
        *seen, forbidden = await asked_at_once(source, ratio, count, hidden)
        misspelled = await measured(source, lucene("levle:ERROR", index=index), slot=SLOT)
    async with elasticsearch(server.url, **who) as source:
        untrusting = await measured(source, ratio, slot=SLOT)
    assert [each.value for each in seen] == [0.1, 30.0]
    for refused, status in ((outdated[0], 401), (outdated[1], 401), (forbidden, 403)):
        assert refused.trouble is Trouble.CREDENTIALS
        assert f"refused the credentials (HTTP {status})" in refused.reason
        assert access.password not in refused.reason
    assert misspelled.trouble is Trouble.FIELDS
    assert untrusting.reason == f"Elasticsearch at {server.url} shows a certificate that is not trusted"


async def test_one_of_several_hosts_is_down_F18(secured_elasticsearch_server: ElasticsearchServer, index: str) -> None:
    server, rule = secured_elasticsearch_server, lucene(ERRORS, index=index)
    access = server.access
    assert access is not None
    who = {"username": access.reader, "password": access.password, "ca_file": access.ca_file}
    async with elasticsearch(f"https://127.0.0.1:{free_port()}", server.url, **who) as source:
        answers = [await measured(source, rule, slot=SLOT) for _ in range(4)]
    assert [each.value for each in answers] == [30.0] * 4, "whichever of the two is asked first"


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
    assert "answered HTTP 404 with text/plain" in elsewhere.reason
    assert nameless.failure is Outcome.ERROR
    assert untrusting.reason == f"Prometheus at {server.url} shows a certificate that is not trusted"
