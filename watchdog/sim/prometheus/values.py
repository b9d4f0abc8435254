"""What PromQL expressions evaluate to, and how they fail.

Law: pure values; instants are milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from watchdog.sim.prometheus.series import Labels

NAME = "__name__"


class ErrorKind(StrEnum):
    """Prometheus' errorType; the last one is the simulator's own."""

    BAD_DATA = "bad_data"
    EXECUTION = "execution"
    NOT_SIMULATED = "not_simulated"


class PromQLError(Exception):
    """A query that has no answer."""

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Sample:
    """One element of an instant vector. ``at`` is the sample's own instant, before it takes the evaluation's."""

    labels: Labels
    value: float
    at: int = 0


Vector = list[Sample]


@dataclass(frozen=True, slots=True)
class Range:
    """One element of a range vector."""

    labels: Labels
    points: list[tuple[int, float]]


Matrix = list[Range]
Value = float | str | Vector | Matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The value of a query, its type as the API names it, and remarks on the query."""

    kind: str
    value: Value
    infos: list[str] = field(default_factory=list)


def not_simulated(what: str) -> PromQLError:
    """The real server would have answered."""
    return PromQLError(ErrorKind.NOT_SIMULATED, f"not simulated: {what}")


def without(labels: Labels, *names: str) -> Labels:
    """The labels without those names."""
    return tuple(pair for pair in labels if pair[0] not in names)


def only(labels: Labels, *names: str) -> Labels:
    """The labels with those names."""
    return tuple(pair for pair in labels if pair[0] in names)


def show_labels(labels: Labels) -> str:
    """``{a="b", c="d"}``."""
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels) + "}"
