"""Settings: all mistakes at once, nothing secret shown, everything documented."""

import json
import os
import re
from pathlib import Path

import pytest

from tests.stack.banking import REPOSITORY
from watchdog.core.decision import Reason
from watchdog.settings import (
    ElasticsearchSettings,
    PrometheusSettings,
    Settings,
    SettingsError,
    load_settings,
    unknown_variables,
)
from watchdog.web.metrics import Metrics

SECRET = "s3cr3t-value"  # noqa: S105 - made up


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("WATCHDOG_"):
            monkeypatch.delenv(name)


def load(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(f"WATCHDOG_{name}", value)
    return load_settings()


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        pytest.param(
            {"PROMETHEUS__URL": "prometheus:9090"},
            "WATCHDOG_PROMETHEUS__URL: not a URL: write scheme, host and port, such as http://prometheus.monitoring:9090",
            id="no scheme",
        ),
        pytest.param(
            {"PROMETHEUS__URL": f"http://me:{SECRET}@prometheus:9090"},
            "WATCHDOG_PROMETHEUS__URL: credentials do not belong in a URL; use username and password_file",
            id="credentials in a URL",
        ),
        pytest.param(
            {"PROMETHEUS__URL": f"http://prometheus:9090?token={SECRET}"},
            "WATCHDOG_PROMETHEUS__URL: the URL ends with its path; "
            "what goes with every request belongs in parameters or headers",
            id="a query in a URL",
        ),
        pytest.param(
            {"PROMETHEUS__URL": "http://prometheus:99999"},
            "WATCHDOG_PROMETHEUS__URL: not a URL: write scheme, host and port, such as http://prometheus.monitoring:9090",
            id="no such port",
        ),
        pytest.param(
            {"ELASTICSEARCH__URLS": f"http://me:{SECRET}"},
            "WATCHDOG_ELASTICSEARCH__URLS__0: not a URL: write scheme, host and port, such as "
            "http://elasticsearch.logging:9200",
            id="a password where the port should be",
        ),
        pytest.param(
            {"PROMETHEUS__URL": "http://p:9090", "PROMETHEUS__HEADERS": f"X-Scope-OrgID: {SECRET}"},
            'WATCHDOG_PROMETHEUS__HEADERS: write JSON such as {"name": "value"}',
            id="no JSON",
        ),
        pytest.param(
            {"PROMETHEUS__URL": "http://p:9090", "PROMETHEUS__PARAMETERS": "[1]"},
            'WATCHDOG_PROMETHEUS__PARAMETERS: write JSON such as {"name": "value"}',
            id="other JSON",
        ),
        pytest.param(
            {"PROMETHEUS": "http://p:9090"},
            "WATCHDOG_PROMETHEUS: each part has a variable of its own, such as …__URL or …__URLS",
            id="the source, but no part of it",
        ),
        pytest.param(
            {"ELASTICSEARCH__URLS": "http://a:9200,http://b"},
            "WATCHDOG_ELASTICSEARCH__URLS__1: the port is missing: write http://b:9200",
            id="the client needs a port",
        ),
        pytest.param(
            {"PROMETHEUS__URL": "http://p:9090", "PROMETHEUS__TOKEN": SECRET, "PROMETHEUS__USERNAME": "me"},
            "WATCHDOG_PROMETHEUS: give either a username with a password or a token, not both",
            id="two ways to prove oneself",
        ),
        pytest.param(
            {"PROMETHEUS__URL": "http://p:9090", "PROMETHEUS__USERNAME": "me"},
            "WATCHDOG_PROMETHEUS: username and password (or password_file) belong together",
            id="half a way",
        ),
        pytest.param(
            {"PROMETHEUS__URL": "http://p:9090", "PROMETHEUS__KEY_FILE": "/tls.key"},
            "WATCHDOG_PROMETHEUS: a key_file alone proves nothing; give cert_file too",
            id="a key without its certificate",
        ),
        pytest.param(
            {"LISTEN": "8080"},
            "WATCHDOG_LISTEN: '8080' is not a listen address; write host:port, such as 127.0.0.1:8080 or [::1]:8080",
            id="where to listen",
        ),
        pytest.param(
            {"LEADER_ELECTION": "true"},
            "WATCHDOG_LEADER_ELECTION: the Leases live in the watchdog's own namespace: set WATCHDOG_NAMESPACE",
            id="an election without a place for its Leases",
        ),
        pytest.param({"SHARDS": "0"}, "WATCHDOG_SHARDS: Input should be greater than or equal to 1", id="no shard"),
    ],
)
def test_mistakes(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], line: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(monkeypatch, **variables)
    assert str(caught.value) == line
    assert SECRET not in str(caught.value)


def test_all_mistakes_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError) as caught:
        load(monkeypatch, LISTEN="x", LOG_LEVEL="loud", DRY_RUN="perhaps")
    assert len(str(caught.value).splitlines()) == 3


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(
        monkeypatch,
        PROMETHEUS__URL="http://p:9090",
        PROMETHEUS__TOKEN=SECRET,
        PROMETHEUS__HEADERS=json.dumps({"X-Scope-OrgID": SECRET}),
        ELASTICSEARCH__URLS="http://e:9200",
        ELASTICSEARCH__USERNAME="me",
        ELASTICSEARCH__PASSWORD=SECRET,
        WEBHOOK_URL=f"http://h/{SECRET}",
        SLACK_WEBHOOK_URL=f"http://h/{SECRET}",
    )
    for shown in (json.dumps(settings.shown()), repr(settings), str(settings)):
        assert SECRET not in shown
    assert settings.prometheus is not None
    assert settings.prometheus.read_token() == SECRET


def test_a_secret_file_is_read_each_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    settings = load(monkeypatch, PROMETHEUS__URL="http://p:9090", PROMETHEUS__TOKEN_FILE=str(file))
    assert settings.prometheus is not None
    assert settings.prometheus.read_token() == "first"
    file.write_text("second\n")
    assert settings.prometheus.read_token() == "second"


def test_misspelled_variables_are_found() -> None:
    environment = ["WATCHDOG_LISTEN", "WATCHDOG_PROMETHEUS__URL", "WATCHDOG_PROMETEUS__URL", "PATH"]
    assert unknown_variables(environment) == ("WATCHDOG_PROMETEUS__URL",)


def test_every_setting_reason_and_metric_is_documented() -> None:
    text = (REPOSITORY / "docs" / "operating.md").read_text()
    mentioned = re.findall(r"`(WATCHDOG_[A-Z_]+)`|`…(__[A-Z_]+)`", text)
    whole = {name for name, _ in mentioned if name}
    tails = {tail for _, tail in mentioned if tail}
    assert unknown_variables(whole) == ()
    settings = {f"WATCHDOG_{name.upper()}" for name in Settings.model_fields} - {
        "WATCHDOG_PROMETHEUS",
        "WATCHDOG_ELASTICSEARCH",
    }
    assert settings <= whole
    groups = {*PrometheusSettings.model_fields, *ElasticsearchSettings.model_fields}
    assert {f"__{name.upper()}" for name in groups} <= tails | {f"__{name.partition('__')[2]}" for name in whole}
    assert [reason for reason in Reason if f"`{reason}`" not in text] == []
    families = [family.name for family in Metrics().registry.collect() if family.name.startswith("watchdog_")]
    assert [name for name in families if name not in text] == []
