"""One delivery: a JSON document sent once to an address that is a secret itself.

Law: the address is read for one request, and neither it nor an exception that may quote it leaves this module.

::

    DeliveryError
     ├── DeliveryRefusedError   the receiver said no; asking again is pointless
     └── UnavailableError       worth another try
"""

import asyncio
import contextlib
import errno
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from pydantic import SecretStr

from watchdog import __version__
from watchdog.core import retry_after

LONGEST_RETRY_AFTER = 300.0
_EXCERPT_SECONDS = 0.5
_EXCERPT_BYTES = 64
_ERROR_CODE = re.compile(r"[a-z]+(_[a-z]+)+")


class DeliveryError(Exception):
    """A document did not get through. The text is a sentence without the address."""


class DeliveryRefusedError(DeliveryError):
    """The receiver said no to this document."""


class UnavailableError(DeliveryError):
    """The receiver could not be asked, or asked to come again: after ``retry_after`` seconds when it named a time."""

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a webhook listens: given inline, or as a file that is read for each delivery."""

    inline: SecretStr | None = None
    file: Path | None = None

    @property
    def is_given(self) -> bool:
        """Whether somebody configured it; an empty address means nobody did."""
        return self.file is not None or bool(self.inline and self.inline.get_secret_value())

    def read(self) -> str:
        """The URL now. Raises UnavailableError when there is none: a mounted secret may come or be corrected later."""
        url = self._text().strip()
        if not _is_http_url(url):
            raise UnavailableError("the webhook's address is not an http or https URL")
        return url

    def _text(self) -> str:
        if self.file is None:
            return self.inline.get_secret_value() if self.inline is not None else ""
        try:
            return self.file.read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            why = _name(error)
        raise UnavailableError(f"the file with the webhook's address cannot be read ({why})")


def open_session() -> aiohttp.ClientSession:
    """The session of all deliveries; the caller closes it.

    It heeds HTTPS_PROXY, HTTP_PROXY, NO_PROXY and ~/.netrc (``trust_env``): a chat lives outside the cluster, and in
    many networks an egress proxy is the only way there. An https address is hidden from such a proxy, but its host.
    """
    return aiohttp.ClientSession(
        trust_env=True,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"canary-watchdog/{__version__}"},
    )


async def deliver(session: aiohttp.ClientSession, address: Address, document: Mapping[str, Any]) -> None:
    """Sends the document once, following no redirect. Raises DeliveryError; the caller sets the deadline."""
    url = address.read()
    body = json.dumps(document, allow_nan=False).encode("ascii")
    try:
        async with session.post(
            url, data=body, headers={"Content-Type": "application/json"}, allow_redirects=False
        ) as response:
            failure = await _failure_of(response, url)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        failure = UnavailableError(f"the connection failed ({_name(error)})")
    # Raised out here, so that the client's exception, which may quote the address, is not even its context.
    if failure is not None:
        raise failure


async def _failure_of(response: aiohttp.ClientResponse, url: str) -> DeliveryError | None:
    status = response.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return DeliveryRefusedError(f"the receiver answered {status}, and redirects are not followed")
    reason = f"the receiver answered {status}{await _error_code(response, url)}"
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        wait = seconds_to_wait(response.headers.get("Retry-After"), now=time.time())
        return UnavailableError(reason, retry_after=wait)
    return DeliveryRefusedError(reason)


async def _error_code(response: aiohttp.ClientResponse, url: str) -> str:
    """The body when it is an error code such as Slack's ``no_service``; "" for any other: it may echo the address."""
    with contextlib.suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(_EXCERPT_SECONDS):
            code = (await response.content.read(_EXCERPT_BYTES)).decode("ascii", "replace").strip()
            return f" {code}" if _ERROR_CODE.fullmatch(code) and code not in url else ""
    return ""


def seconds_to_wait(header: str | None, *, now: float) -> float | None:
    """The seconds of a Retry-After, within 1 and `LONGEST_RETRY_AFTER`; None when it names no time to come."""
    seconds = retry_after.read(header, now=now)
    return min(max(seconds, 1.0), LONGEST_RETRY_AFTER) if seconds else None


def _is_http_url(text: str) -> bool:
    if not (text.isascii() and text.isprintable()) or " " in text:
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _name(error: BaseException) -> str:
    """The kind of an error without its text, which may hold what is secret."""
    number = error.errno if isinstance(error, OSError) else None
    named = errno.errorcode.get(number, "") if number else ""
    return f"{type(error).__name__} {named}".rstrip()
