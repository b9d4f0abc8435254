"""A real Prometheus on loopback that scrapes every second and takes any past by remote write.

Law: what a test states about the past is written with its own time stamps; nothing is waited for that can be stated.
"""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cramjam
import requests
import yaml
from trustme import CA

from tests.stack.build import prometheus_binaries
from tests.stack.ports import free_port
from tests.stack.process import Child, Command

START_SECONDS = 30
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]  # the NaN that ends a series
CONFIG = {
    "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
    "storage": {"tsdb": {"out_of_order_time_window": "2h"}},
    "scrape_configs": [{"job_name": "bank", "file_sd_configs": [{"files": ["targets/*.json"]}]}],
}


@dataclass(frozen=True, slots=True)
class Series:
    """One series with its samples: pairs of Unix seconds and value."""

    name: str
    labels: Mapping[str, str]
    samples: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a guarded server is spoken to: by this user, over TLS of this authority, with this certificate and key."""

    ca_file: Path
    cert_file: Path
    username: str = "bank"
    password: str = "correct-horse"  # noqa: S105 - of a server that lives for one test


HASH = "$2b$04$abcdefghijklmnopqrstuuPoaPXzWjiVz4HaNq2LJXksWbO79E.S6"
"""The password's bcrypt, which nothing in Python's library computes."""


@dataclass(kw_only=True)
class PrometheusServer:
    """A running Prometheus. ``access`` is that of a guarded one."""

    url: str
    child: Child
    access: Access | None = None
    _session: requests.Session = field(default_factory=requests.Session, repr=False)

    def __post_init__(self) -> None:
        self._session.trust_env = False  # a proxy of the machine has nothing to do with loopback
        if self.access is not None:
            self._session.auth = self.access.username, self.access.password
            self._session.verify, self._session.cert = str(self.access.ca_file), str(self.access.cert_file)

    def start(self) -> None:
        """Starts it (again, with the data it had) and waits until it answers."""
        self.child.start()
        self.child.wait_until_ready(self._answers, within=START_SECONDS)

    def stop(self) -> None:
        """Stops it in order."""
        self._session.close()
        self.child.stop()

    def kill(self) -> None:
        """Ends it at once: connections are refused."""
        self.child.kill()

    def suspend(self) -> None:
        """Freezes it: connections are taken, and nothing is answered."""
        self.child.suspend()

    def resume(self) -> None:
        """Goes on after `suspend`."""
        self.child.resume()

    def heal(self) -> None:
        """Brings it back when a test has frozen or killed it."""
        self.child.resume()
        if not self.child.running:
            self.start()

    def add_target(self, address: str, **labels: str) -> None:
        """Scrapes ``host:port`` every second from now on, with these labels on each series."""
        path = self._target_file(address)
        beside = path.with_suffix(".new")
        beside.write_text(json.dumps([{"targets": [address], "labels": labels}]))
        beside.rename(path)

    def remove_target(self, address: str) -> None:
        """Stops scraping it; its series become stale."""
        self._target_file(address).unlink(missing_ok=True)

    def remote_write(self, *series: Series) -> None:
        """Writes samples of the past two hours; the next query sees them."""
        body = b"".join(_field(1, _encode(one)) for one in series)
        response = self._session.post(
            f"{self.url}/api/v1/write",
            data=bytes(cramjam.snappy.compress_raw(body)),
            headers={
                "Content-Encoding": "snappy",
                "Content-Type": "application/x-protobuf",
                "X-Prometheus-Remote-Write-Version": "0.1.0",
            },
            timeout=10,
        )
        if not response.ok:
            raise OSError(f"remote write: {response.status_code} {response.text}")

    def query(self, expression: str, *, at: float | None = None) -> list[dict[str, Any]]:
        """The result of an instant query, as the API gives it."""
        answer = self.answer(expression, at=at)
        if answer["status"] != "success":
            raise OSError(f"{expression}: {answer['error']}")
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def answer(self, expression: str, *, at: float | None = None) -> dict[str, Any]:
        """The whole answer to an instant query, with its warnings and hints."""
        query = {"query": expression, "time": str(time.time() if at is None else at)}
        response = self._session.get(f"{self.url}/api/v1/query", params=query, timeout=10)
        answer: dict[str, Any] = response.json()
        return answer

    def value(self, expression: str, *, at: float | None = None) -> float | None:
        """The value of an instant query that yields one series, None when it yields nothing."""
        result = self.query(expression, at=at)
        if not result:
            return None
        (only,) = result
        return float(only["value"][1])

    def _answers(self) -> bool:
        return self._session.get(f"{self.url}/-/ready", timeout=2).ok

    def _target_file(self, address: str) -> Path:
        return self.child.folder / "targets" / f"{address.replace(':', '-')}.json"


def start_prometheus(folder: Path, *arguments: str, is_guarded: bool = False) -> PrometheusServer:
    """Starts one in a folder of its own, with more arguments. Raises `PartUnavailableError` when it cannot be built.

    A guarded one is behind the path ``/prometheus``, and wants a password and a certificate.
    """
    binaries = prometheus_binaries()
    (folder / "targets").mkdir(parents=True)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(CONFIG))
    port = free_port()
    command: Command = [
        binaries / "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-remote-write-receiver",
        "--scrape.discovery-reload-interval=100ms",  # hidden; by default a new target waits up to 5 s
        *arguments,
    ]
    url, access = f"http://127.0.0.1:{port}", None
    if is_guarded:
        url, access = f"https://127.0.0.1:{port}/prometheus", _guard(folder)
        command += [f"--web.config.file={folder / 'web.yml'}", "--web.route-prefix=/prometheus"]
    child = Child(name="prometheus", command=command, folder=folder)
    server = PrometheusServer(url=url, child=child, access=access)
    try:
        server.start()
    except BaseException:
        server.stop()
        raise
    return server


def _guard(folder: Path) -> Access:
    """How to get in; writes the certificates, and the file that tells Prometheus to ask for them."""
    authority = CA()
    names = "ca.pem", "client.pem", "server.pem"
    ca_file, client, server = (folder / name for name in names)
    authority.cert_pem.write_to_path(str(ca_file))
    authority.issue_cert("watchdog").private_key_and_cert_chain_pem.write_to_path(str(client))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(server))
    access = Access(ca_file=ca_file, cert_file=client)
    tls = {"cert_file": str(server), "key_file": str(server), "client_ca_file": str(ca_file)}
    web = {
        "tls_server_config": tls | {"client_auth_type": "RequireAndVerifyClientCert"},
        "basic_auth_users": {access.username: HASH},
    }
    (folder / "web.yml").write_text(yaml.safe_dump(web))
    return access


# The messages of prometheus/prompb: WriteRequest{1: TimeSeries{1: Label{1: name, 2: value}, 2: Sample{1: double,
# 2: int64 milliseconds}}}; the labels must be sorted.


def _encode(series: Series) -> bytes:
    labels = sorted({**series.labels, "__name__": series.name}.items())
    encoded = b"".join(_field(1, _field(1, name.encode()) + _field(2, value.encode())) for name, value in labels)
    return encoded + b"".join(_field(2, _sample(at, value)) for at, value in series.samples)


def _sample(at: float, value: float) -> bytes:
    return b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(round(at * 1000))


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
