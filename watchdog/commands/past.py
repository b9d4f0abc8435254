"""Plays the slots of the past: measures ahead in batches, and asks for the other color only where something fires.

Law: a slot that nobody could measure is played with the error; none is skipped.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from watchdog.commands.servers import elasticsearch_at, prometheus_at
from watchdog.commands.session import USAGE, StopError, tell
from watchdog.core.model import Measurement
from watchdog.core.rules.language import Rule, Target
from watchdog.replay.findings import Finding, find
from watchdog.replay.past import Incident, Schedule
from watchdog.replay.player import Player, Question, acting, past_of
from watchdog.replay.report import Change
from watchdog.replay.story import Deploy
from watchdog.replay.track import Track
from watchdog.replay.world import world_of
from watchdog.settings import Settings
from watchdog.sources.elasticsearch_history import ElasticsearchHistory
from watchdog.sources.prometheus_history import PrometheusHistory

DEADLINE = 60.0  # seconds for one request: a range takes longer than an instant
BATCH = 400  # slots that are measured before they are played
SIDE_BY_SIDE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Who keeps a past."""

    settings: Settings
    prometheus: PrometheusHistory | None
    elasticsearch: ElasticsearchHistory | None

    def of(self, rule: Rule) -> PrometheusHistory | ElasticsearchHistory | None:
        """Who can be asked about the rule's past."""
        return {"prometheus": self.prometheus, "elasticsearch": self.elasticsearch}.get(rule.source)


@asynccontextmanager
async def sources_of(
    settings: Settings, target: Target, span: tuple[float, float], *, prometheus_url: str, elasticsearch_url: str
) -> AsyncIterator[Sources]:
    """The servers that are named, or those of the settings. Raises SettingsError."""
    prometheus = elasticsearch = None
    known = prometheus_at(settings, prometheus_url, DEADLINE)
    if known is not None:
        prometheus = PrometheusHistory(known, start=span[0], end=span[1], step=target.interval)
    nodes = elasticsearch_at(settings, elasticsearch_url, DEADLINE)
    if nodes is not None:
        elasticsearch = ElasticsearchHistory(nodes)
    try:
        yield Sources(settings=settings, prometheus=prometheus, elasticsearch=elasticsearch)
    finally:
        for source in (prometheus, elasticsearch):
            if source is not None:
                await source.close()


def check_sources(sources: Sources, targets: Sequence[Target]) -> None:
    """Says which rules nobody can be asked about. Raises StopError when a server is not named."""
    rules = [rule for target in targets for rule in target.rules]
    for name in ("prometheus", "elasticsearch"):
        asking = [rule.alert for rule in rules if rule.source == name]
        if asking and getattr(sources, name) is None:
            where = f"--{name} URL or WATCHDOG_{name.upper()}__{'URL' if name == 'prometheus' else 'URLS'}"
            raise StopError(f"{asking[0]} asks {name}; say where it is with {where}", USAGE)
    for rule in rules:
        if rule.source not in ("prometheus", "elasticsearch"):
            tell(f"{rule.alert} asks {rule.source}, which keeps no past; it is left out")


Made = dict[tuple[str, str, float], Measurement]
"""What was measured ahead, by rule, color and slot."""


class Past:
    """Slots of the past, and who answers for them."""

    def __init__(self, sources: Sources, schedule: Schedule, first: float, end: float) -> None:
        self._sources = sources
        self._schedule = schedule
        self._first, self._end = first, end
        self._free = asyncio.Semaphore(SIDE_BY_SIDE)

    def count(self, target: Target) -> int:
        """How many slots there are."""
        return max(0, round((self._end - self._first) / target.interval) + 1)

    async def play(self, target: Target, incidents: Sequence[Incident] | None) -> tuple[Finding, ...]:
        """Plays every slot, and says what came of each rule."""
        kept = [rule for rule in target.rules if self._sources.of(rule) is not None]
        played = acting(target).model_copy(update={"rules": kept})
        tracks = {rule.alert: Track(rule) for rule in kept}
        player = self._player(played)
        switches = [each for each in self._schedule.switches if each.at > self._first]
        with _progress() as bar:
            task = bar.add_task(target.target, total=self.count(target))
            for begin in range(0, self.count(target), BATCH):
                numbers = range(begin, min(begin + BATCH, self.count(target)))
                slots = [self._first + number * target.interval for number in numbers]
                made = await self._measure(played, slots)
                for slot in slots:
                    while switches and switches[0].at <= slot:
                        switch = switches.pop(0)
                        player.happen(Deploy(at=switch.at, color=switch.color))  # each stay is a release of its own
                        player.happen(switch)
                    await self._tick(player, played, slot, made, tracks)
                bar.advance(task, len(slots))
        return tuple(
            find(track, player.actions, interval=target.interval, incidents=incidents) for track in tracks.values()
        )

    async def changes(
        self, before: Target, findings: Sequence[Finding], incidents: Sequence[Incident] | None
    ) -> tuple[Change, ...]:
        """What another revision of the rule file would have done instead."""
        played = await self.play(before, incidents) if before.rules else ()
        others = {each.rule.alert: each.firings for each in played}
        now = {each.rule.alert: each.firings for each in findings}
        return tuple(
            Change(alert=alert, before=others.get(alert), after=now.get(alert))
            for alert in dict.fromkeys([*now, *others])
        )

    def _player(self, target: Target) -> Player:
        switched_at = max((each.at for each in self._schedule.switches if each.at <= self._first), default=self._first)
        active = self._schedule.color_at(self._first)
        world = world_of(target, active=active, switched_at=switched_at, vouched=True)
        return Player(world, past_of(world, at=self._first), acts=False)

    async def _tick(
        self,
        player: Player,
        target: Target,
        slot: float,
        made: Made,
        tracks: dict[str, Track],
    ) -> None:
        dialogue = player.tick(slot)
        try:
            questions = next(dialogue)
            while True:
                questions = dialogue.send([await self._answer(each, target, slot, made) for each in questions])
        except StopIteration as stop:
            for alert, state in stop.value.states.items():
                if state.slot == slot:
                    tracks[alert].add(state, stop.value.active or "")

    async def _answer(self, question: Question, target: Target, slot: float, made: Made) -> Measurement | None:
        known = made.get((question.rule.alert, question.color, slot))
        return known or await self._ask(question.rule, question.color, target.namespace, slot)

    async def _measure(self, target: Target, slots: Sequence[float]) -> Made:
        """What the color that had the traffic shows in each of the slots."""
        keys = [(rule, self._schedule.color_at(slot), slot) for slot in slots for rule in target.rules]
        asked = [self._ask(rule, color, target.namespace, slot) for rule, color, slot in keys]
        answers = await asyncio.gather(*asked)
        return {(rule.alert, color, slot): answer for (rule, color, slot), answer in zip(keys, answers, strict=True)}

    async def _ask(self, rule: Rule, color: str, namespace: str, slot: float) -> Measurement:
        source = self._sources.of(rule)
        if source is None:
            raise RuntimeError(f"{rule.alert} asks nobody who keeps a past")
        async with self._free:
            return await source.measure(rule, color=color, namespace=namespace, slot=slot)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
