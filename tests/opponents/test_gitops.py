"""GitOps controllers beside a rollback: Flux that is switched off, and a revert that is contested."""

from __future__ import annotations

from tests.opponents.conftest import Arena
from tests.opponents.writers import FLUX, RECONCILE, GitOps
from tests.stack.style import BY_APP_AND_COLOR
from tests.stack.wait import eventually
from watchdog.core.alert import AlertKind
from watchdog.core.annotations import FLUX_PAUSED

SEEN_WITHIN = 5.0


def git_of(arena: Arena, manager: str, *, after: float = 0.0, blue: int = 2) -> GitOps:
    """A repository that says green: both Services, and the size of every Deployment."""
    services = {
        ("services", f"{app}-service"): {"selector": BY_APP_AND_COLOR.selector(app, "green")}
        for app in ("backend", "frontend")
    }
    deployments = {
        ("deployments", f"{app}-{color}"): {"replicas": replicas}
        for app in ("backend", "frontend")
        for color, replicas in (("blue", blue), ("green", 2))
    }
    return GitOps(
        plane=arena.bank.plane, namespace=arena.namespace, manager=manager, git=services | deployments, after=after
    )


async def test_F62_flux_is_switched_off_by_the_switch_itself_and_on_again_by_the_undo(arena: Arena) -> None:
    """Git says that the good color is scaled to 0: Flux would take its pods away while they have the traffic."""
    with git_of(arena, FLUX, blue=0) as flux:
        async with arena.watching(gitops={"flux": "pause"}):
            await eventually(arena.ear.finished, "the rollback is finished", within=60)
        passes = flux.passes
        await eventually(lambda: flux.passes > passes + 2, "Flux has looked at everything again")
        assert (arena.colors(), arena.replicas("green"), arena.replicas("blue")) == ({"blue"}, [0, 0], [2, 2])
        assert flux.applied == []
        (trip,) = (ended.trip for ended in (await arena.journal()).finished)
        for kind, names in (("services", "{}-service"), ("deployments", "{}-blue"), ("deployments", "{}-green")):
            for app in ("backend", "frontend"):
                found = arena.annotations(kind, names.format(app))
                assert (found[RECONCILE], found[FLUX_PAUSED]) == ("disabled", trip.id)
        assert f"{RECONCILE}- {FLUX_PAUSED}-" in str(arena.ear.of_kind(AlertKind.FINISHED)[0].commands)

        await arena.type("undo", trip.id, "--yes")
        passes = flux.passes
        await eventually(lambda: flux.passes > passes + 2, "Flux has looked at everything again")
        assert (arena.colors(), arena.replicas("green"), arena.replicas("blue")) == ({"green"}, [2, 2], [0, 0])
        assert {name for _, name in flux.applied} == {"backend-blue", "frontend-blue"}, "Git goes on where it was"
    for kind, name in (("services", "frontend-service"), ("deployments", "backend-green")):
        assert not {RECONCILE, FLUX_PAUSED} & arena.annotations(kind, name).keys()
