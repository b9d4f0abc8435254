"""The rule language: what a rule file may say, as strict models.

Law: a model that exists is well formed; nothing that is not declared here is accepted.

The file format is described in ``docs/rule-files.md``. The texts under the fields are what editors show: they go into
the JSON Schema.
"""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from watchdog.core.placeholders import fill
from watchdog.core.rules.problem import ValueRefusedError
from watchdog.core.rules.values import (
    AlertName,
    AnnotationText,
    Colors,
    DeploymentTemplate,
    DnsLabel,
    FieldName,
    Finite,
    IndexPattern,
    Interval,
    LabelName,
    LabelText,
    PositiveNumber,
    PositiveSeconds,
    QueryFilter,
    QueryText,
    Seconds,
    SelectorKey,
    SelectorValue,
    Share,
)


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        populate_by_name=True,
        allow_inf_nan=True,
        use_attribute_docstrings=True,
    )


class Mode(StrEnum):
    """Whether the watchdog may write."""

    DRY_RUN = "dry-run"
    ENFORCE = "enforce"


class Service(_Strict):
    """A Service, its Deployments by color, and the part of its selector that differs by color."""

    name: DnsLabel
    """The Service's name."""
    deployment: DeploymentTemplate
    """The name of the Deployment behind it, with {{ color }} in it."""
    selector: dict[SelectorKey, SelectorValue] = Field(
        default_factory=lambda: {"color": "{{ color }}"},
        min_length=1,
        json_schema_extra={"default": {"color": "{{ color }}"}},
    )
    """The keys of spec.selector that differ by color, with {{ color }} in each; the other keys are kept as they are."""

    def deployment_of(self, color: str) -> str:
        """The name of the Deployment that runs a color."""
        return fill(self.deployment, {"color": color})

    def selector_of(self, color: str) -> dict[str, str]:
        """The part of the selector that names a color."""
        return {key: fill(text, {"color": color}) for key, text in self.selector.items()}


class GitOps(_Strict):
    """What is told to a controller that keeps the cluster as Git has it, and would undo a rollback."""

    flux: Literal["leave", "pause"] = "leave"
    """pause: switch Flux off on what a rollback writes, until it is undone."""


class Rollback(_Strict):
    """How a target is rolled back."""

    scale_down_delay: Seconds = 30.0
    """How long after all Services are verified on the good color the bad one is scaled to 0."""
    restore_good: bool = True
    """Scale the good color up first when it is too small; if false, such a target is held."""
    min_ready: Share = 0.8
    """Ready pods that the good color needs, as a share of the bad color's ready pods; never fewer than 1."""
    ready_timeout: PositiveSeconds = 120.0
    """How long the good color may take to get ready before a rollback that has switched nothing is given up."""
    cooldown: Seconds = 1800.0
    """How long after a rollback the target is not rolled back again."""
    rollback_window: PositiveSeconds | None = None
    """Act only this long after a switch and alert only afterwards; null for always."""
    gitops: GitOps = Field(default_factory=GitOps, json_schema_extra={"default": {}})
    """What is told to a GitOps controller."""


class PrometheusQuery(_Strict):
    """A PromQL expression that yields one value."""

    expr: QueryText
    """The expression. It yields a value; the comparison is the rule's threshold."""
    absent_is_zero: bool = False
    """An empty answer is 0 when min_samples shows that there were requests."""
    max_age: PositiveSeconds | None = None
    """How old the newest sample of each series may be. Leave it out for the source's own, which is 2m by default."""


class ElasticsearchQuery(_Strict):
    """A Lucene query: the number of matches, or their share of the documents that match ``ratio_of``."""

    index: IndexPattern
    """The index, data stream or pattern to search."""
    query: QueryText
    """A Lucene query; its matches are counted."""
    filter: QueryFilter = Field(default_factory=list)
    """Query DSL that narrows both query and ratio_of."""
    ratio_of: QueryText | None = None
    """A Lucene query; the value is the matches of query divided by the matches of this. Leave it out for a count."""
    timeframe: PositiveSeconds = 300.0
    """How much time one measurement covers."""
    query_delay: Seconds = 60.0
    """How far behind now the window ends, for documents that arrive late."""
    timestamp_field: FieldName = "@timestamp"
    """The field that holds a document's time."""


