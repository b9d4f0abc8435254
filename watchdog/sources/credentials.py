"""Turns credentials into headers, tells which strings of them must never be shown, and looks for whom we trust.

Law: a file is read for each use, so that a rotated secret counts at once; no secret is in an exception.
"""

import base64
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from pydantic import SecretStr

from watchdog.core.model import Trouble
from watchdog.settings import Credentials, Tls


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


class Handshake:
    """What TLS is spoken with, by the files as they are now: what was rotated counts for the next connection."""

    def __init__(self, ca_file: Path | None, cert_file: Path | None, key_file: Path | None) -> None:
        self._ca_file, self._cert_file, self._key_file = ca_file, cert_file, key_file
        self._stamps: list[tuple[int, int, int]] = []
        self._context: ssl.SSLContext | None = None

    @classmethod
    def of(cls, settings: Tls) -> Self:
        """The one that the settings ask for."""
        return cls(settings.ca_file, settings.cert_file, settings.key_file)

    def context(self) -> ssl.SSLContext | None:
        """The same one as long as the files are; None for the client's own, without any file.

        Raises CredentialsError: what the clients say of a file that cannot be used does not name it.
        """
        named = {"ca_file": self._ca_file, "cert_file": self._cert_file, "key_file": self._key_file}
        files = {name: file for name, file in named.items() if file is not None}
        stamps = [_stamp(name, file) for name, file in files.items()]
        if stamps != self._stamps:
            self._context, self._stamps = self._made(), stamps
        return self._context

    def _made(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self._ca_file)
        except OSError as error:  # also of TLS: no certificate in it
            raise _unusable(f"ca_file {self._ca_file}", "has no certificate in it", error) from None
        if self._cert_file is not None:
            try:
                # A password, or a key that has one would be asked for at the terminal.
                context.load_cert_chain(self._cert_file, self._key_file, password="")
            except OSError as error:
                missing = "has no certificate with the key that belongs to it"
                raise _unusable(f"cert_file {self._cert_file}", missing, error) from None
        return context


def _stamp(name: str, file: Path) -> tuple[int, int, int]:
    """What changes with a file's content. Raises CredentialsError when it cannot be read."""
    try:
        with file.open("rb") as opened:
            seen = os.fstat(opened.fileno())
    except OSError as error:
        raise _unusable(f"{name} {file}", "cannot be read", error) from error
    return seen.st_ino, seen.st_mtime_ns, seen.st_size


def _unusable(what: str, why: str, error: OSError) -> CredentialsError:
    system = f" ({error.strerror})" if error.strerror and not isinstance(error, ssl.SSLError) else ""
    return CredentialsError(f"cannot be asked: its {what} {why}{system}")


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
