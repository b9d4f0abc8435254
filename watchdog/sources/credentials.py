"""Turns credentials into headers, tells which strings of them must never be shown, and looks for whom we trust.

Law: a file is read for each use, so that a rotated secret counts at once; no secret is in an exception.
"""

import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from watchdog.core.model import Trouble
from watchdog.settings import Credentials


class CredentialsError(Exception):
    """Credentials that cannot be sent; the text completes "Prometheus at http://prometheus:9090 …"."""

    trouble = Trouble.CREDENTIALS


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The headers of one request, and the secrets in them."""

    headers: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


def prove(credentials: Credentials, headers: Mapping[str, SecretStr], *, token_scheme: str) -> Proof:
    """The proof of who asks, as the files are now. ``token_scheme`` is ``Bearer`` or ``ApiKey``.

    Raises CredentialsError.
    """
    sent = {name: value.get_secret_value() for name, value in headers.items()}
    secrets = list(sent.values())
    if credentials.username is not None:
        password = _read(credentials, "password")
        basic = base64.b64encode(f"{credentials.username}:{password}".encode()).decode()
        sent["Authorization"] = f"Basic {basic}"
        secrets += [password, basic]
    elif credentials.token is not None or credentials.token_file is not None:
        token = _read(credentials, "token")
        sent["Authorization"] = f"{token_scheme} {token}"
        secrets.append(token)
    for name, value in sent.items():
        _check_header(name, value)
    return Proof(headers=sent, secrets=tuple(secrets))


class Trust:
    """Whom we trust, by the file as it is now: a rotated authority counts for the next connection."""

    def __init__(self, ca_file: Path | None) -> None:
        self._ca_file = ca_file
        self._stamp: tuple[int, int, int] | None = None
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext | None:
        """What TLS is spoken with, the same one as long as the file is; None for the client's own, without a file.

        Raises CredentialsError: what the clients say of a file that cannot be read does not name it.
        """
        if self._ca_file is None:
            return None
        try:
            seen = self._ca_file.stat()
            stamp = seen.st_ino, seen.st_mtime_ns, seen.st_size
            if stamp != self._stamp:
                self._context, self._stamp = ssl.create_default_context(cafile=self._ca_file), stamp
        except ssl.SSLError as error:
            raise CredentialsError(f"cannot be asked: its ca_file {self._ca_file} has no certificate in it") from error
        except OSError as error:
            reason = f"cannot be asked: its ca_file {self._ca_file} cannot be read ({error.strerror})"
            raise CredentialsError(reason) from error
        return self._context


def _read(credentials: Credentials, what: str) -> str:
    try:
        secret = credentials.read_password() if what == "password" else credentials.read_token()
    except UnicodeDecodeError:
        problem = f"its {what}_file is not a text"
    except OSError as error:
        problem = f"its {what}_file: {error.strerror}"
    else:
        if secret:
            return secret
        problem = f"its {what} is empty"
    # Raised out here, so that an exception that may quote the secret is not even the context.
    raise CredentialsError(f"cannot be asked: the credentials cannot be read ({problem})")


def _check_header(name: str, value: str) -> None:
    if not (value.isascii() and value.isprintable()) or value != value.strip():
        raise CredentialsError(
            f"cannot be asked: the credentials cannot be sent, the header {name} would have characters other than "
            "printable ASCII, or spaces around it"
        )
