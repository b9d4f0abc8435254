"""The chart as Helm renders it: what it grants, what it mounts, what it refuses."""

from __future__ import annotations

import re
import shlex
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.delivery.chart import BANKING_APP, CHART, RELEASE, RELEASE_NAMESPACE, ROOT, HelmError, render, run_helm
from tests.delivery.chart import with_values as arguments_of
from tests.stack.build import PartUnavailableError
from tests.stack.tools import helm
from watchdog import __version__
from watchdog.cluster.access import (
    Permission,
    census_permission,
    journal_permissions,
    lease_permissions,
    own_event_permission,
    permissions_needed,
    permissions_to_look,
)
from watchdog.core.rules.language import Mode, Target
from watchdog.core.sharding import lease_names, shard_of
from watchdog.election.shards import leases_of
from watchdog.settings import Settings

FEW_RULES = textwrap.dedent("""
    target: shop
    namespace: shop
    mode: enforce
    colors: [red, black]
    services:
      - name: web
        deployment: "web-{{color}}"
      - {name: web-internal, deployment: "web-{{color}}"}
      - {name: api, deployment: "{{   color   }}-api"}
    rules:
      - alert: Errors
        prometheus: {expr: 'errors{color="{{ color }}"}'}
        threshold: {max: 1}
""")

EVERYTHING: dict[str, Any] = {
    "prometheus": {
        "url": "http://mimir.monitoring:8080/prometheus",
        "tokenKey": "prometheus-token",
        "caKey": "ca.crt",
        "certKey": "tls.crt",
        "privateKeyKey": "tls.key",
        "headers": {"X-Scope-OrgID": "payments"},
        "parameters": {"partial_response": "false"},
        "deadline": 2.5,
        "maxAge": 30,
        "queryOffset": 15,
    },
    "elasticsearch": {
        "urls": ["https://one.logging:9200", "https://two.logging:9200"],
        "username": "reader",
        "passwordKey": "elasticsearch-password",
    },
    "alerts": {"webhookUrlKey": "webhook", "slackWebhookUrlKey": "slack"},
    "secretName": "watchdog",
    "dryRun": True,
    "log": {"format": "console", "level": "debug"},
}


@pytest.fixture(scope="module", autouse=True)
def _helm() -> None:
    try:
        helm()
    except PartUnavailableError as error:
        pytest.skip(f"Helm is not to be had: {error}")


def target_of(text: str) -> Target:
    return Target.model_validate(yaml.safe_load(text))


def needed(target: Target) -> set[Permission]:
    """What the code asks for; without writes in a dry run."""
    everything = permissions_needed(target)
    if target.mode is Mode.ENFORCE:
        return {*everything, *permissions_to_look(target)}
    return {each for each in everything if each.verb == "list" or each.resource == "namespaces"}


def test_helm_finds_nothing_to_complain_about(tmp_path: Path) -> None:
    run_helm("lint", "--strict", CHART, *arguments_of(tmp_path, EVERYTHING))


def test_the_role_of_the_shipped_rule_file_grants_what_the_code_asks_for_and_nothing_else(tmp_path: Path) -> None:
    target = target_of(BANKING_APP.read_text())
    granted = render(tmp_path, {}).permissions(f"{RELEASE}-{target.target}")
    assert granted == needed(target)


def test_F59_the_role_goes_without_keda_where_nobody_may_grant_it(tmp_path: Path) -> None:
    target = target_of(FEW_RULES)
    granted = render(tmp_path, {"keda": False}, rules={"shop.yaml": FEW_RULES}).permissions(f"{RELEASE}-shop")
    assert granted == {*permissions_needed(target), *permissions_to_look(target, keda=False)}


def test_the_role_follows_colors_and_spelling_of_the_placeholder(tmp_path: Path) -> None:
    granted = render(tmp_path, {}, rules={"shop.yaml": FEW_RULES}).permissions(f"{RELEASE}-shop")
    assert granted == needed(target_of(FEW_RULES))
    patched = {each.name for each in granted if each.verb == "patch"}
    assert patched == {"web", "web-internal", "api", "web-red", "web-black", "red-api", "black-api"}


