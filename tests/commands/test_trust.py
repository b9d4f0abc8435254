"""``watchdog trust``: which revision is vouched for, and what is refused."""

from dataclasses import replace

import pytest

from tests.commands.conftest import TARGET, Desk
from tests.stack.banking import REPOSITORY
from watchdog.cluster.client import Cluster
from watchdog.cluster.observe import read_namespace, status_of
from watchdog.core.annotations import KNOWN_GOOD
from watchdog.core.journal import Ending, Journal, Stay
from watchdog.core.model import TargetStatus
from watchdog.rulefiles.ruleset import RuleSet, read_rules

SERVICES = ("backend-service", "frontend-service")
BLUE = ("backend-blue", "frontend-blue")


async def look(desk: Desk) -> TargetStatus:
    """The target as the watchdog sees it."""
    rules = read_rules(REPOSITORY / "rules")
    assert isinstance(rules, RuleSet)
    async with await Cluster.connect(desk.world.kubeconfig, None) as cluster:
        return status_of(rules.targets[0], await read_namespace(cluster, TARGET, None), now=0)


async def rolled_back(desk: Desk, color: str) -> Journal:
    """A journal in which the color's present release was rolled back."""
    stay = Stay(color=color, release=(await look(desk)).release(color), since=0, ending=Ending.ROLLED_BACK)
    return Journal(target=TARGET, stays=(stay,))


async def test_the_idle_color_is_vouched_for_at_its_revision(desk: Desk) -> None:
    desk.world.deploy("backend-blue", "bank:2")
    done = await desk.type("trust", TARGET)
    revisions = [(await look(desk)).deployments[service, "blue"].revision for service in SERVICES]
    assert [desk.annotations(name) for name in BLUE] == [{KNOWN_GOOD: revision} for revision in revisions]
    assert desk.annotations("backend-green") == {}
    assert done.exit_code == 0
    assert f"backend-blue at revision {revisions[0]}, frontend-blue at revision {revisions[1]};" in done.stdout


async def test_a_color_can_be_named(desk: Desk) -> None:
    assert (await desk.type("trust", TARGET, "--color", "green")).exit_code == 0
    assert desk.annotations("backend-green") == {KNOWN_GOOD: "1"}
    assert desk.annotations("backend-blue") == {}


async def test_a_release_that_was_rolled_back_is_refused(desk: Desk) -> None:
    await desk.write(await rolled_back(desk, "blue"))
    done = await desk.type("trust", TARGET)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("not vouched for: blue was itself rolled back, and has not changed since.")
    assert [desk.annotations(name) for name in BLUE] == [{}, {}]


async def test_a_new_revision_of_what_was_rolled_back_can_be_vouched_for(desk: Desk) -> None:
    journal = await rolled_back(desk, "blue")
    before = replace(journal.stays[0], release=journal.stays[0].release + "-before")
    await desk.write(replace(journal, stays=(before,)))
    assert (await desk.type("trust", TARGET)).exit_code == 0


async def test_a_journal_that_cannot_be_read_vouches_for_nothing(desk: Desk) -> None:
    await desk.write(await rolled_back(desk, "green"))
    desk.world.patch("configmaps", f"canary-watchdog-{TARGET}", {"data": {"stays": "{"}}, manager="vi")
    done = await desk.type("trust", TARGET)
    assert (done.exit_code, desk.annotations("backend-blue")) == (1, {})
    assert "stays is not YAML" in done.stderr


async def test_where_no_journal_was_found_is_said(desk: Desk) -> None:
    done = await desk.type("trust", TARGET, WATCHDOG_NAMESPACE="elsewhere")
    assert done.exit_code == 0
    assert "the namespace elsewhere holds no journal of banking-app" in done.stderr


async def test_no_idle_color_while_the_services_disagree(desk: Desk) -> None:
    desk.world.switch("blue", services=("backend-service",))
    done = await desk.type("trust", TARGET)
    assert done.exit_code == 1
    assert "--color" in done.stderr


async def test_a_dry_run_prints_what_kubectl_would_be_told(desk: Desk) -> None:
    done = await desk.type("trust", TARGET, "--dry-run")
    command = f"kubectl --kubeconfig {desk.world.kubeconfig} -n banking-app annotate deployment"
    assert done.stdout.splitlines() == [f"{command} {name} {KNOWN_GOOD}=1 --overwrite" for name in BLUE]
    assert [desk.annotations(name) for name in BLUE] == [{}, {}]


@pytest.mark.parametrize("color", ["red", "\x1b[2J"])
async def test_an_unknown_color_is_wrong_usage(desk: Desk, color: str) -> None:
    done = await desk.type("trust", TARGET, "--color", color)
    assert done.exit_code == 2
    assert done.stderr.endswith("it has blue and green\n")
    assert "\x1b" not in done.stderr
