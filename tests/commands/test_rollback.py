"""``watchdog rollback`` and ``watchdog undo``: the plan, the guards, what is done, and that it is undone."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands.conftest import TARGET, Desk
from tests.core.making import trip
from tests.stack.banking import REPOSITORY
from watchdog.cluster.client import Cluster
from watchdog.commands.rollback import Consent, Rollback
from watchdog.commands.session import Session, StopError
from watchdog.core.annotations import PAUSED, TRIP, write_trip
from watchdog.core.journal import Journal
from watchdog.core.model import BY_HAND, TrippedRule
from watchdog.rulefiles.ruleset import RuleSet, read_rules
from watchdog.settings import load_settings
from watchdog.sim.kubernetes.deployments import REVISION_ANNOTATION
from watchdog.sim.kubernetes.kinds import DEPLOYMENT


def replicas(desk: Desk) -> dict[str, int]:
    return {each["metadata"]["name"]: each["spec"]["replicas"] for each in desk.world.cluster.each(DEPLOYMENT, TARGET)}


def colors(desk: Desk) -> set[str]:
    return set(desk.world.active_colors().values())


@pytest.fixture
def fast(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The shipped rule file, without its delay."""
    folder = tmp_path_factory.mktemp("rules")
    text = (REPOSITORY / "rules" / "banking-app.yaml").read_text()
    (folder / "banking-app.yaml").write_text(text.replace("scale_down_delay: 30s", "scale_down_delay: 0s"))
    return str(folder)


async def test_the_plan_is_printed_and_nothing_is_done(desk: Desk) -> None:
    assert (await desk.type("trust", TARGET)).exit_code == 0
    done = await desk.type("rollback", TARGET, "--dry-run")
    assert done.exit_code == 0
    assert "switch backend-service: app=backend-green → app=backend-blue" in done.stdout
    assert "switch frontend-service: app=frontend,color=green → app=frontend,color=blue" in done.stdout
    assert "scale backend-green: 3 → 0, 30s after the switch" in done.stdout
    assert colors(desk) == {"green"}


async def test_without_a_yes_nothing_is_done(desk: Desk) -> None:
    assert (await desk.type("trust", TARGET)).exit_code == 0
    done = await desk.type("rollback", TARGET)
    assert done.exit_code == 2
    assert "add --yes" in done.stderr
    assert colors(desk) == {"green"}


async def test_what_holds_is_said_with_its_override(desk: Desk) -> None:
    done = await desk.type("rollback", TARGET, "--yes")
    assert done.exit_code == 1
    assert "held (not_known_good)" in done.stderr
    assert "--even-if not_known_good" in done.stderr
    assert colors(desk) == {"green"}


async def test_a_pause_is_not_overridden(desk: Desk) -> None:
    desk.world.annotate("services", "frontend-service", PAUSED, "true")
    done = await desk.type("rollback", TARGET, "--yes", "--even-if", "not_known_good")
    assert done.exit_code == 1
    assert "held (paused)" in done.stderr
    wrong = await desk.type("rollback", TARGET, "--yes", "--even-if", "paused")
    assert wrong.exit_code == 2
    assert wrong.stderr.startswith("--even-if paused: this guard cannot be overridden; those that can be: cooldown, ")


async def test_a_word_that_is_no_guard_is_told_as_such(desk: Desk) -> None:
    wrong = await desk.type("rollback", TARGET, "--yes", "--even-if", "cooldwon")
    assert wrong.exit_code == 2
    assert wrong.stderr.startswith(
        "--even-if cooldwon: there is no such guard; those that can be overridden: cooldown, "
    )


async def test_a_pause_of_the_watchdog_itself_holds_people_too(desk: Desk) -> None:
    desk.world.annotate("deployments", "frontend-blue", PAUSED, "true")
    own = {"WATCHDOG_NAMESPACE": TARGET, "WATCHDOG_DEPLOYMENT": "frontend-blue"}
    done = await desk.type("rollback", TARGET, "--yes", "--even-if", "not_known_good", **own)
    assert (done.exit_code, "held (paused)" in done.stderr) == (1, True)


