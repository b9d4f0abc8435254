"""An HTTP answer before anybody believes it, and the checks that every source's answer has to pass.

Law: pure. What is not whole, fresh, well-formed JSON of a modest size raises `AnswerError`.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from watchdog.core.model import Trouble
from watchdog.core.visible import visible
from watchdog.sources.patience import asked_to_wait

LONGEST_BODY = 1 << 20  # bytes, after decompression
DEEPEST_NESTING = 32
# Brackets and commas: a mebibyte of "[[],[],…" would become 25 MiB of objects.
MOST_PARTS = 30_000
GREATEST_SKEW = 30.0  # seconds
_MOST_DIGITS = 301  # of a whole number, with its sign
_LONGEST_QUOTE = 4096  # characters; the finished sentence is clipped to far less


class AnswerError(Exception):
    """An answer that is no evidence; the text completes "Prometheus at http://prometheus:9090 …"."""

    def __init__(self, text: str, *, trouble: Trouble | None = None, wait: float = 0.0) -> None:
        """``wait`` is for how many seconds the server asks to be left alone."""
        super().__init__(text)
        self.trouble = trouble
        self.wait = wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer. ``date`` is its Date header, "" without one; ``received_at`` is Unix seconds by our clock."""

    status: int
    content_type: str
    body: bytes
    received_at: float
    date: str = ""
    location: str = ""
    retry_after: str = ""


def believe(answer: Answer) -> Any:
    """The JSON of an answer of any status but a redirect. Raises AnswerError."""
    _check_redirect(answer)
    _check_clock(answer)
    if not _is_json(answer.content_type):
        raise _not_json(answer)
    return parse_json(answer.body)


def refusal(status: int, detail: str) -> AnswerError:
    """What an error status means to the one who has to cure it."""
    said = f"(HTTP {status}){': ' if detail else ''}{detail}"
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return AnswerError(f"refused the credentials {said}", trouble=Trouble.CREDENTIALS)
    return AnswerError(f"did not answer the query {said}")


def parse_json(body: bytes) -> Any:
    """The JSON value of a body. Raises AnswerError for what `json.loads` lets pass: duplicate keys, NaN, depth."""
    if len(body) > LONGEST_BODY:
        raise too_long()
    if sum(body.count(part) for part in (b"[", b"{", b",")) > MOST_PARTS:
        raise AnswerError(f"answered JSON of more than {MOST_PARTS} parts; aggregate with sum() or max()")
    try:
        value = json.loads(
            body.decode("utf-8"), object_pairs_hook=_unique, parse_int=_whole_number, parse_constant=_no_constant
        )
    except UnicodeDecodeError as error:
        raise AnswerError(f"answered invalid UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise AnswerError(f"answered broken JSON of {len(body)} bytes ({error.msg} at {error.pos})") from error
    except RecursionError as error:
        raise _too_deep() from error
    if _is_deeper(value, DEEPEST_NESTING):
        raise _too_deep()
    return value


def quote(text: str | bytes) -> str:
    """Text of a server as it may be shown: one line, nothing that steers a terminal."""
    readable = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return visible(" ".join(readable[:_LONGEST_QUOTE].split()))


def too_long() -> AnswerError:
    """An answer that was cut off at `LONGEST_BODY`."""
    return AnswerError(f"answered more than {LONGEST_BODY >> 20} MiB; aggregate with sum() or max()")


def _check_redirect(answer: Answer) -> None:
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        raise AnswerError(f"redirects (HTTP {answer.status}){_place(answer.location)}, and redirects are not followed")


def _place(location: str) -> str:
    """Where a redirect leads, without its query: that may hold a ticket of a login page."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return " to an address that is no URL"
    host = parts.netloc.rpartition("@")[2]
    place = quote(f"{parts.scheme}://{host}{parts.path}" if host else parts.path)
    return f" to {place}" if place else ""


def _check_clock(answer: Answer) -> None:
    """An answer of another time is not evidence of now: a skewed clock, or a cache between us (F11)."""
    if not answer.date:
        return  # Elasticsearch sends none
    try:
        skew = parsedate_to_datetime(answer.date).timestamp() - answer.received_at
    except (ValueError, TypeError, OverflowError) as error:
        raise AnswerError(f"says that its time is {quote(answer.date)!r}, which is no date") from error
    if abs(skew) > GREATEST_SKEW:
        direction = "ahead of" if skew > 0 else "behind"
        raise AnswerError(
            f"has a clock {abs(skew):.0f} s {direction} ours (at most {GREATEST_SKEW:.0f} s are believed), "
            "or a cache answers in its place",
            trouble=Trouble.CLOCK,
        )


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _not_json(answer: Answer) -> AnswerError:
    if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return refusal(answer.status, quote(answer.body))
    kind = quote(answer.content_type) or "no content type"
    wait = asked_to_wait(answer.status, answer.retry_after, now=answer.received_at)
    return AnswerError(f"answered HTTP {answer.status} with {kind} instead of JSON: {quote(answer.body)}", wait=wait)


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise AnswerError(f"answered JSON that names the key {quote(key)!r} twice")
        found[key] = value
    return found


def _whole_number(digits: str) -> int:
    """Every number is a float in the end, and greater ones would not become one."""
    if len(digits) > _MOST_DIGITS:
        raise AnswerError("answered JSON with a number that cannot be read")
    return int(digits)


def _no_constant(name: str) -> Any:
    raise AnswerError(f"answered JSON with {name}, which is no JSON")


def _too_deep() -> AnswerError:
    return AnswerError(f"answered JSON nested deeper than {DEEPEST_NESTING} levels")


def _is_deeper(value: Any, levels: int) -> bool:
    """Level by level, without recursion: the depth is the attack."""
    level = [value]
    for _ in range(levels + 1):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
