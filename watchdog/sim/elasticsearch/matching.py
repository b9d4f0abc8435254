"""Whether one field of a document matches: terms, phrases, wildcards, ranges.

Law: pure. A field's type decides, and follows from its name and its values: ``message`` is a text, the timestamps are
dates, every other string is a keyword: exact, case and all. That is the mapping of the Elastic Common Schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from watchdog.sim.elasticsearch.documents import Document, to_milliseconds
from watchdog.sim.elasticsearch.errors import ShardError, not_simulated

Predicate = Callable[[Document], bool]
TEXTS = frozenset({"message"})
DATES = frozenset({"@timestamp", "event.ingested", "event.created"})
# UAX #29 as far as European logs need it: letters may be joined by . : ' and digits by . , ; '
_TOKEN = re.compile(
    r"\w+(?:(?:(?<=[^\W\d_])[.:'\u2019](?=[^\W\d_])|(?<=\d)[.,;'\u2019](?=\d))\w+)*",
)
_DAY_OR_SECOND = re.compile(
    r"\d{4}-\d\d-\d\d(?P<time>T\d\d:\d\d(?P<second>:\d\d(?P<fraction>\.\d+)?)?)?(?P<zone>Z|[+-]\d\d:?\d\d)?"
)
_DATE_MATH = re.compile(r"now(?:(?P<sign>[+-])(?P<count>\d+)(?P<unit>[smhdw]))?")
_UNITS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


@lru_cache(maxsize=4096)
def tokens(text: str) -> tuple[str, ...]:
    """The terms of a text, as the standard analyzer cuts them."""
    return tuple(found for found in _TOKEN.findall(text.lower()) if found.strip("_"))


def everything(_: Document) -> bool:
    """Matches."""
    return True


def nothing(_: Document) -> bool:
    """Does not."""
    return False


def field_exists(field: str) -> Predicate:
    """Matches documents with a value in the field or below it."""
    below = f"{field}."
    return lambda document: field in document.fields or any(name.startswith(below) for name in document.fields)


def any_value(field: str | None, matches: Callable[[str, Any], bool]) -> Predicate:
    """Matches when a value of the field does, or of any field when none is named."""
    if field is None:
        return lambda document: any(
            matches(name, value) for name, values in document.fields.items() for value in values
        )
    return lambda document: any(matches(field, value) for value in document.fields.get(field, ()))


def equals(field: str, value: Any) -> Predicate:
    """The query DSL's ``term``: nothing is analyzed; raises ShardError for a word where numbers are."""

    def same(name: str, found: Any) -> bool:
        if isinstance(found, bool):
            return str(value).lower() == str(found).lower()
        if isinstance(found, int | float):
            try:
                return float(value) == float(found)
            except ValueError as error:
                reason = f'failed to create query: For input string: "{value}"'
                raise ShardError("query_shard_exception", reason) from error
        if name in TEXTS:
            return str(value) in tokens(found)
        return bool(found == value)

    if field in DATES:
        return within(field, Bounds(low=value, high=value), now=0)
    return any_value(field, same)


def has_terms(field: str | None, text: str, *, now: int) -> Predicate | None:
    """A word of a Lucene query; None when the analyzer leaves nothing of it."""
    terms = set(tokens(text))
    if field in TEXTS and not terms:
        return None

    def matches(name: str, value: Any) -> bool:
        return not terms.isdisjoint(tokens(value)) if name in TEXTS else _is(name, value, text, now)

    return any_value(field, matches)


def has_phrase(field: str | None, text: str, *, now: int) -> Predicate | None:
    """A quoted phrase of a Lucene query."""
    wanted = tokens(text)
    if field in TEXTS and not wanted:
        return None

    def matches(name: str, value: Any) -> bool:
        if name not in TEXTS:
            return _is(name, value, text, now)
        found = tokens(value)
        starts = range(len(found) - len(wanted) + 1)
        return bool(wanted) and any(found[start : start + len(wanted)] == wanted for start in starts)

    return any_value(field, matches)


