"""What is known of the past beside the measurements, and how commands for it are refused."""

import subprocess
from pathlib import Path

import pytest

from tests.core.making import target
from tests.replay.conftest import RULES
from watchdog.commands.backtest import run_backtest
from watchdog.commands.backtest_input import Hindsight, Options
from watchdog.core.journal import Journal, Stay
from watchdog.replay.past import Incident, Schedule, read_incidents, read_switches, schedule_of_journal
from watchdog.replay.story import Deploy, Switch

TARGET = target()
SERVERS = {"prometheus": "http://127.0.0.1:9", "elasticsearch": "http://127.0.0.1:9"}  # nobody listens there


def test_a_journal_knows_who_had_the_traffic() -> None:
    stays = (
        Stay(color="blue", release="blue:a@1", since=100.0),
        Stay(color="blue", release="blue:a@1", since=150.0),  # left, and come back to before anybody else was there
        Stay(color="blue", release="blue:a@2", since=200.0),
        Stay(color="green", release="green:a@1", since=300.0),
    )
    found = schedule_of_journal(Journal(target="banking-app", stays=stays))
    assert found == Schedule(
        (Switch(at=100.0, color="blue"), Switch(at=300.0, color="green")), deploys=(Deploy(at=200.0, color="blue"),)
    )
    assert [found.color_at(instant) for instant in (50.0, 100.0, 299.0, 300.0)] == ["blue", "blue", "blue", "green"]


def test_a_file_of_switches_knows_no_new_revisions() -> None:
    found = read_switches("s", "switches: [{at: 2026-11-01T10:00:00Z, to: green}]", TARGET)
    assert isinstance(found, Schedule)
    assert found.deploys is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("switches: []", "s:1:11: this is not what is needed here; write switches: [{at: 2026-11-01T10:00:00Z, to:"),
        ("switches: [{at: 2026-11-01T10:00:00, to: green}]", "s:1:17: this is not what is needed here"),
        ("switches: [{at: 2026-11-01T10:00:00Z, to: red}]", "s:1:43: 'red' is no color; there are blue and green"),
        ("switches: [", "s:1:12: "),
    ],
)
def test_a_file_of_switches_is_read_or_refused_with_its_place(text: str, message: str) -> None:
    found = read_switches("s", text, TARGET)
    assert not isinstance(found, Schedule)
    assert message in str(found[0])


def test_incidents_come_in_the_order_of_their_start() -> None:
    text = (
        "incidents:\n"
        "  - {name: b, start: '2026-11-02T00:00:00Z', end: '2026-11-02T01:00:00Z'}\n"
        "  - {name: a, start: '2026-11-01T00:00:00Z', end: '2026-11-01T01:00:00+00:00'}\n"
    )
    names = [each.name for each in read_incidents("i", text) if isinstance(each, Incident)]
    assert names == ["a", "b"]


def test_an_incident_that_ends_before_it_begins_is_a_mistake() -> None:
    text = "incidents:\n  - {start: '2026-11-02T00:00:00Z', end: '2026-11-01T01:00:00Z'}\n"
    (found,) = read_incidents("i", text)
    assert str(found) == "i:2:42: the incident ends before it begins; write a later end"


@pytest.mark.parametrize("option", ["incidents", "switches"])
def test_a_file_that_is_no_text_is_said_to_be_none(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (rules := tmp_path / "shop.yaml").write_text(RULES)
    (given := tmp_path / "given").write_bytes(b"\xff\xfe")
    hindsight = Hindsight(**{option: given})  # type: ignore[arg-type] # as named
    options = Options(rules=rules, since="1h", hindsight=hindsight, **SERVERS)  # type: ignore[arg-type] # as named
    assert run_backtest(options) == 2
    assert f"--{option} {given}: cannot be read: it is not UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"since": "yesterday"}, "--from yesterday: write a time such as", id="a time that is none"),
        pytest.param({"since": "1h", "until": "2h"}, "--from 1h is not before --to 2h", id="an end before the start"),
        pytest.param({}, "Errors asks prometheus; say where it is with --prometheus URL", id="a server not named"),
        pytest.param(
            SERVERS,
            "who had the traffic? Say it with --kubeconfig FILE (the journal), --switches FILE, --active-metric EXPR",
            id="nobody knows who had the traffic",
        ),
        pytest.param(
            {
                "prometheus": "http://127.0.0.1:9",
                "elasticsearch": "http://127.0.0.1:9",
                "hindsight": Hindsight(active="red"),
            },
            "--active red: the colors are blue and green",
            id="a color that is none",
        ),
        pytest.param({"prometheus": "127.0.0.1"}, "--prometheus: not a URL", id="a URL that is none"),
        pytest.param({"against": "HEAD"}, "--against HEAD: fatal: not a git repository", id="no revision"),
        pytest.param(
            {"hindsight": Hindsight(incidents=Path("no.yaml"))},
            "--incidents no.yaml: cannot be read: No such",
            id="no such file",
        ),
        pytest.param({"html": Path("no/p.html")}, "--html no/p.html: there is no folder no;", id="nowhere to write to"),
        pytest.param({"html": Path("/")}, "--html /: this is a folder; name a file", id="a folder to write to"),
        pytest.param({"target": "bank"}, "shop.yaml; there are: shop", id="no such target"),
    ],
)
def test_what_cannot_be_known_is_asked_for(
    options: dict[str, object], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = tmp_path / "shop.yaml"
    rules.write_text(RULES)
    code = run_backtest(Options(rules=rules, **{"since": "1h", **options}))  # type: ignore[arg-type] # as named
    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert message in said.err


def test_a_past_of_which_nobody_knows_anything_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A job that is green then would say that the rule has done no harm."""
    (rules := tmp_path / "shop.yaml").write_text(RULES)
    options = Options(rules=rules, since="1h", hindsight=Hindsight(active="green"), **SERVERS)  # type: ignore[arg-type] # as named
    assert run_backtest(options) == 3
    said = capsys.readouterr()
    assert "error 100.00%" in said.out, "the report is printed all the same"
    assert "nothing was learnt about Errors, Queue: prometheus answered none of its questions" in said.err
    assert "nothing was learnt about Logs: elasticsearch answered none of its questions" in said.err


@pytest.mark.parametrize("revision", ["nonsense", "HEAD~9", "not a name", "HEAD:shop.yaml"])
def test_a_revision_that_there_is_not_is_said_to_be_none(
    revision: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (rules := tmp_path / "shop.yaml").write_text(RULES)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "shop.yaml"], ["commit", "-qm", "rules"]):
        subprocess.run([*git, *command], check=True)
    assert run_backtest(Options(rules=rules, since="1h", against=revision)) == 2
    assert capsys.readouterr().err == f"--against {revision}: there is no revision '{revision}' here\n"


def test_all_that_is_wrong_with_a_file_of_switches_is_told_at_once() -> None:
    text = "switches:\n  - {at: 2026-11-01, to: red}\n  - {at: 2026-11-01T10:00:00Z, to: grey}\n  - {to: green}\n"
    found = read_switches("s", text, TARGET)
    assert not isinstance(found, Schedule)
    assert [str(each).partition(";")[0] for each in found] == [
        "s:2:10: this is not what is needed here",
        "s:2:26: 'red' is no color",
        "s:3:36: 'grey' is no color",
        "s:4:5: this is not what is needed here",
    ]
