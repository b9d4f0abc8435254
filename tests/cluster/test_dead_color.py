"""What a rule on the cluster itself sees of a real one, and that a color which emits nothing is left."""

import asyncio
import time
from typing import Any

from tests.cluster.conftest import Bank
from tests.stack.admin import path_of
from tests.stack.wait import PATIENCE, eventually, eventually_answers
from watchdog.cluster.client import Cluster
from watchdog.cluster.journal import ConfigMapJournal
from watchdog.core.annotations import KNOWN_GOOD
from watchdog.core.model import Measurement
from watchdog.core.rules.kinds import KubernetesCheck
from watchdog.core.rules.language import Rule
from watchdog.sources.kubernetes import measure_status
from watchdog.watch.announce import Silent
from watchdog.watch.loop import Watch

DEAD = {"alert": "Dead", "kubernetes": {"count": "unready_pods", "share": True}, "threshold": {"max": 0.5}}


async def measured(cluster: Cluster, bank: Bank, **check: Any) -> Measurement:
    status = await bank.observe(cluster)
    return measure_status(KubernetesCheck.model_validate(check), status, color="green", slot=time.time())


def pods_of(bank: Bank, app: str) -> list[dict[str, Any]]:
    return bank.plane.admin.items(path_of("pods", bank.namespace), labelSelector=f"app={app}")


async def test_restarts_and_crash_loops_of_a_real_pods_status(cluster: Cluster, bank: Bank) -> None:
    assert (await measured(cluster, bank, count="restarts")).value == 0
    name = pods_of(bank, "frontend-green")[0]["metadata"]["name"]
    began, ended = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago)) for ago in (35, 30))
    container = {
        "name": "bank",
        "image": "bank",
        "imageID": "",
        "ready": False,
        "restartCount": 5,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1, "startedAt": began, "finishedAt": ended}},
    }

    def replace_status(shown: dict[str, Any]) -> None:
        path = path_of("pods", bank.namespace, name) + "/status"
        bank.plane.admin.patch(path, [{"op": "replace", "path": "/status/containerStatuses", "value": [shown]}])

    replace_status(container)
    restarts = await measured(cluster, bank, count="restarts", window="1m")
    assert (restarts.value, restarts.reason) == (1, f"{name} (restart 5)")
    assert (await measured(cluster, bank, count="restarts", window="10s")).value == 0
    loops = await measured(cluster, bank, count="crash_loops")
    assert (loops.value, loops.reason) == (1, f"{name} after 5 restarts")
    for state in ({"running": {"startedAt": ended}}, container["lastState"]):
        replace_status({**container, "state": state})
        assert (await measured(cluster, bank, count="crash_loops")).value == 1, "between two crashes"
    replace_status({**container, "state": {"terminated": {"exitCode": 0, "startedAt": began, "finishedAt": ended}}})
    assert (await measured(cluster, bank, count="crash_loops")).value == 0, "it has done its work"


async def test_a_rollout_that_the_real_controller_gives_up_is_stuck(cluster: Cluster, bank: Bank) -> None:
    assert (await measured(cluster, bank, count="stuck_rollouts")).value == 0
    template = {"metadata": {"annotations": {"watchdog.test/ready": "false"}}}
    patch = {"spec": {"progressDeadlineSeconds": 1, "minReadySeconds": 0, "template": template}}
    bank.plane.admin.patch(bank.deployment_path("frontend-green"), patch)

    def given_up() -> bool:
        found = bank.plane.admin.get(bank.deployment_path("frontend-green"))
        return any(each.get("reason") == "ProgressDeadlineExceeded" for each in found["status"]["conditions"])

    await eventually(given_up, "the controller gives the rollout up")
    stuck = await measured(cluster, bank, count="stuck_rollouts")
    said = "frontend-green: Progressing is False (ProgressDeadlineExceeded)"
    assert (stuck.value, stuck.reason) == (1, said)


async def test_F17_a_rollout_that_has_not_replaced_every_pod_is_mixed(cluster: Cluster, bank: Bank) -> None:
    async def is_mixed() -> bool:
        return (await bank.observe(cluster)).is_mixed("green")

    async def is_whole() -> bool:
        return not await is_mixed()

    assert await is_whole()
    for ready, so in (("false", is_mixed), ("true", is_whole)):
        template = {"metadata": {"annotations": {"watchdog.test/ready": ready}}}
        bank.plane.admin.patch(bank.deployment_path("frontend-green"), {"spec": {"template": template}})
        await eventually_answers(so, f"the pods of the new template have come, ready: {ready}")
    assert not (await bank.observe(cluster)).is_mixed("blue")


async def test_V12_a_dead_color_that_emits_nothing_is_rolled_back(cluster: Cluster, bank: Bank) -> None:
    rule = Rule.model_validate(DEAD | {"for": "15s", "action": "rollback"})
    rollback = bank.target.rollback.model_copy(update={"scale_down_delay": 1.0})
    target = bank.target.model_copy(update={"rules": [rule], "rollback": rollback})
    for app in ("backend", "frontend"):
        bank.plane.admin.annotate(bank.deployment_path(f"{app}-blue"), **{KNOWN_GOOD: "true"})
    now = time.time() + 3600.0
    journal = ConfigMapJournal(cluster, bank.namespace, bank.namespace)
    watch = Watch(target, cluster=cluster, sources={}, journal=journal, reporter=Silent(), clock=lambda: now)
    await watch.tick()
    for pod in pods_of(bank, "backend-green"):
        path = path_of("pods", bank.namespace, pod["metadata"]["name"])
        bank.plane.admin.annotate(path, **{"watchdog.test/ready": "false"})

    def selected() -> set[str]:
        names = ("backend-service", "frontend-service")
        return {bank.service(name)["spec"]["selector"]["color"] for name in names}

    async with asyncio.timeout(PATIENCE):
        while selected() != {"blue"}:
            now += target.interval
            await watch.tick()
