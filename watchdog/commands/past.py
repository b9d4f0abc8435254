"""Plays the slots of the past in their order, as the daemon asked then: the other color only where something fires.

Law: a slot that nobody could measure is played with the error; none is skipped. Only searches are sent ahead, since
each is about one slot; Prometheus answers for many at once, and how new its samples are is known from slot to slot as
it is live.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from watchdog.commands.exit_codes import USAGE
from watchdog.commands.servers import elasticsearch_at, prometheus_at
from watchdog.commands.session import StopError
from watchdog.core.model import Measurement
from watchdog.core.rules.language import Rule, Target
from watchdog.replay.findings import Finding, Firing, find
from watchdog.replay.past import Incident, Schedule
from watchdog.replay.player import Player, Question, acting, past_of
from watchdog.replay.report import Change
from watchdog.replay.story import Deploy, Switch
from watchdog.replay.track import Track
from watchdog.replay.world import world_of
from watchdog.settings import PrometheusSettings, Settings
from watchdog.sources.compare import ComparingSource
from watchdog.sources.elasticsearch_history import ElasticsearchHistory
from watchdog.sources.prometheus_history import PrometheusHistory
from watchdog.sources.prometheus_ranges import Ranges

DEADLINE = 60.0  # seconds for one request: a range takes longer than an instant
KEEPERS = ("prometheus", "elasticsearch")
"""The servers that keep a past."""
BATCH = 400  # slots whose searches are sent before they are played
BREATH = 20  # slots after which the answers to what was asked ahead are received
SIDE_BY_SIDE = 50  # searches: as many as are sent in one request, which Elasticsearch bounds by its own threads

_Source = PrometheusHistory | ComparingSource | ElasticsearchHistory


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Who keeps a past. ``prometheus`` is where the ranges come from, ``at`` how they are asked for."""

    settings: Settings
    prometheus: Ranges | None
    at: PrometheusSettings | None
    elasticsearch: ElasticsearchHistory | None

    @property
    def silent(self) -> tuple[str, ...]:
        """The servers that were asked, and have not answered once."""
        known = {"prometheus": self.prometheus, "elasticsearch": self.elasticsearch}
        return tuple(name for name, each in known.items() if each and each.requests and not each.has_answered)

    @asynccontextmanager
    async def for_(self, target: Target) -> AsyncIterator[dict[str, _Source]]:
        """Who is asked about the past of each rule that has one, by alert. Each play of a target has its own."""
        async with AsyncExitStack() as stack:
            found: dict[str, _Source] = {}
            if self.prometheus is not None and self.at is not None:
                history = PrometheusHistory(self.at, self.prometheus, step=target.interval)
                stack.push_async_callback(history.close)
                for rule in target.rules:
                    if rule.compare is not None:
                        windows = history.every(rule.compare.window)
                        stack.push_async_callback(windows.close)
                        found[rule.alert] = ComparingSource(windows, colors=target.colors)
                    elif rule.server == "prometheus":
                        found[rule.alert] = history
            if self.elasticsearch is not None:
                found |= {rule.alert: self.elasticsearch for rule in target.rules if rule.server == "elasticsearch"}
            yield found


@asynccontextmanager
async def sources_of(
    settings: Settings, *, end: float, prometheus_url: str, elasticsearch_url: str
) -> AsyncIterator[Sources]:
    """The servers that are named, or those of the settings. Raises SettingsError."""
    at = prometheus_at(settings, prometheus_url, DEADLINE)
    prometheus = None if at is None else Ranges(at, end=end - at.query_offset)
    nodes = elasticsearch_at(settings, elasticsearch_url, DEADLINE)
    elasticsearch = None if nodes is None else ElasticsearchHistory(nodes)
    try:
        yield Sources(settings=settings, prometheus=prometheus, at=at, elasticsearch=elasticsearch)
    finally:
        for source in (prometheus, elasticsearch):
            if source is not None:
                await source.close()


def check_sources(sources: Sources, targets: Sequence[Target]) -> None:
    """Raises StopError when a server that the rules ask is not named."""
    rules = [rule for target in targets for rule in target.rules]
    for name in KEEPERS:
        asking = [rule.alert for rule in rules if rule.server == name]
        if asking and getattr(sources, name) is None:
            where = f"--{name} URL or WATCHDOG_{name.upper()}__{'URL' if name == 'prometheus' else 'URLS'}"
            raise StopError(f"{asking[0]} asks {name}; say where it is with {where}", USAGE)


def without_past(target: Target) -> tuple[Rule, ...]:
    """The rules that ask what keeps no past: how pods were, and what a page answered."""
    return tuple(rule for rule in target.rules if rule.server not in KEEPERS)


