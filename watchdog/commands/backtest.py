"""``watchdog backtest``: what a rule file would have done, from what Prometheus and Elasticsearch still know.

Law: it reads and writes nothing but its report; the slots are played through the code that runs live.
"""

import asyncio
import json
import math
import time

from watchdog.commands.backtest_input import (
    Options,
    incidents_of,
    other_revision_of,
    schedule_for,
    span_of,
    target_of,
)
from watchdog.commands.exit_codes import FINDINGS, OK, UNREACHABLE, USAGE
from watchdog.commands.files import check_place, write_text
from watchdog.commands.past import Past, changes, check_sources, sources_of, without_past
from watchdog.commands.session import StopError
from watchdog.commands.talk import say, tell
from watchdog.core.model import Outcome
from watchdog.replay.markdown import as_markdown
from watchdog.replay.page import as_page
from watchdog.replay.report import Cost, Report, as_json, as_text
from watchdog.settings import Settings, SettingsError, load_settings


def run_backtest(options: Options) -> int:
    """Plays the past and prints what it says; returns the exit code."""
    try:
        check_place("--html", options.html)
        report = asyncio.run(backtest(options, load_settings()))
        if options.html is not None:
            write_text("--html", options.html, as_page(report))
    except StopError as stop:
        tell(str(stop))
        return stop.code
    except (SettingsError, OSError) as error:
        tell(str(error))
        return USAGE
    if options.form == "json":
        say(json.dumps(as_json(report), indent=2))
    elif options.form == "markdown":
        say(as_markdown(report).removesuffix("\n"))
    else:
        for line in as_text(report):
            say(line)
    return _learnt(report)


def _learnt(report: Report) -> int:
    """Tells about which rules nothing was learnt; returns the exit code."""
    for server in report.silent:
        asking = [each.rule.alert for each in report.findings if each.rule.server == server]
        about = ", ".join(asking) or "what it was before"
        tell(f"nothing was learnt about {about}: {server} answered none of its questions; the report says why")
    known = [each for each in report.findings if each.rule.server not in report.silent]
    if unknown := [each.rule.alert for each in known if each.share(Outcome.ERROR) == 1]:
        tell(f"nothing was learnt about {', '.join(unknown)}: each question failed")
    if report.silent:
        return UNREACHABLE
    return FINDINGS if unknown else OK


async def backtest(options: Options, settings: Settings) -> Report:
    """What the past says. Raises StopError, SettingsError, OSError."""
    begun = time.monotonic()
    target = target_of(options)
    start, end = span_of(options, target)
    incidents = incidents_of(options)
    before = other_revision_of(options, target)
    servers = sources_of(settings, end=end, prometheus_url=options.prometheus, elasticsearch_url=options.elasticsearch)
    async with servers as sources:
        check_sources(sources, [target, *([before] if before is not None else [])])
        schedule = await schedule_for(options, target, sources, start)
        known_from = max(start, schedule.known_from)
        first = start + math.ceil((known_from - start) / target.interval) * target.interval
        if first > end:
            raise StopError("nobody knows who had the traffic in that time; choose a later one", USAGE)
        past = Past(sources, schedule, first, end)
        beside = [before] if before is not None and before.rules else []
        findings, *others = await past.play(target, *beside, incidents=incidents)
        cost = Cost(
            prometheus=sources.prometheus.requests if sources.prometheus is not None else 0,
            elasticsearch=sources.elasticsearch.requests if sources.elasticsearch is not None else 0,
            seconds=time.monotonic() - begun,
        )
        silent = sources.silent
    return Report(
        target=target,
        start=first,
        end=end,
        slots=past.count(target),
        schedule=schedule,
        findings=findings,
        cost=cost,
        against=options.against,
        changes=() if before is None else changes(others[0] if others else (), findings),
        left_out=without_past(target),
        silent=silent,
        unknown_before=start if first > start else None,
    )
