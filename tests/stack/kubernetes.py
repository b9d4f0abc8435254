"""A real Kubernetes control plane on loopback: etcd, API server, controllers, scheduler, and kwok as the kubelet.

Law: each component speaks to the API server as a user of its own, so that the audit log says who wrote what.

Pods run nowhere: kwok writes their status. The pod annotation ``watchdog.test/ready`` decides: absent or "true" is
ready, "false" runs but is not ready, "pending" stays pending (`kwok-stages.yaml`).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.stack.admin import CORE, Admin, path_of
from tests.stack.build import kubernetes_binaries
from tests.stack.certificates import Certificates, make_certificates
from tests.stack.ports import free_port
from tests.stack.process import Child, Command
from tests.stack.wait import wait_until

STAGES = Path(__file__).with_name("kwok-stages.yaml")
USERS = ("admin", "watchdog", "controller-manager", "scheduler", "kwok", "load", "flux")
NODES = ("node-a", "node-b")
START_SECONDS = 60
# The components' own traffic would bury the rows that a test looks for. The answers to writes carry the revision at
# which each was committed, which is what orders them (`invariants.py`).
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "omitManagedFields": True,
    "rules": [
        {"level": "None", "users": ["system:apiserver", "controller-manager", "scheduler", "kwok", "load"]},
        {"level": "RequestResponse", "verbs": ["create", "update", "patch", "delete", "deletecollection"]},
        {"level": "Metadata"},
    ],
}


@dataclass(kw_only=True)
class ControlPlane:
    """A running control plane. ``tokens`` are cluster administrators' tokens by user name."""

    folder: Path
    url: str
    ca_file: Path
    tokens: dict[str, str]
    etcd: Child
    apiserver: Child
    controller_manager: Child
    scheduler: Child
    kwok: Child
    admin: Admin = field(repr=False)
    was_gone: bool = False

    @property
    def admin_token(self) -> str:
        """The token of the tests' own administrator."""
        return self.tokens["admin"]

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.folder / "admin.kubeconfig"

    @property
    def children(self) -> tuple[Child, ...]:
        """Every process, in the order in which they are stopped."""
        return (*self.clients, self.apiserver, self.etcd)

    @property
    def clients(self) -> tuple[Child, ...]:
        """Those that work by the API server."""
        return (self.kwok, self.scheduler, self.controller_manager)

    def make_kubeconfig(self, token: str, *, namespace: str = "default", url: str = "") -> Path:
        """Writes a kubeconfig for any token, for example one of `Admin.create_token`; ``url`` may be a proxy's."""
        path = self.folder / f"{secrets.token_hex(4)}.kubeconfig"
        _write_kubeconfig(path, url=url or self.url, ca_file=self.ca_file, token=token, namespace=namespace)
        return path

    def audit(self, namespace: str = "", *, verbs: Sequence[str] = (), user: str = "") -> list[dict[str, Any]]:
        """The audit rows so far, the oldest first; each filter that is left out lets everything through.

        A row is written just after its answer was sent: wait for a row, never conclude at once that there is none.
        The administrator, the users ``watchdog`` and ``flux`` and ServiceAccounts
        (``system:serviceaccount:NAMESPACE:NAME``) are in it; the components of the control plane and the load
        generator are not.
        """
        rows = [json.loads(line) for line in _complete_lines(self.folder / "audit.log")]
        return [
            row
            for row in rows
            if (not namespace or row.get("objectRef", {}).get("namespace") == namespace)
            and (not verbs or row["verb"] in verbs)
            and (not user or row["user"].get("username") == user)
        ]

    def start_apiserver(self) -> None:
        """Starts the API server (again) and waits until it is ready."""
        self.apiserver.start()
        _wait_ready(self.apiserver, f"{self.url}/readyz", ca_file=self.ca_file, token=self.admin_token)

    def kill_apiserver(self) -> None:
        """Kills the API server; etcd keeps what was written."""
        self.was_gone = True
        self.apiserver.kill()

    def restart_apiserver(self) -> None:
        """Kills the API server and starts it again."""
        self.kill_apiserver()
        self.start_apiserver()

    def heal(self) -> None:
        """Brings back whatever a test has frozen or killed."""
        for child in self.children:
            child.resume()
        if not self.etcd.running:
            self.etcd.start()
        if not self.apiserver.running:
            self.start_apiserver()
        if self.was_gone:
            # They look for an API server that was gone with longer and longer pauses, up to half a minute.
            for child in self.clients:
                child.kill()
            self.was_gone = False
        for child in self.children:
            child.start()

    def stop(self) -> None:
        """Stops everything: clients first, etcd last, because an API server without etcd does not end."""
        self.admin.close()
        for child in self.clients:
            child.resume()
            child.terminate()
        for child in self.children:
            child.stop()


