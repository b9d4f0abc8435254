"""`watchdog check --online`: asks the real servers whether what the rules speak of is there, and what its value is now.

Law: it only reads; a server that cannot be asked is told as such, and never as a mistake of a rule file.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from watchdog.clients import MissingSourceError, check_named
from watchdog.commands.check import show
from watchdog.commands.exit_codes import FINDINGS, UNREACHABLE, USAGE
from watchdog.commands.formats import Checked, Value
from watchdog.commands.inquiry import ASKED_BY, Asked, ElasticsearchInquiry, PrometheusInquiry, ServerUnreachableError
from watchdog.commands.talk import missing_paths, tell
from watchdog.core.evaluate import judge
from watchdog.core.model import Measurement, Outcome
from watchdog.core.rules.document import read_document
from watchdog.core.rules.language import Rule, Target
from watchdog.core.rules.problem import Finding, Problem
from watchdog.core.visible import visible
from watchdog.rulefiles.ruleset import check_rules
from watchdog.settings import Settings, SettingsError, load_settings

AT_ONCE = 4
"""Rules that are asked at the same time: people look at dashboards on the same servers."""

Inquiry = PrometheusInquiry | ElasticsearchInquiry


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one rule. ``unreachable`` says why its server could not be asked."""

    findings: tuple[Finding, ...] = ()
    values: tuple[Value, ...] = ()
    unreachable: str = ""


def check_online(paths: Sequence[Path], *, form: str) -> int:
    """Checks files and folders, asks the servers, prints what was found, and returns the exit code."""
    if missing := missing_paths(*paths):
        tell("\n".join(missing))
        return USAGE
    targets, problems = check_rules(*paths)
    checked = Checked(targets=targets, problems=problems)
    if not checked.is_well:
        show(checked, form=form)
        tell("the servers were not asked: the files come first")
        return FINDINGS
    try:
        return asyncio.run(_ask_and_show(checked, load_settings(), form=form))
    except (SettingsError, MissingSourceError) as error:
        tell(str(error))
        return USAGE


async def _ask_and_show(checked: Checked, settings: Settings, *, form: str) -> int:
    needed = {_asked(rule) for target in checked.targets.values() for rule in target.rules}
    asked = [(name, target, number) for name, target in checked.targets.items() for number in range(len(target.rules))]
    async with _inquiries(settings, needed) as inquiries:
        free, slot = asyncio.Semaphore(AT_ONCE), float(int(time.time()))

        async def ask(target: Target, rule: Rule) -> Answer:
            async with free:
                return await _answer(inquiries, rule, target, slot=slot)

        answers = await asyncio.gather(*(ask(target, target.rules[number]) for _, target, number in asked))
    problems = list(checked.problems)
    for (name, _, number), answer in zip(asked, answers, strict=True):
        problems += _problems(name, number, answer.findings)
    values = tuple(value for answer in answers for value in answer.values)
    code = show(replace(checked, problems=tuple(sorted(problems)), values=values), form=form)
    dead = {answer.unreachable for answer in answers if answer.unreachable}
    for sentence in sorted(dead):
        tell(visible(sentence))
    return UNREACHABLE if dead else code


def _asked(rule: Rule) -> Asked | str:
    (kind,) = rule.kinds
    return ASKED_BY[kind]


async def _answer(inquiries: Mapping[Asked, Inquiry], rule: Rule, target: Target, *, slot: float) -> Answer:
    asked = _asked(rule)
    if isinstance(asked, str):
        return Answer(
            values=(Value(target=target.target, alert=rule.alert, color="-", outcome="not asked", reason=asked),)
        )
    inquiry = inquiries[asked]
    try:
        findings = await inquiry.findings(rule, target, slot=slot)
        measured = {color: await inquiry.measure(rule, target, color=color, slot=slot) for color in target.colors}
    except ServerUnreachableError as error:
        row = Value(target=target.target, alert=rule.alert, color="-", outcome="unreachable", reason=str(error))
        return Answer(values=(row,), unreachable=str(error))
    if all(finding.code in _HARMLESS for finding in findings):
        findings += _refusals(rule, measured)
    values = [_value(target, rule, color, measurement) for color, measurement in measured.items()]
    return Answer(findings=tuple(findings), values=tuple(values))


_HARMLESS = frozenset({"R605", "R608"})
"""Findings that do not explain by themselves why a source refuses to answer."""


def _refusals(rule: Rule, measured: Mapping[str, Measurement]) -> list[Finding]:
    reasons = {each.reason: color for color, each in measured.items() if each.failure is Outcome.ERROR}
    return [
        Finding(path=(next(iter(rule.kinds)),), code="R604", message=f"asked for {color}, {reason}", at_key=True)
        for reason, color in reasons.items()
    ]


def _value(target: Target, rule: Rule, color: str, measurement: Measurement) -> Value:
    outcome, reason = judge(rule, measurement)
    return Value(
        target=target.target,
        alert=rule.alert,
        color=color,
        outcome=outcome.value,
        reason=reason,
        value=measurement.value,
        samples=measurement.samples,
    )


def _problems(name: str, number: int, findings: Collection[Finding]) -> list[Problem]:
    """The findings about a rule at their places in its file."""
    if not findings:
        return []
    places = read_document(name, Path(name).read_text(encoding="utf-8")).places
    return [places.problem(finding.under(("rules", number))) for finding in findings]


@asynccontextmanager
async def _inquiries(settings: Settings, needed: Collection[Asked | str]) -> AsyncIterator[Mapping[Asked, Inquiry]]:
    """The servers that the rules ask. Raises MissingSourceError for one that nobody named."""
    servers = [each for each in Asked if each in needed]
    check_named(settings, [each.value for each in servers])
    async with AsyncExitStack() as stack:
        found: dict[Asked, Inquiry] = {}
        if Asked.PROMETHEUS in servers and settings.prometheus is not None:
            from watchdog.sources.prometheus import PrometheusSource  # noqa: PLC0415

            prometheus = PrometheusSource(settings.prometheus)
            stack.push_async_callback(prometheus.close)
            found[Asked.PROMETHEUS] = PrometheusInquiry(prometheus)
        if Asked.ELASTICSEARCH in servers and settings.elasticsearch is not None:
            from watchdog.sources.elasticsearch import ElasticsearchSource  # noqa: PLC0415

            elasticsearch = ElasticsearchSource(settings.elasticsearch)
            stack.push_async_callback(elasticsearch.close)
            found[Asked.ELASTICSEARCH] = ElasticsearchInquiry(elasticsearch)
        yield found
