"""A real Elasticsearch on loopback, a single node, without security unless that is asked for.

Law: nothing of the cached distribution is written to; configuration, data and logs are in the run's folder. The server
refuses to run as root, so that root's runs start it as ``nobody``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pwd
import secrets
import shutil
import signal
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.stack.build import (
    ELASTICSEARCH_VERSION,
    NEWER_ELASTICSEARCH_VERSION,
    PartUnavailableError,
    elasticsearch_home,
    java_home,
)
from tests.stack.certificates import make_certificates
from tests.stack.ports import free_port
from tests.stack.process import Child, Command, User, resident_mib

JAVA = {ELASTICSEARCH_VERSION: 17, NEWER_ELASTICSEARCH_VERSION: 21}
START_SECONDS = 90
# The collector of the distribution is made for big heaps; the serial one starts faster and needs less memory.
COLLECTOR = ("-XX:+UseG1GC", "-XX:+UseSerialGC")
JAVA_OPTIONS = "-Xms384m -Xmx384m -XX:TieredStopAtLevel=1"
# As the Elastic Common Schema wants it: words that are filtered and counted are keywords, the message is a text.
READING = {"names": ["logs-*"], "privileges": ["read", "view_index_metadata"]}
ECS_TEMPLATE = {
    "index_patterns": ["logs-*"],
    "template": {
        "settings": {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "500ms"},
        "mappings": {
            "dynamic_templates": [{"words": {"match_mapping_type": "string", "mapping": {"type": "keyword"}}}],
            "properties": {"@timestamp": {"type": "date"}, "message": {"type": "text"}},
        },
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a secured server is spoken to: by users of this password, over TLS of this authority.

    One may do everything, the other read logs and nothing else.
    """

    ca_file: Path
    administrator: str = "administrator"
    reader: str = "reader"
    password: str = field(default_factory=lambda: secrets.token_hex(12))


