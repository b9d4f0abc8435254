"""Says why a server could not be asked, in words for the one who has to cure it.

Law: the text of an exception is never shown: clients put whole URLs and headers into it. What is shown is ours, or a
server's words after the secrets were taken out.
"""

import http.client
import socket
import ssl
from collections.abc import Collection, Iterator

from watchdog.core.visible import clip, visible

LONGEST_REASON = 400  # bytes
_SHORTEST_SECRET = 6  # characters; hiding shorter ones would blacken ordinary words


def sentence(text: str, *, secrets: Collection[str] = ()) -> str:
    """The text without the secrets and of bearable length."""
    return clip(without(secrets, text), LONGEST_REASON)


def without(secrets: Collection[str], text: str) -> str:
    """The text with the secrets taken out, however long it is."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return text


def why(error: BaseException) -> str:
    """What went wrong on the wire: completes "Prometheus at http://prometheus:9090 …"."""
    causes = list(_causes(error))
    for kind, said in _KINDS:
        if any(isinstance(cause, kind) for cause in causes):
            return said
    system = next((cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror), None)
    return f"cannot be reached: {visible(str(system))}" if system else f"cannot be asked ({type(error).__name__})"


# From the particular to the general: the first that is among the causes speaks.
_KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLCertVerificationError, "shows a certificate that is not trusted"),
    (ssl.SSLError, "fails the TLS handshake"),
    (socket.gaierror, "cannot be found: its name does not resolve"),
    (ConnectionRefusedError, "refuses the connection"),
    (TimeoutError, "did not answer in time"),
    (ConnectionError, "broke the connection off"),
    (http.client.IncompleteRead, "broke its answer off in the middle"),
    (http.client.HTTPException, "does not speak HTTP"),
)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and everything that it came from; urllib3 and requests also wrap exceptions as arguments."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        origins = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
        waiting += [origin for origin in origins if isinstance(origin, BaseException)]
