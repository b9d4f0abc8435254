"""The story of the demo: a release is switched on, goes bad, and is brought back.

Law: the script plays the people and the application; it waits for what the daemon does and never helps it.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Protocol

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from watchdog import daemon
from watchdog.core.model import End
from watchdog.core.rules.rulefile import parse_rule_file
from watchdog.core.transition import Event, Transition
from watchdog.demo.summary import Summary
from watchdog.demo.traffic import Clients, Traffic
from watchdog.rulefiles.ruleset import RuleSet
from watchdog.settings import ElasticsearchSettings, PrometheusSettings, Settings
from watchdog.sim.world import SimulatedWorld
from watchdog.telling import Fanout
from watchdog.watch.announce import Reporter, Silent

HEALTHY_SECONDS = 3.0
RELEASED_SECONDS = 4.0
GIVES_UP_AFTER_SECONDS = 45.0
LAST_LOOK_SECONDS = 2.0
ERROR_RATIO = 0.3


class Audience(Reporter, Protocol):
    """Whoever watches the demo: hears what the daemon tells, and what the script does."""

    def scene(self, name: str, sentence: str) -> None:
        """The script did something."""
        ...


@dataclass(slots=True)
class _Notes(Silent):
    """When it first happened, as the daemon told it, in Unix seconds."""

    tripped: float | None = None
    switched: float | None = None
    finished: float | None = None
    recovered: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def transition(self, transition: Transition) -> None:
        """Takes a note."""
        match transition.event:
            case Event.DECISION if transition.after == "rollback":
                self.tripped = self.tripped or transition.time
            case Event.SELECTOR:
                self.switched = transition.time
            case Event.FINISHED:
                self.finished = transition.time
                self.recovered = transition.end is End.RECOVERED
                self.ended.set()
            case _:
                pass


AudienceFor = Callable[[Callable[[], Traffic]], Audience]


async def play(
    audience_for: AudienceFor, *, keep: bool, gives_up_after: float = GIVES_UP_AFTER_SECONDS
) -> Summary | None:
    """Plays the story; its summary, or None when it was interrupted.

    ``audience_for`` is given what the clients of the application see, to be asked at any time. With ``keep`` the world
    goes on after the story, until SIGINT. A rollback is waited for ``gives_up_after`` seconds.
    """
    async with SimulatedWorld(pod_ready_delay=0.3) as world:
        clients, notes = Clients(world), _Notes()
        audience = audience_for(clients.look)
        async with asyncio.TaskGroup() as group:
            watchdog = group.create_task(
                daemon.run(_settings(world), _rules(), listener=Fanout(audience, notes)), name="watchdog"
            )
            story = group.create_task(
                _story(world, clients, audience, notes, gives_up_after=gives_up_after), name="story"
            )
            await asyncio.wait((watchdog, story), return_when=asyncio.FIRST_COMPLETED)
            if keep and not watchdog.done():
                audience.scene("go on", "the world goes on; ^C ends it")
                await asyncio.wait((watchdog,))
            watchdog.cancel()
            story.cancel()
    return None if story.cancelled() else story.result()


async def _story(
    world: SimulatedWorld, clients: Clients, audience: Audience, notes: _Notes, *, gives_up_after: float
) -> Summary:
    audience.scene("begin", "blue is active, and well")
    await asyncio.sleep(HEALTHY_SECONDS)
    audience.scene("release", "somebody switches both Services to green")
    world.switch("green")
    await asyncio.sleep(RELEASED_SECONDS)
    audience.scene("go bad", f"{ERROR_RATIO:.0%} of green's requests begin to fail")
    world.bank.go_bad("green", error_ratio=ERROR_RATIO)
    bad_since = time.time()
    try:
        async with asyncio.timeout(gives_up_after):
            await notes.ended.wait()
    except TimeoutError:
        audience.scene("give up", f"no rollback within {gives_up_after:g} s")
    await asyncio.sleep(LAST_LOOK_SECONDS)
    seen = clients.look()

    def after(instant: float | None) -> float | None:
        return None if instant is None else instant - bad_since

    return Summary(
        until_tripped=after(notes.tripped),
        until_switched=after(notes.switched),
        until_finished=after(notes.finished),
        recovered=notes.recovered and seen.error_ratio == 0,
        requests=seen.requests,
        failed=seen.failed,
    )


def _rules() -> RuleSet:
    text = files("watchdog.demo").joinpath("rules.yaml").read_text(encoding="utf-8")
    read = parse_rule_file("rules.yaml", text)
    if read.target is None:
        raise ValueError("\n".join(map(str, read.problems)))
    return RuleSet((read.target,), digest="demo")


class _DemoSettings(Settings):
    """Settings that nothing but the demo decides: the environment may name the team's real webhook."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings' signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is given in the code."""
        return (init_settings,)


def _settings(world: SimulatedWorld) -> Settings:
    return _DemoSettings(
        kubeconfig=world.kubeconfig,
        prometheus=PrometheusSettings(url=world.prometheus_url),
        elasticsearch=ElasticsearchSettings(urls=[world.elasticsearch_url]),
        listen="127.0.0.1:0",
    )
