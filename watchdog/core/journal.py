"""The journal of a target: what has to be known across restarts, as one value.

Law: the journal says what was seen and what was begun, never what the cluster looks like now; every function in here
returns a new journal.

A *stay* is one stay of a release in the active role. A release is known good when it was active before, as the last one
of its color, and nothing fired when it was left, or when a person vouched for it; a release that was rolled back is
not, whatever else is known of it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from watchdog.core.alert import Alert
from watchdog.core.annotations import KNOWN_GOOD, why_unfit
from watchdog.core.inforce import InForce
from watchdog.core.instant import Instant
from watchdog.core.model import End, FinishedTrip, Phase, RuleState, TargetStatus, Trip

MOST_STAYS = 20
MOST_FINISHED = 20
MOST_ALERTS = 50
# A rollout that stands still half-way (it can be paused) is looked at as it is: nothing would be watched otherwise.
LONGEST_ROLLOUT = 600.0
_NOT_VOUCHED = frozenset({"false", "no", "off", "0", ""})


class Ending(StrEnum):
    """How a stay ended."""

    LASTS = "lasts"
    LEFT_WELL = "left_well"
    LEFT_FIRING = "left_firing"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One stay of a release in the active role; ``since`` is Unix seconds, ``by`` who gave it the traffic."""

    color: str
    release: str
    since: Instant
    ending: Ending = Ending.LASTS
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What is remembered of a target.

    ``vouched`` holds, by color, the release that a person called good; ``outbox`` the alerts that are still to be sent.
    ``paused_since`` is when the target was first seen paused, None while it is not. ``mixed_at`` is when pods of an
    earlier revision were last seen beside those of the active release. ``in_force`` says by which rules it is watched,
    whichever replica does so.
    """

    target: str
    states: Mapping[str, RuleState] = field(default_factory=dict)
    stays: tuple[Stay, ...] = ()
    vouched: Mapping[str, str] = field(default_factory=dict)
    trip: Trip | None = None
    paused_since: Instant | None = None
    mixed_at: Instant | None = None
    finished: tuple[FinishedTrip, ...] = ()
    outbox: tuple[Alert, ...] = ()
    in_force: InForce | None = None

    @property
    def last_trip(self) -> FinishedTrip | None:
        """The trip that switched something last."""
        return next((each for each in reversed(self.finished) if each.switched), None)


def see(journal: Journal, status: TargetStatus, *, firing: bool, now: float) -> Journal:
    """The journal after a look at the cluster: who is active, for which releases a person vouches, what is paused.

    ``firing`` says whether a rule that rolls back was firing on the release that was active until now.
    """
    seen = _see_active(_see_vouched(journal, status), status, firing=firing, now=now)
    return _see_paused(_see_mixed(seen, status, now=now), status, now=now)


def _see_mixed(journal: Journal, status: TargetStatus, *, now: float) -> Journal:
    """Until when pods of an earlier revision answered too: what they do is no evidence about the newest (F17)."""
    if status.active is None or not journal.stays or not status.is_mixed(status.active):
        return journal
    at = min(now, journal.stays[-1].since + LONGEST_ROLLOUT)
    return replace(journal, mixed_at=at) if journal.mixed_at is None or at > journal.mixed_at else journal


def _see_paused(journal: Journal, status: TargetStatus, *, now: float) -> Journal:
    """Since when it is paused. Whoever pauses has looked: after it, what an admission has altered is tried again."""
    trip = journal.trip
    if trip and trip.altered and status.paused:
        journal = replace(journal, trip=replace(trip, altered=""))
    if bool(status.paused) == (journal.paused_since is not None):
        return journal
    return replace(journal, paused_since=now if status.paused else None)


def _see_active(journal: Journal, status: TargetStatus, *, firing: bool, now: float) -> Journal:
    active = status.active
    if active is None:
        return journal
    release = status.release(active)
    last = journal.stays[-1] if journal.stays else None
    is_being_left = journal.trip is not None and journal.trip.bad == active
    if last is not None and last.release == release and (last.ending is Ending.LASTS or is_being_left):
        return journal
    stays = journal.stays
    if last is not None and last.ending is Ending.LASTS:
        stays = (*stays[:-1], replace(last, ending=Ending.LEFT_FIRING if firing else Ending.LEFT_WELL))
    by = "" if last is not None and last.color == active else _switched_by(status)
    stay = Stay(color=active, release=release, since=switched_at(status, now=now, last=last), by=by)
    return replace(journal, stays=(*stays, stay)[-MOST_STAYS:])


def left_firing(journal: Journal, seen: Journal) -> tuple[str, str] | None:
    """From and to which color somebody switched while a rule was firing, between two journals; None when nobody did.

    What an open trip leaves is no news.
    """
    if seen.stays == journal.stays or not journal.stays or seen.trip is not None:
        return None
    left, now = seen.stays[-2:]
    return (left.color, now.color) if left.ending is Ending.LEFT_FIRING and left.color != now.color else None


def switched_at(status: TargetStatus, *, now: float, last: Stay | None) -> float:
    """Since when the active release is active: the API server dates a switch, a new revision is new since now."""
    dated = [service.switched_at for service in status.services if service.switched_at is not None]
    if last is not None and last.color == status.active:
        return now
    return max(dated, default=now)


def _switched_by(status: TargetStatus) -> str:
    dated = [(each.switched_at, each.selector_manager) for each in status.services if each.switched_at is not None]
    return max(dated, default=(0.0, ""))[1]


def last_left(before: Journal, after: Journal) -> FinishedTrip | None:
    """The last rollback, when the color that it left has just become active again, for the first time since.

    It has ended, so whoever did it wants it: what a rule has to say of it begins anew.
    """
    last, stay = after.last_trip, after.stays[-1] if after.stays else None
    if last is None or stay is None or after.trip is not None or last.end is End.SUPERSEDED or last.trip.undoes:
        return None
    earlier = [each for each in before.stays if each.color == stay.color and each.since > last.finished_at]
    left = before.stays[-1] if before.stays else None
    is_new = before.stays != after.stays and (
        left is None or left.color != stay.color or left.ending is Ending.ROLLED_BACK
    )
    return last if is_new and stay.color == last.trip.bad and not earlier else None


def _see_vouched(journal: Journal, status: TargetStatus) -> Journal:
    """A number vouches for that revision alone, a word for the revision that it was first seen on; none for later ones.

    A color is vouched for when each of its Deployments is; "" in the journal is a revision that nobody remembers.
    """
    vouches: dict[str, bool] = {}
    by_number: dict[str, bool] = {}
    for (_, color), deployment in status.deployments.items():
        value = deployment.annotations.get(KNOWN_GOOD, "").strip().lower()
        is_meant = value not in _NOT_VOUCHED and (not value.isdigit() or value == deployment.revision)
        vouches[color] = vouches.get(color, True) and is_meant
        by_number[color] = by_number.get(color, True) and value.isdigit()
    vouched = {
        color: status.release(color) if by_number[color] else journal.vouched.get(color, status.release(color))
        for color in vouches
        if vouches[color]
    }
    return journal if vouched == dict(journal.vouched) else replace(journal, vouched=vouched)


def was_rolled_back(journal: Journal, release: str) -> bool:
    """True when a rollback has left the release, or is leaving it."""
    return any(stay.release == release and stay.ending is Ending.ROLLED_BACK for stay in journal.stays)


def rollbacks_of(journal: Journal, release: str) -> tuple[FinishedTrip, ...]:
    """The ended rollbacks that have left a release, the newest last."""
    return tuple(
        each for each in journal.finished if each.switched and not each.trip.undoes and each.trip.release == release
    )


def why_not_known_good(journal: Journal, status: TargetStatus, color: str) -> str:
    """Why the color's present release is not known to be good; "" when it is."""
    release = status.release(color)
    endings = [stay.ending for stay in journal.stays if stay.color == color and stay.release == release]
    if was_rolled_back(journal, release):
        return f"{color} was itself rolled back, and has not changed since"
    if journal.vouched.get(color) == release:
        return ""
    before = [stay for stay in journal.stays if stay.color == color]
    if not before:
        return f"{color} has never been seen active"
    if before[-1].release != release:
        return f"{color} has changed since it was active: it is untested"
    if endings[-1] is Ending.LEFT_FIRING:
        return f"a rule was firing on {color} when it was left"
    return ""


