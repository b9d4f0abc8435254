"""Plays one test: its inputs, its events and its faults, slot by slot.

Law: what the test says itself is answered here; only what has to be computed is asked for.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from watchdog.core.model import Measurement
from watchdog.core.rules.language import Rule
from watchdog.core.slots import slot_at
from watchdog.replay.actions import Action
from watchdog.replay.binding import RESULTS, RuleTest, fault_of, restart_of
from watchdog.replay.notation import Gap, Value, parse_values
from watchdog.replay.player import LONG_AGO, Player, Question, Seen, past_of
from watchdog.replay.results import is_counted
from watchdog.replay.story import Deploy, Event, Pause, Resume, Switch, spoiled
from watchdog.replay.testfile import EventInput
from watchdog.replay.world import world_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What has to be computed now, from series, documents or counts; instants are Unix seconds."""

    slot: float
    questions: Sequence[Question]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of a test. ``start`` is its first slot in Unix seconds."""

    test: RuleTest
    start: float
    seen: tuple[Seen, ...]
    actions: tuple[Action, ...]


Rehearsal = Generator[Wanted, Sequence[Measurement], Played]


def first_slot(test: RuleTest, *, after: float) -> float:
    """The first slot of the test's target that is not before an instant."""
    slot = slot_at(test.target, after)
    return slot if slot >= after else slot + test.target.interval


def rehearse(test: RuleTest, *, start: float) -> Rehearsal:
    """Plays the test from its first slot on."""
    target, inputs = test.target, _Inputs(test, start)
    world = world_of(target, active=test.active, switched_at=start - LONG_AGO)
    player = Player(world, past_of(world, at=start))
    events = sorted((_event(given, start) for given in test.case.events), key=lambda each: each.at)
    restarts = [restart_of(each, start) for each in test.case.restarts]
    seen: list[Seen] = []
    for number in range(test.slots):
        slot = start + number * target.interval
        player.wait(slot - target.interval, slot)
        while events and events[0].at <= slot:
            player.happen(events.pop(0))
        while restarts and restarts[0].at <= slot and not restarts[0].covers(slot):
            restarts.pop(0)
            player.restart()
        if any(restart.covers(slot) for restart in restarts):
            continue
        seen.append((yield from _slot(player, inputs, slot)))
    return Played(test=test, start=start, seen=tuple(seen), actions=tuple(player.actions))


def _slot(player: Player, inputs: _Inputs, slot: float) -> Generator[Wanted, Sequence[Measurement], Seen]:
    dialogue = player.tick(slot)
    answers: list[Measurement | None] | None = None
    while True:
        try:
            questions = dialogue.send(answers) if answers is not None else next(dialogue)
        except StopIteration as stop:
            seen: Seen = stop.value
            return seen
        from_server = [inputs.needs_server(question, slot) for question in questions]
        asked = [question for question, is_asked in zip(questions, from_server, strict=True) if is_asked]
        served = iter((yield Wanted(slot=slot, questions=asked)) if asked else ())
        answers = [
            next(served) if is_asked else inputs.answer(question, slot)
            for question, is_asked in zip(questions, from_server, strict=True)
        ]


class _Inputs:
    """What the test itself says of a measurement."""

    def __init__(self, test: RuleTest, start: float) -> None:
        self._test = test
        self._start = start
        self._results: dict[tuple[str, str], tuple[tuple[Value, ...], tuple[Value, ...] | None]] = {}
        for each in test.case.input_results:
            if each.values is None:
                continue
            samples = None if each.samples is None else parse_values(each.samples)
            self._results[each.alert, each.color or test.active] = parse_values(each.values), samples
        self._faults = [fault_of(each, start) for each in test.case.faults]

    def needs_server(self, question: Question, slot: float) -> bool:
        """True when the answer has to be computed from series, documents or counts."""
        rule = question.rule
        section = self._test.inputs.get(rule.alert)
        is_said = section is None or (section == RESULTS and not is_counted(rule))
        return not is_said and spoiled(self._faults, rule, slot) is None

    def answer(self, question: Question, slot: float) -> Measurement | None:
        """The answer; None for a rule that this test does not feed."""
        rule = question.rule
        if rule.alert not in self._test.inputs:
            return None
        return spoiled(self._faults, rule, slot) or self._result(rule, question.color, slot)

    def _result(self, rule: Rule, color: str, slot: float) -> Measurement:
        values, samples = self._results.get((rule.alert, color), ((), None))
        number = round((slot - self._start) / self._test.target.interval)
        value = values[number] if number < len(values) else Gap.MISSING
        needed = rule.min_samples.value if rule.min_samples is not None else None
        count: Value | None = needed
        if samples is not None:
            count = samples[number] if number < len(samples) else Gap.MISSING
        shown = None if isinstance(count, Gap) else count
        if isinstance(value, Gap):
            return Measurement.nodata(f"input_results has nothing for {color} at this slot", samples=shown)
        return Measurement(value=value, samples=shown)


def _event(given: EventInput, start: float) -> Event:
    at = start + given.at
    if given.switch is not None:
        return Switch(at=at, color=given.switch)
    if given.deploy is not None:
        return Deploy(at=at, color=given.deploy)
    return Pause(at=at, reason=given.pause) if given.pause is not None else Resume(at=at)
