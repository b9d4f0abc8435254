"""Changed rule files under replicas: each kubelet brings them in its own time, and one replica acts meanwhile."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests
import yaml

from tests.stack.admin import path_of
from tests.stack.wait import wait_until
from tests.stories.mounts import Mount
from tests.stories.replicas import RULES, Replica, Scene

DEPLOYMENT = "canary-watchdog"
GREEN_IS_BAD = RULES.partition("    rules:\n")[2]
ALWAYS = """
      - alert: {name}
        prometheus: {{expr: vector(1)}}
        threshold: {{max: 0}}
        for: 1h
        initial_delay: 0s
"""


class Pack:
    """Replicas that each have the rules mounted."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.mounts: dict[str, Mount] = {}
        self.replicas: dict[str, Replica] = {}
        labels = {"app": DEPLOYMENT}
        container = {"name": "watchdog", "image": "watchdog"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
        scene.admin.create(
            path_of("deployments", scene.space),
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": DEPLOYMENT}, "spec": spec},
        )

    def start(self, name: str, text: str) -> Replica:
        self.mounts[name] = Mount(self.scene.folder / f"{name}-rules")
        self.mounts[name].bring(bank=text)
        folder = str(self.mounts[name].folder)
        dog = self.scene.replica(
            name, WATCHDOG_RULES=folder, WATCHDOG_DEPLOYMENT=DEPLOYMENT, WATCHDOG_LOG_LEVEL="debug"
        )
        self.replicas[name] = dog
        dog.start()
        return dog

    def bring(self, text: str, *names: str) -> None:
        """The kubelets of these replicas bring a new content; of all, if none is named."""
        for name in names or self.mounts:
            self.mounts[name].bring(bank=text)

    def alerts(self, kind: str) -> list[dict[str, Any]]:
        """What people were told of rule files, by whichever replica."""
        return [
            alert for dog in self.replicas.values() for alert in dog.alerts(kind) if alert["key"].startswith("rules/")
        ]

    def events(self) -> list[str]:
        """What is told on the watchdog's own Deployment."""
        found = self.scene.admin.items(f"/apis/events.k8s.io/v1/namespaces/{self.scene.space}/events")
        return [each["note"] for each in found if each["reason"] == "RulesRefused"]

    def states(self) -> dict[str, dict[str, Any]]:
        """What the journal says of each rule that is not at rest."""
        found: dict[str, dict[str, Any]] = yaml.safe_load(self.scene.journal().get("states", "{}"))
        return found


@pytest.fixture
def pack(scene: Scene) -> Pack:
    return Pack(scene)


def rules(scene: Scene, *parts: str) -> str:
    """The scene's target with these rules."""
    return RULES.replace("SPACE", scene.space).partition("    rules:\n")[0] + "    rules:\n" + "".join(parts)


def metric(dog: Replica, name: str) -> float:
    text = requests.get(f"http://127.0.0.1:{dog.port}/metrics", timeout=10).text
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    assert found is not None, name
    return float(found[1])


def takes(dog: Replica) -> bool:
    return metric(dog, "watchdog_rules_last_reload_successful") == 1


def measured(dog: Replica, alert: str) -> int:
    return sum(f'"rule": "{alert}"' in line for line in dog.child.log.read_text().splitlines() if '"measured"' in line)


def test_F68_F70_replicas_refuse_a_bad_change_together_and_people_are_told_once(scene: Scene, pack: Pack) -> None:
    well, better = rules(scene, ALWAYS.format(name="One")), rules(scene, ALWAYS.format(name="Two"))
    bad = well.replace("for: 1h", "fro: 1h")
    a = pack.start("dog-a", well)
    wait_until(a.leads, "the first leads")
    b = pack.start("dog-b", well)

    pack.bring(better)
    wait_until(lambda: a.said("rules reloaded") == b.said("rules reloaded") == 1, "both take the good one")
    wait_until(lambda: "Two" in pack.states(), "the first measures by it")

    pack.bring(bad, "dog-b")
    wait_until(lambda: not takes(b), "the standby refuses what its kubelet brings first")
    assert not pack.alerts("rules_refused"), "the one that speaks has not seen it"
    assert not pack.events()
    a.child.terminate()
    wait_until(b.leads, "the second leads")
    wait_until(lambda: pack.alerts("rules_refused"), "who leads tells what it has refused before")
    wait_until(lambda: len(pack.events()) == 1, "so does the Deployment")

    a.start()
    pack.bring(bad, "dog-a")
    wait_until(lambda: not takes(a), "the standby refuses it too")
    b.child.kill()
    wait_until(a.leads, "the first leads again")
    before = measured(a, "Two")
    wait_until(lambda: measured(a, "Two") >= before + 5, "the rules before it are in force")
    assert len(pack.alerts("rules_refused")) == len(pack.events()) == 1, "the one before it has told"

    pack.bring(well)
    wait_until(lambda: takes(a), "it is mended")
    wait_until(lambda: len(pack.alerts("resolved")) == 1, "people are told")


def test_F71_a_leader_that_lags_acts_by_no_rule_that_was_taken_away_and_forgets_nothing(
    scene: Scene, pack: Pack
) -> None:
    same, added = ALWAYS.format(name="Same"), ALWAYS.format(name="Added")
    old, new = rules(scene, GREEN_IS_BAD, same), rules(scene, added, same)
    a = pack.start("dog-a", old)
    wait_until(a.leads, "the first leads")
    wait_until(lambda: pack.states().get("GreenIsBad", {}).get("phase") == "firing", "the rule fires, and is held")
    since = pack.states()["Same"]["active_at"]
    b = pack.start("dog-b", old)

    pack.bring(new, "dog-a")
    wait_until(lambda: "Added" in pack.states(), "the first has the new rules")
    added_at = pack.states()["Added"]["active_at"]
    scene.pause(None)
    a.child.kill()
    wait_until(b.leads, "the second leads")
    wait_until(lambda: b.said("outdated"), "it sees that its rules are older than those in force")
    before = measured(b, "Same")
    wait_until(lambda: measured(b, "Same") >= before + 6, "what did not change is asked")
    assert scene.active() == ["green", "green"], "the rule that was taken away does nothing"
    assert measured(b, "GreenIsBad") == 0

    pack.bring(new, "dog-b")
    wait_until(lambda: measured(b, "Added") >= 3, "its kubelet has brought the new rules")
    found = {alert: state["active_at"] for alert, state in pack.states().items() if alert in ("Same", "Added")}
    assert found == {"Same": since, "Added": added_at}, "no rule has begun anew for it"
    assert scene.active() == ["green", "green"]

    pack.bring(old)
    wait_until(lambda: scene.active() == ["blue", "blue"], "a rule that is given back acts")


def test_F71_a_target_that_was_taken_away_is_not_rolled_back_by_a_leader_that_lags(scene: Scene, pack: Pack) -> None:
    old = rules(scene, GREEN_IS_BAD)
    other = old.replace(f"target: {scene.space}", "target: other").replace("mode: enforce", "mode: dry-run")
    a = pack.start("dog-a", old)
    wait_until(a.leads, "the first leads")
    wait_until(lambda: pack.states().get("GreenIsBad", {}).get("phase") == "firing", "the rule fires, and is held")
    b = pack.start("dog-b", old)
    pack.bring(other, "dog-a")
    wait_until(lambda: yaml.safe_load(scene.journal()["in_force"]).keys() == {"since"}, "the target is left")
    scene.pause(None)
    a.child.kill()
    wait_until(b.leads, "the second leads")
    wait_until(lambda: b.said("outdated"), "it sees that its rules are older than those in force")
    ticks = f'watchdog_ticks_total{{target="{scene.space}"}}'
    before = metric(b, re.escape(ticks))
    wait_until(lambda: metric(b, re.escape(ticks)) >= before + 5, "it goes on looking")
    assert scene.active() == ["green", "green"]