def start_control_plane(folder: Path) -> ControlPlane:
    """Starts it and waits until pods can be scheduled. Raises `PartUnavailableError` when it cannot be built."""
    binaries = kubernetes_binaries()
    certificates = make_certificates(folder)
    port, etcd_url = free_port(), f"http://127.0.0.1:{free_port()}"
    url = f"https://127.0.0.1:{port}"
    tokens = {user: secrets.token_hex(16) for user in USERS}
    for user, token in tokens.items():
        _write_kubeconfig(folder / f"{user}.kubeconfig", url=url, ca_file=certificates.ca, token=token)
    plane = ControlPlane(
        folder=folder,
        url=url,
        ca_file=certificates.ca,
        tokens=tokens,
        etcd=_etcd(binaries, folder, etcd_url),
        apiserver=_apiserver(binaries, folder, certificates, etcd_url=etcd_url, port=port, tokens=tokens),
        controller_manager=_controller_manager(binaries, folder, certificates),
        scheduler=_scheduler(binaries, folder),
        kwok=_kwok(binaries, folder),
        admin=Admin(url, certificates.ca, tokens["admin"]),
    )
    try:
        _start_in_order(plane, etcd_url)
    except BaseException:
        plane.stop()
        raise
    return plane


def _start_in_order(plane: ControlPlane, etcd_url: str) -> None:
    plane.etcd.start()
    _wait_ready(plane.etcd, f"{etcd_url}/health")
    plane.start_apiserver()
    plane.controller_manager.start()
    plane.scheduler.start()
    for name in NODES:
        plane.admin.create(f"{CORE}/nodes", {"metadata": {"name": name}})
    plane.kwok.start()
    wait_until(lambda: _usable(plane), "the control plane schedules pods", within=START_SECONDS)


def _usable(plane: ControlPlane) -> bool:
    for child in plane.children:
        child.check()
    nodes = plane.admin.items(f"{CORE}/nodes")
    return all(_is_ready(node) for node in nodes) and plane.admin.exists(
        path_of("serviceaccounts", "default", "default")
    )


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = node["status"].get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _wait_ready(child: Child, url: str, *, ca_file: Path | None = None, token: str = "") -> None:
    def answers() -> bool:
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(ca_file)
            return session.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=2).ok

    child.wait_until_ready(answers, within=START_SECONDS)


def _etcd(binaries: Path, folder: Path, url: str) -> Child:
    peer = f"http://127.0.0.1:{free_port()}"
    command: Command = [
        binaries / "etcd",
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
    ]
    return Child(name="etcd", command=command, folder=folder)


def _apiserver(
    binaries: Path, folder: Path, certificates: Certificates, *, etcd_url: str, port: int, tokens: dict[str, str]
) -> Child:
    token_file, policy_file = folder / "tokens.csv", folder / "audit-policy.yaml"
    token_file.write_text("".join(f'{token},{user},{user},"system:masters"\n' for user, token in tokens.items()))
    policy_file.write_text(yaml.safe_dump(AUDIT_POLICY))
    command: Command = [
        binaries / "kube-apiserver",
        f"--etcd-servers={etcd_url}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={certificates.server}",
        f"--tls-private-key-file={certificates.server_key}",
        f"--client-ca-file={certificates.ca}",
        f"--token-auth-file={token_file}",
        "--authorization-mode=RBAC",
        f"--cert-dir={folder}",
        "--service-cluster-ip-range=10.0.0.0/16",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={certificates.service_account_public_key}",
        f"--service-account-signing-key-file={certificates.service_account_key}",
        "--endpoint-reconciler-type=none",
        "--allow-privileged=true",
        "--profiling=false",
        "--shutdown-delay-duration=0s",
        "--disable-admission-plugins=TaintNodesByCondition",
        f"--audit-policy-file={policy_file}",
        f"--audit-log-path={folder / 'audit.log'}",
        "--audit-log-maxsize=1000",
    ]
    return Child(name="kube-apiserver", command=command, folder=folder)


def _controller_manager(binaries: Path, folder: Path, certificates: Certificates) -> Child:
    command: Command = [
        binaries / "kube-controller-manager",
        f"--kubeconfig={folder / 'controller-manager.kubeconfig'}",
        "--secure-port=0",
        f"--root-ca-file={certificates.ca}",
        f"--service-account-private-key-file={certificates.service_account_key}",
        "--leader-elect=false",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--horizontal-pod-autoscaler-sync-period=1s",
        "--controllers=*,-node-lifecycle-controller",
    ]
    return Child(name="kube-controller-manager", command=command, folder=folder)


def _scheduler(binaries: Path, folder: Path) -> Child:
    kubeconfig = folder / "scheduler.kubeconfig"
    command: Command = [
        binaries / "kube-scheduler",
        f"--kubeconfig={kubeconfig}",
        "--secure-port=0",
        "--leader-elect=false",
    ]
    return Child(name="kube-scheduler", command=command, folder=folder)


def _kwok(binaries: Path, folder: Path) -> Child:
    command: Command = [
        binaries / "kwok",
        f"--kubeconfig={folder / 'kwok.kubeconfig'}",
        f"--config={STAGES}",
        "--manage-all-nodes=true",
        "--node-ip=127.0.0.1",
        "--cidr=10.9.0.0/16",
        f"--server-address=127.0.0.1:{free_port()}",
    ]
    return Child(name="kwok", command=command, folder=folder)


def _write_kubeconfig(path: Path, *, url: str, ca_file: Path, token: str, namespace: str = "default") -> None:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": url, "certificate-authority": str(ca_file)}}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": namespace}}],
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content))


def _complete_lines(path: Path) -> list[str]:
    """The last line may be half written."""
    if not path.exists():
        return []
    return path.read_text().rpartition("\n")[0].splitlines()