@dataclass(kw_only=True)
class ElasticsearchServer:
    """A running Elasticsearch; indices named ``logs-*`` get ECS mappings. ``access`` is that of a secured one."""

    url: str
    child: Child
    access: Access | None = None
    _session: requests.Session = field(default_factory=requests.Session, repr=False)

    def __post_init__(self) -> None:
        self._session.trust_env = False
        if self.access is not None:
            self._session.auth = self.access.administrator, self.access.password
            self._session.verify = str(self.access.ca_file)

    @property
    def pid(self) -> int:
        """The server's own process; `child` is the small launcher, which ends when the server does."""
        return int((self.child.folder / "server.pid").read_text())

    @property
    def rss_mib(self) -> float:
        """Resident memory of server and launcher in MiB."""
        return self.child.rss_mib + resident_mib(self.pid)

    def launch(self) -> None:
        """Starts it without waiting."""
        if self.child.running:
            return
        (self.child.folder / "server.pid").unlink(missing_ok=True)
        self.child.start()

    def start(self) -> None:
        """Starts it (again, with the data it had) and waits until it answers."""
        self.launch()
        self.child.wait_until_ready(self._answers, within=START_SECONDS)

    def stop(self) -> None:
        """Stops it in order."""
        self._thaw()
        self._session.close()
        self.child.stop(seconds=20)

    def kill(self) -> None:
        """Ends it at once: connections are refused."""
        os.kill(self.pid, signal.SIGKILL)
        if self.child.wait(10) is None:
            self.child.kill()

    def suspend(self) -> None:
        """Freezes it: connections are taken, and nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Goes on after `suspend`."""
        os.kill(self.pid, signal.SIGCONT)

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Frozen inside the block."""
        self.suspend()
        try:
            yield
        finally:
            self.resume()

    def heal(self) -> None:
        """Brings it back when a test has frozen or killed it."""
        self._thaw()
        if not self.child.running:
            self.start()

    def index(self, index: str, documents: Iterable[Mapping[str, Any]]) -> None:
        """Writes documents in one request; the next search sees them."""
        lines = [line for document in documents for line in ('{"index":{}}', json.dumps(document))]
        answer = self.send("POST", f"/{index}/_bulk?refresh=true", "\n".join([*lines, ""]))
        if answer["errors"]:
            raise OSError(f"_bulk into {index}: {answer['items'][0]}")

    def count(self, index: str, query: str) -> int:
        """How many documents a ``query_string`` query matches now; 0 when there is no such index yet."""
        body = {"size": 0, "track_total_hits": True, "query": {"query_string": {"query": query}}}
        answer = self.send("POST", f"/{index}/_search?allow_no_indices=true&ignore_unavailable=true", body)
        total: int = answer["hits"]["total"]["value"]
        return total

    def refresh(self, index: str) -> None:
        """Makes what was written visible to the next search."""
        self.send("POST", f"/{index}/_refresh")

    def send(self, method: str, path: str, body: Mapping[str, Any] | str = "") -> dict[str, Any]:
        """Sends any request and returns the answer; raises `OSError` for a status of 400 and up."""
        content = body if isinstance(body, str) else json.dumps(body)
        headers = {"Content-Type": "application/json"} if content else {}
        response = self._session.request(method, self.url + path, data=content.encode(), headers=headers, timeout=10)
        if response.status_code >= requests.codes.bad_request:
            raise OSError(f"{method} {path}: {response.status_code} {response.text}")
        answer: dict[str, Any] = response.json()
        return answer

    def _answers(self) -> bool:
        self.send("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s")
        return True

    def _thaw(self) -> None:
        with suppress(ProcessLookupError, FileNotFoundError):  # it is starting, or has ended
            self.resume()


def launch_elasticsearch(
    folder: Path, version: str = ELASTICSEARCH_VERSION, *, is_secured: bool = False
) -> ElasticsearchServer:
    """Launches one in a folder of its own without waiting; `finish_start` waits. Raises `PartUnavailableError`."""
    user = _user()
    home = _reachable(elasticsearch_home(version), folder / "home", user)
    java = _reachable(java_home(at_least=JAVA[version]), folder / "java", user)
    port = free_port()
    access = Access(ca_file=folder / "config" / "ca.crt") if is_secured else None
    _configure(home, folder, port, access)
    environment = {name: value for name, value in os.environ.items() if name not in ("JAVA_HOME", "HOME")} | {
        "HOME": str(folder),
        "ES_JAVA_HOME": str(java),
        "ES_JAVA_OPTS": JAVA_OPTIONS,
        "ES_PATH_CONF": str(folder / "config"),
        "ES_TMPDIR": str(folder / "tmp"),
    }
    if user:
        for path in [
            folder,
            *(folder / name for name in ("config", "data", "logs", "tmp")),
            *_files(folder / "config"),
        ]:
            os.chown(path, user.uid, user.gid)
    command: Command = [home / "bin" / "elasticsearch", "-p", folder / "server.pid"]
    child = Child(
        name="elasticsearch", command=command, folder=folder, environment=environment, user=user, has_children=True
    )
    scheme = "http" if access is None else "https"
    server = ElasticsearchServer(url=f"{scheme}://127.0.0.1:{port}", child=child, access=access)
    server.launch()
    return server


def finish_start(server: ElasticsearchServer) -> ElasticsearchServer:
    """Waits until a launched server can be used, and gives it the ECS mappings."""
    try:
        server.start()
        server.send("PUT", "/_index_template/logs", ECS_TEMPLATE)
    except BaseException:
        server.stop()
        raise
    return server


def _configure(home: Path, folder: Path, port: int, access: Access | None) -> None:
    shutil.copytree(home / "config", folder / "config", copy_function=shutil.copyfile)
    for name in ("data", "logs", "tmp"):
        (folder / name).mkdir()
    settings = {
        "cluster.name": "watchdog-test",
        "node.name": "node-1",
        "discovery.type": "single-node",
        "network.host": "127.0.0.1",
        "http.port": port,
        "transport.port": free_port(),
        "path.data": str(folder / "data"),
        "path.logs": str(folder / "logs"),
        "xpack.security.enabled": access is not None,
        # By default a search looks at a clock that is 200 ms old, and shorter timeouts of it are a matter of chance.
        "thread_pool.estimated_time_interval": 0,
        "cluster.routing.allocation.disk.threshold_enabled": False,
    }
    if access is not None:
        settings |= _secured(folder / "config", access)
    (folder / "config" / "elasticsearch.yml").write_text(yaml.safe_dump(settings))
    options = folder / "config" / "jvm.options"
    lines = options.read_text().replace(*COLLECTOR).splitlines()
    # A log of the garbage collector and dumps of the heap are nothing to fill a disk with here.
    options.write_text("\n".join(line for line in lines if "gc.log" not in line and "HeapDump" not in line))


def _secured(config: Path, access: Access) -> dict[str, Any]:
    """The settings of a server with TLS and two users, whose files it writes: it reads them in no other folder.

    API keys are not to be had: their index wants an analyzer that this distribution does not have.
    """
    certificates = make_certificates(config)
    salt = secrets.token_bytes(32)
    key = hashlib.pbkdf2_hmac("sha512", access.password.encode(), salt, 10_000, 32)
    hashed = "$".join(["{PBKDF2}10000", *(base64.b64encode(part).decode() for part in (salt, key))])
    (config / "users").write_text(f"{access.administrator}:{hashed}\n{access.reader}:{hashed}\n")
    (config / "users_roles").write_text(f"superuser:{access.administrator}\nreading:{access.reader}\n")
    (config / "roles.yml").write_text(yaml.safe_dump({"reading": {"indices": [READING]}}))
    return {
        "xpack.security.autoconfiguration.enabled": False,
        "xpack.security.transport.ssl.enabled": False,  # one node, on loopback
        "xpack.security.http.ssl": {
            "enabled": True,
            "certificate": str(certificates.server),
            "key": str(certificates.server_key),
        },
    }


def _user() -> User | None:
    """Whom to run as; None: whoever we are."""
    if os.getuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError as error:
        raise PartUnavailableError("Elasticsearch refuses to run as root, and there is no user nobody") from error
    return User(entry.pw_uid, entry.pw_gid)


def _reachable(source: Path, place: Path, user: User | None) -> Path:
    """``source``, or hard links to its files (else copies) when that user may not enter the folders above it."""
    folders = (source, *source.parents)
    if user is None or all(folder.stat().st_mode & stat.S_IXOTH for folder in folders):
        return source
    shutil.copytree(source, place, copy_function=_link_or_copy)
    for path in (place, *place.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
    return place


def _link_or_copy(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:  # another file system
        return shutil.copy2(source, target)
    return target


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*"))
