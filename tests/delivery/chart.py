"""Renders the chart with the real Helm, and installs it on the real control plane."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.stack.kubernetes import ControlPlane
from tests.stack.tools import helm
from watchdog.cluster.access import Permission

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm"
BANKING_APP = ROOT / "rules" / "banking-app.yaml"
RELEASE = "watchdog"
RELEASE_NAMESPACE = "ops"

Object = dict[str, Any]


class HelmError(Exception):
    """What Helm said on standard error."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """The objects of the chart."""

    objects: tuple[Object, ...]

    def one(self, kind: str, name: str) -> Object:
        """The only object of that kind and name."""
        (found,) = (each for each in self.objects if each["kind"] == kind and each["metadata"]["name"] == name)
        return found

    @property
    def roles(self) -> tuple[Object, ...]:
        """Everything that grants."""
        return tuple(each for each in self.objects if each["kind"] in ("Role", "ClusterRole"))

    def permissions(self, role: str) -> set[Permission]:
        """What a Role grants, one by one. A verb on no name in particular has the name ""."""
        found = self.one("Role", role)
        return {
            _permission(verb, group, resource, namespace=found["metadata"]["namespace"], name=name)
            for rule in found["rules"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
            for name in rule.get("resourceNames", [""])
        }


def _permission(verb: str, group: str, resource: str, *, namespace: str, name: str) -> Permission:
    kind, _, subresource = resource.partition("/")
    return Permission(verb=verb, group=group, resource=kind, subresource=subresource, namespace=namespace, name=name)


def run_helm(*arguments: str | Path) -> str:
    """What Helm prints. Raises `HelmError` when it refuses."""
    done = subprocess.run([helm(), *arguments], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise HelmError(done.stderr)
    return done.stdout


def with_values(folder: Path, values: Object, *, rules: dict[str, str] | None = None) -> tuple[str, Path]:
    """The arguments that give values to the chart; the shipped rule file unless there are ``rules``."""
    given = {"rules": {BANKING_APP.name: BANKING_APP.read_text()} if rules is None else rules} | values
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(given))
    return "--values", file


def render(folder: Path, values: Object, *, rules: dict[str, str] | None = None) -> Rendered:
    """The chart with these values."""
    arguments = ("template", RELEASE, CHART, "--namespace", RELEASE_NAMESPACE)
    printed = run_helm(*arguments, *with_values(folder, values, rules=rules))
    return Rendered(tuple(each for each in yaml.safe_load_all(printed) if each))


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A release of the chart. ``token`` is one of its ServiceAccount, as its pod would have it."""

    namespace: str
    token: str


@contextmanager
def installed(
    plane: ControlPlane, folder: Path, *, rules: dict[str, str], values: Object | None = None
) -> Iterator[Installed]:
    """The chart, installed into a namespace of its own; the namespaces that it watches have to be there."""
    namespace = f"watchdog-{secrets.token_hex(4)}"
    flags: tuple[str | Path, ...] = ("--kubeconfig", plane.kubeconfig, "--namespace", namespace)
    plane.admin.create_namespace(namespace)
    given = with_values(folder, values or {}, rules=rules)
    run_helm("install", RELEASE, CHART, *flags, *given, "--wait", "--timeout", "60s")
    try:
        yield Installed(namespace=namespace, token=plane.admin.create_token(namespace, RELEASE))
    finally:
        run_helm("uninstall", RELEASE, *flags)
        plane.admin.delete_namespace(namespace)
