"""What arrives at each kind of backend when it is set up as docs/operating.md says."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.sources.asking import SLOT, measured, promql, vector
from tests.sources.raw_server import http, sending, serving
from watchdog.settings import load_settings
from watchdog.sources.prometheus import PrometheusSource

FRESH = http(vector(f"{SLOT - 5}"))
BASIC = "Basic MTIzNDU6Z2xjX3Rva2Vu"  # 12345:glc_token


@pytest.mark.parametrize(
    ("path", "variables", "sent"),
    [
        pytest.param(
            "",
            {"TOKEN_FILE": "{secret}"},
            ({"authorization": "Bearer glc_token"}, {}),
            id="OpenShift's Thanos querier, by a service account",
        ),
        pytest.param(
            "/thanos",
            {"PARAMETERS": '{"dedup": "true"}'},
            ({}, {"dedup": "true"}),
            id="Thanos behind a prefix",
        ),
        pytest.param(
            "/prometheus",
            {"HEADERS": '{"X-Scope-OrgID": "bank"}'},
            ({"x-scope-orgid": "bank"}, {}),
            id="Mimir and Cortex, by tenant",
        ),
        pytest.param(
            "/api/prom",
            {"USERNAME": "12345", "PASSWORD_FILE": "{secret}"},
            ({"authorization": BASIC}, {}),
            id="Grafana Cloud",
        ),
        pytest.param(
            "/select/0/prometheus",
            {"PARAMETERS": '{"nocache": "1"}'},
            ({}, {"nocache": "1"}),
            id="VictoriaMetrics as a cluster",
        ),
    ],
)
async def test_what_arrives(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    path: str,
    variables: dict[str, str],
    sent: tuple[dict[str, str], dict[str, str]],
) -> None:
    headers, parameters = sent
    for name in [name for name in os.environ if name.startswith("WATCHDOG_")]:
        monkeypatch.delenv(name)
    secret = tmp_path / "secret"
    secret.write_text("glc_token\n")
    async with serving(sending(FRESH)) as server:
        monkeypatch.setenv("WATCHDOG_PROMETHEUS__URL", f"{server.url}{path}/")
        for name, value in variables.items():
            monkeypatch.setenv(f"WATCHDOG_PROMETHEUS__{name}", value.replace("{secret}", str(secret)))
        settings = load_settings().prometheus
        assert settings is not None
        assert "glc_token" not in json.dumps(settings.model_dump(mode="json"))
        source = PrometheusSource(settings)
        try:
            assert (await measured(source, promql("sum(rate(a[2m]))"))).failure is None
        finally:
            await source.close()
    assert sorted(asked.path for asked in server.asked) == [
        *[f"{path}/api/v1/query"] * 2,  # the value, and how new it is
        f"{path}/api/v1/status/runtimeinfo",
    ]
    for asked in server.asked:
        assert headers.items() <= asked.headers.items()
    for asked in server.queries:
        assert ({"partial_response": "false"} | parameters).items() <= asked.parameters.items()
        assert float(asked.parameters["time"]) == SLOT
