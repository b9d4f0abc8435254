"""The certificates and keys of a Kubernetes control plane.

Law: everything is made anew for each run and is valid for a day; nothing is ever read from the checkout.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
ADDRESSES = ("127.0.0.1", "10.0.0.1")
PROXY, PROXY_KEY = "proxy.crt", "proxy.key"
SIGNING_ONLY = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Paths of PEM files."""

    ca: Path
    server: Path
    server_key: Path
    proxy: Path
    proxy_key: Path
    service_account_key: Path
    service_account_public_key: Path


def make_certificates(folder: Path, *, expired: bool = False, addresses: Sequence[str] = ADDRESSES) -> Certificates:
    """Writes a CA, two serving certificates for the loopback address, and the key that signs service account tokens.

    The second serving certificate is that of a proxy before the API server (`fault_proxy.py`). Both may be ``expired``
    since yesterday.
    """
    files = Certificates(
        ca=folder / "ca.crt",
        server=folder / "server.crt",
        server_key=folder / "server.key",
        proxy=folder / PROXY,
        proxy_key=folder / PROXY_KEY,
        service_account_key=folder / "sa.key",
        service_account_public_key=folder / "sa.pub",
    )
    ca_key, server_key, proxy_key, account_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(4))
    ca = _ca(ca_key)
    files.ca.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    days = (-2, -1) if expired else (0, 1)
    for serving, path, key_path in (
        (server_key, files.server, files.server_key),
        (proxy_key, files.proxy, files.proxy_key),
    ):
        certificate = _server(serving, ca, ca_key, days=days, addresses=addresses)
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        _write_key(key_path, serving)
    _write_key(files.service_account_key, account_key)
    # The API server refuses a PKCS#8 private key where it only has to verify.
    files.service_account_public_key.write_bytes(
        account_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return files


def _ca(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _name("watchdog test CA")
    return (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(SIGNING_ONLY, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _server(
    key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    *,
    days: tuple[int, int],
    addresses: Sequence[str],
) -> x509.Certificate:
    places = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    names = [x509.DNSName(name) for name in NAMES]
    # Without the authority's key identifier Python 3.13 refuses the chain.
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    return (
        _builder(_name("kube-apiserver"), ca.subject, key.public_key(), days=days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([*names, *places]), critical=False)
        .add_extension(authority, critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, days: tuple[int, int] = (0, 1)
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    begins, ends = (now + timedelta(days=day) for day in days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins - timedelta(minutes=5))
        .not_valid_after(ends)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
