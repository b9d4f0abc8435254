"""Exceptions in words: what to cure, and never the text of the exception."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl

import pytest

from watchdog.sources.failure import LONGEST_REASON, sentence, why

WHOLE_URL = "http://prometheus/api?token=s3cr3t"


def caused(outer: BaseException, inner: BaseException) -> BaseException:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ConnectionRefusedError(WHOLE_URL), "refuses the connection"),
        (ConnectionResetError(WHOLE_URL), "broke the connection off"),
        (BrokenPipeError(), "broke the connection off"),
        (TimeoutError(WHOLE_URL), "did not answer in time"),
        (socket.gaierror(-2, WHOLE_URL), "cannot be found: its name does not resolve"),
        (ssl.SSLCertVerificationError(1, WHOLE_URL), "shows a certificate that is not trusted"),
        (ssl.SSLError(1, WHOLE_URL), "fails the TLS handshake"),
        (http.client.IncompleteRead(b"s3cr3t"), "broke its answer off in the middle"),
        (http.client.BadStatusLine(WHOLE_URL), "does not speak HTTP"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "cannot be reached: No route to host"),
        (ValueError(WHOLE_URL), "cannot be asked (ValueError)"),
        (caused(RuntimeError(WHOLE_URL), ConnectionRefusedError()), "refuses the connection"),
        (RuntimeError(WHOLE_URL, ConnectionRefusedError()), "refuses the connection"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_why(error: BaseException, says: str) -> None:
    assert why(error) == says
    assert "s3cr3t" not in why(error)


def test_exceptions_that_cause_each_other_are_looked_at_once() -> None:
    first, second = ValueError(), RuntimeError()
    first.__cause__, second.__cause__ = second, first
    assert why(first) == "cannot be asked (ValueError)"


def test_secrets_are_taken_out_the_longest_first() -> None:
    text = "it said abcdef and abcdefghi"
    assert sentence(text, secrets=["abcdef", "abcdefghi"]) == "it said *** and ***"


def test_a_short_secret_does_not_blacken_ordinary_words() -> None:
    assert sentence("HTTP 401", secrets=["1"]) == "HTTP 401"


def test_a_sentence_is_of_bearable_length_and_leaks_no_half_of_a_secret() -> None:
    said = sentence("x" * (LONGEST_REASON - 12) + "s3cr3t-token-of-the-bank", secrets=["s3cr3t-token-of-the-bank"])
    assert len(said.encode()) <= LONGEST_REASON
    assert "s3cr3t" not in said