@pytest.mark.parametrize(
    ("values", "text"),
    [
        pytest.param({}, FEW_RULES.replace("mode: enforce", "mode: dry-run"), id="the rule file says dry-run"),
        pytest.param({}, FEW_RULES.replace("mode: enforce", ""), id="the rule file says nothing"),
        pytest.param({"dryRun": True}, FEW_RULES, id="the values say dry-run for all"),
    ],
)
def test_a_dry_run_may_not_write(tmp_path: Path, values: dict[str, Any], text: str) -> None:
    granted = render(tmp_path, values, rules={"shop.yaml": text}).permissions(f"{RELEASE}-shop")
    assert granted == needed(target_of(FEW_RULES.replace("enforce", "dry-run")))


def test_each_rule_file_has_a_role_in_its_own_namespace(tmp_path: Path) -> None:
    rules = {"shop.yaml": FEW_RULES, "bank.yaml": FEW_RULES.replace("shop", "bank")}
    rendered = render(tmp_path, {}, rules=rules)
    found = {(role["metadata"]["namespace"], role["metadata"]["name"]) for role in rendered.roles}
    assert found == {("shop", f"{RELEASE}-shop"), ("bank", f"{RELEASE}-bank"), (RELEASE_NAMESPACE, RELEASE)}
    for namespace, name in found:
        binding = rendered.one("RoleBinding", name)
        assert binding["metadata"]["namespace"] == namespace
        assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": RELEASE, "namespace": RELEASE_NAMESPACE}]


@pytest.mark.parametrize(
    ("values", "leases"),
    [
        pytest.param({}, lease_names(RELEASE, 1), id="one shard"),
        pytest.param({"shards": 3}, lease_names(RELEASE, 3), id="three shards"),
        pytest.param({"leaderElection": False}, None, id="no election"),
    ],
)
def test_at_home_it_may_read_its_own_deployment_and_write_its_leases_and_journals(
    tmp_path: Path, values: dict[str, Any], leases: list[str] | None
) -> None:
    own = Permission(verb="get", group="apps", resource="deployments", namespace=RELEASE_NAMESPACE, name=RELEASE)
    election = () if leases is None else lease_permissions(RELEASE_NAMESPACE, leases)
    journal = (
        census_permission(RELEASE_NAMESPACE),
        own_event_permission(RELEASE_NAMESPACE),
        *journal_permissions(RELEASE_NAMESPACE, ["banking-app"]),
    )
    assert render(tmp_path, values).permissions(RELEASE) == {own, *election, *journal}


def test_a_dry_run_keeps_no_journal(tmp_path: Path) -> None:
    granted = render(tmp_path, {"dryRun": True}).permissions(RELEASE)
    assert [each for each in granted if each.resource == "configmaps"] == []


def test_the_leases_of_the_chart_are_those_of_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = render(tmp_path, {"shards": 3, "replicas": 2})
    deployment = rendered.one("Deployment", RELEASE)["spec"]
    assert deployment["replicas"] == 2
    for variable in deployment["template"]["spec"]["containers"][0]["env"]:
        monkeypatch.setenv(variable["name"], variable.get("value", RELEASE_NAMESPACE))
    settings = Settings()
    assert (settings.leader_election, settings.shards) == (True, 3)
    named = {each.name for each in rendered.permissions(RELEASE) if each.resource == "leases" and each.name}
    assert named == set(leases_of(settings))


def test_F41_the_fence_asks_for_the_lease_of_each_targets_own_shard(tmp_path: Path) -> None:
    names = [f"shop-{number}" for number in range(12)]
    rules = {f"{name}.yaml": FEW_RULES.replace("target: shop", f"target: {name}") for name in names}
    rendered = render(tmp_path, {"shards": 5, "fence": {"enabled": True}}, rules=rules)
    for name in names:
        binding = rendered.one("ValidatingAdmissionPolicyBinding", f"{RELEASE_NAMESPACE}-{RELEASE}-{name}")["spec"]
        assert binding["policyName"] == f"{RELEASE_NAMESPACE}-{RELEASE}"
        assert binding["paramRef"] == {
            "name": f"{RELEASE}-shard-{shard_of(name, 5)}",
            "namespace": RELEASE_NAMESPACE,
            "parameterNotFoundAction": "Deny",
        }


