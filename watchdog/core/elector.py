"""One Lease as one replica sees it: whether it may be taken, and until when its holder may act.

Law: a holder may act for `Timing.term` seconds from the START of its last successful write; nobody takes the Lease
before having seen it unchanged for `Timing.duration` seconds, or given back. What a Lease says of time is compared with
no clock: only that it changed counts, from the moment at which that was seen.

So two replicas never act at once while the slower of their clocks runs at more than term/duration (two thirds) of the
speed of the faster. ``now`` and ``started`` are seconds of a clock that is never set and that goes on in suspend.

    there is none ──────── at once ────────► create it, held by nobody
    it names nobody or another ─┬─ unchanged for a duration ─┐
    given back ─────────────────┴─ at once ──────────────────┴► take it ──► may act until started + term
    it names me, and I may act ─── at once ──────────────────► renew it ──► may act until started + term

A Lease is created without a holder because a creation cannot name the version that it replaces: one that arrives late,
after another holder came and somebody deleted the Lease again, would make a second leader.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

GIVEN_BACK_SECONDS = 1
NEVER = float("-inf")
_LONGEST_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds. ``term`` is how long a write entitles to act, ``margin`` what has to be left of it to begin a write.

    A write that was begun in time is over before anybody else may act: term - margin + call < duration.
    """

    duration: float = 15.0
    term: float = 10.0
    retry: float = 2.0
    jitter: float = 0.2
    call: float = 3.0
    margin: float = 2.0


TIMING = Timing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What a Lease object says. The instants are text: they are shown and compared, never read.

    ``version`` is its resourceVersion, ``duration`` its leaseDurationSeconds.
    """

    holder: str = ""
    acquired: str = ""
    renewed: str = ""
    transitions: int = 0
    duration: float = 0.0
    version: str = ""

    @property
    def is_given_back(self) -> bool:
        """True for what a holder leaves behind after its last write. An empty holder alone may be anybody's edit."""
        return not self.holder and self.duration == GIVEN_BACK_SECONDS


class Move(StrEnum):
    """What a replica that wants the Lease does next."""

    WAIT = "wait"
    CREATE = "create"
    TAKE = "take"
    RENEW = "renew"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the replica ``me`` knows of one Lease.

    ``lease`` is None when there is none; ``since`` is when it was first seen as it is, None before the first look.
    ``tried`` is the last write and ``started`` when it was begun: an answer that was lost is found by looking.
    ``transitions`` is the highest number that was ever seen.
    """

    me: str
    lease: Lease | None = None
    since: float | None = None
    tried: Lease | None = None
    started: float = NEVER
    transitions: int = 0
    act_until: float = NEVER

    @property
    def is_mine(self) -> bool:
        """True when the Lease names this replica, whether it still may act or not."""
        return self.lease is not None and self.lease.holder == self.me

    def may_act(self, now: float, *, margin: float = 0.0) -> bool:
        """True while a write may be begun that needs ``margin`` seconds."""
        return now + margin < self.act_until


def looked(view: View, lease: Lease | None, *, now: float, timing: Timing = TIMING) -> View:
    """After a look at the Lease, or the answer to a write. A Lease that names another ends the right to act at once."""
    act_until = view.act_until if lease is not None and lease.holder == view.me else NEVER
    if lease is not None and view.tried is not None and replace(lease, version=view.tried.version) == view.tried:
        act_until = max(act_until, view.started + timing.term)
    return replace(
        view,
        lease=lease,
        since=now if view.since is None or lease != view.lease else view.since,
        transitions=max(view.transitions, lease.transitions if lease is not None else 0),
        act_until=act_until,
    )


def trying(view: View, lease: Lease, *, started: float) -> View:
    """Before the write that takes or renews the Lease."""
    return replace(view, tried=lease, started=started)


def gave_up(view: View) -> View:
    """From here on this replica does not act, whatever was written before."""
    return replace(view, tried=None, act_until=NEVER)


def may_give_back(view: View, *, now: float) -> bool:
    """True for who may promise that nobody acts any more: only who may act itself.

    A Lease can name a holder of long ago, when somebody restored an old copy of it; the one that has held it since does
    not know that yet, and goes on.
    """
    return view.is_mine and view.may_act(now)


def free_at(view: View, *, timing: Timing = TIMING) -> float:
    """When whoever may not act may take the Lease if it stays as it is; infinity before the first look."""
    if view.since is None:
        return float("inf")
    if view.lease is None or view.lease.is_given_back:
        return view.since
    # A holder of another release of this program may live by longer times; an absurd edit must not block for ever.
    return view.since + max(timing.duration, min(view.lease.duration, _LONGEST_SECONDS))


def decide(view: View, *, now: float, timing: Timing = TIMING) -> Move:
    """The next write towards holding the Lease."""
    if view.is_mine and view.may_act(now):
        return Move.RENEW
    if now < free_at(view, timing=timing):
        return Move.WAIT
    return Move.CREATE if view.lease is None else Move.TAKE


def is_alive(view: View, *, now: float, timing: Timing = TIMING) -> bool:
    """True when somebody holds the Lease, as far as can be seen: this replica, or another that is not silent."""
    if view.is_mine:
        return view.may_act(now)
    return view.lease is not None and bool(view.lease.holder) and now < free_at(view, timing=timing)


def renewed_by_another(view: View, lease: Lease | None) -> str:
    """Who else is seen to hold the Lease, by a renewal since the last look; "" for nobody: a name alone may be old."""
    if lease is None or view.lease is None or lease.holder in ("", view.me):
        return ""
    is_renewed = lease.holder == view.lease.holder and lease.renewed != view.lease.renewed
    return lease.holder if is_renewed else ""


def next_lease(view: View, move: Move, *, wall: str, timing: Timing = TIMING) -> Lease:
    """What to write for this move; ``wall`` is the time of day for whoever reads the object."""
    before = view.lease or Lease()
    match move:
        case Move.CREATE:
            return Lease(renewed=wall, transitions=view.transitions, duration=timing.duration)
        case Move.RENEW:
            return replace(before, renewed=wall, transitions=view.transitions, duration=timing.duration)
        case Move.TAKE:
            taken = replace(before, holder=view.me, acquired=wall, transitions=view.transitions + 1)
            return replace(taken, renewed=wall, duration=timing.duration)
        case Move.WAIT:
            raise ValueError("nothing is written in order to wait")
