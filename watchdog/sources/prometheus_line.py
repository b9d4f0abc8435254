"""One thread's line to Prometheus: a `PrometheusConnect` that is not allowed to believe, retry, follow or wait.

Law: the library returns ``data.result`` alone and loses the rest of the answer; so the answer is read in the session's
response hook, whole, and what the hook does not accept never reaches the library.

This module imports the client, which costs: import it where a source is started.
"""

import io
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

import requests
from prometheus_api_client import PrometheusConnect
from urllib3 import Retry
from urllib3.exceptions import HTTPError

from watchdog import __version__
from watchdog.core.model import Trouble
from watchdog.settings import PrometheusSettings
from watchdog.sources.answer import LONGEST_BODY, Answer, AnswerError, too_long
from watchdog.sources.credentials import CredentialsError, Handshake, Proof, prove
from watchdog.sources.envelope import Query, Reading, read_start, read_value
from watchdog.sources.failure import sentence, why
from watchdog.sources.patience import asked_to_wait
from watchdog.sources.wire import Wire, WireAdapter
from watchdog.sources.workers import Cord

_PIECE = 16_384  # bytes: what is decompressed at once
_OWN_SHARE = 0.9  # of the time that is left: Prometheus gives up first, and says why
_CONNECT_SHARE = 0.5  # of the time that is left, for one address: a name may have several
_LEAST = 0.001  # seconds
_START_PATH = "/api/v1/status/runtimeinfo"
_GRACE = 1.0  # seconds after which the thread wakes up by itself; before, the deadline's owner cuts it off
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": f"canary-watchdog/{__version__}"}
# Thanos answers without a store that is down unless told otherwise; Prometheus does not know the parameter.
_PARAMETERS = {"partial_response": "false"}


class PrometheusLine:
    """A connection that is kept between queries. Everything but the cord belongs to one thread."""

    def __init__(self, settings: PrometheusSettings) -> None:
        self._settings = settings
        self._handshake = Handshake.of(settings)  # says what is wrong with the files; each connection reads them anew
        self._wire = Wire()
        self._reads: Callable[[Answer], float | None] = read_start
        self._value: float | None = None
        self._wait = 0.0
        self._session = self._open_session()
        self._connect = PrometheusConnect(url=settings.url, session=self._session, retry=Retry(total=0))
        # In the place of the one that the library has mounted.
        self._session.mount(settings.url, WireAdapter(self._wire))

    def ask(self, query: Query, cord: Cord) -> Reading:
        """The value at the query's slot, or the sentence why there is none."""
        self._wait = 0.0
        secrets: tuple[str, ...] = ()
        trouble: Trouble | None = None
        try:
            proof = prove(self._settings, self._settings.headers, token_scheme="Bearer")  # noqa: S106 - no secret
            secrets = proof.secrets
            self._handshake.context()
            with self._wire.under(cord):
                return Reading(value=self._query(query, proof))
        except (AnswerError, CredentialsError) as error:
            predicate, trouble = str(error), error.trouble
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            predicate = why(error)
        said = sentence(f"Prometheus at {self._settings.url} {predicate}", secrets=secrets)
        return Reading(error=said, trouble=trouble, wait=self._wait)

    def close(self) -> None:
        """Closes the connection."""
        self._connect.close()
        self._wire.hang_up()

    def _query(self, query: Query, proof: Proof) -> float | None:
        left = max(query.deadline - time.monotonic(), _LEAST)
        timeout = (left * _CONNECT_SHARE, left + _GRACE)
        headers = {**_HEADERS, **proof.headers}
        self._value = None
        if query.expr is None:
            self._reads = read_start
            self._session.get(f"{self._settings.url}{_START_PATH}", headers=headers, timeout=timeout)
            return self._value
        parameters = {
            **_PARAMETERS,
            **self._settings.parameters,
            "time": f"{query.slot:.3f}",
            "timeout": f"{left * _OWN_SHARE:.3f}",
        }
        self._reads = partial(read_value, at=query.slot)
        self._connect.headers = headers
        self._connect.custom_query(query.expr, params=parameters, timeout=timeout)
        return self._value

    def _open_session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # ~/.netrc would replace our Authorization, and a proxy would read it
        session.verify = str(self._settings.ca_file) if self._settings.ca_file else True
        cert_file, key_file = self._settings.cert_file, self._settings.key_file
        if cert_file is not None:
            session.cert = (str(cert_file), str(key_file or cert_file))
        session.hooks["response"].append(self._read)
        return session

    def _read(self, response: requests.Response, **_: Any) -> requests.Response:
        """The hook: runs before requests follows a redirect and before the library looks at the answer."""
        with response:
            answer = Answer(
                status=response.status_code,
                content_type=response.headers.get("Content-Type", ""),
                date=response.headers.get("Date", ""),
                location=response.headers.get("Location", ""),
                retry_after=response.headers.get("Retry-After", ""),
                body=_body(response),
                received_at=time.time(),
            )
        self._wait = asked_to_wait(answer.status, answer.retry_after, now=answer.received_at)
        self._value = self._reads(answer)
        return _readable(answer.body)


def _body(response: requests.Response) -> bytes:
    body = bytearray()
    for piece in response.iter_content(_PIECE):
        body += piece
        if len(body) > LONGEST_BODY:
            raise too_long()
    return bytes(body)


def _readable(body: bytes) -> requests.Response:
    """A response whose body the library can still read."""
    response = requests.Response()
    response.status_code = HTTPStatus.OK
    response.encoding = "utf-8"
    response.raw = io.BytesIO(body)
    return response