def test_nothing_of_the_whole_cluster_is_installed_unless_asked_for(tmp_path: Path) -> None:
    namespaced = {"ConfigMap", "Deployment", "Role", "RoleBinding", "Service", "ServiceAccount"}
    assert {each["kind"] for each in render(tmp_path, {}).objects} == namespaced
    more = render(tmp_path, {"fence": {"enabled": True}, "flowSchema": {"enabled": True}}, rules={"s.yaml": FEW_RULES})
    cluster_wide = {"FlowSchema", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
    assert {each["kind"] for each in more.objects} == namespaced | cluster_wide


def test_nothing_is_granted_by_wildcard_or_for_the_whole_cluster(tmp_path: Path) -> None:
    rendered = render(tmp_path, {}, rules={"shop.yaml": FEW_RULES})
    assert {role["kind"] for role in rendered.roles} == {"Role"}
    assert "*" not in str(rendered.roles)


def test_the_rule_text_arrives_as_it_is(tmp_path: Path) -> None:
    awkward = FEW_RULES + '# {{ .Values.nothing }} {{ include "x" . }}\t"quoted" \\ back, ends without a line break'
    rules = {"shop.yaml": awkward, BANKING_APP.name: BANKING_APP.read_text()}
    assert render(tmp_path, {}, rules=rules).one("ConfigMap", f"{RELEASE}-rules")["data"] == rules


def test_other_rules_are_the_same_pod_which_reads_them(tmp_path: Path) -> None:
    def template(text: str) -> object:
        return render(tmp_path, {}, rules={"shop.yaml": text}).one("Deployment", RELEASE)["spec"]["template"]

    assert template(FEW_RULES) == template(FEW_RULES.replace("max: 1", "max: 2"))


def test_F82_the_pod_is_confined(tmp_path: Path) -> None:
    spec = render(tmp_path, EVERYTHING).one("Deployment", RELEASE)["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not [mount for mount in container["volumeMounts"] if "subPath" in mount]
    assert {mount["name"]: mount.get("readOnly", False) for mount in container["volumeMounts"]} == {
        "rules": True,
        "secret": True,
        "tmp": False,
    }


def test_chart_and_image_agree_with_the_package(tmp_path: Path) -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    pod = render(tmp_path, {}).one("Deployment", RELEASE)["spec"]["template"]["spec"]
    user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert chart["appVersion"] == __version__
    assert pod["containers"][0]["image"] == f"canary-watchdog:{__version__}"
    assert user is not None
    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]) == (int(user[1]), int(user[2]))


def test_the_environment_is_what_the_settings_understand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (container,) = render(tmp_path, EVERYTHING).one("Deployment", RELEASE)["spec"]["template"]["spec"]["containers"]
    for variable in container["env"]:
        monkeypatch.setenv(variable["name"], variable.get("value", RELEASE_NAMESPACE))
    secret = Path("/etc/watchdog/secret")
    settings = Settings()
    assert (settings.namespace, settings.deployment) == (RELEASE_NAMESPACE, RELEASE)
    assert (settings.dry_run, settings.log_format, settings.log_level) == (True, "console", "debug")
    assert (settings.listen, settings.rules) == ("0.0.0.0:8080", Path("/etc/watchdog/rules"))
    assert (settings.webhook_url_file, settings.slack_webhook_url_file) == (secret / "webhook", secret / "slack")
    prometheus, elasticsearch = settings.prometheus, settings.elasticsearch
    assert prometheus is not None
    assert prometheus.url == EVERYTHING["prometheus"]["url"]
    assert (prometheus.token_file, prometheus.ca_file) == (secret / "prometheus-token", secret / "ca.crt")
    assert (prometheus.cert_file, prometheus.key_file) == (secret / "tls.crt", secret / "tls.key")
    assert prometheus.headers["X-Scope-OrgID"].get_secret_value() == "payments"
    assert (prometheus.parameters, prometheus.deadline) == ({"partial_response": "false"}, 2.5)
    assert (prometheus.max_age, prometheus.query_offset) == (30, 15)
    assert elasticsearch is not None
    assert elasticsearch.urls == EVERYTHING["elasticsearch"]["urls"]
    assert (elasticsearch.username, elasticsearch.password_file) == ("reader", secret / "elasticsearch-password")


