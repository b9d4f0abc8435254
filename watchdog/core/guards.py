"""The guards of a rollback: each looks at the situation and says in a sentence why to hold, or nothing.

Law: a guard knows of no other guard; which of them are asked, and in which order, is said in `core/decide.py`.
"""

import math
from dataclasses import replace

from watchdog.core import contest
from watchdog.core.annotations import IRREVERSIBLE, KNOWN_GOOD, MANAGED_BY, TRIP
from watchdog.core.decision import STORM_SECONDS, Hold, Reason, Situation
from watchdog.core.durations import show_duration
from watchdog.core.inforce import LAG_SECONDS
from watchdog.core.instant import show_instant
from watchdog.core.journal import rollbacks_of, was_rolled_back, why_not_known_good
from watchdog.core.model import ServiceStatus
from watchdog.core.ownership import other_manager
from watchdog.core.readiness import Hopeless, TooSmall, Unready, readiness
from watchdog.core.rules.language import Mode

STORM_SHARE = 0.3
"""Of all targets, those that may be rolled back within `STORM_SECONDS`; one always may."""


def unreadable(situation: Situation) -> Hold | None:
    """A record of ours that cannot be read: what was begun is not known, so nothing is begun."""
    if not situation.status.unreadable:
        return None
    return Hold(reason=Reason.UNREADABLE, sentence=situation.status.unreadable)


def foreign(situation: Situation) -> Hold | None:
    """Another installation of the watchdog acts on a Service. Who only watches is in nobody's way."""
    if _only_watches(situation):
        return None
    namespace, names = situation.target.namespace, " ".join(each.name for each in situation.target.services)
    for service in situation.status.services:
        manager = other_manager(service.annotations, situation.instance)
        if manager:
            sentence = (
                f"Service {service.name} is managed by the watchdog {manager}, and this one is {situation.instance}: "
                f"keep one of the two for this target. If that one is gone, 'kubectl -n {namespace} annotate service "
                f"{names} {MANAGED_BY}-' hands its Services over"
            )
            return Hold(reason=Reason.FOREIGN, sentence=sentence)
    return None


def services_disagree(situation: Situation) -> Hold | None:
    """No single active color: there is nothing to measure, and no color to leave."""
    if situation.status.active is not None:
        return None
    seen = ", ".join(f"{service.name} selects {_color_or_selector(service)}" for service in situation.status.services)
    sentence = f"the Services disagree about the active color: {seen}; nothing is measured until they agree"
    return Hold(reason=Reason.SERVICES_DISAGREE, sentence=sentence, serious=bool(situation.tripped))


def _color_or_selector(service: ServiceStatus) -> str:
    return service.color or "neither color (" + ",".join(f"{k}={v}" for k, v in sorted(service.selector.items())) + ")"


def nothing_firing(situation: Situation) -> Hold | None:
    """No rule asks for a rollback on the evidence of this slot."""
    if situation.tripped:
        return None
    return Hold(reason=Reason.NOTHING_FIRING, sentence=f"no rule asks to leave {situation.bad}", serious=False)


def paused(situation: Situation) -> Hold | None:
    """Somebody paused the target, or nobody can tell."""
    if not situation.status.paused:
        return None
    return Hold(reason=Reason.PAUSED, sentence=f"{situation.status.paused}; {_would(situation)}")


def dry_run(situation: Situation) -> Hold | None:
    """The target, or the whole watchdog, only watches."""
    in_the_file = "mode is dry-run in the rule file" if situation.target.mode is not Mode.ENFORCE else ""
    for_all = (
        "this watchdog runs with WATCHDOG_DRY_RUN or --dry-run, whatever the rule files say"
        if situation.dry_run
        else ""
    )
    whys = tuple(filter(None, (in_the_file, for_all)))
    if not whys:
        return None
    return Hold(reason=Reason.DRY_RUN, sentence=f"{', and '.join(whys)}; {_would(situation)}")


def _only_watches(situation: Situation) -> bool:
    return situation.dry_run or situation.target.mode is not Mode.ENFORCE


def _would(situation: Situation) -> str:
    if situation.journal.trip:
        return f"the rollback {situation.journal.trip.id} to {situation.good} is half done and waits"
    return f"would have rolled back from {situation.bad} to {situation.good}"


def irreversible(situation: Situation) -> Hold | None:
    """The bad color carries a change that switching back cannot undo."""
    for (_, color), deployment in sorted(situation.status.deployments.items()):
        why = deployment.annotations.get(IRREVERSIBLE)
        if color == situation.bad and why is not None:
            return Hold(reason=Reason.IRREVERSIBLE, sentence=f"{deployment.name} is marked irreversible: {why}")
    return None


