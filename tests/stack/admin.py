"""The tests' own small client of the API server.

Law: it knows nothing of the watchdog and shares no code with it: what it reads is what is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

API_OF = {
    "deployments": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
    "endpointslices": "/apis/discovery.k8s.io/v1",
    "horizontalpodautoscalers": "/apis/autoscaling/v2",
    "poddisruptionbudgets": "/apis/policy/v1",
    "scaledobjects": "/apis/keda.sh/v1alpha1",
    "kustomizations": "/apis/kustomize.toolkit.fluxcd.io/v1",
    "gitrepositories": "/apis/source.toolkit.fluxcd.io/v1",
    "leases": "/apis/coordination.k8s.io/v1",
    "roles": "/apis/rbac.authorization.k8s.io/v1",
    "rolebindings": "/apis/rbac.authorization.k8s.io/v1",
}
CORE = "/api/v1"
REQUEST_SECONDS = 10
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"

Object = dict[str, Any]


class ApiError(OSError):
    """What the API server answered instead; an OSError, so that waiting for a condition goes on."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


def path_of(kind: str, namespace: str, name: str = "") -> str:
    """The path of a namespaced object or, without a name, of its list; ``kind`` is the plural, in lower case."""
    path = f"{API_OF.get(kind, CORE)}/namespaces/{namespace}/{kind}"
    return f"{path}/{name}" if name else path


class Admin:
    """Reads and writes any path as the bearer of one token; raises `ApiError` for every answer of 400 and up."""

    def __init__(self, url: str, ca_file: Path, token: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False  # $REQUESTS_CA_BUNDLE would win over `verify`
        self._session.verify = str(ca_file)
        self._session.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, **query: str) -> Object:
        """One object."""
        return self._send("GET", path, query=query)

    def items(self, path: str, **query: str) -> list[Object]:
        """What a list holds; ``labelSelector=…`` and ``fieldSelector=…`` go into the query."""
        items: list[Object] = self.get(path, **query)["items"]
        return items

    def exists(self, path: str) -> bool:
        """True when there is such an object."""
        try:
            self.get(path)
        except ApiError as error:
            if error.status == requests.codes.not_found:
                return False
            raise
        return True

    def create(self, path: str, body: Mapping[str, Any]) -> Object:
        """Posts an object to the path of its list."""
        return self._send("POST", path, body=body)

    def replace(self, path: str, body: Mapping[str, Any]) -> Object:
        """Puts a whole object."""
        return self._send("PUT", path, body=body)

    def patch(self, path: str, body: Mapping[str, Any] | list[Mapping[str, Any]]) -> Object:
        """Sends a JSON Patch when the body is a list, else a merge patch."""
        return self._send("PATCH", path, body=body, content_type=JSON_PATCH if isinstance(body, list) else MERGE)

    def apply(self, path: str, body: Mapping[str, Any], *, manager: str) -> Object:
        """Server-side apply as a field manager, by force."""
        query = {"fieldManager": manager, "force": "true"}
        return self._send("PATCH", path, query=query, body=body, content_type=APPLY)

    def delete(self, path: str) -> Object:
        """Deletes, and waits for nothing."""
        return self._send("DELETE", path)

    def annotate(self, path: str, **annotations: str | None) -> Object:
        """Sets annotations, None removes one. Keys that are no Python names: ``**{"a/b": "c"}``."""
        return self.patch(path, {"metadata": {"annotations": annotations}})

    def create_namespace(self, name: str) -> None:
        """Creates a namespace."""
        self.create(f"{CORE}/namespaces", {"metadata": {"name": name}})

    def delete_namespace(self, name: str) -> None:
        """Begins the deletion of a namespace, which takes some seconds that nobody should wait for."""
        self.delete(f"{CORE}/namespaces/{name}")

    def create_token(self, namespace: str, service_account: str, *, seconds: int = 3600) -> str:
        """A token of a ServiceAccount, as the kubelet would mount it; the account is created when it is not there."""
        account = path_of("serviceaccounts", namespace, service_account)
        if not self.exists(account):
            self.create(path_of("serviceaccounts", namespace), {"metadata": {"name": service_account}})
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        token: str = self.create(f"{account}/token", request)["status"]["token"]
        return token

    @contextmanager
    def watching(self, path: str, *, seconds: int = 60) -> Iterator[Iterator[Object]]:
        """The watch events of a list, from now on, as they come."""
        version = self.get(path)["metadata"]["resourceVersion"]
        query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": str(seconds)}
        with self._session.get(self._url + path, params=query, stream=True, timeout=seconds) as response:
            yield (json.loads(line) for line in response.iter_lines())

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | list[Mapping[str, Any]] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        response = self._session.request(
            method,
            self._url + path,
            params=query,
            data=None if body is None else json.dumps(body),
            headers={"Content-Type": content_type},
            timeout=REQUEST_SECONDS,
        )
        if response.status_code >= requests.codes.bad_request:
            raise ApiError(response.status_code, f"{method} {path}: {response.text.strip()}")
        answer: Object = response.json()
        return answer