def remember(journal: Journal, state: RuleState) -> Journal:
    """The journal with a rule's newest state."""
    return replace(journal, states={**journal.states, state.alert: state})


def share(journal: Journal, alerts: Iterable[str]) -> Journal:
    """The journal once these rules were seen to breach on the other color too."""
    shared = {alert: replace(journal.states[alert], shared=True) for alert in alerts if alert in journal.states}
    return replace(journal, states={**journal.states, **shared}) if shared else journal


def worth_keeping(journal: Journal) -> Journal:
    """The journal without what a restart may lose: rules at rest begin at rest, but for what was compared so far."""
    kept = {
        alert: state if state.phase is not Phase.INACTIVE else _at_rest(state)
        for alert, state in journal.states.items()
        if state.phase is not Phase.INACTIVE or state.comparing is not None
    }
    return replace(journal, states=kept)


def _at_rest(state: RuleState) -> RuleState:
    """Without what changes in each slot, so that the journal is not written in each."""
    return RuleState(alert=state.alert, key=state.key, comparing=state.comparing)


def trips(journal: Journal) -> tuple[Trip, ...]:
    """The trips that have switched something, and the open one, whether it has or not."""
    ended = tuple(finished.trip for finished in journal.finished if finished.switched)
    return (*ended, journal.trip) if journal.trip else ended


