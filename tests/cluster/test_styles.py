"""A rollback and its undoing in all nine pairs of the styles in which two Services select their colors."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.cluster.conftest import Bank, make_bank
from tests.cluster.watching import Dog, vouch
from tests.stack.admin import path_of
from tests.stack.kubernetes import ControlPlane
from tests.stack.style import BY_APP, BY_APP_AND_COLOR, BY_COLOR, Style
from tests.stack.wait import eventually, wait_until
from watchdog.cluster.client import Cluster
from watchdog.core.annotations import TRIP
from watchdog.core.decision import Reason, Rollback
from watchdog.core.model import BY_HAND, TrippedRule

APPS = ("backend", "frontend")
STYLES = {"app": BY_APP, "color": BY_COLOR, "app and color": BY_APP_AND_COLOR}


def pair(backend: Style, frontend: Style) -> Style:
    """One style for each Service; the pods have the labels of all."""
    selectors = {"backend": backend.selectors["backend"], "frontend": frontend.selectors["frontend"]}
    return Style(pod_labels=backend.pod_labels, selectors=selectors)


@asynccontextmanager
async def bank_in(plane: ControlPlane, style: Style) -> AsyncIterator[Bank]:
    """In a namespace of its own, with blue vouched for."""
    name = f"bank-{secrets.token_hex(4)}"

    def make() -> Bank:
        plane.admin.create_namespace(name)
        wait_until(lambda: plane.admin.exists(path_of("serviceaccounts", name, "default")), "pods can be made")
        bank = make_bank(plane, name, style)
        vouch(bank)
        return bank

    try:
        yield await asyncio.to_thread(make)
    finally:
        plane.admin.delete_namespace(name)


def endpoints(bank: Bank, app: str) -> set[str]:
    """The Deployments whose ready pods the real controller has put behind a Service."""
    selector = f"kubernetes.io/service-name={app}-service"
    slices = bank.plane.admin.items(path_of("endpointslices", bank.namespace), labelSelector=selector)
    ready = [each for piece in slices for each in piece["endpoints"] or () if each["conditions"]["ready"]]
    return {each["targetRef"]["name"].rsplit("-", 2)[0] for each in ready}


async def assert_serves(bank: Bank, style: Style, color: str) -> None:
    for app in APPS:
        assert bank.service(f"{app}-service")["spec"]["selector"] == style.selector(app, color)
        await eventually(lambda a=app: endpoints(bank, a) == {f"{a}-{color}"}, f"the pods of {app}-{color} serve")  # type: ignore[misc]


async def undo(dog: Dog) -> None:
    """As `watchdog undo` does, while the watch's own clock goes on."""
    (ended,) = dog.journal().finished
    why = TrippedRule(alert=BY_HAND, value=None, threshold="undo", since=dog.now)
    overrides = frozenset({Reason.COOLDOWN, Reason.NOT_KNOWN_GOOD})
    decision = await dog.watch.judge_by_hand(why, overrides=overrides, undoes=ended.trip.id)
    assert isinstance(decision, Rollback), decision
    async with asyncio.TaskGroup() as group:
        undoing = group.create_task(dog.watch.roll_back_by_hand(decision.trip))
        while not undoing.done():
            dog.now += 1
            await asyncio.sleep(0.1)


async def roll_back_and_undo(plane: ControlPlane, cluster: Cluster, style: Style) -> None:
    async with bank_in(plane, style) as bank:
        dog = Dog(bank, cluster, bank.namespace)
        await dog.tick_until(dog.finished)
        assert dog.switches() == ["backend-service", "frontend-service"]
        await assert_serves(bank, style, "blue")
        await undo(dog)
        await assert_serves(bank, style, "green")
        for app in APPS:
            assert TRIP not in bank.service(f"{app}-service")["metadata"]["annotations"]


async def test_F53_S2_every_pair_of_styles_is_switched_and_undone(
    cluster: Cluster, control_plane: ControlPlane
) -> None:
    async def try_pair(backend: str, frontend: str) -> None:
        try:
            await roll_back_and_undo(control_plane, cluster, pair(STYLES[backend], STYLES[frontend]))
        except BaseException as error:
            error.add_note(f"backend by {backend}, frontend by {frontend}")
            raise

    async with asyncio.TaskGroup() as group:
        for backend in STYLES:
            for frontend in STYLES:
                group.create_task(try_pair(backend, frontend))
