"""The targets in force and their watches: who is watched now, and what becomes of a watch when the rules change.

Law: a target whose rules did not change is not touched; one that is being rolled back is watched by its old rules until
the rollback has ended.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from watchdog.core.rules.language import Mode, Target
from watchdog.watch.loop import Watch

LINGER_SECONDS = 1.0
"""How often a watch that has to go is asked whether its rollback has ended."""

WatchOf = Callable[[Target], Watch]


@dataclass(slots=True, eq=False)
class _Running:
    watch: Watch
    stop: asyncio.Event
    task: asyncio.Task[None]
    leaves: bool = False

    @property
    def target(self) -> Target:
        return self.watch.target


class Roster:
    """The targets in force. All that watch them on one event loop see a change at once."""

    def __init__(self, targets: Iterable[Target], *, since: float = 0.0) -> None:
        """``since`` is when their files came, in Unix seconds."""
        self.targets = tuple(targets)
        self.since = since
        self._changed = asyncio.Event()
        self._shards: list[dict[str, _Running]] = []

    def replace(self, targets: Iterable[Target], *, since: float = 0.0) -> None:
        """Other targets are in force from now on."""
        self.targets, self.since = tuple(targets), since
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def is_watched(self, name: str) -> bool:
        """True for a target in force, and for one that has to go and is still watched here."""
        return any(target.target == name for target in self.targets) or any(name in running for running in self._shards)

    async def watch(
        self, watch_of: WatchOf, stopping: asyncio.Event, *, belongs: Callable[[Target], bool] = lambda _: True
    ) -> None:
        """Watches those of the targets that belong here, whichever they are, until ``stopping``.

        A watch ends between two ticks, so that the next one of the same target finds its journal written.
        """
        with self._shard() as running:
            async with asyncio.TaskGroup() as group:
                while not stopping.is_set():
                    changed = self._changed
                    wanted = {target.target: target for target in self.targets if belongs(target)}
                    lingers = _dismiss(group, running, wanted, since=self.since)
                    for name, target in wanted.items():
                        if name not in running and not self._is_taken(target):
                            running[name] = _begin(group, watch_of(target))
                    waits = lingers or bool(wanted.keys() - running.keys())
                    await _first_of(stopping, changed, running.values(), within=LINGER_SECONDS if waits else None)
                for each in running.values():
                    each.stop.set()

    @contextmanager
    def _shard(self) -> Iterator[dict[str, _Running]]:
        running: dict[str, _Running] = {}
        self._shards.append(running)
        try:
            yield running
        finally:
            self._shards = [each for each in self._shards if each is not running]

    def _is_taken(self, target: Target) -> bool:
        """True while a target that has to go is still watched, in any shard, and shares a Service with this one.

        Two would switch it against each other.
        """
        beside = [
            each for running in self._shards for each in running.values() if _services(each.target) & _services(target)
        ]
        return any(each.leaves or each.target not in self.targets for each in beside)


def _begin(group: asyncio.TaskGroup, watch: Watch, *, leaves: bool = False) -> _Running:
    stop = asyncio.Event()
    return _Running(watch, stop, group.create_task(watch.run(stop)), leaves)


def _dismiss(
    group: asyncio.TaskGroup, running: dict[str, _Running], wanted: dict[str, Target], *, since: float
) -> bool:
    """Lets go whoever is not wanted as he is; True when one of them has a rollback to bring to its end first."""
    for name, each in list(running.items()):
        each.leaves = each.stop.is_set() or wanted.get(name) != each.target
        if each.task.done() and each.watch.is_rolling_back:
            running[name] = _begin(group, each.watch, leaves=True)  # it was begun in the last tick
        elif each.task.done():
            del running[name]
        elif each.leaves and not each.watch.is_rolling_back:
            if name not in wanted or wanted[name].mode is not Mode.ENFORCE:
                each.watch.retire(since)
            each.stop.set()
    return any(each.leaves and not each.stop.is_set() for each in running.values())


def _services(target: Target) -> set[tuple[str, str]]:
    return {(target.namespace, service.name) for service in target.services}


async def _first_of(
    stopping: asyncio.Event, changed: asyncio.Event, running: Iterable[_Running], *, within: float | None
) -> None:
    """Returns when there is something to do: an end, a change, or a watch that has gone."""
    async with asyncio.TaskGroup() as group:
        waits = [group.create_task(event.wait()) for event in (stopping, changed)]
        gone = [each.task for each in running if each.stop.is_set()]
        await asyncio.wait([*waits, *gone], timeout=within, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
