"""A ResourceQuota beside a rollback: it may keep the good color from growing, and then nothing is switched."""

from __future__ import annotations

from tests.opponents.conftest import Arena
from tests.stack.wait import eventually
from watchdog.core.alert import AlertKind

PODS = 6  # four of green and two of the frontend's blue


async def test_F67_a_good_color_that_a_quota_keeps_from_growing_is_not_switched_to(arena: Arena) -> None:
    arena.scale("backend-blue", 0)
    await eventually(lambda: arena.ready("blue") == [0, 2], "an earlier clean-up has taken the pods")
    arena.create("resourcequotas", {"metadata": {"name": "pods"}, "spec": {"hard": {"pods": str(PODS)}}})
    await eventually(lambda: arena.get("resourcequotas", "pods").get("status", {}).get("used"), "the quota counts")
    async with arena.watching(ready_timeout="2s"):
        await eventually(lambda: arena.ear.of_kind(AlertKind.GIVEN_UP), "people are told", within=60)
        assert (arena.colors(), arena.ear.writes("backend-service")) == ({"green"}, [])
        assert "backend-blue has 0 ready pods of 2" in arena.ear.of_kind(AlertKind.GIVEN_UP)[0].text

        arena.patch("resourcequotas", "pods", {"spec": {"hard": {"pods": str(PODS + 2)}}})
        await eventually(lambda: arena.colors() == {"blue"}, "with room it is restored, and switched to", within=60)
        await eventually(arena.ear.finished, "the rollback is finished", within=60)
    assert arena.replicas("blue") == [2, 2]
