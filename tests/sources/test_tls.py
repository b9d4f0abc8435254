"""TLS to either source: whom it trusts, what it shows of itself, and files that are rotated under it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from trustme import CA

from tests.sources.asking import PRODUCT, Source, elasticsearch, found, lucene, measured, prometheus, promql, vector
from tests.sources.raw_server import http, sending, serving
from watchdog.core.model import Measurement, Outcome, Trouble
from watchdog.core.rules.language import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One of the sources, a rule for it, and what a well-behaved server answers."""

    name: str
    source: Callable[..., AbstractAsyncContextManager[Source]]
    rule: Rule
    answer: bytes
    value: float

    async def ask(self, url: str, **settings: Any) -> Measurement:
        """What a new source measures."""
        async with self.source(url, **settings) as source:
            return await measured(source, self.rule)


PROMETHEUS = Kind(name="Prometheus", source=prometheus, rule=promql(), answer=http(vector("0.25")), value=0.25)
ELASTICSEARCH = Kind(
    name="Elasticsearch",
    source=elasticsearch,
    rule=lucene(),
    answer=http(found(matches=3), headers=PRODUCT),
    value=3,
)


@pytest.fixture(params=[PROMETHEUS, ELASTICSEARCH], ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    made: Kind = request.param
    return made


@pytest.fixture
def context() -> ssl.SSLContext:
    """That of a server, which has no certificate yet."""
    return ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)


@pytest.fixture
def ca_file(tmp_path: Path, context: ssl.SSLContext) -> Path:
    """The authority of the server's certificate."""
    authority, file = CA(), tmp_path / "ca.pem"
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(file))
    return file


def spoil(file: Path) -> None:
    """Leaves what somebody who writes it has written so far."""
    file.write_text("-----BEGIN")


async def test_a_certificate_that_nobody_trusts_F92(kind: Kind, context: ssl.SSLContext, ca_file: Path) -> None:
    missing = ca_file.with_name("missing.pem")
    async with serving(sending(kind.answer), tls=context) as server:
        untrusting = await kind.ask(server.url)
        trusting = await kind.ask(server.url, ca_file=ca_file)
        mistaken = await kind.ask(server.url, ca_file=missing)
    assert untrusting.reason == f"{kind.name} at {server.url} shows a certificate that is not trusted"
    assert trusting.value == kind.value
    assert mistaken.reason.endswith(f"its ca_file {missing} cannot be read (No such file or directory)")


async def test_a_rotated_authority_is_trusted_with_the_next_connection_F92(
    kind: Kind, context: ssl.SSLContext, ca_file: Path
) -> None:
    newer = CA()
    async with (
        serving(sending(kind.answer, then_close=True), tls=context) as server,
        kind.source(server.url, ca_file=ca_file) as source,
    ):
        before = await measured(source, kind.rule)
        newer.issue_cert("127.0.0.1").configure_cert(context)
        unknown = await measured(source, kind.rule)
        newer.cert_pem.write_to_path(str(ca_file))
        after = await measured(source, kind.rule)
        spoil(ca_file)
        broken = await measured(source, kind.rule)
    assert (before.value, after.value) == (kind.value, kind.value)
    assert unknown.reason == f"{kind.name} at {server.url} shows a certificate that is not trusted"
    assert broken.reason.endswith(f"its ca_file {ca_file} has no certificate in it")
    assert broken.trouble is Trouble.CREDENTIALS


async def test_a_certificate_of_our_own_is_shown_and_may_be_rotated_F92(
    kind: Kind, context: ssl.SSLContext, ca_file: Path, tmp_path: Path
) -> None:
    authority, cert_file, key_file = CA(), tmp_path / "tls.crt", tmp_path / "tls.key"
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    known, stranger = authority.issue_cert("watchdog"), CA().issue_cert("watchdog")
    stranger.private_key_and_cert_chain_pem.write_to_path(str(cert_file))
    async with serving(sending(kind.answer, then_close=True), tls=context) as server:
        async with kind.source(server.url, ca_file=ca_file, cert_file=cert_file) as source:
            unknown = await measured(source, kind.rule)
            known.private_key_and_cert_chain_pem.write_to_path(str(cert_file))
            in_one_file = await measured(source, kind.rule)
        known.cert_chain_pems[0].write_to_path(str(cert_file))
        stranger.private_key_pem.write_to_path(str(key_file))
        async with kind.source(server.url, ca_file=ca_file, cert_file=cert_file, key_file=key_file) as source:
            mixed_up = await measured(source, kind.rule)
            known.private_key_pem.write_to_path(str(key_file))
            in_two_files = await measured(source, kind.rule)
    assert unknown.failure is Outcome.ERROR
    assert (in_one_file.value, in_two_files.value) == (kind.value, kind.value)
    assert mixed_up.reason.endswith(f"its cert_file {cert_file} has no certificate with the key that belongs to it")


async def test_a_key_with_a_password_is_an_error_and_nobody_is_asked_for_it(
    kind: Kind, context: ssl.SSLContext, ca_file: Path, tmp_path: Path
) -> None:
    cert_file, key = tmp_path / "tls.crt", ec.generate_private_key(ec.SECP256R1())
    CA().issue_cert("watchdog").cert_chain_pems[0].write_to_path(str(cert_file))
    locked_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    cert_file.write_bytes(cert_file.read_bytes() + locked_key)
    async with serving(sending(kind.answer), tls=context) as server:
        locked = await kind.ask(server.url, ca_file=ca_file, cert_file=cert_file)
    assert locked.reason.endswith(f"its cert_file {cert_file} has no certificate with the key that belongs to it")
