"""``watchdog backtest`` as it is typed: who had the traffic is found in the journal of the cluster."""

import json
import time
from pathlib import Path

import pytest

from tests.commands.conftest import TARGET, Desk
from tests.stack.banking import REPOSITORY
from watchdog.core.instant import show_instant
from watchdog.core.journal import Ending, Journal, Stay

NOBODY = "http://127.0.0.1:9"
RULES = str(REPOSITORY / "rules" / "banking-app.yaml")


async def test_the_journal_says_who_had_the_traffic(desk: Desk, tmp_path: Path) -> None:
    now = float(int(time.time()))
    stays = (
        Stay(color="blue", release="blue:a@1", since=now - 9000, ending=Ending.LEFT_WELL),
        Stay(color="green", release="green:a@1", since=now - 100, ending=Ending.LEFT_WELL),
        Stay(color="green", release="green:a@2", since=now - 60),
    )
    await desk.write(Journal(target=TARGET, stays=stays))
    servers = ("--prometheus", NOBODY, "--elasticsearch", NOBODY, "--kubeconfig", str(desk.world.kubeconfig))
    page = tmp_path / "page.html"
    done = await desk.type("backtest", RULES, "--from", "2m", *servers, "--format", "json", "--html", str(page))
    assert done.exit_code == 3, "nobody listens there"
    told = json.loads(done.stdout)
    assert [(each["at"], each["to"]) for each in told["switches"]] == [
        (show_instant(now - 9000), "blue"),
        (show_instant(now - 100), "green"),
    ]
    assert told["deploys"] == [{"at": show_instant(now - 60), "color": "green"}]
    # Nobody listens there: each slot is an error, and none is left out. After a switch or a new revision nobody is
    # asked for a while.
    first = told["rules"][0]
    assert first["slots"] == told["slots"] > 5
    assert first["outcomes"]["error"] + first["outcomes"]["insufficient"] == told["slots"]
    assert "green got the traffic" in page.read_text()
    assert "green got a new revision" in page.read_text()


@pytest.mark.parametrize("command", ["test", "backtest"])
async def test_help_says_what_can_be_typed(desk: Desk, command: str) -> None:
    done = await desk.type(command, "--help")
    assert (done.exit_code, "Usage" in done.stdout) == (0, True)


async def test_without_a_journal_nobody_knows(desk: Desk) -> None:
    servers = ("--prometheus", NOBODY, "--elasticsearch", NOBODY, "--kubeconfig", str(desk.world.kubeconfig))
    done = await desk.type("backtest", RULES, "--from", "2m", *servers)
    assert done.exit_code == 1
    assert f"holds no journal of {TARGET}; use --switches FILE" in done.stderr
