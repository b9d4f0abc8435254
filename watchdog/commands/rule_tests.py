"""``watchdog test``: plays the tests of rule files, and says what did not come as expected.

Law: 0 every test passed, 1 one failed, 2 something cannot be loaded; a test that cannot be played is a failed one.
"""

import asyncio
import contextlib
import math
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from watchdog.commands.apart import apart_of
from watchdog.commands.engines import DEADLINE, Engines
from watchdog.commands.exit_codes import FINDINGS, OK, USAGE
from watchdog.commands.files import check_place, write_text
from watchdog.commands.own_prometheus import EngineError, find_prometheus, own_prometheus
from watchdog.commands.servers import elasticsearch_at, prometheus_at
from watchdog.commands.session import StopError
from watchdog.commands.talk import say, tell
from watchdog.core.model import Measurement
from watchdog.core.rules.language import Target
from watchdog.core.rules.problem import Problem
from watchdog.core.visible import visible
from watchdog.replay.binding import RuleTest, bind, parse_test_file
from watchdog.replay.coverage import coverage, show_coverage
from watchdog.replay.junit import Line, junit
from watchdog.replay.mistakes import Mistake
from watchdog.replay.player import Question
from watchdog.replay.rehearsal import Played, first_slot, rehearse
from watchdog.replay.verdict import Verdict, judge_test
from watchdog.rulefiles.ruleset import RuleSet, read_rules
from watchdog.settings import PrometheusSettings, SettingsError, load_settings

