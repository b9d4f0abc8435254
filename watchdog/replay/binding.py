"""From the text of a test file to tests that can be played: every mistake of it at its line and column.

Law: what could pass without testing anything is a mistake: an alert that no rule has, an instant between two slots, an
interval that is not the rules' own or of nothing, a rule that no input reaches, a fault that spoils nothing, a test or
one of its expectations that expects nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pydantic import ValidationError

from watchdog.core.durations import show_duration
from watchdog.core.rules.document import Document, read_document
from watchdog.core.rules.language import Target
from watchdog.core.rules.problem import KeyPath, quoted
from watchdog.replay.complaints import complain
from watchdog.replay.idle_faults import why_idle
from watchdog.replay.mistakes import Mistake, mistake_in, mistakes_of
from watchdog.replay.notation import NotationError, parse_series, parse_values
from watchdog.replay.results import check_results
from watchdog.replay.story import Fault, Restart
from watchdog.replay.testfile import FaultInput, InputResults, InputSeries, RestartInput, TestCase, TestFile

MOST_SLOTS = 50_000
SECTIONS = {"prometheus": "input_series", "elasticsearch": "input_documents"}
"""The input that a server is given, by the server."""
RESULTS = "input_results"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedTestFile:
    """A test file as far as it is readable by itself; it has a model or problems."""

    document: Document
    model: TestFile | None
    problems: tuple[Mistake, ...]


@dataclass(frozen=True, kw_only=True)
class RuleTest:
    """One test that can be played."""

    document: Document
    path: KeyPath
    name: str
    target: Target
    case: TestCase

    def problem(self, path: KeyPath, message: str) -> Mistake:
        """What is wrong at a place of the test."""
        return mistake_in(self.document, (*self.path, *path), message)

    @property
    def active(self) -> str:
        """The color that has the traffic at the start."""
        return self.case.active or self.target.colors[1]

    @property
    def spacing(self) -> float:
        """Seconds between two values of ``input_series``."""
        return self.case.interval or self.target.interval

    @property
    def log_index(self) -> str:
        """The index, or pattern, of the first log rule; "" when no rule names one."""
        named = (rule.elasticsearch.index for rule in self.target.rules if rule.elasticsearch is not None)
        return next(filter(None, named), "")

    @cached_property
    def slots(self) -> int:
        """How many slots are played: to the end of the inputs, and of all that happens or is expected."""
        case, interval = self.case, self.target.interval
        ends = [len(parse_values(each.values)) * self.spacing for each in case.input_series]
        ends += [len(parse_values(text)) * interval for each in case.input_results for text in each.texts.values()]
        ends += [each.to for each in case.input_documents]
        instants = [each.eval_time for each in case.alert_rule_test]
        instants += [each.eval_time for each in case.exp_state]
        instants += [each.at for each in case.events]
        instants += [each.at + each.down for each in case.restarts]
        instants += [each.at for each in case.exp_actions or ()]
        ends += [instant + interval for instant in instants]
        return max(1, int(max(ends, default=0.0) // interval))

    @cached_property
    def inputs(self) -> Mapping[str, str]:
        """Which section of the test feeds each rule that one does; what is said of the rule itself comes first."""
        told = {each.alert for each in self.case.input_results}
        sections = {
            rule.alert: RESULTS if rule.alert in told else SECTIONS.get(rule.server, "") for rule in self.target.rules
        }
        return {alert: section for alert, section in sections.items() if getattr(self.case, section, None)}


def parse_test_file(file: str, text: str) -> ParsedTestFile:
    """What the text says. It never raises, whatever the text is."""
    document = read_document(file, text)
    if document.value is None and mistakes_of(document):
        return ParsedTestFile(document=document, model=None, problems=mistakes_of(document))
    try:
        model = TestFile.model_validate(document.value, by_alias=True, by_name=False)
    except ValidationError as error:
        told = [complain(details) for details in error.errors(include_url=False)]
        found = {
            mistake_in(document, path, message, at_key=at_key)
            for path, message, at_key in told
            if not document.is_refused(path)
        }
        return ParsedTestFile(document=document, model=None, problems=tuple(sorted({*mistakes_of(document), *found})))
    return ParsedTestFile(
        document=document, model=None if mistakes_of(document) else model, problems=mistakes_of(document)
    )


def bind(parsed: ParsedTestFile, targets: Sequence[Target]) -> tuple[tuple[RuleTest, ...], tuple[Mistake, ...]]:
    """The tests of a file about the targets of its rule files; none when there are problems."""
    model, document = parsed.model, parsed.document
    if model is None:
        return (), parsed.problems
    by_name = {target.target: target for target in targets}
    tests: list[RuleTest] = []
    found: list[Mistake] = []
    for number, case in enumerate(model.tests):
        path: KeyPath = ("tests", number)
        target = _target_of(case, by_name)
        if target is None:
            found.append(mistake_in(document, (*path, "target"), _which_target(case, by_name)))
            continue
        name = case.name or f"test {number + 1}"
        test = RuleTest(document=document, path=path, name=name, target=target, case=case)
        told = [mistake_in(document, (*path, *each.path), each.message, offset=each.offset) for each in _check(test)]
        found += told
        tests.append(test)
    found += [
        mistake_in(document, ("evaluation_interval",), message)
        for message in _check_interval(model, {test.target.target: test.target for test in tests})
    ]
    return (() if found else tuple(tests)), tuple(sorted(set(found)))


@dataclass(frozen=True, slots=True)
class _Wrong:
    path: KeyPath
    message: str
    offset: int | None = None


def _target_of(case: TestCase, targets: Mapping[str, Target]) -> Target | None:
    if case.target is None and len(targets) == 1:
        return next(iter(targets.values()))
    return targets.get(case.target or "")


def _which_target(case: TestCase, targets: Mapping[str, Target]) -> str:
    known = ", ".join(sorted(targets))
    if case.target is None:
        return f"the rule files have several targets; add target: with one of {known}"
    return f"no rule file has the target {quoted(case.target)}; there are {known}"


def _check_interval(model: TestFile, targets: Mapping[str, Target]) -> Iterator[str]:
    for target in targets.values():
        if model.evaluation_interval not in (None, target.interval):
            own = show_duration(target.interval)
            yield f"{target.target} is evaluated each {own} (its interval); write evaluation_interval: {own}"


def _check(test: RuleTest) -> Iterator[_Wrong]:
    if not test.case.has_expectation:
        message = "the test expects nothing, so it could not fail; add alert_rule_test, exp_state or exp_actions"
        yield _Wrong((), message)
    yield from _check_expectations(test.case)
    if test.case.interval is not None and not test.case.input_series:
        message = (
            "interval says how far apart the values of input_series are, and there are none; input_results have one "
            f"value a slot, each {show_duration(test.target.interval)}"
        )
        yield _Wrong(("interval",), message)
    notation = [*_check_notation(test)]
    yield from notation
    yield from _check_names(test)
    if not notation:
        rules = {rule.alert: rule for rule in test.target.rules}
        yield from (_Wrong(*each) for each in check_results(test.case, rules, active=test.active))
        yield from _check_times(test)


def _check_expectations(case: TestCase) -> Iterator[_Wrong]:
    for number, state in enumerate(case.exp_state):
        if not state.has_expectation:
            message = "this expects nothing, so it could not fail; add active, decision or rules"
            yield _Wrong(("exp_state", number), message)
        for alert, rule in state.rules.items():
            if not rule.has_expectation:
                message = f"this expects nothing of {alert}, so it could not fail; add phase, outcome or value"
                yield _Wrong(("exp_state", number, "rules", alert), message)


def _check_notation(test: RuleTest) -> Iterator[_Wrong]:
    given: list[tuple[KeyPath, InputSeries | InputResults]] = [
        *((("input_series", number), each) for number, each in enumerate(test.case.input_series)),
        *((("input_results", number), each) for number, each in enumerate(test.case.input_results)),
    ]
    for path, each in given:
        for key, text in each.texts.items():
            try:
                (parse_series if key == "series" else parse_values)(text)
            except NotationError as error:
                yield _Wrong((*path, key), str(error), error.offset)


def _check_names(test: RuleTest) -> Iterator[_Wrong]:
    known = {rule.alert for rule in test.target.rules}
    for path, alert, is_expected in _alerts(test.case):
        if alert not in known:
            message = f"{test.target.target} has no rule {quoted(alert)}; it has {', '.join(sorted(known))}"
            yield _Wrong(path, message)
        elif is_expected and alert not in test.inputs:
            rule = next(each for each in test.target.rules if each.alert == alert)
            own = SECTIONS.get(rule.server)
            ways = f"{own} or input_results" if own else "input_results"
            yield _Wrong(path, f"no input of this test reaches {alert}; add {ways}")
    for path, color in _colors(test.case):
        if color not in test.target.colors:
            there = " and ".join(test.target.colors)
            yield _Wrong(path, f"{quoted(color)} is no color of {test.target.target}; there are {there}")
    for number, given in enumerate(test.case.input_documents):
        if given.index is None and not test.log_index:
            yield _Wrong(("input_documents", number), f"no rule of {test.target.target} names an index; add index:")
    sources = {rule.server for rule in test.target.rules}
    for number, fault in enumerate(test.case.faults):
        if fault.source is not None and fault.source not in sources:
            message = f"no rule asks {quoted(fault.source)}; they ask {', '.join(sorted(sources))}"
            yield _Wrong(("faults", number, "source"), message)


def _alerts(case: TestCase) -> Iterator[tuple[KeyPath, str, bool]]:
    """Every place that names an alert, and whether something is expected of it there."""
    for number, results in enumerate(case.input_results):
        yield ("input_results", number, "alert"), results.alert, False
    for number, fault in enumerate(case.faults):
        if fault.alert is not None:
            yield ("faults", number, "alert"), fault.alert, False
    for number, expected in enumerate(case.alert_rule_test):
        yield ("alert_rule_test", number, "alertname"), expected.alertname, True
    for number, state in enumerate(case.exp_state):
        for alert in state.rules:
            yield ("exp_state", number, "rules", alert), alert, True
    for number, action in enumerate(case.exp_actions or ()):
        for place, alert in enumerate(action.rules or ()):
            yield ("exp_actions", number, "rules", place), alert, True


def _colors(case: TestCase) -> Iterator[tuple[KeyPath, str]]:
    places: list[tuple[KeyPath, str | None]] = [(("active",), case.active)]
    places += [(("input_results", number, "color"), each.color) for number, each in enumerate(case.input_results)]
    for number, event in enumerate(case.events):
        places += [(("events", number, "switch"), event.switch), (("events", number, "deploy"), event.deploy)]
    places += [(("exp_state", number, "active"), each.active) for number, each in enumerate(case.exp_state)]
    for number, action in enumerate(case.exp_actions or ()):
        places += [(("exp_actions", number, "from"), action.from_)]
        places += [(("exp_actions", number, "to"), action.to)]
    yield from ((path, color) for path, color in places if color is not None)


def _check_times(test: RuleTest) -> Iterator[_Wrong]:
    interval = test.target.interval
    own = show_duration(interval)
    if test.slots > MOST_SLOTS:
        yield _Wrong((), f"the test is {test.slots} slots long, at most {MOST_SLOTS} are played")
    for section, instants in (
        ("alert_rule_test", [each.eval_time for each in test.case.alert_rule_test]),
        ("exp_state", [each.eval_time for each in test.case.exp_state]),
    ):
        for number, instant in enumerate(instants):
            before = instant // interval * interval
            if before != instant:
                near = f"{show_duration(before)} or {show_duration(before + interval)}"
                message = f"{test.target.target} is evaluated each {own}, and this is between two slots; write {near}"
                yield _Wrong((section, number, "eval_time"), message)
    yield from _check_story(test)


def _check_story(test: RuleTest) -> Iterator[_Wrong]:
    for number, expected in enumerate(test.case.alert_rule_test):
        if len(expected.exp_alerts) > 1:
            message = "a rule has one alert at a time; write one item, or [] for none"
            yield _Wrong(("alert_rule_test", number, "exp_alerts"), message)
    for number, event in enumerate(test.case.events):
        if sum(each is not None for each in (event.switch, event.deploy, event.pause, event.resume)) != 1:
            message = "an event is one thing; write one of switch: COLOR, deploy: COLOR, pause: WHY, resume: true"
            yield _Wrong(("events", number), message)
    for number, fault in enumerate(test.case.faults):
        if fault.from_ >= fault.to:
            yield _Wrong(("faults", number, "to"), "the fault ends before it begins; write a later instant")
        elif why := _why_idle(test, fault):
            yield _Wrong(("faults", number), f"this fault spoils no answer: {why}")


def _why_idle(test: RuleTest, given: FaultInput) -> str:
    """Why the fault spoils nothing; "" also for one of a rule or source that is not there, which is told elsewhere."""
    fault, rules = fault_of(given, 0.0), test.target.rules
    if not any(fault.hits(rule, fault.start) for rule in rules):
        return ""
    slots = [number * test.target.interval for number in range(min(test.slots, MOST_SLOTS))]
    restarts = [restart_of(each, 0.0) for each in test.case.restarts]
    return why_idle(fault, [rule for rule in rules if rule.alert in test.inputs], slots, restarts)


def fault_of(given: FaultInput, start: float) -> Fault:
    """The fault of a test that starts then (Unix seconds)."""
    return Fault(
        kind=given.fault,
        start=start + given.from_,
        end=start + given.to,
        alert=given.alert or "",
        source=given.source or "",
        seconds=given.seconds,
    )


def restart_of(given: RestartInput, start: float) -> Restart:
    """The restart of a test that starts then (Unix seconds)."""
    return Restart(at=start + given.at, down=given.down)