def outside_window(situation: Situation) -> Hold | None:
    """The switch to the bad color is too long ago, or nobody knows when it was."""
    window = situation.target.rollback.rollback_window
    if window is None:
        return None
    services = situation.status.services
    known = [service.switched_at for service in services if service.switched_at is not None]
    if len(known) < len(services):
        names = ", ".join(service.name for service in services if service.switched_at is None)
        sentence = (
            f"nobody knows when {situation.bad} became active (the managedFields of {names} do not say): it may be "
            f"outside rollback_window, {show_duration(window)}"
        )
    elif situation.now - max(known) > window:
        sentence = f"{situation.bad} became active more than {show_duration(window)} ago, outside rollback_window"
    else:
        return None
    return Hold(reason=Reason.OUTSIDE_WINDOW, sentence=sentence)


def rolled_back_before(situation: Situation) -> Hold | None:
    """The release was rolled back once already, and has the traffic again: somebody wants it there (S3).

    An undo leaves what a person has said it leaves.
    """
    journal, release = situation.journal, situation.status.release(situation.bad)
    if situation.undoes or not was_rolled_back(journal, release):
        return None
    earlier = [f"{each.trip.id}, {show_instant(each.trip.started_at)}" for each in rollbacks_of(journal, release)[-1:]]
    by = journal.stays[-1].by if journal.stays else ""
    sentence = (
        f"{situation.bad} was rolled back before ({', '.join(earlier) or 'nobody knows when'}), has not changed since, "
        f"and {by or 'somebody'} gave it the traffic again. A release is rolled back once; again only by hand: "
        f"watchdog rollback {situation.target.target} --even-if {Reason.ROLLED_BACK_BEFORE}"
    )
    return Hold(reason=Reason.ROLLED_BACK_BEFORE, sentence=sentence)


def not_known_good(situation: Situation) -> Hold | None:
    """The release to return to has not shown itself to be good, or has been rolled back itself."""
    why = why_not_known_good(situation.journal, situation.status, situation.good)
    if not why:
        return None
    sentence = f"{situation.good} is not known to be good: {why}. {_how_to_return(situation)}"
    return Hold(reason=Reason.NOT_KNOWN_GOOD, sentence=sentence)


def _how_to_return(situation: Situation) -> str:
    """What a person types; to vouch for what was itself rolled back would change nothing."""
    name, status, good = situation.target.target, situation.status, situation.good
    vouched = replace(situation.journal, vouched={good: status.release(good)})
    if why_not_known_good(vouched, status, good):
        return f"To return to it all the same: watchdog rollback {name} --even-if {Reason.NOT_KNOWN_GOOD}"
    found = {each.name: each.revision for (_, color), each in sorted(status.deployments.items()) if color == good}
    by_revision = {at: " ".join(each for each in found if found[each] == at) for at in found.values()}
    annotate = " && ".join(
        f"kubectl -n {situation.target.namespace} annotate --overwrite deployment {names} {KNOWN_GOOD}={revision}"
        for revision, names in by_revision.items()
    )
    return f"To vouch for it as it is: watchdog trust {name}, or {annotate}"


def other_color_breaches(situation: Situation) -> Hold | None:
    """The color to return to breaches as well: the cause is shared, and switching would not cure it.

    That stays so until the rules are at rest, or a person rolls back: an idle color falls silent before it is well.
    """
    states = situation.journal.states
    latched = (rule.alert for rule in situation.tripped if rule.alert in states and states[rule.alert].shared)
    alerts = ", ".join(dict.fromkeys((*situation.other_breaches, *latched)))
    if not alerts:
        return None
    sentence = (
        f"{situation.good} has breached {alerts} too: a shared cause. It is not rolled back before the rules were well "
        f"again, unless a person does so: watchdog rollback {situation.target.target}"
    )
    return Hold(reason=Reason.OTHER_COLOR_BREACHES, sentence=sentence)


def cooldown(situation: Situation) -> Hold | None:
    """The last rollback is too recent for another one without a person."""
    last = situation.journal.last_trip
    if last is None:
        return None
    left = last.finished_at + situation.target.rollback.cooldown - situation.now
    if left <= 0:
        return None
    sentence = (
        f"the rollback {last.trip.id} to {last.trip.good} ended at {show_instant(last.finished_at)}; the cooldown ends "
        f"in {show_duration(math.ceil(left))}"
    )
    return Hold(reason=Reason.COOLDOWN, sentence=sentence)


def storm(situation: Situation) -> Hold | None:
    """Too many targets were rolled back at once: the cause is hardly a release of each."""
    most = max(1, int(STORM_SHARE * situation.fleet_size))
    if situation.others_tripped < most:
        return None
    sentence = (
        f"{situation.others_tripped} of {situation.fleet_size} targets were rolled back within "
        f"{show_duration(STORM_SECONDS)}, at most {most} may be: look for a shared cause"
    )
    return Hold(reason=Reason.STORM, sentence=sentence)


def good_not_ready(situation: Situation) -> Hold | None:
    """A Service would select too few ready pods of the good color, or others', and that cannot be mended."""
    return _hold_for(situation, Hopeless, Unready)