def has_wildcard(field: str | None, pattern: str) -> Predicate:
    """A word with ``*`` or ``?``; it is lowered for texts and taken as it is for keywords."""
    as_word, as_term = _wildcard(pattern), _wildcard(pattern.lower())

    def matches(name: str, value: Any) -> bool:
        if not isinstance(value, str) or name in DATES:
            return False
        if name in TEXTS:
            return any(map(as_term.fullmatch, tokens(value)))
        return bool(as_word.fullmatch(value))

    return any_value(field, matches)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The two ends of a range; None is open."""

    low: Any = None
    high: Any = None
    with_low: bool = True
    with_high: bool = True

    def hold(self, low: Any, value: Any, high: Any) -> bool:
        """Whether the value lies between these readings of the two ends."""
        above = low is None or (value >= low if self.with_low else value > low)
        return above and (high is None or (value <= high if self.with_high else value < high))


def within(field: str | None, bounds: Bounds, *, now: int, lenient: bool = False) -> Predicate:
    """A range. Dates that name no instant but a day or a second are taken whole, as Elasticsearch rounds them.

    What has no order, and ends that are no numbers where numbers are, match nothing when ``lenient``.
    """
    if field in DATES:
        low = None if bounds.low is None else date_span(bounds.low, now)[0 if bounds.with_low else 1]
        high = None if bounds.high is None else date_span(bounds.high, now)[1 if bounds.with_high else 0]
        return any_value(field, lambda _, value: bounds.hold(low, to_milliseconds(value), high))

    def matches(name: str, value: Any) -> bool:
        if name in TEXTS:
            raise not_simulated("ranges of words in a text")
        if isinstance(value, bool):
            if lenient:
                return False
            raise not_simulated("ranges of true and false")
        try:
            low, high = (_end_for(value, end) for end in (bounds.low, bounds.high))
        except ValueError as error:
            if lenient:
                return False
            raise ShardError("query_shard_exception", f"failed to create query: {error}") from error
        return bounds.hold(low, value, high)

    return any_value(field, matches)


def date_span(given: Any, now: int) -> tuple[int, int]:
    """The first and the last millisecond that a date stands for; raises ShardError."""
    if isinstance(given, int | float):
        return int(given), int(given)
    text = str(given)
    if math := _DATE_MATH.fullmatch(text):
        shift = int(math["count"] or 0) * _UNITS[math["unit"] or "s"]
        at = now - shift if math["sign"] == "-" else now + shift
        return at, at
    if text.startswith("now") or "||" in text:
        raise not_simulated(f"the date math {text}")
    if re.fullmatch(r"-?\d{5,}", text):
        return int(text), int(text)
    parts = _DAY_OR_SECOND.fullmatch(text)
    if not parts:
        reason = f"failed to parse date field [{text}] with format [strict_date_optional_time||epoch_millis]"
        raise ShardError("parse_exception", f"{reason}: [{reason}]")
    start = datetime.fromisoformat(text)
    start = start if start.tzinfo else start.replace(tzinfo=UTC)
    if parts["fraction"]:
        length = timedelta(milliseconds=1)
    elif parts["second"]:
        length = timedelta(seconds=1)
    else:
        length = timedelta(minutes=1) if parts["time"] else timedelta(days=1)
    first = round(start.timestamp() * 1000)
    return first, first + round(length.total_seconds() * 1000) - 1


def _is(name: str, value: Any, text: str, now: int) -> bool:
    """Whether a value that is no text is what a query writes as ``text``; what cannot be read matches nothing."""
    if isinstance(value, bool):
        return text == str(value).lower()
    if isinstance(value, int | float):
        try:
            return float(text) == value
        except ValueError:
            return False
    if name in DATES:
        try:
            first, last = date_span(text, now)
        except ShardError:
            return False
        return first <= to_milliseconds(value) <= last
    return bool(value == text)


def _end_for(value: Any, end: Any) -> Any:
    """An end of a range, to be compared with the value; raises ValueError."""
    if end is None or isinstance(value, str):
        return None if end is None else str(end)
    return float(end)


def _wildcard(pattern: str) -> re.Pattern[str]:
    """``*`` and ``?`` as in Lucene; a backslash takes the meaning from what follows."""
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    meaning = {"*": ".*", "?": "."}
    return re.compile("".join(meaning.get(part) or re.escape(part[-1]) for part in parts), re.DOTALL)
