"""What a backtest found, as text and as plain values for JSON.

Law: both say the same; a gap is a figure, never left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from watchdog.core.durations import show_duration
from watchdog.core.instant import show_instant
from watchdog.core.model import Outcome
from watchdog.core.rules.language import Rule, Target
from watchdog.core.visible import visible
from watchdog.replay.findings import Finding, Firing, Matches, Release
from watchdog.replay.past import Schedule
from watchdog.replay.story import Deploy

DEPLOYS_UNKNOWN = "new revisions of a color are not known: all that ran between two switches is played as one"
NO_SWEEP = "not known, since every multiple of 0 is 0"
_SHOWN = 50  # switches, firings of a rule, and releases


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What was asked, and how long it took."""

    prometheus: int = 0
    elasticsearch: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One rule in this and in another revision of its file; None where it does not exist."""

    alert: str
    before: tuple[Firing, ...] | None
    after: tuple[Firing, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A backtest. ``start`` and ``end`` are its first and last slot; ``slots`` is how many lie between them.

    ``left_out`` are the rules that ask what keeps no past, ``silent`` the servers that have not answered once.
    """

    target: Target
    start: float
    end: float
    slots: int
    schedule: Schedule
    findings: tuple[Finding, ...]
    cost: Cost
    against: str = ""
    changes: tuple[Change, ...] = field(default=())
    unknown_before: float | None = None
    left_out: tuple[Rule, ...] = ()
    silent: tuple[str, ...] = ()

    @property
    def deploys(self) -> tuple[Deploy, ...] | None:
        """The new revisions of the active color in its time; None when nobody knows of any."""
        known = self.schedule.deploys
        return None if known is None else tuple(each for each in known if self.start < each.at <= self.end)


def as_text(report: Report) -> list[str]:
    """The lines of the report."""
    target, interval = report.target, show_duration(report.target.interval)
    switches = [each for each in report.schedule.switches if report.start < each.at <= report.end]
    span = f"{_many(report.slots, 'slot')} of {interval} from {when(report.start)} to {when(report.end)}"
    lines = [f"{target.target}: {span}, {_many(len(switches), 'switch', 'switches')}"]
    if report.unknown_before is not None:
        lines.append(
            f"  before that, from {when(report.unknown_before)} on, nobody knows who had the traffic: left out"
        )
    lines += [f"  {when(each.at)}  {each.color} got the traffic" for each in switches[:_SHOWN]]
    lines += [f"  … and {_many(len(switches) - _SHOWN, 'switch', 'switches')} more"] if len(switches) > _SHOWN else []
    lines += _deploys(report)
    lines += [f"  {rule.alert} is left out: {rule.server} keeps no past" for rule in report.left_out]
    for finding in report.findings:
        lines += ["", *_finding(finding, report)]
    if report.against:
        lines += ["", *_changes(report)]
    cost = report.cost
    ranges = _many(cost.prometheus, "range query", "range queries")
    asked = f"{ranges} of Prometheus, {_many(cost.elasticsearch, 'search', 'searches')} of Elasticsearch"
    return [visible(line) for line in [*lines, "", f"cost: {asked}, {cost.seconds:.1f} s"]]


def _deploys(report: Report) -> list[str]:
    deploys = report.deploys
    if deploys is None:
        return [f"  {DEPLOYS_UNKNOWN}"]
    lines = [f"  {when(each.at)}  {each.color} got a new revision" for each in deploys[:_SHOWN]]
    rest = len(deploys) - _SHOWN
    return [*lines, f"  … and {_many(rest, 'new revision')} more"] if rest > 0 else lines


