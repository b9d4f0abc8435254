"""The targets in force and their watches: who is watched now, and what becomes of a watch when the rules change.

Law: a target whose rules did not change is not touched; one that is being rolled back is watched by its old rules until
the rollback has ended.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from watchdog.core.rules.language import Target
from watchdog.loop import Watch

LINGER_SECONDS = 1.0
"""How often a watch that has to go is asked whether its rollback has ended."""

WatchOf = Callable[[Target], Watch]


@dataclass(frozen=True, slots=True, eq=False)
class _Running:
    watch: Watch
    stop: asyncio.Event
    task: asyncio.Task[None]

    @property
    def target(self) -> Target:
        return self.watch.target


class Roster:
    """The targets in force. All that watch them on one event loop see a change at once."""

    def __init__(self, targets: Iterable[Target]) -> None:
        self.targets = tuple(targets)
        self._changed = asyncio.Event()

    def replace(self, targets: Iterable[Target]) -> None:
        """Other targets are in force from now on."""
        self.targets = tuple(targets)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def watch(
        self, watch_of: WatchOf, stopping: asyncio.Event, *, belongs: Callable[[Target], bool] = lambda _: True
    ) -> None:
        """Watches those of the targets that belong here, whichever they are, until ``stopping``.

        A watch ends between two ticks, so that the next one of the same target finds its journal written.
        """
        running: dict[str, _Running] = {}
        async with asyncio.TaskGroup() as group:
            while not stopping.is_set():
                changed = self._changed
                wanted = {target.target: target for target in self.targets if belongs(target)}
                lingers = _dismiss(running, wanted)
                for name, target in wanted.items():
                    if name not in running:
                        running[name] = _begin(group, watch_of(target))
                await _first_of(stopping, changed, running.values(), within=LINGER_SECONDS if lingers else None)
            for each in running.values():
                each.stop.set()


def _begin(group: asyncio.TaskGroup, watch: Watch) -> _Running:
    stop = asyncio.Event()
    return _Running(watch, stop, group.create_task(watch.run(stop)))


def _dismiss(running: dict[str, _Running], wanted: dict[str, Target]) -> bool:
    """Lets go whoever is not wanted as he is; True when one of them has a rollback to bring to its end first."""
    lingers = False
    for name, each in list(running.items()):
        if each.task.done():
            del running[name]
        elif wanted.get(name) != each.target and each.watch.is_rolling_back:
            lingers = True
        elif wanted.get(name) != each.target:
            each.stop.set()
    return lingers


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
