"""Flux itself beside a rollback: answered twice and named, switched off by the rule file or by the cure on the page."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from tests.cluster.conftest import bank_objects
from tests.opponents.conftest import APPS, COLORS, SEEN_WITHIN, Arena
from tests.stack.admin import Object
from tests.stack.flux import MANAGER, Flux
from tests.stack.style import BY_APP_AND_COLOR
from tests.stack.wait import eventually
from watchdog.core.alert import AlertKind
from watchdog.core.annotations import FLUX_PAUSED, FLUX_RECONCILE
from watchdog.core.transition import Event

SETTINGS = "bank-settings"
SERVICES = [f"{app}-service" for app in APPS]


def git(arena: Arena, *, idle: int) -> Iterator[Object]:
    """The bank with green active and so many pods of blue, and its settings, which no rollback touches."""
    for each in bank_objects(arena.namespace, BY_APP_AND_COLOR):
        if each["metadata"]["name"].endswith("-blue"):
            each["spec"]["replicas"] = idle
        yield each
    metadata = {"name": SETTINGS, "namespace": arena.namespace}
    yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"limit": "100"}}


async def goes_over_everything(flux: Flux, arena: Arena) -> None:
    """Flux reconciles twice; each time it reverts what somebody did to the settings."""
    for limit in ("200", "300"):
        arena.patch("configmaps", SETTINGS, {"data": {"limit": limit}})
        await flux.reconcile(arena.namespace)
        assert arena.get("configmaps", SETTINGS)["data"] == {"limit": "100"}


def written(flux: Flux, arena: Arena, *, since: float) -> list[tuple[float, str]]:
    """When Flux wrote on which Service or Deployment."""
    rows = [
        (datetime.fromisoformat(row["requestReceivedTimestamp"]).timestamp(), row["objectRef"]["name"])
        for row in flux.writes(arena.namespace)
    ]
    return [row for row in rows if row[0] >= since]


async def test_F61_F62_flux_is_answered_twice_then_named_and_the_cure_on_the_page_ends_the_fight(
    arena: Arena, flux: Flux, kubectl_program: Path
) -> None:
    """Both Services are in Git: a look in the middle of a revert sees one of them, and that is the same revert."""
    flux.keep(arena.namespace, git(arena, idle=2))
    async with arena.watching(scale_down_delay="5m"):
        await eventually(lambda: arena.ear.of_kind(AlertKind.HELD), "people are told that it is contested", within=90)
        since = arena.ear.heard[0][0]
        await eventually(lambda: len(written(flux, arena, since=since)) == 6, "the audit log has the last revert")
        await goes_over_everything(flux, arena)
        reverts = written(flux, arena, since=since)
        for service in SERVICES:
            assert arena.ear.writes(service) == ["blue"] * 3
            reverted = [at for at, name in reverts if name == service]
            delays = [answer - at for at, answer in zip(reverted, arena.ear.answers(service), strict=True)]
            assert all(0 < delay < SEEN_WITHIN for delay in delays), delays

        (held,) = arena.ear.of_kind(AlertKind.HELD)
        command = dict(held.commands)["make Flux leave it alone"]
        assert f"{MANAGER} undid it. '{command}' makes Flux leave it alone" in held.text
        carry_out(command, kubectl_program, arena)
        await eventually(lambda: arena.colors() == {"blue"}, "the rollback goes on")
        await goes_over_everything(flux, arena)
    assert arena.colors() == {"blue"}
    assert [arena.ear.writes(service) for service in SERVICES] == [["blue"] * 4] * 2
    assert written(flux, arena, since=since) == reverts, "nobody fights"
    assert arena.annotations("deployments", "frontend-green")[FLUX_PAUSED] == held.trip, "an undo gives it back"


def carry_out(command: str, kubectl: Path, arena: Arena) -> None:
    """Types what a page says, as it says it."""
    program, _, arguments = command.partition(" ")
    assert program == "kubectl"
    environment = {"KUBECONFIG": str(arena.bank.plane.kubeconfig), "HOME": str(arena.folder)}
    line = f"'{kubectl}' {arguments}"
    subprocess.run(line, shell=True, check=True, capture_output=True, timeout=30, env=environment)  # noqa: S602 - for a shell


async def test_F62_flux_is_switched_off_by_the_switch_itself_and_on_again_by_the_undo(arena: Arena, flux: Flux) -> None:
    """Git says that the good color is scaled to 0: Flux would take its pods away while they have the traffic."""
    flux.keep(arena.namespace, git(arena, idle=0))
    assert arena.replicas("blue") == [0, 0]
    async with arena.watching(gitops={"flux": "pause"}):
        await eventually(arena.ear.finished, "the rollback is finished", within=60)
        since = arena.ear.heard[0][0]
        await goes_over_everything(flux, arena)
    assert (arena.colors(), arena.replicas("green"), arena.replicas("blue")) == ({"blue"}, [0, 0], [2, 2])
    assert arena.ear.told(Event.DECISION)[-1:] != ["contested"]
    assert written(flux, arena, since=since) == []
    (trip,) = (ended.trip for ended in (await arena.journal()).finished)
    owned = [("services", f"{app}-service") for app in APPS]
    owned += [("deployments", f"{app}-{color}") for app in APPS for color in COLORS]
    for kind, name in owned:
        found = arena.annotations(kind, name)
        assert (found[FLUX_RECONCILE], found[FLUX_PAUSED]) == ("disabled", trip.id)
    assert f"{FLUX_RECONCILE}- {FLUX_PAUSED}-" in str(arena.ear.of_kind(AlertKind.FINISHED)[0].commands)

    await arena.type("undo", trip.id, "--yes")
    assert (arena.colors(), arena.replicas("green")) == ({"green"}, [2, 2])
    arena.switch("blue")
    await flux.reconcile(arena.namespace)
    assert (arena.colors(), arena.replicas("green"), arena.replicas("blue")) == ({"green"}, [2, 2], [0, 0])
    for kind, name in owned:
        assert not {FLUX_RECONCILE, FLUX_PAUSED} & arena.annotations(kind, name).keys()