EPOCH = 1_704_067_200.0  # 2024-01-01: when the first test is played; the same in each run
DAY = 86_400.0
TERMINATED = 128 + signal.SIGTERM
_SUFFIXES = (".test.yaml", ".test.yml")
_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    paths: tuple[Path, ...]
    only: str = ""
    junit: Path | None = None
    coverage: bool = False
    prometheus: str = ""
    prometheus_binary: Path | None = None
    elasticsearch: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one test came to: a verdict, or why it could not be played."""

    test: RuleTest
    seconds: float
    verdict: Verdict | None = None
    error: str = ""

    @property
    def passed(self) -> bool:
        """True for a verdict without failures."""
        return self.verdict is not None and not self.verdict.failures


def run_tests(options: Options) -> int:
    """Plays the tests and prints what they came to; returns the exit code."""
    loaded = _load(options.paths)
    if loaded.problems:
        for problem in loaded.problems:
            tell(str(problem))
        return USAGE
    try:
        wanted = [test for test in loaded.tests if re.search(options.only, test.name)]
    except re.error as error:
        tell(f"--run {options.only!r} is no regular expression: {error}")
        return USAGE
    if not wanted:
        none = f"there are no tests in these files; in a folder they end in {' or '.join(_SUFFIXES)}"
        tell(f"no test matches {options.only!r}" if options.only else none)
        return USAGE
    try:
        check_place("--junit", options.junit)
        results = asyncio.run(_play_all(wanted, options))
        return _report(results, options, loaded.targets)
    except (EngineError, SettingsError, StopError) as error:
        tell(str(error))
        return USAGE
    except asyncio.CancelledError:
        return TERMINATED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """The tests of some files, the targets of all rule files that they name, and what is wrong with them."""

    tests: list[RuleTest]
    targets: list[Target]
    problems: list[Mistake | Problem | str]


def _load(paths: Sequence[Path]) -> _Loaded:
    tests: list[RuleTest] = []
    targets: list[Target] = []
    problems: list[Mistake | Problem | str] = []
    for path in _files(paths):
        try:
            text = path.read_bytes()[: _MAX_BYTES + 1].decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            problems.append(f"{visible(str(path))}: cannot be read: {why}")
            continue
        parsed = parse_test_file(str(path), text)
        if parsed.model is None:
            problems += parsed.problems
            continue
        rules = read_rules(*(path.parent / name for name in parsed.model.rule_files))
        if not isinstance(rules, RuleSet):
            problems += rules
            continue
        found, wrong = bind(parsed, rules.targets)
        tests += found
        targets += rules.targets
        problems += wrong
    return _Loaded(tests=tests, targets=targets, problems=list(dict.fromkeys(problems)))


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        is_folder = os.path.isdir(path)  # noqa: PTH112 - of a name that can be none Path.is_dir raises
        found += sorted(each for each in path.rglob("*") if each.name.endswith(_SUFFIXES)) if is_folder else [path]
    return list(dict.fromkeys(found))


async def _play_all(tests: Sequence[RuleTest], options: Options) -> list[Result]:
    results, after, apart = [], EPOCH, apart_of(tests)
    async with _engines(tests, options) as engines:
        for test in tests:
            start, begun = first_slot(test, after=after), time.monotonic()
            try:
                verdict, error = judge_test(await play(test, start, engines)), ""
            except EngineError as failed:
                verdict, error = None, str(failed)
            results.append(Result(test=test, seconds=time.monotonic() - begun, verdict=verdict, error=error))
            end = start + test.slots * test.target.interval
            after = math.ceil((end + apart) / DAY) * DAY
    return results


@contextlib.asynccontextmanager
async def _engines(tests: Sequence[RuleTest], options: Options) -> AsyncIterator[Engines]:
    settings = load_settings()
    async with contextlib.AsyncExitStack() as stack:
        named = options.elasticsearch  # never that of the settings alone: a test writes to it
        engines = Engines(elasticsearch=elasticsearch_at(settings, named, DEADLINE) if named else None)
        if any(test.case.input_series for test in tests):
            if options.prometheus:
                engines = replace(engines, prometheus=prometheus_at(settings, options.prometheus, DEADLINE))
            elif binary := find_prometheus(options.prometheus_binary):
                url = await stack.enter_async_context(own_prometheus(binary))
                engines = replace(engines, prometheus=PrometheusSettings(url=url, deadline=DEADLINE))
            where = engines.prometheus.url if engines.prometheus else "the simulator; no prometheus is on PATH"
            tell(f"input_series are computed by {f'Prometheus at {where}' if engines.prometheus else where}")
        yield engines


async def play(test: RuleTest, start: float, engines: Engines) -> Played:
    """Plays one test on these engines. Raises EngineError."""
    rehearsal = rehearse(test, start=start)
    async with engines.stages(test, start) as stages:

        async def ask(question: Question, slot: float) -> Measurement:
            stage = stages[test.inputs[question.rule.alert]]
            return await stage.measure(question.rule, color=question.color, namespace=test.target.namespace, slot=slot)

        try:
            wanted = next(rehearsal)
            while True:
                answers = await asyncio.gather(*(ask(each, wanted.slot) for each in wanted.questions))
                wanted = rehearsal.send(answers)
        except StopIteration as stop:
            played: Played = stop.value
            return played


def _report(results: Sequence[Result], options: Options, targets: Sequence[Target]) -> int:
    for result in results:
        _show(result)
    if options.coverage:
        played = [each.verdict.played for each in results if each.verdict is not None]
        for line in show_coverage(coverage(targets, played)):
            say(line)
    if options.junit is not None:
        write_text("--junit", options.junit, junit(map(_line, results)))
    passed = sum(result.passed for result in results)
    vacuous = sum(len(result.verdict.vacuous) for result in results if result.verdict is not None)
    note = f", {vacuous} vacuous" if vacuous else ""
    say(f"{passed} passed, {len(results) - passed} failed{note}")
    return OK if passed == len(results) else FINDINGS


def _show(result: Result) -> None:
    verdict = result.verdict
    word = "ok" if result.passed else "FAILED" if verdict is not None else "ERROR"
    say(f"{word:<6}  {visible(result.test.name)}")
    if verdict is None:
        say(f"        {result.test.problem((), result.error)}")
        return
    for problem in (*verdict.failures, *verdict.vacuous):
        say(f"        {problem}")


def _line(result: Result) -> Line:
    verdict = result.verdict
    return Line(
        file=result.test.document.places.file,
        name=result.test.name,
        seconds=result.seconds,
        failures=tuple(map(str, verdict.failures)) if verdict is not None else (),
        vacuous=tuple(map(str, verdict.vacuous)) if verdict is not None else (),
        error=result.error,
    )
