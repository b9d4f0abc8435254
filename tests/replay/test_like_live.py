"""The player against the heartbeat: the same answers lead to the same states, slot by slot, and the same rollback."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.core.making import NOW, RULE, target
from tests.watch.test_loop import IDLE, SERVICES, Ear, Stage, stage  # noqa: F401 - a fixture
from watchdog.core.model import Measurement, RuleState
from watchdog.core.rules.language import Rule, Target
from watchdog.replay.player import LONG_AGO, Player, past_of
from watchdog.replay.world import world_of

ANSWERS = {
    "bad": Measurement(value=0.3),
    "well": Measurement(value=0.0),
    "nothing": Measurement.nodata("nothing"),
    "error": Measurement.error("down"),
}
SLOTS = 30


@dataclass
class Recorder(Ear):
    """Hears how each slot was evaluated."""

    states: list[RuleState] = field(default_factory=list)

    def measured(self, target: Target, rule: Rule, state: RuleState, *, seconds: float) -> None:
        self.states.append(state)


def known(state: RuleState) -> tuple[Any, ...]:
    """A state without the release, whose uids differ."""
    return state.slot, state.phase, state.active_at, state.breached_for, state.recent, state.ok_since, state.reason


def played(target: Target, answers: Sequence[Measurement], start: float) -> tuple[list[RuleState], Player]:
    """The states after each slot, and the player."""
    player = Player(world := world_of(target, active="green", switched_at=start - LONG_AGO), past_of(world, at=start))
    states = []
    for number, answer in enumerate(answers):
        dialogue = player.tick(start + number * target.interval)
        questions = next(dialogue)
        try:
            while True:
                questions = dialogue.send([answer if each.color == "green" else IDLE for each in questions])
        except StopIteration as stop:
            states.append(stop.value.states["ErrorRatio"])
        if player.journal.trip is not None:
            break
    return states, player


@pytest.mark.parametrize("seed", [0, 1, 2, 6])
async def test_the_same_answers_lead_to_the_same_states_and_the_same_trip(stage: Stage, seed: int) -> None:  # noqa: F811
    draw = random.Random(seed)
    kinds = draw.choices([*ANSWERS], weights=[5, 2, 1, 1], k=SLOTS)
    rule = RULE | {"for": "45s", "datapoints_to_alarm": 3, "evaluation_periods": 4, "keep_firing_for": "30s"}
    fields: dict[str, Any] = {"rules": [rule], "interval": "15s", "services": SERVICES}
    ear = Recorder()
    stage.ear = ear
    stage.raise_watch(**fields)
    target, start = stage.watch._target, stage.now  # noqa: SLF001 - the very target
    for kind in kinds:
        stage.script.answers["green"] = ANSWERS[kind]
        await stage.tick(after=0)
        stage.now += target.interval
        if stage.switches():
            break
    states, player = played(target, [ANSWERS[kind] for kind in kinds], start)
    assert [known(state) for state in ear.states] == [known(state) for state in states]
    assert [action.told["service"] for action in player.actions if action.kind == "switch"] == stage.switches()


@pytest.mark.parametrize(
    ("pods", "asked"),
    [pytest.param(3, ["ErrorRatio", "Down"], id="with pods"), pytest.param(0, ["ErrorRatio"], id="scaled to 0")],
)
def test_the_page_of_an_idle_color_is_asked_as_the_live_loop_asks_it(pods: int, asked: list[str]) -> None:
    page = RULE | {"alert": "Down", "prometheus": None, "http": {"url": "http://web-{{ color }}:8080/"}}
    watched = target(rules=[RULE, page])
    idle = {service.deployment_of("blue"): pods for service in watched.services}
    world = replace(world_of(watched, active="green", switched_at=NOW - LONG_AGO), scaled=idle)
    dialogue = Player(world, past_of(world, at=NOW)).tick(NOW)
    assert [question.color for question in next(dialogue)] == ["green", "green"]
    about_blue = dialogue.send([Measurement(value=1.0)] * 2)
    assert [(question.rule.alert, question.color) for question in about_blue] == [(alert, "blue") for alert in asked]
