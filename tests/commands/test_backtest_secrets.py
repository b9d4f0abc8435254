"""A server, or a proxy before it, that repeats the credentials: `backtest` and `test` print none of them."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest

from tests.commands.typed import type_command
from tests.replay.conftest import RULES
from tests.sources.raw_server import Asked, http, serving

TOKEN = "token-of-the-bank"  # noqa: S105 - the subject
BASIC = base64.b64encode(f"bank:{TOKEN}".encode()).decode()
PROMETHEUS, ELASTICSEARCH = "WATCHDOG_PROMETHEUS__", "WATCHDOG_ELASTICSEARCH__"
WAYS = [
    pytest.param({"TOKEN": TOKEN}, id="a token"),
    pytest.param({"USERNAME": "bank", "PASSWORD": TOKEN}, id="a password"),
]
TESTS = """\
rule_files: [shop.yaml]
tests:
  - {input_series: [{series: 'queue{color="green"}', values: 1x9}], exp_actions: []}
"""
DOCUMENTS = """\
rule_files: [shop.yaml]
tests: [{input_documents: [{to: 1m, document: {level: ERROR}}], exp_actions: []}]
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (file := tmp_path / "shop.yaml").write_text(RULES)
    return file


async def echo(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Refuses, and repeats what it was given."""
    refused = {"error": f"bad credentials: {asked.headers.get('authorization', 'none were sent')}"}
    writer.write(http(refused, status=401))


async def typed(*words: str | Path, group: str, credentials: dict[str, str]) -> str:
    """What a command prints that asks such a server, whose URL stands for HERE."""
    async with serving(echo) as server:
        given = {f"{group}{name}": value for name, value in credentials.items()}
        where = {f"{group}{'URL' if group == PROMETHEUS else 'URLS'}": server.url}
        done = await type_command(*(server.url if word == "HERE" else word for word in words), **where, **given)
        assert server.asked, done.stderr
        sent = {asked.headers["authorization"] for asked in server.asked}
    assert any(secret in each for secret in (TOKEN, BASIC) for each in sent)
    return f"{done.stdout}{done.stderr}"


def check(said: str) -> None:
    """Fails unless it tells of the refusal, and of no secret."""
    assert "bad credentials: " in said
    assert "***" in said
    assert TOKEN not in said
    assert BASIC not in said


@pytest.mark.parametrize("credentials", WAYS)
@pytest.mark.parametrize(
    "who",
    [pytest.param(("--active", "green"), id="rules"), pytest.param(("--active-metric", "up"), id="active metric")],
)
async def test_of_prometheus_by_a_backtest(who: tuple[str, str], credentials: dict[str, str], shop: Path) -> None:
    words = ("backtest", shop, "--from", "1m", *who, "--elasticsearch", "http://127.0.0.1:9")
    check(await typed(*words, group=PROMETHEUS, credentials=credentials))


@pytest.mark.parametrize("credentials", WAYS)
async def test_of_elasticsearch_by_a_backtest(credentials: dict[str, str], shop: Path) -> None:
    words = ("backtest", shop, "--from", "1m", "--active", "green", "--prometheus", "http://127.0.0.1:9")
    check(await typed(*words, group=ELASTICSEARCH, credentials=credentials))


@pytest.mark.parametrize("credentials", WAYS)
@pytest.mark.parametrize(("option", "tests"), [("prometheus", TESTS), ("elasticsearch", DOCUMENTS)])
async def test_of_a_server_that_plays_tests(option: str, tests: str, credentials: dict[str, str], shop: Path) -> None:
    (file := shop.with_name("t.test.yaml")).write_text(tests)
    group = PROMETHEUS if option == "prometheus" else ELASTICSEARCH
    check(await typed("test", file, f"--{option}", "HERE", group=group, credentials=credentials))


@pytest.mark.parametrize("who", [("--active", "green"), ("--active-metric", "up")])
async def test_credentials_that_cannot_be_read_are_said_to_be(who: tuple[str, str], shop: Path) -> None:
    words = ("backtest", shop, "--from", "1m", *who, "--elasticsearch", "http://127.0.0.1:9")
    done = await type_command(
        *words, **{f"{PROMETHEUS}URL": "http://127.0.0.1:9", f"{PROMETHEUS}TOKEN_FILE": "no/file"}
    )
    said = f"{done.stdout}{done.stderr}"
    assert "Prometheus at http://127.0.0.1:9 cannot be asked: the credentials cannot be read" in said
    assert not isinstance(done.exception, OSError | RuntimeError)


async def test_credentials_that_cannot_be_read_are_an_error_of_the_test(shop: Path) -> None:
    (file := shop.with_name("t.test.yaml")).write_text(TESTS)
    here = "http://127.0.0.1:9"
    words = {f"{PROMETHEUS}URL": here, f"{PROMETHEUS}TOKEN_FILE": "no/file"}
    done = await type_command("test", file, "--prometheus", here, **words)
    assert done.exit_code == 1
    assert f"Prometheus at {here} cannot be asked: the credentials cannot be read" in done.stdout