def post(journal: Journal, alert: Alert) -> Journal:
    """The journal with an alert that is still to be sent; the oldest make room."""
    return replace(journal, outbox=(*journal.outbox, alert)[-MOST_ALERTS:])


def send_off(journal: Journal, is_settled: Callable[[str], bool]) -> Journal:
    """The journal without the alerts that have come to their end."""
    left = tuple(alert for alert in journal.outbox if not is_settled(alert.key))
    return journal if left == journal.outbox else replace(journal, outbox=left)


def open_trip(journal: Journal, trip: Trip) -> Journal:
    """A rollback is about to begin: the release that it leaves is never returned to by itself.

    One that undoes another leaves a release that had not failed: how its stay ended is seen when it has.
    """
    last, stays = journal.stays[-1] if journal.stays else None, journal.stays
    if last and not trip.undoes and last.ending is Ending.LASTS and _is_left_by(trip, last):
        stays = (*stays[:-1], replace(last, ending=Ending.ROLLED_BACK))
    return replace(journal, trip=trip, stays=stays)


def _is_left_by(trip: Trip, stay: Stay) -> bool:
    """True for a stay of the release that the trip leaves; an earlier program's trip names its color alone."""
    return stay.color == trip.bad and trip.release in ("", stay.release)


def close_trip(journal: Journal, finished: FinishedTrip) -> Journal:
    """A rollback has ended; one that switched nothing has not rolled its release back."""
    ring = _newest((*journal.finished, finished))
    stays = journal.stays if finished.switched else _spared(journal.stays, finished.trip)
    return replace(journal, trip=None, finished=ring, stays=stays)


def _newest(finished: tuple[FinishedTrip, ...]) -> tuple[FinishedTrip, ...]:
    """As many as are kept; what was given up makes room first, since the others can still be undone."""
    if len(finished) <= MOST_FINISHED:
        return finished
    gone = next((each for each in finished[:-1] if not each.switched), finished[0])
    return tuple(each for each in finished if each is not gone)


def _spared(stays: tuple[Stay, ...], trip: Trip) -> tuple[Stay, ...]:
    """The stays without the mark of a trip that switched nothing. A new revision may have ended that stay meanwhile."""
    marked = [at for at, stay in enumerate(stays) if stay.ending is Ending.ROLLED_BACK and _is_left_by(trip, stay)]
    if trip.undoes or not marked:
        return stays
    at = marked[-1]
    ending = Ending.LASTS if at == len(stays) - 1 else Ending.LEFT_FIRING
    return (*stays[:at], replace(stays[at], ending=ending), *stays[at + 1 :])


def is_strange(journal: Journal, status: TargetStatus) -> bool:
    """True when the objects testify of a trip that the journal does not know: somebody else has written it since."""
    if status.trip is None or (journal.trip is not None and journal.trip.id == status.trip.id):
        return False
    return all(finished.trip.id != status.trip.id for finished in journal.finished)


def why_stranded(journal: Journal, status: TargetStatus) -> str:
    """Why the journal's open trip cannot be carried on with what the rule file declares; "" when it can."""
    return why_unfit(journal.trip, {color for _, color in status.deployments}) if journal.trip else ""


def adopt(journal: Journal, status: TargetStatus) -> Journal:
    """What the objects testify and the journal does not know: it was deleted, or is older than they are."""
    if not journal.stays and (status.trip is not None or status.last_trip is not None):
        journal = _forget_words(journal, status)
    known = {finished.trip.id for finished in journal.finished}
    is_open = {trip.id for trip in (journal.trip, status.trip) if trip is not None}
    last = status.last_trip
    if last is not None and not journal.finished and last.trip.id not in is_open:
        journal = _latched(replace(journal, finished=(last,)), last.trip)
    if journal.trip is None and status.trip is not None and status.trip.id not in known:
        journal = _latched(open_trip(journal, status.trip), status.trip)
    return journal


def _forget_words(journal: Journal, status: TargetStatus) -> Journal:
    """For which revision a word vouched is lost with the journal; what runs now may have come after it was said."""
    return replace(journal, vouched=dict.fromkeys({color for _, color in status.deployments}, ""))


def _latched(journal: Journal, trip: Trip) -> Journal:
    """The journal in which the release that a trip has left is known to have been rolled back."""
    if trip.undoes or not trip.release or was_rolled_back(journal, trip.release):
        return journal
    stay = Stay(color=trip.bad, release=trip.release, since=trip.started_at, ending=Ending.ROLLED_BACK)
    earlier = tuple(each for each in journal.stays if each.since <= stay.since)
    later = tuple(each for each in journal.stays if each.since > stay.since)
    return replace(journal, stays=(*earlier, stay, *later)[-MOST_STAYS:])
