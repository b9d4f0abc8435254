"""The way to the API server: where it is, whom to trust, and the token, which is another one every hour.

Law: TLS is always verified; a token goes to the API server that it was loaded for and to no other.

`kubernetes.aio` reads the token file of a pod each minute of the wall clock, and that of a kubeconfig once: so after a
401 everything is loaded anew.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

from kubernetes.aio import client, config

_TOKEN = "BearerToken"  # noqa: S105 - the name of the setting


class ConfigurationError(Exception):
    """There is no way to the API server: neither a kubeconfig nor a service account, or none that can be trusted."""


class Credentials:
    """``configuration`` is what the client works with."""

    def __init__(self, kubeconfig: Path | None, context: str | None) -> None:
        self.configuration = client.Configuration()
        self._kubeconfig = kubeconfig
        self._context = context
        self._renewing = asyncio.Lock()

    @classmethod
    async def load(cls, kubeconfig: Path | None, context: str | None) -> Self:
        """By a kubeconfig file, else the pod's service account, else the user's default kubeconfig.

        Raises ConfigurationError saying what is missing.
        """
        credentials = cls(kubeconfig, context)
        await credentials._load(credentials.configuration)
        # The bearer token would go to whatever HTTP_PROXY names.
        credentials.configuration.client_session_kwargs = {"trust_env": False}
        return credentials

    @property
    def token(self) -> str | None:
        """What is sent as ``Authorization`` now."""
        return self.configuration.api_key.get(_TOKEN)

    async def renewed(self, refused: str | None) -> bool:
        """Loads the token anew unless another call has done so; True when it is another one than the refused."""
        async with self._renewing:
            if self.token != refused:
                return True
            fresh = client.Configuration()
            try:
                await self._load(fresh)
            except ConfigurationError:
                return False  # the file is being replaced, or gone: the refusal speaks for itself
            if fresh.host == self.configuration.host:
                self.configuration.api_key = fresh.api_key
                self.configuration.refresh_api_key_hook = fresh.refresh_api_key_hook
            return self.token != refused

    async def _load(self, configuration: client.Configuration) -> None:
        try:
            if self._is_in_a_pod():
                config.load_incluster_config(client_configuration=configuration)
            else:
                await config.load_kube_config(
                    config_file=str(self._kubeconfig) if self._kubeconfig else None,
                    context=self._context,
                    client_configuration=configuration,
                    persist_config=False,
                )
        except (config.ConfigException, OSError, TypeError) as error:
            raise ConfigurationError(f"no way to the API server: {error}; set WATCHDOG_KUBECONFIG") from error
        if not configuration.verify_ssl:
            raise ConfigurationError(
                "the kubeconfig says insecure-skip-tls-verify, and a token is never sent to a server that may be "
                "another one; put the authority's certificate there instead: certificate-authority-data"
            )
        _keep_well(configuration)

    def _is_in_a_pod(self) -> bool:
        given = self._kubeconfig is not None or self._context is not None
        return not given and config.incluster_config.SERVICE_HOST_ENV_NAME in os.environ


def _keep_well(configuration: client.Configuration) -> None:
    """Whatever the token's file becomes, what is sent is a token."""
    read_anew = configuration.refresh_api_key_hook

    def refresh(of: client.Configuration) -> None:
        # A file that is just being replaced: the token that is known is good for a while.
        with contextlib.suppress(config.ConfigException, OSError):
            if read_anew is not None:
                read_anew(of)
        _hook(of, refresh)
        if _TOKEN in of.api_key:
            # What `kubectl create token > file` writes ends with a line break, which no header may contain.
            of.api_key[_TOKEN] = of.api_key[_TOKEN].strip()

    refresh(configuration)


def _hook(configuration: client.Configuration, refresh: Callable[[client.Configuration], None]) -> None:
    """Is called before each call. The client puts its own back each time."""
    configuration.refresh_api_key_hook = refresh  # type: ignore[assignment]  # declared as None alone
