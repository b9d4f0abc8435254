"""The command line, as a process: exit codes, and what goes to which stream."""

import base64
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.stack.banking import REPOSITORY
from tests.stack.unshared import with_mount

RULES = REPOSITORY / "rules"
LONG = "x" * 300
NO_CERTIFICATE = base64.b64encode(b"s3cr3t").decode()


def surroundings(**environment: str) -> dict[str, str]:
    """The environment of a command, without settings but those that are given."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WATCHDOG_")}
    return inherited | {"PYTHONPATH": str(REPOSITORY)} | environment


def watchdog(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "watchdog", *map(str, arguments)],
        env=surroundings(**environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_version() -> None:
    done = watchdog("--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "canary-watchdog")


def test_the_shipped_rules_are_clean() -> None:
    done = watchdog("check", RULES)
    assert (done.returncode, len(done.stdout.splitlines()), done.stderr) == (0, 1, "")


def test_a_bad_file_is_told_with_its_places(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text((RULES / "banking-app.yaml").read_text().replace("interval: 15s", "intervall: 15"))
    done = watchdog("check", tmp_path)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{file}:")
    assert "did you mean" in done.stdout


def test_a_terminal_that_lacks_a_sign_gets_an_escape(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text('target: "b\u00e4nk \u2192"', encoding="utf-8")
    done = watchdog("check", tmp_path, PYTHONIOENCODING="ascii")
    assert (done.returncode, "b\\xe4nk \\u2192" in done.stdout) == (1, True), done.stderr
    assert watchdog("--help", PYTHONIOENCODING="ascii").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        pytest.param(["check", "/no/such/folder"], {}, "no such file or folder", id="a path that is not there"),
        pytest.param(
            ["run", "--rules", "/no/such/folder"], {}, "/no/such/folder: no such file or folder; say", id="no rules"
        ),
        pytest.param(["test", LONG], {}, "cannot be read: File name too long", id="a name too long to read"),
        pytest.param(
            ["demo", "--picture", LONG], {}, "cannot be written: File name too long", id="a name too long to write"
        ),
        pytest.param(
            ["backtest", str(RULES), "--from", "1h", "--target", "shop"],
            {},
            f"no target 'shop' in {RULES}; there are: banking-app",
            id="no such target",
        ),
        pytest.param(["check"], {}, "Missing argument", id="no path"),
        pytest.param(["bark"], {}, "No such command", id="an unknown command"),
        pytest.param(
            ["demo", "--picture", "/no/x.svg"], {}, "there is no folder /no; make it", id="no place for a picture"
        ),
        pytest.param(["demo", "--json", "--picture", "x.svg"], {}, "there is no picture with --json", id="no picture"),
        pytest.param(["run"], {"WATCHDOG_LOG_LEVEL": "loud"}, "WATCHDOG_LOG_LEVEL: ", id="a bad setting"),
        pytest.param(["run", "--rules", RULES], {}, "WATCHDOG_PROMETHEUS__URL", id="a source that nobody named"),
        pytest.param(
            ["run", "--rules", RULES],
            {
                "WATCHDOG_PROMETHEUS__URL": "http://127.0.0.1:1",
                "WATCHDOG_ELASTICSEARCH__URLS": "http://127.0.0.1:1",
                "WATCHDOG_KUBECONFIG": "/no/such/kubeconfig",
            },
            "no way to the API server",
            id="no way to the API server",
        ),
    ],
)
def test_wrong_usage(arguments: list[str], environment: dict[str, str], said: str) -> None:
    done = watchdog(*arguments, **environment)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("cluster", "user"),
    [
        pytest.param({"certificate-authority-data": NO_CERTIFICATE}, {}, id="an authority"),
        pytest.param(
            {}, {"client-certificate-data": NO_CERTIFICATE, "client-key-data": NO_CERTIFICATE}, id="one's own"
        ),
    ],
)
@pytest.mark.parametrize("arguments", [["run"], ["history"]], ids=["run", "history"])
def test_a_certificate_that_is_none_is_told_as_such(
    tmp_path: Path, arguments: list[str], cluster: dict[str, str], user: dict[str, str]
) -> None:
    file = tmp_path / "kubeconfig"
    content = yaml.safe_load((REPOSITORY / "tests" / "unreachable.kubeconfig").read_text())
    content["clusters"][0]["cluster"] |= {"server": "https://127.0.0.1:1"} | cluster
    content["users"][0]["user"] |= user
    file.write_text(yaml.safe_dump(content))
    done = watchdog(
        *arguments,
        "--rules",
        RULES,
        WATCHDOG_KUBECONFIG=str(file),
        WATCHDOG_PROMETHEUS__URL="http://127.0.0.1:1",
        WATCHDOG_ELASTICSEARCH__URLS="http://127.0.0.1:1",
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "no way to the API server: the certificates of the kubeconfig or service account cannot be used: "
    )
    assert len(done.stderr.splitlines()) == 1
    assert "s3cr3t" not in done.stderr


def test_run_says_which_address_it_cannot_listen_on() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = watchdog(
            "run",
            "--rules",
            RULES,
            WATCHDOG_LISTEN=address,
            WATCHDOG_KUBECONFIG=str(REPOSITORY / "tests" / "unreachable.kubeconfig"),
            WATCHDOG_PROMETHEUS__URL="http://127.0.0.1:1",
            WATCHDOG_ELASTICSEARCH__URLS="http://127.0.0.1:1",
        )
    assert done.returncode == 2
    assert f"cannot listen on {address}: " in done.stderr
    assert "Traceback" not in done.stderr


def test_F68_run_does_not_start_with_a_bad_rule_file(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("target: [")
    done = watchdog("run", "--rules", tmp_path)
    assert done.returncode == 1
    assert "bad.yaml:1:" in done.stderr


@pytest.mark.parametrize("is_subpath", [True, False], ids=["one file of a volume", "a whole volume"])
def test_F70_run_refuses_a_rule_file_that_is_really_mounted_by_subpath(tmp_path: Path, *, is_subpath: bool) -> None:
    """As the kubelet lays a ConfigMap out and mounts it into a container: a folder, or one file of its newest state."""
    volume, place = tmp_path / "volumes" / "kubernetes.io~configmap" / "rules", tmp_path / "etc"
    newest = volume / "..2026_11_28"
    for folder in (newest, place):
        folder.mkdir(parents=True)
    shutil.copy(RULES / "banking-app.yaml", newest / "shop.yaml")
    (volume / "..data").symlink_to(newest.name)
    (volume / "shop.yaml").symlink_to("..data/shop.yaml")
    mount = (newest / "shop.yaml", place / "shop.yaml") if is_subpath else (volume, place)
    (place / "shop.yaml").touch()
    command = [sys.executable, "-m", "watchdog", "run", "--rules", str(place)]
    done = with_mount(*mount, command, surroundings())
    assert done.returncode == 2
    refused = f"{place}/shop.yaml is mounted by subPath, which Kubernetes never updates"
    assert (refused in done.stderr) is is_subpath, done.stderr
    assert is_subpath or "WATCHDOG_PROMETHEUS__URL" in done.stderr, "the next thing that it lacks"


def test_print_settings_hides_secrets() -> None:
    done = watchdog("run", "--print-settings", WATCHDOG_SLACK_WEBHOOK_URL="https://hooks/s3cr3t")
    assert done.returncode == 0
    assert "s3cr3t" not in done.stdout + done.stderr
    assert '"slack_webhook_url": "**********"' in done.stdout


def test_print_settings_tells_a_variable_that_is_none() -> None:
    done = watchdog("run", "--print-settings", WATCHDOG_DRYRUN="true")
    assert (done.returncode, done.stderr) == (0, "WATCHDOG_DRYRUN is no setting; is it misspelled?\n")


@pytest.mark.parametrize("arguments", [["schema"], ["demo", "--json"]], ids=["a command", "tasks"])
def test_a_reader_that_leaves_ends_a_command_quietly(arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as nobody:
        done = subprocess.run(
            [sys.executable, "-m", "watchdog", *arguments],
            env=surroundings(),
            stdout=nobody,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "")


def test_whoever_closes_standard_output_gets_the_exit_code() -> None:
    command = f"{sys.executable} -m watchdog check {RULES} >&-"
    done = subprocess.run(
        ["sh", "-c", command], env=surroundings(), stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["check", str(RULES)]])
def test_commands_do_not_import_what_they_do_not_need(arguments: list[str]) -> None:
    heavy = ["kubernetes", "elasticsearch", "prometheus_api_client", "aiohttp", "watchdog.sim"]
    program = (
        "import sys\nfrom watchdog.cli import app\n"
        f"try:\n    app({arguments!r})\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True, cwd=REPOSITORY
    )
    assert done.stderr.splitlines()[-1] == "[]"


def interrupted(*, after: str, **environment: str) -> str:
    """What the daemon logs while nothing is reachable: a terminal's ^C after a line with that word ends it cleanly."""
    alone = {
        "WATCHDOG_PROMETHEUS__URL": "http://127.0.0.1:1",
        "WATCHDOG_ELASTICSEARCH__URLS": "http://127.0.0.1:1",
        "WATCHDOG_LISTEN": "127.0.0.1:0",
        "WATCHDOG_KUBECONFIG": str(REPOSITORY / "tests" / "unreachable.kubeconfig"),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "watchdog", "run", "--rules", str(RULES)],
        env=surroundings(**alone, **environment),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if after in line:
            break
    process.send_signal(signal.SIGINT)
    lines.append(process.stderr.read())
    process.stderr.close()
    assert process.wait(20) == 0
    return "".join(lines)


def test_a_stopped_daemon_was_never_in_the_way() -> None:
    log = interrupted(after="not seen")
    assert "Traceback" not in log
    assert '"stopped"' in log


def test_alerts_that_have_no_address_are_told_at_the_start(tmp_path: Path) -> None:
    missing = str(tmp_path / "slack")
    log = interrupted(after='"started"', WATCHDOG_WEBHOOK_URL="chat/s3cr3t", WATCHDOG_SLACK_WEBHOOK_URL_FILE=missing)
    assert log.count('"no address for alerts"') == 2
    assert '"sink": "webhook", "reason": "the webhook\'s address is not an http or https URL"' in log
    assert '"sink": "slack", "reason": "the file with the webhook\'s address cannot be read (FileNotFoundError' in log
    assert "s3cr3t" not in log
