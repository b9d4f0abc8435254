"""Our annotations: what people write to pause the watchdog, and what it writes to remember a rollback.

Law: what is not clearly "not paused" is paused; what cannot be read is never guessed.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from watchdog.core.instant import read_instant, show_instant
from watchdog.core.model import Annotations, End, FinishedTrip, Selector, Trip, TrippedRule

PREFIX = "canary-watchdog/"
PAUSED = PREFIX + "paused"
PAUSED_UNTIL = PREFIX + "paused-until"
PAUSED_REASON = PREFIX + "paused-reason"
IRREVERSIBLE = PREFIX + "irreversible"
KNOWN_GOOD = PREFIX + "known-good"
TRIP = PREFIX + "trip"
LAST_TRIP = PREFIX + "last-trip"
REPLICAS = PREFIX + "replicas"
MANAGED_BY = PREFIX + "managed-by"
FLUX_PAUSED = PREFIX + "flux-paused"
FLUX_RECONCILE = "kustomize.toolkit.fluxcd.io/reconcile"

KNOWN = frozenset(
    {PAUSED, PAUSED_UNTIL, PAUSED_REASON, IRREVERSIBLE, KNOWN_GOOD, TRIP, LAST_TRIP, REPLICAS, MANAGED_BY, FLUX_PAUSED}
)
_NOT_PAUSED = frozenset({"false", "no", "off", "0"})


class UnreadableRecordError(ValueError):
    """An annotation of ours that is not what we wrote."""


def ours(annotations: Mapping[str, Any]) -> dict[str, str]:
    """The annotations under our prefix."""
    return {key: str(value) for key, value in annotations.items() if key.startswith(PREFIX)}


def json_pointer(annotation: str) -> str:
    """The JSON Pointer (RFC 6901) of an annotation in an object."""
    return "/metadata/annotations/" + annotation.replace("~", "~0").replace("/", "~1")


def is_flux_off(annotations: Annotations) -> bool:
    """True when Flux's kustomize-controller leaves the object with these annotations alone, as it reads them itself."""
    return annotations.get(FLUX_RECONCILE, "").lower() == "disabled"


def why_paused(annotations: Annotations, *, where: str, now: float) -> str:
    """The sentence that says why these annotations pause the watchdog; "" when they do not.

    A misspelled key under our prefix pauses, since it may have been meant to (``canary-watchdog/pasued``).
    """
    unknown = sorted(set(annotations) - KNOWN)
    if unknown:
        return (
            f"{where} carries the unknown annotation {unknown[0]}; it may be a misspelled pause: correct or remove it"
        )
    until = annotations.get(PAUSED_UNTIL)
    value = annotations.get(PAUSED, "true" if until is not None else "false")
    if value.strip().lower() in _NOT_PAUSED or (until is not None and _is_past(until, now)):
        return ""
    reason = annotations.get(PAUSED_REASON, "")
    return f"{where} is paused" + (f" until {until}" if until is not None else "") + (f": {reason}" if reason else "")


def _is_past(instant: str, now: float) -> bool:
    try:
        parsed = datetime.fromisoformat(instant.strip())
    except ValueError:
        return False
    return parsed.tzinfo is not None and parsed.timestamp() <= now


def write_trip(trip: Trip, *, was: Selector) -> str:
    """The record of an open trip, as JSON for the annotation `TRIP`; ``was`` is the Service's selector before it."""
    return json.dumps(_trip_fields(trip) | {"was": dict(was)}, separators=(",", ":"))


def read_trip(text: str) -> Trip:
    """The open trip of the annotation `TRIP`; raises UnreadableRecordError."""
    return _trip(_object(text))


def why_unfit(trip: Trip, colors: Collection[str]) -> str:
    """Why an open trip cannot be one of a target with these colors; "" when it can."""
    if trip.bad != trip.good and {trip.bad, trip.good} <= set(colors):
        return ""
    return (
        f"the rollback {trip.id} is from {trip.bad!r} to {trip.good!r}, and the rule file's colors are "
        f"{' and '.join(sorted(colors))}: give them these names until it has ended"
    )


def write_finished(finished: FinishedTrip) -> str:
    """The record of a finished trip, as JSON for the annotation `LAST_TRIP`."""
    fields = _trip_fields(finished.trip)
    ending = {"finishedAt": show_instant(finished.finished_at), "end": finished.end.value}
    return json.dumps(fields | ending, separators=(",", ":"))


def read_finished(text: str) -> FinishedTrip:
    """The finished trip of the annotation `LAST_TRIP`; raises UnreadableRecordError."""
    fields = _object(text)
    try:
        return FinishedTrip(trip=_trip(fields), finished_at=read_instant(fields["finishedAt"]), end=_end(fields))
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableRecordError(f"{LAST_TRIP}: {error!r}") from error


def _end(fields: dict[str, Any]) -> End:
    """An earlier program said no more than whether it had recovered."""
    if "end" in fields:
        return End(fields["end"])
    return End.RECOVERED if fields["recovered"] else End.NOT_RECOVERED


def _trip_fields(trip: Trip) -> dict[str, Any]:
    return {
        "id": trip.id,
        "from": trip.bad,
        "to": trip.good,
        "startedAt": show_instant(trip.started_at),
        "rules": [asdict(rule) | {"since": show_instant(rule.since)} for rule in trip.rules],
        "release": trip.release,
        "goodRelease": trip.good_release,
        "undoes": trip.undoes,
        "timesUndone": trip.times_undone,
        "switched": list(trip.switched),
    }


def _trip(fields: dict[str, Any]) -> Trip:
    """The trip; what an earlier program did not write about it is not known."""
    try:
        rules = tuple(map(_rule, fields["rules"]))
        return Trip(
            id=str(fields["id"]),
            bad=str(fields["from"]),
            good=str(fields["to"]),
            started_at=read_instant(fields["startedAt"]),
            rules=rules,
            release=str(fields.get("release", "")),
            good_release=str(fields.get("goodRelease", "")),
            undoes=str(fields.get("undoes", "")),
            times_undone=int(fields.get("timesUndone", 0)),
            switched=tuple(map(str, fields.get("switched", ()))),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UnreadableRecordError(f"{TRIP}: {error!r}") from error


def _rule(given: Any) -> TrippedRule:
    match given:
        case {
            "alert": str(alert),
            "value": int() | float() | None as value,
            "threshold": str(threshold),
            "since": str(since),
            **rest,
        } if not rest and not isinstance(value, bool):
            number = None if value is None else float(value)
            return TrippedRule(alert=alert, value=number, threshold=threshold, since=read_instant(since))
        case _:
            raise ValueError("a rule in it has other fields than alert, value, threshold and since")


def _object(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableRecordError(f"not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise UnreadableRecordError("not a JSON object")
    return fields
