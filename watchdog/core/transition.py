"""What happened in a tick: phases, decisions and writes, each as one transition from something to something.

Law: transitions are told in the order in which they happened; they say what was done, never what is planned.
"""

from dataclasses import dataclass
from enum import StrEnum

from watchdog.core.model import End


class Event(StrEnum):
    """The kinds of transition."""

    PHASE = "phase"
    BLIND = "blind"
    DECISION = "decision"
    SELECTOR = "selector"
    VERIFIED = "verified"
    REPLICAS = "replicas"
    STAGE = "stage"
    FINISHED = "finished"
    FORWARD = "forward"
    ALREADY = "already"
    OUTDATED = "outdated"
    CLUSTER = "cluster"


class Problem(StrEnum):
    """What an `Event.CLUSTER` led to."""

    NOT_SEEN = "not seen"
    JOURNAL_NOT_WRITTEN = "journal not written"
    EVENT_NOT_WRITTEN = "event not written"
    CONFLICT = "conflict"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One change. ``subject`` names the object or rule that changed; ``time`` is Unix seconds.

    ``end`` is how a rollback ended, of `Event.FINISHED` alone.
    """

    time: float
    event: Event
    target: str
    subject: str = ""
    value: float | None = None
    before: str = ""
    after: str = ""
    sentence: str = ""
    trip: str | None = None
    end: End | None = None
