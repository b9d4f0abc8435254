"""The way to the API server: where it is, whom to trust, and the token, which is another one every hour.

Law: TLS is always verified; a token goes to the API server that it was loaded for and to no other.

`kubernetes.aio` reads the token file of a pod each minute of the wall clock, and that of a kubeconfig once: so after a
401 everything is loaded anew.
"""

import asyncio
import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Self

import yaml
from kubernetes.aio import client, config
from kubernetes.aio.config.kube_config import ENV_KUBECONFIG_PATH_SEPARATOR, KUBE_CONFIG_DEFAULT_LOCATION

_TOKEN = "BearerToken"  # noqa: S105 - the name of the setting
# What the client lets out of a kubeconfig that is none: it declares ConfigException alone, and parses as it goes.
_MISREAD = (yaml.YAMLError, TypeError, ValueError, LookupError, AttributeError)


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
                await self._load_kubeconfig(configuration)
        except (config.ConfigException, OSError) as error:
            raise ConfigurationError(f"no way to the API server: {error}; set WATCHDOG_KUBECONFIG") from error
        if not configuration.verify_ssl:
            raise ConfigurationError(
                "the kubeconfig says insecure-skip-tls-verify, and a token is never sent to a server that may be "
                "another one; put the authority's certificate there instead: certificate-authority-data"
            )
        _keep_well(configuration)

    async def _load_kubeconfig(self, configuration: client.Configuration) -> None:
        where = str(self._kubeconfig or KUBE_CONFIG_DEFAULT_LOCATION)
        if not _is_there(where):
            raise config.ConfigException(f"there is no kubeconfig {where}")
        try:
            await config.load_kube_config(
                config_file=where, context=self._context, client_configuration=configuration, persist_config=False
            )
        except _MISREAD as error:
            raise config.ConfigException(f"{where} is no kubeconfig{_place(error)}") from None  # it may hold a token
        except config.ConfigException as error:
            raise config.ConfigException(_without_entries(str(error))) from None

    def _is_in_a_pod(self) -> bool:
        given = self._kubeconfig is not None or self._context is not None
        return not given and config.incluster_config.SERVICE_HOST_ENV_NAME in os.environ


def _is_there(where: str) -> bool:
    """True when one of the files is there: like kubectl's KUBECONFIG it may name several."""
    return any(Path(part).expanduser().exists() for part in where.split(ENV_KUBECONFIG_PATH_SEPARATOR) if part)


def _place(error: Exception) -> str:
    """Where the file stops being YAML."""
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    return (
        ", or lacks a part of one" if mark is None else f": line {mark.line + 1}, column {mark.column + 1} is not YAML"
    )


def _without_entries(sentence: str) -> str:
    """What the client says of a kubeconfig names an entry by all that is in it, its token too."""
    return re.sub(r"/\{.*\}", "", sentence, flags=re.DOTALL)


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