def given_up_before(situation: Situation) -> Hold | None:
    """The same rollback was given up for want of ready pods, and they are still missing: it is not tried in a loop."""
    releases = tuple(map(situation.status.release, (situation.bad, situation.good)))
    alike = (
        each
        for each in reversed(situation.journal.finished)
        if each.trip.unready and (each.trip.release, each.trip.good_release) == releases
    )
    last = next(alike, None)
    left = last.finished_at + situation.target.rollback.cooldown - situation.now if last else 0.0
    lacking = _lacking(situation) if left > 0 else ""
    if last is None or not lacking:
        return None
    sentence = (
        f"{last.trip.id} was given up, because {situation.good} did not get ready, and {lacking}. Stop whoever keeps "
        f"it small, and scale it up: it gets the traffic once it is ready. The watchdog does so in {left:.0f} s; at "
        f"once: watchdog rollback {situation.target.target} --even-if {Reason.GIVEN_UP}"
    )
    return Hold(reason=Reason.GIVEN_UP, sentence=sentence)


def _lacking(situation: Situation) -> str:
    """What of the good color is too small, who made it so, and the cure; "" when nothing is."""
    target, status = situation.target, situation.status
    for service in status.services:
        found = readiness(target, status, service, bad=situation.bad, good=situation.good)
        if isinstance(found, TooSmall):
            by = found.deployment.scaled_by
            scale = f"kubectl -n {target.namespace} scale deployment {found.deployment.name} --replicas={found.floor}"
            return found.sentence + (f" ({by} scaled it last)" if by else "") + f": {scale}"
    return ""


def good_has_changed(situation: Situation) -> Hold | None:
    """Half of it is switched, and the good color got other pods: the rest is not given to what nobody knows."""
    status, trip = situation.status, situation.journal.trip
    if trip is None or contest.is_superseded(status, trip) or contest.is_withdrawn(status, trip):
        return None
    is_half = contest.has_begun(status, trip) and any(each.color != trip.good for each in status.services)
    if not is_half or not contest.is_other_good(status, trip):
        return None
    why = why_not_known_good(situation.journal, status, trip.good)
    if not why:
        return None
    sentence = (
        f"{trip.good} has changed since {trip.id} was decided, and not all Services are switched: {why}. "
        f"{_how_to_return(situation)}"
    )
    return Hold(reason=Reason.NOT_KNOWN_GOOD, sentence=sentence)


def good_is_hopeless(situation: Situation) -> Hold | None:
    """A Service that is still to be switched must not be.

    What only has to get ready is waited for by the plan; half a rollback that waits is told to people at once.
    """
    status, trip = situation.status, situation.journal.trip
    if trip and (contest.is_superseded(status, trip) or contest.is_withdrawn(status, trip)):
        return None
    begun = trip is not None and contest.has_begun(status, trip)
    return _hold_for(situation, Hopeless, Unready) if begun else _hold_for(situation, Hopeless)


def _hold_for(situation: Situation, *kinds: type[Hopeless | Unready]) -> Hold | None:
    for service in situation.status.services:
        if service.color == situation.good:
            continue
        found = readiness(situation.target, situation.status, service, bad=situation.bad, good=situation.good)
        if isinstance(found, kinds):
            return Hold(reason=Reason.GOOD_NOT_READY, sentence=found.sentence)
    return None


def contested(situation: Situation) -> Hold | None:
    """A Service that this trip has switched again and again selects something else: somebody else decided."""
    target, status, trip = situation.target, situation.status, situation.journal.trip
    undone = contest.contested(status, trip) if trip else ()
    if trip is None or not undone:
        return None
    marked = " ".join(each.name for each in status.services if TRIP in each.annotations)
    sentence = (
        f"{undone[0].name} was switched to {trip.good} and selects {_color_or_selector(undone[0])} again: "
        f"{contest.cure(target, trip, status, undone[0])} "
        f"'kubectl -n {target.namespace} annotate service {marked} {TRIP}-' ends this rollback"
    )
    without_pods = ", ".join(each.name for each in contest.left_without_pods(status, trip))
    if without_pods:
        sentence = f"{sentence}. {without_pods} has the traffic and no pods, and is scaled up again"
    return Hold(reason=Reason.CONTESTED, sentence=sentence)


def altered(situation: Situation) -> Hold | None:
    """A write of this trip was changed on its way: the next one would be as well, until a person has looked."""
    trip = situation.journal.trip
    if not trip or not trip.altered:
        return None
    name = situation.target.target
    sentence = (
        f"{trip.altered}. Nothing more is written. When that is mended, go on with: "
        f"watchdog pause {name} && watchdog resume {name}"
    )
    return Hold(reason=Reason.ALTERED, sentence=sentence)


def outdated(situation: Situation) -> Hold | None:
    """The rollback was begun by newer rules, with a Service that these do not know: half of it would be left."""
    trip = situation.journal.trip
    known = {service.name for service in situation.target.services}
    unknown = sorted(set(trip.selectors) - known) if trip and situation.is_outdated else []
    if not trip or not unknown:
        return None
    sentence = (
        f"the rollback {trip.id} was begun by newer rule files than this replica has, with {', '.join(unknown)}: it "
        f"goes on when they arrive, or in {show_duration(LAG_SECONDS)} without"
    )
    return Hold(reason=Reason.OUTDATED, sentence=sentence)