def test_no_variable_is_there_without_a_value(tmp_path: Path) -> None:
    (container,) = render(tmp_path, {}).one("Deployment", RELEASE)["spec"]["template"]["spec"]["containers"]
    names = {variable["name"] for variable in container["env"]}
    assert not [name for name in names if "PROMETHEUS" in name or "ELASTICSEARCH" in name or "WEBHOOK" in name]


@pytest.mark.parametrize(
    ("values", "rules", "sentence"),
    [
        pytest.param({}, {}, "no rules: give at least one rule file", id="no rule file"),
        pytest.param({}, {"a.yaml": "a: [b"}, "a.yaml is not YAML", id="a file that is not YAML"),
        pytest.param({}, {"a.yaml": "target: a\nservices: [{}]"}, "a.yaml has no namespace", id="no namespace"),
        pytest.param(
            {},
            {"a.yaml": "target: a\nnamespace: a\nservices: [{name: b}]"},
            "a.yaml has a service without name or deployment",
            id="no deployment",
        ),
        pytest.param({}, {"a.txt": FEW_RULES}, "a.txt", id="a file that would not be read"),
        pytest.param(
            {"alerts": {"slackWebhookUrlKey": "slack"}}, None, "set secretName", id="a key without its Secret"
        ),
        pytest.param({"promehteus": {}}, None, "promehteus", id="a misspelled value"),
        pytest.param(
            {"prometheus": {"url": "http://me:secret@prometheus"}}, None, "/prometheus/url", id="credentials in a URL"
        ),
        pytest.param(
            {"prometheus": {"url": "http://prometheus?token=secret"}}, None, "/prometheus/url", id="a query in a URL"
        ),
        pytest.param(
            {"elasticsearch": {"urls": ["http://e:9200/?a=b"]}},
            None,
            "/elasticsearch/urls",
            id="a query in a node's URL",
        ),
        pytest.param(
            {"replicas": 2, "leaderElection": False}, None, "would all act", id="several replicas without an election"
        ),
        pytest.param({"elasticsearch": {"urls": ["http://elasticsearch"]}}, None, "/elasticsearch/urls", id="no port"),
    ],
)
def test_refused(tmp_path: Path, values: dict[str, Any], rules: dict[str, str] | None, sentence: str) -> None:
    with pytest.raises(HelmError, match=re.escape(sentence)):
        render(tmp_path, values, rules=rules)


def test_the_installation_that_the_readme_names_is_a_dry_run_of_the_image_that_it_has_built() -> None:
    text = (ROOT / "README.md").read_text()
    (command,) = re.findall(r"^helm install (.*?[^\\])\n", text, re.DOTALL | re.MULTILINE)
    (image,) = re.findall(r"make image IMAGE=(\S+?)`", text)
    words = shlex.split(
        command.replace("helm/", f"{CHART} ").replace("=rules/", f"={ROOT}/rules/").replace("\\\n", " ")
    )
    objects = [each for each in yaml.safe_load_all(run_helm("template", *words)) if each]
    (deployment,) = (each for each in objects if each["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"{image}:{__version__}"
    given = {variable["name"]: variable.get("value") for variable in container["env"]}
    assert (given["WATCHDOG_DRY_RUN"], given["WATCHDOG_PROMETHEUS__URL"]) == (
        "true",
        "http://prometheus.monitoring:9090",
    )