def _many(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def when(instant: float) -> str:
    """An instant as people read it, to the second."""
    return show_instant(instant)[:19] + "Z"


def _finding(finding: Finding, report: Report) -> Iterator[str]:
    rule = finding.rule
    yield f"{rule.alert} ({rule.action}, healthy is {finding.healthy})"
    shares = ", ".join(f"{outcome} {finding.share(outcome):.2%}" for outcome in Outcome)
    missing = report.slots - finding.slots
    unseen = f"; {_many(missing, 'slot')} without evaluation" if missing else ""
    yield f"  {_many(finding.slots, 'slot')}: {shares}{unseen}"
    for reason, count in finding.track.commonest_reasons():
        yield f"  {count} without evidence: {reason}"
    yield f"  fired {_many(len(finding.firings), 'time')}{':' if finding.firings else ''}"
    for firing in finding.firings[:_SHOWN]:
        yield f"    {_firing(firing)}"
    if len(finding.firings) > _SHOWN:
        yield f"    … and {len(finding.firings) - _SHOWN} more"
    if finding.closest is not None:
        nearest = finding.closest
        share = f"{nearest.share:.0%} of the threshold"
        yield f"  closest without firing: {nearest.value:g} at {when(nearest.at)}, {share}"
    swept = ", ".join(f"{factor:g}x: {count}" for factor, count in finding.sweep)
    yield f"  firings with another threshold: {swept or NO_SWEEP}"
    if len(finding.releases) > 1:
        yield "  by release:"
        yield from (f"    {_release(each)}" for each in finding.releases[:_SHOWN])
        if len(finding.releases) > _SHOWN:
            yield f"    … and {len(finding.releases) - _SHOWN} more"
    if finding.matches is not None:
        yield from _matches(finding.matches)


def _release(release: Release) -> str:
    shares = ", ".join(f"{outcome} {release.counts[outcome] / release.slots:.2%}" for outcome in Outcome)
    told = f"{release.color}, {_many(release.slots, 'slot')}: {shares}"
    return f"{when(release.at)}  {told}; fired {_many(release.firings, 'time')}"


def _firing(firing: Firing) -> str:
    value = "no value" if firing.value is None else f"{firing.value:g}"
    samples = "" if firing.samples is None else f" of {firing.samples:g} samples"
    return f"{when(firing.at)}  {value}{samples} on {firing.color}, until {when(firing.until)}: {firing.did}"


def _matches(matches: Matches) -> Iterator[str]:
    total = len(matches.hits) + len(matches.misses)
    lead = "" if matches.lead is None else f", {_lead(matches.lead)} at the median"
    yield f"  incidents: {len(matches.hits)} of {total} hit{lead}; {len(matches.false)} false"
    for incident, firing, seconds in matches.hits:
        yield f"    hit   {incident.name or when(incident.start)}: fired at {when(firing.at)}, {_lead(seconds)}"
    for incident in matches.misses:
        yield f"    miss  {incident.name or when(incident.start)}"
    for firing in matches.false:
        yield f"    false {_firing(firing)}"


def _lead(seconds: float) -> str:
    shown = show_duration(abs(round(seconds)))
    return f"{shown} {'before' if seconds >= 0 else 'after'} its start"


def _changes(report: Report) -> Iterator[str]:
    yield f"against {report.against}:"
    for change in report.changes:
        if change.before is None or change.after is None:
            firings, word = (change.after, "new") if change.before is None else (change.before, "gone")
            yield f"  {change.alert} is {word}, and fires {_many(len(firings or ()), 'time')}"
            continue
        lost, gained = only(change.before, change.after), only(change.after, change.before)
        others = done_otherwise(change.before, change.after)
        if not lost and not gained and not others:
            yield f"  {change.alert}: the same {_many(len(change.after), 'firing')}"
            continue
        yield f"  {change.alert}: {_many(len(change.before), 'firing')} before, {len(change.after)} now"
        yield from (f"    no longer  {_firing(each)}" for each in lost)
        yield from (f"    now        {_firing(each)}" for each in gained)
        yield from (f"    not {before.did}, but now {_firing(after)}" for before, after in others)


def only(some: Sequence[Firing], others: Sequence[Firing]) -> list[Firing]:
    """Those that overlap none of the others."""
    return [each for each in some if not any(o.at <= each.until and each.at <= o.until for o in others)]


def done_otherwise(some: Sequence[Firing], others: Sequence[Firing]) -> list[tuple[Firing, Firing]]:
    """Each with the first of the others that it overlaps, where something else came of it."""
    pairs = ((each, next((o for o in others if o.at <= each.until and each.at <= o.until), None)) for each in some)
    return [(each, other) for each, other in pairs if other is not None and other.did != each.did]


def as_json(report: Report) -> dict[str, Any]:
    """The report as plain values."""
    return {
        "target": report.target.target,
        "from": show_instant(report.start),
        "to": show_instant(report.end),
        "interval": report.target.interval,
        "slots": report.slots,
        "unknownBefore": None if report.unknown_before is None else show_instant(report.unknown_before),
        "switches": [{"at": show_instant(each.at), "to": each.color} for each in report.schedule.switches],
        "deploys": None
        if report.schedule.deploys is None
        else [{"at": show_instant(each.at), "color": each.color} for each in report.schedule.deploys],
        "rules": [_finding_as_json(finding) for finding in report.findings],
        "leftOut": [{"alert": rule.alert, "asks": rule.server} for rule in report.left_out],
        "against": report.against or None,
        "changes": [
            {
                "alert": change.alert,
                "before": None if change.before is None else [_firing_as_json(each) for each in change.before],
                "after": None if change.after is None else [_firing_as_json(each) for each in change.after],
            }
            for change in report.changes
        ],
        "cost": {
            "prometheusRangeQueries": report.cost.prometheus,
            "elasticsearchSearches": report.cost.elasticsearch,
            "seconds": round(report.cost.seconds, 3),
        },
    }


def _finding_as_json(finding: Finding) -> dict[str, Any]:
    nearest, matches = finding.closest, finding.matches
    return {
        "alert": finding.rule.alert,
        "action": finding.rule.action,
        "healthy": finding.healthy,
        "slots": finding.slots,
        "outcomes": {outcome.value: count for outcome, count in finding.track.counts().items()},
        "reasons": [{"reason": reason, "slots": count} for reason, count in finding.track.commonest_reasons()],
        "firings": [_firing_as_json(firing) for firing in finding.firings],
        "closest": None
        if nearest is None
        else {"at": show_instant(nearest.at), "value": nearest.value, "share": nearest.share},
        "sweep": [{"factor": factor, "firings": count} for factor, count in finding.sweep],
        "releases": [
            {
                "from": show_instant(each.at),
                "to": show_instant(each.until),
                "color": each.color,
                "slots": each.slots,
                "outcomes": {outcome.value: count for outcome, count in each.counts.items()},
                "firings": each.firings,
            }
            for each in finding.releases
        ],
        "incidents": None
        if matches is None
        else {
            "hits": [
                {"name": incident.name, "start": show_instant(incident.start), "leadSeconds": lead}
                for incident, _, lead in matches.hits
            ],
            "misses": [{"name": each.name, "start": show_instant(each.start)} for each in matches.misses],
            "false": [_firing_as_json(each) for each in matches.false],
        },
    }


def _firing_as_json(firing: Firing) -> dict[str, Any]:
    return {
        "at": show_instant(firing.at),
        "until": show_instant(firing.until),
        "color": firing.color,
        "value": firing.value,
        "samples": firing.samples,
        "did": firing.did,
    }
