"""Settings of the daemon: ``WATCHDOG_…`` variables, and files for what is secret.

Law: no secret is ever printed; a secret given as a file is read each time it is used, so that rotation needs no
restart.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as PydanticSettingsError


def _source_url(given: str, example: str = "http://prometheus.monitoring:9090") -> str:
    # What was given is not repeated, nor what the parser says of it: it may hold credentials.
    try:
        parts = urlsplit(given)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url or not given.isprintable() or " " in given:
        raise ValueError(f"not a URL: write scheme, host and port, such as {example}")
    if parts.username or parts.password:
        raise ValueError("credentials do not belong in a URL; use username and password_file")
    if parts.query or parts.fragment:
        raise ValueError("the URL ends with its path; what goes with every request belongs in parameters or headers")
    return given.rstrip("/")


def _url_with_port(given: str) -> str:
    url = _source_url(given, "http://elasticsearch.logging:9200")
    if urlsplit(url).port is None:
        raise ValueError(f"the port is missing: write {url}:9200")
    return url


_LAST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where the server listens; port 0 lets the system choose one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_listen(text: str) -> ListenAddress:
    """Reads ``host:port``, an IPv6 host in brackets; raises ValueError saying what would be right."""
    host, colon, port = text.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if is_bracketed else host
    is_port = port.isascii() and port.isdigit() and int(port) <= _LAST_PORT
    if not (colon and bare and is_port) or (":" in bare) != is_bracketed:
        raise ValueError(f"{text!r} is not a listen address; write host:port, such as 127.0.0.1:8080 or [::1]:8080")
    return ListenAddress(bare, int(port))


def _listen(given: str) -> str:
    parse_listen(given)
    return given


def _split(given: Any) -> Any:
    return [part.strip() for part in given.split(",")] if isinstance(given, str) else given


SourceUrl = Annotated[str, AfterValidator(_source_url)]
UrlWithPort = Annotated[str, AfterValidator(_url_with_port)]


class _Group(BaseModel):
    # The input is left out of errors: it may be the secret itself.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Credentials(_Group):
    """How to prove who asks: nothing, basic authentication, or a bearer token or API key; inline or from a file."""

    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = None
    token: SecretStr | None = None
    token_file: Path | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [self.username, self.token or self.token_file]
        if all(ways):
            raise ValueError("give either a username with a password or a token, not both")
        if (self.password and self.password_file) or (self.token and self.token_file):
            raise ValueError("give a secret either inline or as a file, not both")
        if bool(self.username) != bool(self.password or self.password_file):
            raise ValueError("username and password (or password_file) belong together")
        return self

    def read_password(self) -> str:
        """The password now; raises OSError when its file cannot be read."""
        return _read(self.password, self.password_file)

    def read_token(self) -> str:
        """The token or API key now, "" when none is set; raises OSError when its file cannot be read."""
        return _read(self.token, self.token_file)


def _read(inline: SecretStr | None, file: Path | None) -> str:
    if file is not None:
        return file.read_text(encoding="utf-8").strip()
    return inline.get_secret_value() if inline is not None else ""


class Tls(Credentials):
    """Whom to trust, and the certificate to show, in PEM files; the key may be in the certificate's file."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    @model_validator(mode="after")
    def _key_with_certificate(self) -> Self:
        if self.key_file and not self.cert_file:
            raise ValueError("a key_file alone proves nothing; give cert_file too")
        return self


class PrometheusSettings(Tls):
    """Where Prometheus is. ``headers`` and ``parameters`` go with every query: a tenant, ``partial_response``."""

    url: SourceUrl
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    parameters: dict[str, str] = Field(default_factory=dict)
    deadline: float = Field(default=5.0, gt=0, le=60, description="seconds for one query, all in all")
    max_age: float = Field(default=120.0, gt=0, description="seconds, of a series' newest sample; a rule may say other")
    query_offset: float = Field(default=0.0, ge=0, le=600, description="seconds that samples are late to arrive")