class Threshold(_Strict):
    """The healthy range, both ends included."""

    min: Finite | None = None
    """The lowest healthy value."""
    max: Finite | None = None
    """The highest healthy value."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.min is None and self.max is None:
            message = "a threshold needs max, min or both, as bounds of the healthy range; write {max: 0.05}"
            raise ValueRefusedError("R211", message)
        if self.min is not None and self.max is not None and self.min > self.max:
            message = f"min {self.min:g} is above max {self.max:g}: no value would be healthy; swap them"
            raise ValueRefusedError("R211", message)
        return self

    def __str__(self) -> str:
        bounds = [f"at least {self.min:g}"] if self.min is not None else []
        bounds += [f"at most {self.max:g}"] if self.max is not None else []
        return " and ".join(bounds)


class MinSamples(_Strict):
    """How much evidence a value needs: requests counted by ``expr``, or the documents of ``ratio_of``.

    A bare number stands for ``value`` alone.
    """

    expr: QueryText | None = None
    """A PromQL expression that counts the requests behind the value."""
    value: PositiveNumber
    """How many are needed."""

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, given: Any) -> Any:
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        return {"value": given} if is_number else given


KINDS = ("prometheus", "elasticsearch")
"""The keys of a rule that say what it asks, in the order of the documents."""


class Rule(_Strict):
    """One rule. Exactly one source; the comparison is ``threshold``, never part of the query."""

    alert: AlertName
    """The name of the rule, unique in its file."""
    prometheus: PrometheusQuery | None = None
    """Ask Prometheus."""
    elasticsearch: ElasticsearchQuery | None = None
    """Ask Elasticsearch."""
    threshold: Threshold
    """The healthy range of the value."""
    min_samples: MinSamples | None = None
    """How much evidence a value needs before it counts at all."""
    for_: Seconds = Field(default=0.0, alias="for")
    """How long the threshold has to be breached before the rule fires."""
    keep_firing_for: Seconds = 0.0
    """How long the rule goes on firing after the value is well again."""
    datapoints_to_alarm: int = Field(default=1, ge=1)
    """How many of the last evaluation_periods slots have to breach before the rule fires."""
    evaluation_periods: int = Field(default=1, ge=1, le=1000)
    """How many slots datapoints_to_alarm looks back."""
    initial_delay: Seconds = 0.0
    """How long after a switch the rule is not looked at."""
    no_data: Literal["hold", "ok", "breach"] = "hold"
    """What an answer without data means: nothing (hold), healthy (ok) or a breach."""
    no_data_timeout: PositiveSeconds = 300.0
    """How long a rule may be without data before people are told that it is blind."""
    action: Literal["rollback", "alert"] = "alert"
    """What a firing rule does: roll back, or tell people only."""
    labels: dict[LabelName, LabelText] = Field(default_factory=dict)
    """Labels of its alerts, such as severity and team."""
    annotations: dict[LabelName, AnnotationText] = Field(default_factory=dict)
    """Texts of its alerts, such as summary and runbook_url."""

    @property
    def source(self) -> Literal["prometheus", "elasticsearch"]:
        """The name of the source that the rule asks."""
        return "prometheus" if self.prometheus is not None else "elasticsearch"

    @cached_property
    def digest(self) -> str:
        """A hash of what decides: another name, label or annotation leaves it, anything else changes it.

        It is taken of what differs from the defaults, so that a new key of a later version keeps it.
        """
        deciding = self.model_dump(
            mode="json", by_alias=True, exclude_defaults=True, exclude={"alert", "labels", "annotations"}
        )
        text = json.dumps(deciding, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Target(_Strict):
    """What is rolled back as one unit: a namespace, its Services in switching order, and the rules that watch them."""

    target: DnsLabel
    """The name of the target, unique among all rule files."""
    namespace: DnsLabel
    """The namespace of its Services and Deployments."""
    mode: Mode = Field(default=Mode.DRY_RUN, strict=False)
    """dry-run: decide and tell, change nothing. enforce: roll back."""
    interval: Interval = 15.0
    """How often the rules are evaluated."""
    colors: Colors = Field(default=("blue", "green"), strict=False)
    """The names of the two colors."""
    services: list[Service] = Field(min_length=1, max_length=100)
    """The Services, in the order in which they are switched."""
    rollback: Rollback = Field(default_factory=Rollback)
    """How it is rolled back."""
    rules: list[Rule] = Field(min_length=1, max_length=1000)
    """The rules that watch it."""

    def other(self, color: str) -> str:
        """The color that is not this one."""
        first, second = self.colors
        return second if color == first else first