class Past:
    """Slots of the past, and who answers for them."""

    def __init__(self, sources: Sources, schedule: Schedule, first: float, end: float) -> None:
        self._sources = sources
        self._schedule = schedule
        self._first, self._end = first, end

    def count(self, target: Target) -> int:
        """How many slots there are."""
        return max(0, round((self._end - self._first) / target.interval) + 1)

    async def play(
        self, target: Target, *others: Target, incidents: Sequence[Incident] | None
    ) -> list[tuple[Finding, ...]]:
        """Plays every slot for a target, and beside it for others with the same slots: what came of each rule of each.

        They are played side by side, so that what they have in common is asked once.
        """
        targets = [target, *others]
        async with AsyncExitStack() as stack:
            runs = [_Run(each, await stack.enter_async_context(self._sources.for_(each)), self) for each in targets]
            bar = stack.enter_context(_progress())
            task = bar.add_task(target.target, total=self.count(target))
            for begin in range(0, self.count(target), BATCH):
                numbers = range(begin, min(begin + BATCH, self.count(target)))
                slots = [self._first + number * target.interval for number in numbers]
                for run in runs:
                    await run.go(slots)
                bar.advance(task, len(slots))
        return [run.findings(incidents) for run in runs]

    def begin(self, target: Target, earlier: Mapping[str, float]) -> Player:
        """A player before the first slot; ``earlier`` is by how many seconds before it each rule's source is asked."""
        active, since = self._schedule.color_at(self._first), self._schedule.active_since(self._first)
        world = world_of(target, active=active, switched_at=since, vouched=True)
        return Player(world, past_of(world, at=self._first), acts=False, earlier=earlier)

    def color_at(self, slot: float) -> str:
        """Who had the traffic."""
        return self._schedule.color_at(slot)

    def events(self) -> Iterable[Deploy | Switch]:
        """What happened after the first slot."""
        return self._schedule.events_after(self._first)


Made = dict[tuple[str, str, float], Measurement]
"""What was searched ahead, by rule, color and slot."""


class _Run:
    """One target on its way through the slots."""

    def __init__(self, target: Target, sources: dict[str, _Source], past: Past) -> None:
        kept = [rule for rule in target.rules if rule.alert in sources]
        self._target = acting(target).model_copy(update={"rules": kept})
        self._sources = sources
        self._past = past
        self._tracks = {rule.alert: Track(rule) for rule in kept}
        asked = {alert: each for alert, each in sources.items() if not isinstance(each, ElasticsearchHistory)}
        self._player = past.begin(self._target, {alert: each.query_offset for alert, each in asked.items()})
        self._events = [*past.events()]
        self._free = asyncio.Semaphore(SIDE_BY_SIDE)

    async def go(self, slots: Sequence[float]) -> None:
        """Plays some more slots."""
        made = await self._search(slots)
        for number, slot in enumerate(slots):
            while self._events and self._events[0].at <= slot:
                self._player.happen(self._events.pop(0))
            await self._tick(slot, made)
            if number % BREATH == 0:
                await asyncio.sleep(0)

    def findings(self, incidents: Sequence[Incident] | None) -> tuple[Finding, ...]:
        """What the slots so far say of each rule."""
        actions, interval = self._player.actions, self._target.interval
        return tuple(find(track, actions, interval=interval, incidents=incidents) for track in self._tracks.values())

    async def _tick(self, slot: float, made: Made) -> None:
        dialogue = self._player.tick(slot)
        try:
            questions = next(dialogue)
            while True:
                questions = dialogue.send([await self._answer(each, slot, made) for each in questions])
        except StopIteration as stop:
            for alert, state in stop.value.states.items():
                if state.slot == slot:
                    self._tracks[alert].add(state, stop.value.active or "")

    async def _answer(self, question: Question, slot: float, made: Made) -> Measurement | None:
        known = made.get((question.rule.alert, question.color, slot))
        return known or await self._ask(question.rule, question.color, slot)

    async def _search(self, slots: Sequence[float]) -> Made:
        """What the log rules say of the color that had the traffic in each of the slots."""
        searching = [rule for rule in self._target.rules if rule.server == "elasticsearch"]
        keys = [(rule, self._past.color_at(slot), slot) for slot in slots for rule in searching]

        async def ask(rule: Rule, color: str, slot: float) -> Measurement:
            async with self._free:
                return await self._ask(rule, color, slot)

        answers = await asyncio.gather(*(ask(*key) for key in keys))
        return {(rule.alert, color, slot): answer for (rule, color, slot), answer in zip(keys, answers, strict=True)}

    async def _ask(self, rule: Rule, color: str, slot: float) -> Measurement:
        source = self._sources[rule.alert]
        return await source.measure(rule, color=color, namespace=self._target.namespace, slot=slot)


def changes(before: Sequence[Finding], now: Sequence[Finding]) -> tuple[Change, ...]:
    """What another revision of a rule file would have done instead, rule by rule."""
    others, these = _firings(before), _firings(now)
    return tuple(
        Change(alert=alert, before=others.get(alert), after=these.get(alert))
        for alert in dict.fromkeys([*these, *others])
    )


def _firings(findings: Collection[Finding]) -> dict[str, tuple[Firing, ...]]:
    return {each.rule.alert: each.firings for each in findings}


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
