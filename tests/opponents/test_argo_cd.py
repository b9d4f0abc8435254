"""Argo CD beside a rollback, as a writer that does what it does: a revert that is contested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.opponents.conftest import SEEN_WITHIN, SILENT, WELL, Arena
from tests.opponents.writers import ARGO_CD, GitOps
from tests.stack.style import BY_APP_AND_COLOR
from tests.stack.wait import eventually
from watchdog.core.alert import AlertKind
from watchdog.core.transition import Event


def argo_cd(arena: Arena, git: Mapping[tuple[str, str], Mapping[str, Any]], *, after: float = 0.0) -> GitOps:
    """One that reverts so many seconds after it has seen a difference."""
    return GitOps(plane=arena.bank.plane, namespace=arena.namespace, manager=ARGO_CD, git=git, after=after)


def green_service(app: str) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Git says that green is active."""
    return {("services", f"{app}-service"): {"selector": BY_APP_AND_COLOR.selector(app, "green")}}


def size(name: str, replicas: int) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Git says how large a Deployment is."""
    return {("deployments", name): {"replicas": replicas}}


async def test_F61_a_revert_is_seen_within_5_s_done_again_twice_and_then_contested(arena: Arena) -> None:
    arena.script.answers["blue"] = SILENT  # the rollback stays open
    with argo_cd(arena, green_service("frontend"), after=1.0) as argo:
        async with arena.watching():
            await eventually(lambda: "contested" in arena.ear.told(Event.DECISION), "it is contested", within=60)
            passes = argo.passes
            await eventually(lambda: argo.passes > passes + 15, "time passes in which nobody fights")
            await eventually(lambda: arena.ready("green")[1] == 2, "what has the traffic has its pods", within=60)
    assert arena.ear.writes("frontend-service") == ["blue"] * 3
    assert arena.get("services", "frontend-service")["spec"]["selector"]["color"] == "green"
    reverts = [at for at, _ in argo.applied]
    answers = arena.ear.answers("frontend-service")
    assert len(reverts) == len(answers) == 3
    assert all(0 < answer - revert < SEEN_WITHIN for revert, answer in zip(reverts, answers, strict=True))
    (held,) = arena.ear.of_kind(AlertKind.HELD)
    assert "argocd-controller undid it" in held.text
    assert "RespectIgnoreDifferences=true" in held.text


async def test_F61_a_contested_color_that_was_scaled_to_0_gets_its_pods_back(arena: Arena) -> None:
    """A GitOps controller may look after minutes only, long after the scale-down."""
    arena.script.answers["blue"] = SILENT  # the rollback stays open
    async with arena.watching():
        await eventually(lambda: arena.replicas("green") == [0, 0], "green is scaled down", within=60)
        with argo_cd(arena, green_service("frontend")):
            await eventually(lambda: "contested" in arena.ear.told(Event.DECISION), "it is contested", within=60)
            await eventually(lambda: arena.ready("green") == [0, 2], "somebody takes the traffic", within=60)
    assert arena.replicas("green") == [0, 2], "only what has the traffic"
    (held,) = arena.ear.of_kind(AlertKind.HELD)
    assert "frontend-green has the traffic and no pods, and is scaled up again" in held.text


async def test_F61_who_scales_the_bad_color_up_again_and_again_is_left_alone_and_named(arena: Arena) -> None:
    arena.script.answers["blue"] = SILENT  # the rollback stays open
    with argo_cd(arena, size("backend-green", 2)) as argo:
        async with arena.watching():
            await eventually(lambda: len(argo.applied) == 3, "it was scaled up three times", within=60)
            arena.script.answers["blue"] = WELL
            await eventually(arena.ear.finished, "the rollback is finished", within=60)
    assert arena.ear.writes("backend-green") == ["0"] * 3
    assert arena.ear.writes("frontend-green") == ["0"]
    (told,) = arena.ear.of_kind(AlertKind.FINISHED)
    assert "backend-green keeps running, argocd-controller scales it up again and again" in told.text