async def test_rolled_back_by_hand_and_undone(desk: Desk, fast: str) -> None:
    done = await desk.type("rollback", TARGET, "--yes", "--even-if", "not_known_good", WATCHDOG_RULES=fast)
    assert done.exit_code == 0, done.stderr
    assert colors(desk) == {"blue"}
    assert replicas(desk) == {"backend-blue": 3, "frontend-blue": 3, "backend-green": 0, "frontend-green": 0}
    trip = done.stdout.splitlines()[-1].partition(":")[0]

    shown = await desk.type("history", TARGET)
    assert trip in shown.stdout
    assert "  unmeasured after " in shown.stdout
    assert "rolled back to blue, as asked by hand; no rule measured whether the service recovered" in done.stderr

    undone = await desk.type("undo", trip, "--yes", WATCHDOG_RULES=fast)
    assert undone.exit_code == 0, undone.stderr
    assert colors(desk) == {"green"}
    assert set(replicas(desk).values()) == {3}

    again = await desk.type("undo", trip, "--yes", WATCHDOG_RULES=fast)
    assert again.exit_code == 1
    assert colors(desk) == {"green"}

    held = await desk.type("rollback", TARGET, "--yes", "--even-if", "cooldown", WATCHDOG_RULES=fast)
    assert held.exit_code == 1
    assert f"held (rolled_back_before): green was rolled back before ({trip}, " in held.stderr
    undo = undone.stdout.splitlines()[-1].partition(":")[0]
    redone = await desk.type("undo", undo, "--yes", WATCHDOG_RULES=fast)
    assert redone.exit_code == 0, redone.stderr
    assert colors(desk) == {"blue"}


async def test_F47_an_undo_does_not_return_to_a_newer_release_unless_it_is_said(desk: Desk, fast: str) -> None:
    done = await desk.type("rollback", TARGET, "--yes", "--even-if", "not_known_good", WATCHDOG_RULES=fast)
    trip = done.stdout.splitlines()[-1].partition(":")[0]
    for deployment in ("backend-green", "frontend-green"):
        desk.world.deploy(deployment, "bank:next")
    held = await desk.type("undo", trip, "--yes", WATCHDOG_RULES=fast)
    assert (held.exit_code, colors(desk)) == (1, {"blue"})
    assert f"held (not_known_good): green has changed since {trip} left it" in held.stderr
    undone = await desk.type("undo", trip, "--yes", "--even-if", "not_known_good", WATCHDOG_RULES=fast)
    assert (undone.exit_code, colors(desk)) == (0, {"green"}), undone.stderr


async def test_who_interrupts_a_rollback_is_told_who_goes_on_with_it(desk: Desk) -> None:
    assert (await desk.type("trust", TARGET)).exit_code == 0
    # A shell starts what it puts in the background without ^C, and that is inherited.
    program = ["env", "--default-signal=INT", sys.executable, "-m", "watchdog"]
    words = ["rollback", TARGET, "--yes", "--rules", str(REPOSITORY / "rules")]
    environment = os.environ | {"WATCHDOG_KUBECONFIG": str(desk.world.kubeconfig), "PYTHONPATH": str(REPOSITORY)}
    process = await asyncio.create_subprocess_exec(*program, *words, env=environment, stdout=DEVNULL, stderr=PIPE)
    assert process.stderr is not None
    async for line in process.stderr:
        if b"draining" in line:
            break
    process.send_signal(signal.SIGINT)
    said = (await process.stderr.read()).decode()
    assert await process.wait() == 130
    (sentence,) = said.strip().splitlines()
    assert sentence.startswith(f"interrupted: `watchdog history {TARGET}` shows whether {TARGET}-")
    assert "a running watchdog finishes it" in sentence
    assert "  open  " in (await desk.type("history", TARGET)).stdout