class ElasticsearchSettings(Tls):
    """Where Elasticsearch is; ``token`` is its API key. ``urls`` are the nodes of one cluster, comma-separated."""

    urls: Annotated[list[UrlWithPort], NoDecode, BeforeValidator(_split)] = Field(min_length=1)
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    deadline: float = Field(default=5.0, gt=0, le=60, description="seconds for one search, all in all")


def _needs_namespace(wanted: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - pydantic calls it so
    if wanted and info.data.get("namespace") is None:
        raise ValueError("the Leases live in the watchdog's own namespace: set WATCHDOG_NAMESPACE")
    return wanted


class Settings(BaseSettings):
    """Everything that `watchdog run` can be told."""

    model_config = SettingsConfigDict(
        env_prefix="WATCHDOG_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    rules: Path = Path("/etc/watchdog/rules")
    dry_run: bool = False
    kubeconfig: Path | None = None
    kube_context: str | None = None
    namespace: str | None = Field(default=None, description="the watchdog's own namespace")
    deployment: str | None = Field(default=None, description="the watchdog's own Deployment: pausing it pauses all")
    pod_name: str | None = Field(default=None, description="the replica's name in the Leases; else the host's name")
    shards: int = Field(default=1, ge=1, le=64, description="how many Leases the targets are spread over")
    leader_election: Annotated[bool, AfterValidator(_needs_namespace)] = False
    prometheus: PrometheusSettings | None = None
    elasticsearch: ElasticsearchSettings | None = None
    webhook_url: SecretStr | None = None
    webhook_url_file: Path | None = None
    slack_webhook_url: SecretStr | None = None
    slack_webhook_url_file: Path | None = None
    listen: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:8080"
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    def shown(self) -> dict[str, Any]:
        """The settings as plain values with every secret replaced by asterisks."""
        return self.model_dump(mode="json")


class SettingsError(Exception):
    """Settings that cannot be used; the text has a line for each mistake."""


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process's environment, with overrides. Raises SettingsError with all mistakes at once."""
    try:
        return Settings(**overrides)
    except (ValidationError, PydanticSettingsError) as error:
        raise SettingsError(_mistakes(error)) from None  # the cause may show a secret


_OWN_WORDS = {
    "dict_type": 'write JSON such as {"name": "value"}',
    "model_type": "each part has a variable of its own, such as …__URL or …__URLS",
}
"""What is wrong, by pydantic's kind of error, where its own words speak of Python."""


def _mistakes(error: ValidationError | PydanticSettingsError) -> str:
    if isinstance(error, PydanticSettingsError):
        return _not_json(error)
    lines = []
    for mistake in error.errors(include_url=False, include_input=False, include_context=False):
        name = "__".join(str(part) for part in mistake["loc"]).upper()
        said = _OWN_WORDS.get(mistake["type"], mistake["msg"].removeprefix("Value error, "))
        lines.append(f"WATCHDOG_{name}: {said}")
    return "\n".join(lines)


def _not_json(error: PydanticSettingsError) -> str:
    """Names the variable, which the error does not: what it has is the text, and that may be secret."""
    text = error.__cause__.doc if isinstance(error.__cause__, json.JSONDecodeError) else None
    names = sorted(name for name, given in os.environ.items() if name.upper().startswith("WATCHDOG_") and given == text)
    return f"{names[0]}: {_OWN_WORDS['dict_type']}" if names else str(error)


def unknown_variables(environment: Iterable[str]) -> tuple[str, ...]:
    """The names among these that look like settings and are none: most likely misspelled."""
    known = set(_variables(Settings, "WATCHDOG_"))
    return tuple(sorted(name for name in environment if name.startswith("WATCHDOG_") and name not in known))


def _variables(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """The variable of each field, and of each field of the groups in it."""
    for name, field in model.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        yield variable
        for part in get_args(field.annotation):
            if isinstance(part, type) and issubclass(part, _Group):
                yield from _variables(part, f"{variable}__")
