"""The servers that a command line names.

Law: credentials of the settings go to the server that the settings name, and to no other.
"""

from typing import TypeVar

from pydantic import ValidationError

from watchdog.settings import ElasticsearchSettings, PrometheusSettings, Settings, SettingsError

_Group = TypeVar("_Group", PrometheusSettings, ElasticsearchSettings)


def prometheus_at(settings: Settings, url: str, deadline: float) -> PrometheusSettings | None:
    """The Prometheus at a URL, "" for that of the settings, None when there is none. Raises SettingsError."""
    known = settings.prometheus
    if known is not None and url.rstrip("/") in ("", known.url):
        return known.model_copy(update={"deadline": deadline})
    return _checked(PrometheusSettings, "--prometheus", url=url, deadline=deadline) if url else None


def elasticsearch_at(settings: Settings, url: str, deadline: float) -> ElasticsearchSettings | None:
    """The Elasticsearch at a URL, "" for that of the settings, None when there is none. Raises SettingsError."""
    known = settings.elasticsearch
    if known is not None and (not url or url.rstrip("/") in known.urls):
        return known.model_copy(update={"deadline": deadline})
    return _checked(ElasticsearchSettings, "--elasticsearch", urls=url, deadline=deadline) if url else None


def _checked(group: type[_Group], option: str, **given: object) -> _Group:
    try:
        return group.model_validate(given)
    except ValidationError as error:
        told = error.errors(include_url=False, include_input=False, include_context=False)[0]["msg"]
        raise SettingsError(f"{option}: {told.removeprefix('Value error, ')}") from None