async def test_an_unknown_trip_names_those_that_there_are(desk: Desk) -> None:
    done = await desk.type("undo", f"{TARGET}-nothing")
    assert done.exit_code == 2
    assert "history" in done.stderr


@dataclass(frozen=True, slots=True, kw_only=True)
class Hesitant(Consent):
    """A person who says yes, after something else has happened."""

    meanwhile: Callable[[], None]

    def ask(self) -> None:
        """Yes, at last."""
        self.meanwhile()


async def ask(desk: Desk, rules: str, meanwhile: Callable[[], None]) -> int:
    """``watchdog rollback`` with a person at the terminal."""
    settings = load_settings(rules=Path(rules), kubeconfig=desk.world.kubeconfig)
    read = read_rules(Path(rules))
    assert isinstance(read, RuleSet)
    consent = Hesitant(meanwhile=meanwhile, even_if=("not_known_good",))
    async with await Cluster.connect(desk.world.kubeconfig, None) as cluster:
        session = Session(settings=settings, targets=read.targets, cluster=cluster)
        return await Rollback(target=TARGET, consent=consent)(session)


async def test_who_thinks_it_over_is_not_refused_because_the_watchdog_wrote_its_journal(desk: Desk, fast: str) -> None:
    await desk.write(Journal(target=TARGET, paused_since=1.0))
    agreed: list[float] = []

    def write() -> None:
        agreed.append(time.time())
        change = {"metadata": {"labels": {"written": "since"}}}
        desk.world.patch("configmaps", f"canary-watchdog-{TARGET}", change, manager="canary-watchdog")

    assert await ask(desk, fast, write) == 0
    assert colors(desk) == {"blue"}
    journal = await desk.journal()
    assert journal.finished[-1].trip.started_at >= agreed[0], "it is decided on what is there now, and not void"


async def test_what_changed_while_a_person_thought_it_over_is_not_rolled_back(desk: Desk, fast: str) -> None:
    with pytest.raises(StopError, match="nothing was done"):
        await ask(desk, fast, lambda: desk.world.switch("blue"))
    assert colors(desk) == {"blue"}


async def test_F28_what_was_deployed_to_the_good_color_while_a_person_thought_it_over_gets_no_traffic(
    desk: Desk, fast: str
) -> None:
    def deploy() -> None:
        desk.world.deploy("frontend-blue", "bank:untested")
        seen = {"metadata": {"annotations": {REVISION_ANNOTATION: "2"}}}  # by its controller, a moment later
        desk.world.patch("deployments", "frontend-blue", seen, manager="kube-controller-manager")

    with pytest.raises(StopError, match="another release"):
        await ask(desk, fast, deploy)
    assert colors(desk) == {"green"}


async def test_a_rollback_that_is_under_way_is_said_to_be(desk: Desk) -> None:
    open_trip = trip(id=f"{TARGET}-1")
    await desk.write(Journal(target=TARGET, trip=open_trip))
    undone = await desk.type("undo", open_trip.id, "--yes")
    assert undone.exit_code == 1
    assert f"{open_trip.id} is under way" in undone.stderr
    assert f"watchdog pause {TARGET}" in undone.stderr
    back = await desk.type("rollback", TARGET, "--to", "green", "--yes")
    assert back.exit_code == 1
    assert f"{open_trip.id} is under way" in back.stderr
    assert colors(desk) == {"green"}


async def test_a_rollback_that_was_rebuilt_from_the_objects_is_gone_on_with(desk: Desk, fast: str) -> None:
    by_hand = TrippedRule(alert=BY_HAND, value=None, threshold="an earlier one", since=time.time())
    begun = trip(id=f"{TARGET}-1", started_at=time.time(), rules=(by_hand,))
    desk.world.switch("blue", services=("backend-service",))
    desk.world.annotate("services", "backend-service", TRIP, write_trip(begun, was={}))
    done = await desk.type("rollback", TARGET, "--yes", WATCHDOG_RULES=fast)
    assert done.exit_code == 0, done.stderr
    assert "switch frontend-service: blue" in done.stdout
    assert colors(desk) == {"blue"}
