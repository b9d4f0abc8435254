"""What a backtest is asked for: which rules, which time, who had the traffic, what went wrong.

Law: what cannot be known is asked of whoever types, never guessed.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from watchdog.commands.exit_codes import FINDINGS, UNREACHABLE, USAGE
from watchdog.commands.files import text_of
from watchdog.commands.git import GitError, file_at
from watchdog.commands.past import Sources
from watchdog.commands.session import StopError
from watchdog.commands.talk import missing_paths
from watchdog.core.annotations import UnreadableRecordError
from watchdog.core.durations import parse_duration
from watchdog.core.instant import read_instant, show_instant
from watchdog.core.placeholders import fill
from watchdog.core.rules.language import Target
from watchdog.core.rules.rulefile import parse_rule_file
from watchdog.core.slots import slot_at
from watchdog.core.visible import visible
from watchdog.replay.past import (
    Incident,
    Schedule,
    read_incidents,
    read_switches,
    schedule_of,
    schedule_of_journal,
    schedule_of_series,
)
from watchdog.replay.story import Switch
from watchdog.rulefiles.ruleset import RuleSet, read_rules
from watchdog.settings import Settings
from watchdog.sources.answer import AnswerError
from watchdog.sources.credentials import CredentialsError
from watchdog.sources.failure import sentence

MOST_SLOTS = 10_000_000
WHO = (
    "who had the traffic? Say it with --kubeconfig FILE (the journal), --switches FILE, "
    "--active-metric EXPR or --active COLOR"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hindsight:
    """What is known of that time beside the servers: who had the traffic, in one of four ways, and what went wrong."""

    switches: Path | None = None
    active_metric: str = ""
    kubeconfig: Path | None = None
    active: str = ""
    incidents: Path | None = None

    @property
    def names_the_active(self) -> bool:
        """True when it says who had the traffic."""
        return bool(self.switches or self.active_metric or self.kubeconfig or self.active)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    rules: Path
    since: str
    until: str = ""
    target: str = ""
    prometheus: str = ""
    elasticsearch: str = ""
    hindsight: Hindsight = field(default_factory=Hindsight)
    against: str = ""
    form: Literal["text", "json", "markdown"] = "text"
    html: Path | None = None


def target_of(options: Options) -> Target:
    """The target of the rule file. Raises StopError."""
    if missing := missing_paths(options.rules, cure="name a rule file, or a folder of them"):
        raise StopError("\n".join(missing), USAGE)
    read = read_rules(options.rules)
    if not isinstance(read, RuleSet):
        raise StopError("\n".join(map(str, read)), USAGE)
    known = ", ".join(each.target for each in read.targets)
    if options.target:
        found = next((each for each in read.targets if each.target == options.target), None)
        if found is None:
            raise StopError(f"no target {visible(options.target)!r} in {options.rules}; there are: {known}", USAGE)
        return found
    if len(read.targets) != 1:
        raise StopError(f"one target at a time; choose with --target one of {known}", USAGE)
    return read.targets[0]


def span_of(options: Options, target: Target) -> tuple[float, float]:
    """The first and the last slot. Raises StopError."""
    now = time.time()
    start, end = instant("--from", options.since, now), instant("--to", options.until or "0", now)
    start, end = slot_at(target, start), slot_at(target, min(end, now))
    if start >= end:
        raise StopError(f"--from {options.since} is not before --to {options.until or 'now'}", USAGE)
    if (end - start) / target.interval > MOST_SLOTS:
        raise StopError(f"more than {MOST_SLOTS} slots; choose a later --from", USAGE)
    return start, end


def instant(option: str, text: str, now: float) -> float:
    """The instant that an option means. Raises StopError."""
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        return read_instant(text)
    except ValueError:
        example = f"a time such as 2026-11-01T10:00:00Z, or how long ago, such as 30d; now it is {show_instant(now)}"
        raise StopError(f"{option} {visible(text)}: write {example}", USAGE) from None


def incidents_of(options: Options) -> tuple[Incident, ...] | None:
    """The incidents of the file, None when none is named. Raises StopError."""
    if options.hindsight.incidents is None:
        return None
    read = read_incidents(str(options.hindsight.incidents), text_of("--incidents", options.hindsight.incidents))
    wrong = [str(each) for each in read if not isinstance(each, Incident)]
    if wrong:
        raise StopError("\n".join(wrong), USAGE)
    return tuple(each for each in read if isinstance(each, Incident))


def other_revision_of(options: Options, target: Target) -> Target | None:
    """The rule file as it is in another revision, without a rule if it is not there yet. Raises StopError."""
    if not options.against:
        return None
    if options.rules.is_dir():
        raise StopError("--against compares one file; name the rule file instead of its folder", USAGE)
    folder, name = options.rules.resolve().parent, options.rules.name
    try:
        text = file_at(folder, options.against, name)
    except GitError as error:
        raise StopError(f"--against {options.against}: {error}", USAGE) from error
    if text is None:
        return target.model_copy(update={"rules": []})
    parsed = parse_rule_file(f"{options.against}:{name}", text)
    if parsed.target is None:
        raise StopError("\n".join(map(str, parsed.problems)), USAGE)
    if parsed.target.interval != target.interval:
        raise StopError(f"--against {options.against}: its interval is another one; the slots would differ", USAGE)
    return parsed.target


async def schedule_for(options: Options, target: Target, sources: Sources, start: float) -> Schedule:
    """Who had the traffic from an instant on (Unix seconds). Raises StopError when nobody can tell."""
    found: Schedule | None = None
    if options.hindsight.switches is not None:
        read = read_switches(str(options.hindsight.switches), text_of("--switches", options.hindsight.switches), target)
        if not isinstance(read, Schedule):
            raise StopError("\n".join(map(str, read)), USAGE)
        found = read
    elif options.hindsight.active_metric:
        found = await _schedule_of_metric(options, target, sources, start)
    elif options.hindsight.active:
        if options.hindsight.active not in target.colors:
            raise StopError(f"--active {options.hindsight.active}: the colors are {' and '.join(target.colors)}", USAGE)
        found = schedule_of([Switch(at=0.0, color=options.hindsight.active)])
    elif options.hindsight.kubeconfig is not None:
        found = await _schedule_of_cluster(options, sources.settings, target)
    if found is None:
        raise StopError(WHO, USAGE)
    return found


async def _schedule_of_metric(options: Options, target: Target, sources: Sources, start: float) -> Schedule:
    if sources.prometheus is None:
        raise StopError("--active-metric asks Prometheus; say where it is with --prometheus URL", USAGE)
    try:
        names = {"namespace": target.namespace, "target": target.target}
        expr = fill(options.hindsight.active_metric, names)
        series = await sources.prometheus.series(expr, start=start, step=target.interval)
        found = schedule_of_series(series, target)
    except (AnswerError, CredentialsError) as error:
        said = sentence(f"--active-metric: {sources.prometheus.server} {error}")
        raise StopError(said, UNREACHABLE) from error
    if found is None:
        colors = " or ".join(target.colors)
        raise StopError(f"--active-metric yields no series with a label color that is {colors}", FINDINGS)
    return found


async def _schedule_of_cluster(options: Options, settings: Settings, target: Target) -> Schedule:
    from watchdog.cluster.client import Cluster, ClusterError  # noqa: PLC0415 - costs
    from watchdog.cluster.credentials import ConfigurationError  # noqa: PLC0415
    from watchdog.cluster.journal import ConfigMapJournal  # noqa: PLC0415

    namespace = settings.namespace or target.namespace
    try:
        async with await Cluster.connect(options.hindsight.kubeconfig, settings.kube_context) as cluster:
            journal = await ConfigMapJournal(cluster, namespace, target.target).load()
    except ConfigurationError as error:
        raise StopError(str(error), USAGE) from error
    except (ClusterError, UnreadableRecordError) as error:
        raise StopError(str(error), UNREACHABLE) from error
    found = schedule_of_journal(journal)
    if found is None:
        raise StopError(f"the namespace {namespace} holds no journal of {target.target}; use --switches FILE", FINDINGS)
    return found
