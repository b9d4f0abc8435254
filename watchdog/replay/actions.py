"""What a replay says was done, or was held and why: in words that a test can expect.

Law: an action says what would have been written or told, and nothing that nobody could check.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from watchdog.core.decision import Decision, Hold
from watchdog.core.steps import CloseTrip, RestoreGood, ResumeFlux, ScaleDown, Step, SwitchSelector


class ActionKind(StrEnum):
    """The kinds of action."""

    ROLLBACK = "rollback"
    HOLD = "hold"
    RESTORE = "restore"
    SWITCH = "switch"
    SCALE_DOWN = "scale_down"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action. ``at`` is Unix seconds; ``told`` holds its particulars by the names of ``exp_actions``."""

    at: float
    kind: ActionKind
    told: Mapping[str, Any] = field(default_factory=dict)
    sentence: str = ""


def of_decision(decision: Decision, *, at: float) -> Action:
    """The action that a decision is."""
    if isinstance(decision, Hold):
        told = {"reason": decision.reason.value}
        return Action(at=at, kind=ActionKind.HOLD, told=told, sentence=decision.sentence)
    trip = decision.trip
    told_of_trip = {"from": trip.bad, "to": trip.good, "rules": [rule.alert for rule in trip.rules]}
    return Action(at=at, kind=ActionKind.ROLLBACK, told=told_of_trip, sentence=decision.sentence)


def of_step(step: Step, *, at: float) -> Action | None:
    """The action that a write is, None for one that only notes the end or hands back to Flux."""
    match step:
        case RestoreGood(deployment=deployment):
            return Action(at=at, kind=ActionKind.RESTORE, told={"deployment": deployment.name})
        case SwitchSelector(service=service, trip=trip):
            return Action(at=at, kind=ActionKind.SWITCH, told={"service": service.name, "to": trip.good})
        case ScaleDown(deployment=deployment):
            return Action(at=at, kind=ActionKind.SCALE_DOWN, told={"deployment": deployment.name})
        case CloseTrip() | ResumeFlux():
            return None
