"""``watchdog rollback`` and ``watchdog undo``: a person asks for what the watchdog does by itself.

Law: the same guards, the same writes and the same journal as when nobody asks; what a person overrides is named, and
recorded with the trip.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from watchdog.cluster.client import ConflictError
from watchdog.cluster.journal import ConfigMapJournal
from watchdog.cluster.observe import Myself
from watchdog.commands.annotating import TRIES
from watchdog.commands.exit_codes import FINDINGS, OK, USAGE
from watchdog.commands.session import Session, StopError
from watchdog.commands.talk import say, tell
from watchdog.core.decide import OVERRIDABLE
from watchdog.core.decision import Decision, Hold, Reason
from watchdog.core.durations import show_duration
from watchdog.core.journal import Ending, Journal
from watchdog.core.model import BY_HAND, End, FinishedTrip, Selector, Trip, TrippedRule
from watchdog.core.ownership import instance_name
from watchdog.core.rules.language import Mode, Target
from watchdog.core.selectors import selector_for
from watchdog.core.transition import Transition
from watchdog.core.visible import visible
from watchdog.watch.announce import Silent
from watchdog.watch.loop import Watch

Judge = Callable[[], Awaitable[Trip]]
"""What would be done now. Raises StopError, ClusterError."""


class _Talk(Silent):
    """Says on standard error what is done. The alerts stay in the journal: the watchdog has the addresses."""

    def transition(self, transition: Transition) -> None:
        """One line."""
        moved = f"{transition.before} → {transition.after}".removeprefix(" → ")
        told = filter(None, (transition.subject, moved, transition.sentence))
        tell(visible(f"{transition.event.value}: {'  '.join(told)}"))

    def is_settled(self, key: str) -> bool:  # noqa: ARG002 - the reporter's shape
        """Never: somebody else sends it."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """How a person agrees: beforehand, when asked, or not at all (``dry_run``). ``even_if`` names overridden guards."""

    yes: bool = False
    dry_run: bool = False
    even_if: tuple[str, ...] = ()

    def overrides(self) -> frozenset[Reason]:
        """The guards that are overridden. Raises StopError for one that cannot be."""
        if wrong := sorted(set(self.even_if) - OVERRIDABLE):
            raise StopError(f"--even-if {visible(wrong[0])}: {_why_not(wrong[0])}", USAGE)
        return frozenset(Reason(name) for name in self.even_if)

    def ask(self) -> None:
        """Returns when the person agrees. Raises StopError."""
        if self.yes:
            return
        if not sys.stdin.isatty():
            raise StopError("nothing was done: nobody is there to be asked; add --yes", USAGE)
        tell("Do it? [y/N]")
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise StopError("nothing was done")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """Rolls a target back from the color that is active to the other one."""

    target: str
    to: str = ""
    why: str = "a person asked for it"
    consent: Consent

    async def __call__(self, session: Session) -> int:
        """Prints the plan, asks, and carries it out."""
        target = session.target(self.target)
        if self.to and self.to not in target.colors:
            raise StopError(
                f"{target.target} has no color {visible(self.to)!r}; it has {' and '.join(target.colors)}", USAGE
            )
        watch, overrides = _watch(session, target), self.consent.overrides()

        async def judge() -> Trip:
            trip = _agreed(await watch.judge_by_hand(_by_hand(self.why), overrides=overrides))
            if self.to and trip.good != self.to:
                raise StopError(_is_open(trip, target) if watch.is_rolling_back else f"{self.to} is active already")
            return trip

        return await _perform(watch, target, judge, self.consent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """Undoes a rollback: the color that was left gets its pods and the traffic back; the other one keeps its pods."""

    trip: str
    consent: Consent

    async def __call__(self, session: Session) -> int:
        """Prints the plan, asks, and carries it out."""
        target, journal, ended = await _find(session, self.trip)
        if not ended.switched:
            raise StopError(f"{self.trip} was given up before it switched anything: there is nothing to undo")
        watch = _watch(session, target)
        overrides = self.consent.overrides() | _implied(journal, ended)
        why = _by_hand(f"undo of {self.trip}")

        async def judge() -> Trip:
            trip = _agreed(await watch.judge_by_hand(why, overrides=overrides, undoes=self.trip))
            if watch.is_rolling_back and trip.undoes != self.trip:
                raise StopError(_is_open(trip, target))
            if trip.bad != ended.trip.good:
                raise StopError(
                    f"{trip.bad} is active, and {self.trip} had switched to {ended.trip.good}: it is undone already"
                )
            self._check_release(trip, ended)
            return trip

        return await _perform(watch, target, judge, self.consent)

    def _check_release(self, trip: Trip, ended: FinishedTrip) -> None:
        """To undo means to return to what was left. Raises StopError when there are other pods by now."""
        left, now = ended.trip.release, trip.good_release
        if left and now and left != now and Reason.NOT_KNOWN_GOOD not in self.consent.overrides():
            raise StopError(
                f"held ({Reason.NOT_KNOWN_GOOD}): {trip.good} has changed since {self.trip} left it; "
                f"to do it all the same: --even-if {Reason.NOT_KNOWN_GOOD}"
            )


async def _find(session: Session, trip: str) -> tuple[Target, Journal, FinishedTrip]:
    known: list[str] = []
    for target in session.targets:
        journal = await session.journal(target) if trip.startswith(target.target) else None
        if journal and journal.trip and journal.trip.id == trip:
            raise StopError(_is_open(journal.trip, target))
        for ended in journal.finished if journal else ():
            if ended.trip.id == trip and journal:
                return target, journal, ended
            known.append(ended.trip.id)
    if not any(trip.startswith(target.target) for target in session.targets):
        raise StopError(f"no target's name begins {visible(trip)!r}; `watchdog history` shows the rollbacks", USAGE)
    names = ", ".join(reversed(known)) or "none"
    raise StopError(f"no rollback {visible(trip)!r} has ended; `watchdog history` shows them (here: {names})", USAGE)


def _why_not(word: str) -> str:
    """Why a guard is not overridden by this word."""
    possible = ", ".join(sorted(OVERRIDABLE))
    if word in {reason.value for reason in Reason}:
        return f"this guard cannot be overridden; those that can be: {possible}"
    return f"there is no such guard; those that can be overridden: {possible}"


def _implied(journal: Journal, ended: FinishedTrip) -> frozenset[Reason]:
    """What undoing means: to return to what was rolled back, soon after it was, as long as it is the same release."""
    newest = [stay for stay in journal.stays if stay.color == ended.trip.bad][-1:]
    # What an undo has left was not rolled back: its stay ended as any other does.
    was_left = {Ending.ROLLED_BACK} | ({Ending.LEFT_WELL, Ending.LEFT_FIRING} if ended.trip.undoes else set())
    is_same = any(stay.ending in was_left for stay in newest)
    return frozenset({Reason.COOLDOWN, Reason.NOT_KNOWN_GOOD} if is_same else {Reason.COOLDOWN})


def _watch(session: Session, target: Target) -> Watch:
    # The mode says what happens without a person.
    enforced = target.model_copy(update={"mode": Mode.ENFORCE})
    namespace = session.journal_namespace(target)
    instance = instance_name(namespace, session.settings.deployment or "")
    store = ConfigMapJournal(session.cluster, namespace, target.target, instance=instance)
    return Watch(
        enforced,
        cluster=session.cluster,
        sources={},
        journal=store,
        reporter=_Talk(),
        instance=instance,
        myself=Myself.named(session.settings.namespace, session.settings.deployment),
    )


def _by_hand(why: str) -> TrippedRule:
    return TrippedRule(alert=BY_HAND, value=None, threshold=why, since=time.time())


def _agreed(decision: Decision) -> Trip:
    if isinstance(decision, Hold):
        cure = f"; to do it all the same: --even-if {decision.reason}" if decision.reason in OVERRIDABLE else ""
        if decision.reason is Reason.FOREIGN:
            cure = "; to act for that one: WATCHDOG_NAMESPACE=… with the namespace before the slash"
        raise StopError(f"held ({decision.reason}): {decision.sentence}{cure}")
    return decision.trip


def _is_open(trip: Trip, target: Target) -> str:
    return (
        f"{trip.id} is under way, from {trip.bad} to {trip.good}: it can be undone when it has ended; "
        f"'watchdog pause {target.target}' stops it where it is"
    )


async def _perform(watch: Watch, target: Target, judge: Judge, consent: Consent) -> int:
    agreed = trip = await judge()
    for line in _plan(target, trip):
        say(line)
    if consent.dry_run:
        return OK
    if not consent.yes:
        consent.ask()
        trip = await _judged_again(judge, agreed)
    ended = await _roll_back(watch, target, judge, agreed, trip)
    if ended is None:
        raise StopError(f"{trip.id} was ended by another writer; `watchdog history {target.target}` shows how")
    is_done = ended.end in (End.RECOVERED, End.UNMEASURED)
    say(f"{ended.trip.id}: {'done' if is_done else 'not done, see above'}")
    return OK if is_done else FINDINGS


async def _roll_back(watch: Watch, target: Target, judge: Judge, agreed: Trip, trip: Trip) -> FinishedTrip | None:
    """Begins it, and waits for its end. While the watchdog writes the journal in between it is judged again."""
    for _ in range(TRIES):
        try:
            return await watch.roll_back_by_hand(trip)
        except ConflictError:
            trip = await _judged_again(judge, agreed)
        except asyncio.CancelledError:
            name = target.target
            tell(
                f"interrupted: `watchdog history {name}` shows whether {trip.id} is open; if so, a running watchdog "
                f"finishes it, `watchdog rollback {name}` goes on with it, and `watchdog pause {name}` stops it"
            )
            raise
    raise StopError("nothing was done: the journal does not stand still; try again")


async def _judged_again(judge: Judge, agreed: Trip) -> Trip:
    """The trip as it is decided now. Raises StopError when it is not the one that a person has agreed to."""
    trip = await judge()
    is_other_good = "" not in (trip.good_release, agreed.good_release) and trip.good_release != agreed.good_release
    if is_other_good or (trip.bad, trip.good, trip.release) != (agreed.bad, agreed.good, agreed.release):
        raise StopError(
            f"nothing was done: meanwhile it would be from {trip.bad} to {trip.good}, or another release; look again"
        )
    return trip


def _plan(target: Target, trip: Trip) -> Iterator[str]:
    """What would be done, a line a write."""
    yield f"{trip.id}: from {trip.bad} to {trip.good}" + (
        f", overriding {', '.join(trip.overrides)}" if trip.overrides else ""
    )
    yield f"  make {trip.good} ready, if it is too small"
    for service in target.services:
        before = trip.selectors.get(service.name)  # of a trip that was rebuilt from the objects it is not known
        moved = f"{_pairs(before)} → {_pairs(selector_for(service, before, trip.good))}" if before else trip.good
        yield f"  switch {service.name}: {moved}"
    if not trip.undoes:
        for name, replicas in trip.replicas.items():
            yield f"  scale {name}: {replicas} → 0, {show_duration(target.rollback.scale_down_delay)} after the switch"


def _pairs(selector: Selector) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
