"""People beside a rollback: what they switch after it, or to new pods, is what they want."""

from __future__ import annotations

from tests.opponents.conftest import APPS, SILENT, WELL, Arena
from tests.opponents.writers import GitOps
from tests.stack.style import BY_APP_AND_COLOR
from tests.stack.wait import eventually
from watchdog.core.alert import AlertKind
from watchdog.core.model import End
from watchdog.core.transition import Event


def helm_upgrade(arena: Arena, color: str) -> None:
    """Helm applies a chart that says which color is active."""
    git = {("services", f"{app}-service"): {"selector": BY_APP_AND_COLOR.selector(app, color)} for app in APPS}
    GitOps(plane=arena.bank.plane, namespace=arena.namespace, manager="helm", git=git)


async def test_F63_a_switch_forward_after_the_rollback_is_left_alone_and_told(arena: Arena) -> None:
    async with arena.watching():
        await eventually(arena.ear.finished, "the rollback is finished", within=60)
        for app in APPS:
            arena.scale(f"{app}-green", 2)
        await eventually(lambda: arena.ready("green") == [2, 2], "green has pods again")
        helm_upgrade(arena, "green")
        await eventually(lambda: arena.ear.of_kind(AlertKind.FORWARD), "people are told")
        # Green is as bad as it was: that is fresh evidence, and a release is rolled back once.
        await eventually(lambda: arena.ear.told(Event.DECISION)[-1:] == ["rolled_back_before"], "people decide")
    assert arena.colors() == {"green"}
    assert arena.ear.writes("frontend-service") == ["blue"], "it is not switched back"
    (told,) = arena.ear.of_kind(AlertKind.FORWARD)
    assert "helm switched to green again" in told.text
    assert "it is the release that was rolled back" in told.text
    newest = (await arena.journal()).stays[-1]
    assert (newest.color, newest.by) == ("green", "helm")


async def test_F63_during_a_rollback_new_pods_that_get_the_traffic_end_it(arena: Arena) -> None:
    arena.script.answers["blue"] = SILENT  # the rollback stays open
    async with arena.watching():
        await eventually(lambda: arena.ear.told(Event.STAGE)[-1:] == ["recovering"], "green is scaled down", within=60)
        arena.script.answers["green"] = WELL
        arena.deploy("green", "bank:mended")
        await eventually(lambda: arena.ready("green") == [2, 2], "the mended pods are ready")
        helm_upgrade(arena, "green")
        await eventually(arena.ear.finished, "the rollback has ended")
        await eventually(
            lambda: arena.ear.told(Event.DECISION)[-1:] == ["nothing_firing"], "the new release is watched"
        )
    assert (arena.colors(), arena.replicas("green")) == ({"green"}, [2, 2])
    assert arena.ear.writes("frontend-service") == ["blue"]
    (ended,) = (await arena.journal()).finished
    assert ended.end is End.SUPERSEDED
    (told,) = arena.ear.of_kind(AlertKind.FINISHED)
    assert "somebody gave the traffic to a newer release of green (helm)" in told.text
