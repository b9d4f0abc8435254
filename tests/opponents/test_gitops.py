"""GitOps controllers beside a rollback: Flux that is switched off, and a revert that is contested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.opponents.conftest import SILENT, WELL, Arena
from tests.opponents.writers import ARGO_CD, FLUX, RECONCILE, GitOps
from tests.stack.style import BY_APP_AND_COLOR
from tests.stack.wait import eventually
from watchdog.core.alert import AlertKind
from watchdog.core.annotations import FLUX_PAUSED
from watchdog.core.transition import Event

SEEN_WITHIN = 5.0


def controller(
    arena: Arena, manager: str, git: Mapping[tuple[str, str], Mapping[str, Any]], *, after: float = 0.0
) -> GitOps:
    """One that reverts so many seconds after it has seen a difference."""
    return GitOps(plane=arena.bank.plane, namespace=arena.namespace, manager=manager, git=git, after=after)


def green_service(app: str) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Git says that green is active."""
    return {("services", f"{app}-service"): {"selector": BY_APP_AND_COLOR.selector(app, "green")}}


def size(name: str, replicas: int) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Git says how large a Deployment is."""
    return {("deployments", name): {"replicas": replicas}}


async def test_F62_flux_is_switched_off_by_the_switch_itself_and_on_again_by_the_undo(arena: Arena) -> None:
    """Git says that the good color is scaled to 0: Flux would take its pods away while they have the traffic."""
    git = green_service("backend") | green_service("frontend")
    git |= size("backend-blue", 0) | size("frontend-blue", 0) | size("backend-green", 2) | size("frontend-green", 2)
    with controller(arena, FLUX, git) as flux:
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
        await eventually(lambda: len(flux.applied) == 2, "Flux goes on")
        assert (arena.colors(), arena.replicas("green"), arena.replicas("blue")) == ({"green"}, [2, 2], [0, 0])
        assert {name for _, name in flux.applied} == {"backend-blue", "frontend-blue"}, "Git goes on where it was"
    for kind, name in (("services", "frontend-service"), ("deployments", "backend-green")):
        assert not {RECONCILE, FLUX_PAUSED} & arena.annotations(kind, name).keys()


async def test_F61_a_revert_is_seen_within_5_s_done_again_twice_and_then_contested(arena: Arena) -> None:
    arena.script.answers["blue"] = SILENT  # the rollback stays open
    with controller(arena, ARGO_CD, green_service("frontend"), after=1.0) as argo:
        async with arena.watching():
            await eventually(lambda: "contested" in arena.ear.told(Event.DECISION), "it is contested", within=60)
            passes = argo.passes
            await eventually(lambda: argo.passes > passes + 15, "time passes in which nobody fights")
    assert arena.ear.writes("frontend-service") == ["blue"] * 3
    assert arena.get("services", "frontend-service")["spec"]["selector"]["color"] == "green"
    reverts = [at for at, _ in argo.applied]
    answers = [
        at
        for at, each in arena.ear.heard
        if each.subject == "frontend-service" or (each.event, each.after) == (Event.DECISION, "contested")
    ][1:]
    assert len(reverts) == len(answers) == 3
    assert all(0 < answer - revert < SEEN_WITHIN for revert, answer in zip(reverts, answers, strict=True))
    (held,) = arena.ear.of_kind(AlertKind.HELD)
    assert "argocd-controller undid it" in held.text
    assert "RespectIgnoreDifferences=true" in held.text
    assert arena.replicas("green") == [2, 2], "what has the traffic is not scaled down"


async def test_F61_who_scales_the_bad_color_up_again_and_again_is_left_alone_and_named(arena: Arena) -> None:
    arena.script.answers["blue"] = SILENT  # the rollback stays open
    with controller(arena, ARGO_CD, size("backend-green", 2)) as argo:
        async with arena.watching():
            await eventually(lambda: len(argo.applied) == 3, "it was scaled up three times", within=60)
            arena.script.answers["blue"] = WELL
            await eventually(arena.ear.finished, "the rollback is finished", within=60)
    assert arena.ear.writes("backend-green") == ["0"] * 3
    assert arena.ear.writes("frontend-green") == ["0"]
    (told,) = arena.ear.of_kind(AlertKind.FINISHED)
    assert "backend-green keeps running, argocd-controller scales it up again and again" in told.text
