"""Decides whether to roll back: the guards of a rollback, in order of precedence.

Law: the first guard that applies wins; no guard means no reason to hold.

`NEW_TRIP` guards the first write of a rollback, `OPEN_TRIP` every later one.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from watchdog.core import guards
from watchdog.core.decision import Decision, Hold, Reason, Rollback, Situation
from watchdog.core.model import Trip

Guard = Callable[[Situation], Hold | None]

NEW_TRIP: tuple[Guard, ...] = (
    guards.unreadable,
    guards.foreign,
    guards.services_disagree,
    guards.nothing_firing,
    guards.paused,
    guards.dry_run,
    guards.irreversible,
    guards.outside_window,
    guards.rolled_back_before,
    guards.not_known_good,
    guards.other_color_breaches,
    guards.cooldown,
    guards.storm,
    guards.good_not_ready,
    guards.given_up_before,
)
# What a person may know better. What would leave a Service without pods is not among it, nor a pause of somebody else.
OVERRIDABLE = frozenset(
    {
        Reason.IRREVERSIBLE,
        Reason.OUTSIDE_WINDOW,
        Reason.ROLLED_BACK_BEFORE,
        Reason.NOT_KNOWN_GOOD,
        Reason.OTHER_COLOR_BREACHES,
        Reason.COOLDOWN,
        Reason.STORM,
        Reason.GIVEN_UP,
    }
)
OPEN_TRIP: tuple[Guard, ...] = (
    guards.unreadable,
    guards.foreign,
    guards.paused,
    guards.dry_run,
    guards.outdated,
    guards.altered,
    guards.contested,
    guards.good_has_changed,
    guards.good_is_hopeless,
)


def decide(situation: Situation) -> Decision:
    """Hold with the first reason that applies, or roll back. An open trip is carried on under its own guards."""
    for guard in OPEN_TRIP if situation.journal.trip else NEW_TRIP:
        hold = guard(situation)
        if hold is not None and hold.reason not in situation.overrides & OVERRIDABLE:
            return hold
    trip = situation.journal.trip or _new_trip(situation)
    because = " and ".join(map(str, trip.rules))
    return Rollback(
        trip=trip, sentence=f"rolling {situation.target.target} back from {trip.bad} to {trip.good}: {because}"
    )


def _new_trip(situation: Situation) -> Trip:
    stamp = datetime.fromtimestamp(situation.now, UTC).strftime("%Y%m%dT%H%M%SZ").lower()
    return Trip(
        id=f"{situation.target.target}-{stamp}",
        bad=situation.bad,
        good=situation.good,
        started_at=situation.now,
        rules=situation.tripped,
        overrides=tuple(sorted(situation.overrides)),
        undoes=situation.undoes,
        release=situation.status.release(situation.bad),
        good_release=situation.status.release(situation.good),
        selectors={service.name: dict(service.selector) for service in situation.status.services},
        replicas={
            deployment.name: deployment.replicas
            for (_, color), deployment in situation.status.deployments.items()
            if color == situation.bad
        },
    )
