"""A backtest as Markdown that a reviewer reads beside the change: what is different, what each rule did.

Law: text from rule files, sources and git is data: it stands in code spans, where nothing is markup, a link or a
mention. The text has at most as many bytes as it may have, and what was cut is said.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from watchdog.core.durations import show_duration
from watchdog.core.model import Outcome
from watchdog.core.visible import clip, visible
from watchdog.replay.findings import Finding, Firing
from watchdog.replay.report import DEPLOYS_UNKNOWN, Change, Report, done_otherwise, only, when

COMMENT_BYTES = 60_000
"""GitHub takes 65,536 characters; bytes are never fewer, and the marker and the heading are counted in."""

_LONGEST_TEXT = 300  # bytes of one piece of foreign text
_GAPS = (Outcome.NODATA, Outcome.INSUFFICIENT, Outcome.ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """How much is told. ``reasons`` says why there was no evidence: words of servers, with their addresses."""

    rules: int
    firings: int
    sweep: bool
    reasons: bool = False


_LESS = (
    Detail(rules=200, firings=10, sweep=True),
    Detail(rules=200, firings=3, sweep=True),
    Detail(rules=200, firings=3, sweep=False),
    Detail(rules=50, firings=0, sweep=False),
    Detail(rules=10, firings=0, sweep=False),
    Detail(rules=0, firings=0, sweep=False),
)


def as_markdown(report: Report, *, limit: int = COMMENT_BYTES, reasons: bool = True) -> str:
    """The report in at most ``limit`` bytes."""
    return fitting(lambda detail: "\n".join(sections(report, detail)) + "\n", limit=limit, reasons=reasons)


def fitting(render: Callable[[Detail], str], *, limit: int, reasons: bool) -> str:
    """The most detailed text that has at most ``limit`` bytes; if none has, whole lines of the least detailed one."""
    text = ""
    for less in _LESS:
        text = render(replace(less, reasons=reasons))
        if len(text.encode()) <= limit:
            return text
    return _first_lines(text, limit)


def _first_lines(text: str, limit: int) -> str:
    note = f"\n… and more: this text may have no more than {limit:,} bytes.\n"
    kept, room = [], limit - len(note.encode())
    for line in text.splitlines(keepends=True):
        room -= len(line.encode())
        if room < 0:
            break
        kept.append(line)
    return "".join(kept) + note


def code(text: str) -> str:
    """Foreign text as a code span: its fence is longer than any run of backticks in it."""
    shown = clip(visible(text), _LONGEST_TEXT) or "(empty)"
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    pad = " " if shown[0] in " `" or shown[-1] in " `" else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def cell(text: str) -> str:
    """The same within a table, where a bar would end the cell, in a code span too."""
    return code(text).replace("|", "\\|")


def plainly(text: str) -> str:
    """Foreign text of many lines, in a code span a line."""
    return "<br>".join(code(line) for line in text.splitlines() if line.strip()) or code("")


def sections(report: Report, detail: Detail) -> Iterator[str]:
    """The lines of the report."""
    switches = sum(report.start < each.at <= report.end for each in report.schedule.switches)
    span = f"from {when(report.start)} to {when(report.end)}, {_count(switches, 'switch', 'switches')} of the traffic"
    if report.deploys:
        span += f" and {_count(len(report.deploys), 'new revision')}"
    yield f"{code(report.target.target)}: {report.slots:,} slots of {show_duration(report.target.interval)} {span}."
    if report.unknown_before is not None:
        yield f"Before that, from {when(report.unknown_before)} on, nobody knows who had the traffic: left out."
    if report.deploys is None:
        yield f"{DEPLOYS_UNKNOWN[0].upper()}{DEPLOYS_UNKNOWN[1:]}."
    if report.against:
        yield ""
        yield from _against(report, detail)
    yield ""
    yield from _rules(report, detail)
    yield from _firings(report, detail)
    yield from _releases(report.findings[: detail.rules], detail)
    yield from _sweep(report.findings[: detail.rules], detail)
    if detail.reasons:
        yield from _reasons(report.findings[: detail.rules])


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _against(report: Report, detail: Detail) -> Iterator[str]:
    """What the change changes: a line for each rule whose firings are others, and their number in bold."""
    told = [(change, _differs(change)) for change in report.changes]
    others = [(change, words) for change, words in told if words]
    against = code(report.against)
    if not others:
        blind = sum(_is_blind(each) for each in report.findings)
        unknown = f", but of {_count(blind, 'rule')} nothing is known" if blind else ""
        yield f"**Against {against} no difference is seen**: each rule fires as before{unknown}."
        return
    yield f"**Against {against} {_count(len(others), 'rule')} of {len(told):,} changes:**"
    yield ""
    for change, words in others[: detail.rules]:
        yield f"- {code(change.alert)} {words}"
        yield from _moved(change, detail.firings)
    yield from _more(len(others), detail.rules, "rule that changes", "rules that change")


def _differs(change: Change) -> str:
    """What is different in a sentence, "" when nothing is."""
    before, after = change.before, change.after
    if before is None:
        return f"is **new**, and fires {_times(after or ())}"
    if after is None:
        return f"is **gone**; it fired {_times(before)}"
    lost, gained, others = len(only(before, after)), len(only(after, before)), len(done_otherwise(before, after))
    if not lost and not gained and not others:
        return ""
    told = {"gone": lost, "new": gained, "done otherwise": others}
    moved = ", ".join(f"{count:,} {word}" for word, count in told.items() if count)
    return f"fired {_times(before)}, and fires {_times(after)} now: {moved}"


def _moved(change: Change, limit: int) -> Iterator[str]:
    if change.before is None or change.after is None or not limit:
        return
    told = [f"no longer {_firing(each)}" for each in only(change.before, change.after)]
    told += [f"now {_firing(each)}" for each in only(change.after, change.before)]
    others = done_otherwise(change.before, change.after)
    told += [f"not {code(before.did)}, but now {_firing(after)}" for before, after in others]
    yield from (f"  - {line}" for line in told[:limit])
    if len(told) > limit:
        yield f"  - {len(told) - limit:,} more, cut to keep this short"


def _times(firings: Sequence[Firing]) -> str:
    return _count(len(firings), "time")


def _rules(report: Report, detail: Detail) -> Iterator[str]:
    shown = report.findings[: detail.rules]
    if shown:
        yield "| rule | what it did | without evidence | closest without firing |"
        yield "|---|---|---|---|"
    for each in shown:
        rule = f"{cell(each.rule.alert)}<br>{each.rule.action}, healthy is {each.healthy}"
        yield f"| {rule} | {_verdict(each)} | {_gaps(each, report.slots)} | {_closest(each)} |"
    yield from _more(len(report.findings), detail.rules, "rule", "rules")
    played = {each.rule.alert for each in report.findings}
    if left := [rule.alert for rule in report.target.rules if rule.alert not in played]:
        yield ""
        named = ", ".join(code(alert) for alert in left[: detail.rules]) or _count(len(left), "rule")
        rest = f" and {len(left) - detail.rules:,} more" if 0 < detail.rules < len(left) else ""
        yield f"Without a past, and left out: {named}{rest}."


def _more(total: int, shown: int, one: str, many: str) -> Iterator[str]:
    if total > shown:
        yield ""
        yield f"… and {_count(total - shown, one, many)} more, cut to keep this short."


def _verdict(finding: Finding) -> str:
    if _is_blind(finding):
        return "**nothing is known**: no slot had evidence"
    if not finding.firings:
        return "did not fire"
    did = Counter(firing.did for firing in finding.firings)
    return f"**fired {_times(finding.firings)}**<br>" + "<br>".join(
        f"{count:,} {code(word)}" for word, count in did.items()
    )


def _is_blind(finding: Finding) -> bool:
    counts = finding.track.counts()
    return not counts[Outcome.OK] and not counts[Outcome.BREACH]


def _gaps(finding: Finding, slots: int) -> str:
    shares = [f"{outcome} {finding.share(outcome):.2%}" for outcome in _GAPS if finding.track.counts()[outcome]]
    told = ", ".join(shares) or "none"
    told += f" of {finding.slots:,} slots"
    missing = slots - finding.slots
    return told + (f"; {_count(missing, 'slot')} not evaluated" if missing else "")


def _closest(finding: Finding) -> str:
    nearest = finding.closest
    if nearest is None:
        return "none"
    return f"{nearest.value:g} at {when(nearest.at)}, {nearest.share:.0%} of the threshold"


def _firing(firing: Firing) -> str:
    value = "no value" if firing.value is None else f"{firing.value:g}"
    samples = "" if firing.samples is None else f" of {firing.samples:g} samples"
    lasted = "" if firing.until <= firing.at else f" for {show_duration(firing.until - firing.at)}"
    return f"{when(firing.at)}{lasted}: {value}{samples} on {code(firing.color)}, {code(firing.did)}"


def _firings(report: Report, detail: Detail) -> Iterator[str]:
    total = sum(len(finding.firings) for finding in report.findings)
    if not total:
        return
    if not detail.firings:
        yield ""
        yield f"{_count(total, 'firing')} in all; when each began is cut to keep this short."
        return
    yield from _folded_open(_count(total, "firing"))
    for finding in report.findings[: detail.rules]:
        for each in finding.firings[: detail.firings]:
            yield f"- {code(finding.rule.alert)} {_firing(each)}"
        if (more := len(finding.firings) - detail.firings) > 0:
            yield f"- {code(finding.rule.alert)} {more:,} more, cut to keep this short"
    yield from _FOLDED_END


def _releases(findings: Sequence[Finding], detail: Detail) -> Iterator[str]:
    told = [(finding, each) for finding in findings if len(finding.releases) > 1 for each in finding.releases]
    if not told or not detail.firings:
        return
    yield from _folded_open("By release")
    for finding in findings:
        ours = [each for owner, each in told if owner is finding]
        for each in ours[: detail.firings]:
            did = f"fired {_count(each.firings, 'time')} in {_count(each.slots, 'slot')}"
            yield f"- {code(finding.rule.alert)} from {when(each.at)} on, {code(each.color)}: {did}"
        if (more := len(ours) - detail.firings) > 0:
            yield f"- {code(finding.rule.alert)} {more:,} more, cut to keep this short"
    yield from _FOLDED_END


def _sweep(findings: Sequence[Finding], detail: Detail) -> Iterator[str]:
    swept = [finding for finding in findings if finding.sweep]
    if not swept:
        return
    if not detail.sweep:
        yield ""
        yield "The firings with another threshold are cut to keep this short."
        return
    factors = [factor for factor, _ in swept[0].sweep]
    yield from _folded_open("Firings with another threshold")
    yield "| rule | " + " | ".join(f"{factor:g}x" for factor in factors) + " |"
    yield "|---|" + "--:|" * len(factors)
    for finding in swept:
        yield f"| {cell(finding.rule.alert)} | " + " | ".join(f"{count:,}" for _, count in finding.sweep) + " |"
    yield from _FOLDED_END


def _reasons(findings: Sequence[Finding]) -> Iterator[str]:
    told = [(finding, *each) for finding in findings for each in finding.track.commonest_reasons()]
    if not told:
        return
    yield from _folded_open("Why there was no evidence")
    for finding, reason, count in told:
        yield f"- {code(finding.rule.alert)} {_count(count, 'slot')}: {code(reason)}"
    yield from _FOLDED_END


def _folded_open(summary: str) -> Iterator[str]:
    # The empty lines make what is between them Markdown and not HTML.
    yield from ("", f"<details><summary>{summary}</summary>", "")


_FOLDED_END = ("", "</details>")
