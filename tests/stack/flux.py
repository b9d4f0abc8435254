"""A real Flux: its kustomize-controller, which applies what one archive on loopback says, again and again.

Law: the controller is Flux's own, with its own kinds; only the controller that would fetch from Git is stood in for, by
an archive that is said to be fetched.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import secrets
import tarfile
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import yaml

from tests.stack.admin import path_of
from tests.stack.build import flux_home
from tests.stack.kubernetes import ControlPlane
from tests.stack.ports import free_port
from tests.stack.process import Child
from tests.stack.wait import eventually, wait_until

MANAGER = "kustomize-controller"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SOURCES = "source.toolkit.fluxcd.io"
# The controller watches them all; their definitions are in the module of another controller.
SOURCE_KINDS = {
    "gitrepositories": "GitRepository",
    "ocirepositories": "OCIRepository",
    "buckets": "Bucket",
    "externalartifacts": "ExternalArtifact",
}
NAME = "bank"
START_SECONDS = 60


@dataclass(kw_only=True)
class Flux:
    """A running kustomize-controller."""

    plane: ControlPlane
    child: Child
    archives: Path
    url: str
    _server: http.server.ThreadingHTTPServer = field(repr=False)
    _kept: list[str] = field(default_factory=list)

    def keep(self, namespace: str, objects: Iterable[Mapping[str, Any]], *, interval: str = "5s") -> None:
        """Keeps these objects of a namespace as they are here; returns when Flux has applied them once."""
        repository = {"apiVersion": f"{SOURCES}/v1", "kind": "GitRepository", "metadata": {"name": NAME}, "spec": {}}
        self.plane.admin.create(path_of("gitrepositories", namespace), repository)
        archive = self.archives / f"{namespace}.tar.gz"
        archive.write_bytes(_pack(yaml.safe_dump_all(map(dict, objects))))
        status = _fetched(archive, f"{self.url}/{archive.name}")
        self.plane.admin.patch(path_of("gitrepositories", namespace, NAME) + "/status", {"status": status})
        source = {"kind": "GitRepository", "name": NAME}
        body = {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": {"name": NAME},
            "spec": {"interval": interval, "prune": False, "path": "./", "sourceRef": source},
        }
        self.plane.admin.create(path_of("kustomizations", namespace), body)
        self._kept.append(namespace)
        self.child.wait_until_ready(lambda: self._applied(namespace), within=START_SECONDS)

    async def reconcile(self, namespace: str) -> None:
        """Asks for a pass over everything, as ``flux reconcile`` does, and waits for the end of it."""
        token = secrets.token_hex(4)
        path = path_of("kustomizations", namespace, NAME)
        self.plane.admin.annotate(path, **{"reconcile.fluxcd.io/requestedAt": token})

        def handled() -> bool:
            return bool(self.plane.admin.get(path)["status"].get("lastHandledReconcileAt") == token)

        await eventually(handled, "Flux has gone over everything")
        assert self._applied(namespace), self.plane.admin.get(path)["status"]

    def writes(self, namespace: str) -> list[dict[str, Any]]:
        """The audit rows of what Flux has written on Services and Deployments so far, dry runs left out."""
        return [
            row
            for row in self.plane.audit(namespace, verbs=["patch"], user="flux")
            if row["objectRef"]["resource"] in {"services", "deployments"} and "dryRun" not in row["requestURI"]
        ]

    def heal(self) -> None:
        """Brings it back when a test has frozen or killed it."""
        self.child.resume()
        self.child.start()

    def stop(self) -> None:
        """Lets go of what it keeps, which only the controller itself can, and stops it."""
        try:
            for namespace in self._kept:
                path = path_of("kustomizations", namespace, NAME)
                self.plane.admin.delete(path)
                wait_until(functools.partial(self._is_gone, path), "Flux has let go")
        finally:
            self.child.stop()
            self._server.shutdown()
            self._server.server_close()

    def _applied(self, namespace: str) -> bool:
        found = self.plane.admin.get(path_of("kustomizations", namespace, NAME)).get("status", {})
        return any(each["type"] == "Ready" and each["status"] == "True" for each in found.get("conditions", ()))

    def _is_gone(self, path: str) -> bool:
        return not self.plane.admin.exists(path)


def start_flux(plane: ControlPlane, folder: Path) -> Flux:
    """Starts it beside a control plane. Raises `PartUnavailableError` when it cannot be built."""
    home = flux_home()
    archives = folder / "archives"
    archives.mkdir(parents=True)
    _define_kinds(plane, home)
    port = free_port()
    handler = functools.partial(_QuietHandler, directory=str(archives))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, name="archives", daemon=True).start()
    child = Child(
        name=MANAGER,
        command=[home / MANAGER, "--metrics-addr=", "--health-addr="],
        folder=folder,
        environment={
            "KUBECONFIG": str(plane.folder / "flux.kubeconfig"),
            "RUNTIME_NAMESPACE": "flux-system",
            "HOME": str(folder),
            "TMPDIR": str(folder),
        },
    )
    flux = Flux(plane=plane, child=child, archives=archives, url=f"http://127.0.0.1:{port}", _server=server)
    try:
        child.start()
    except BaseException:
        flux.stop()
        raise
    return flux


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Says nothing for a request that went well."""
        if args[1:2] and str(args[1]) != str(HTTPStatus.OK.value):
            super().log_message(format, *args)


def _define_kinds(plane: ControlPlane, home: Path) -> None:
    definitions = [yaml.safe_load(path.read_text()) for path in sorted((home / "crds").glob("*.yaml"))]
    definitions += [_any_kind(plural, kind) for plural, kind in SOURCE_KINDS.items()]
    for definition in definitions:
        name = definition["metadata"]["name"]
        if not plane.admin.exists(f"{CRDS}/{name}"):
            plane.admin.create(CRDS, definition)
    for definition in definitions:
        spec = definition["spec"]
        everywhere = f"/apis/{spec['group']}/v1/{spec['names']['plural']}"
        wait_until(functools.partial(plane.admin.exists, everywhere), f"the API server knows {everywhere}")


def _any_kind(plural: str, kind: str) -> dict[str, Any]:
    """A definition that takes anything."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": anything},
    }
    return {
        "metadata": {"name": f"{plural}.{SOURCES}"},
        "spec": {
            "group": SOURCES,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "versions": [version],
        },
    }


def _pack(text: str) -> bytes:
    content, packed = text.encode(), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("bank.yaml")
        member.size, member.mode = len(content), 0o644
        archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _fetched(archive: Path, url: str) -> dict[str, Any]:
    """The status of a repository whose newest commit is in the archive."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    content = archive.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    ready = {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "stored", "lastTransitionTime": now}
    artifact = {
        "url": url,
        "path": archive.name,
        "revision": f"main@sha1:{digest[:40]}",
        "digest": f"sha256:{digest}",
        "size": len(content),
        "lastUpdateTime": now,
    }
    return {"observedGeneration": 1, "conditions": [ready], "artifact": artifact}
