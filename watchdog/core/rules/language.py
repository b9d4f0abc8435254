"""The rule language: what a rule file may say, as strict models.

Law: a model that exists is well formed; nothing that is not declared here is accepted.

The file format is described in ``docs/rule-files.md``. The texts under the fields are what editors show: they go into
the JSON Schema.
"""

from __future__ import annotations

import json
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from watchdog.core.digest import short_digest
from watchdog.core.placeholders import fill
from watchdog.core.rules.kinds import (
    BurnRate,
    Comparison,
    ElasticsearchQuery,
    HttpProbe,
    Kind,
    KubernetesCheck,
    PrometheusQuery,
)
from watchdog.core.rules.problem import ValueRefusedError
from watchdog.core.rules.strict import Strict
from watchdog.core.rules.values import (
    AlertName,
    AnnotationText,
    Colors,
    DeploymentTemplate,
    DnsLabel,
    Finite,
    Interval,
    LabelName,
    LabelText,
    PositiveNumber,
    PositiveSeconds,
    QueryText,
    Seconds,
    SelectorKey,
    SelectorValue,
    Share,
)


class Mode(StrEnum):
    """Whether the watchdog may write."""

    DRY_RUN = "dry-run"
    ENFORCE = "enforce"


class Service(Strict):
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


class GitOps(Strict):
    """What is told to a controller that keeps the cluster as Git has it, and would undo a rollback."""

    flux: Literal["leave", "pause"] = "leave"
    """pause: switch Flux off on what a rollback writes, until it is undone."""


class Rollback(Strict):
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


class Threshold(Strict):
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


class MinSamples(Strict):
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


KINDS = ("prometheus", "elasticsearch", "kubernetes", "burn_rate", "http", "compare")
"""The keys of a rule that say what it asks, in the order of the documents."""
SOURCES = {"burn_rate": "prometheus"}
"""Who answers a kind, where it is not of the same name."""
BOUND_THEMSELVES = frozenset({"burn_rate", "compare"})
"""Kinds that say by themselves what is too much; the others need a threshold."""

EXPRESSIONS = (
    ("prometheus", "expr"),
    ("burn_rate", "error_expr"),
    ("burn_rate", "total_expr"),
    ("compare", "error_expr"),
    ("compare", "total_expr"),
    ("compare", "baseline_error_expr"),
    ("compare", "baseline_total_expr"),
    ("min_samples", "expr"),
)
"""Where PromQL stands in a rule."""


class Rule(Strict):
    """One rule. Exactly one kind; the comparison is ``threshold``, never part of the query."""

    alert: AlertName
    """The name of the rule, unique in its file."""
    prometheus: PrometheusQuery | None = None
    """Ask Prometheus."""
    elasticsearch: ElasticsearchQuery | None = None
    """Ask Elasticsearch."""
    kubernetes: KubernetesCheck | None = None
    """Look at the pods and Deployments of the color."""
    burn_rate: BurnRate | None = None
    """Ask Prometheus how fast an error budget is spent."""
    http: HttpProbe | None = None
    """Ask the application itself."""
    compare: Comparison | None = None
    """Ask Prometheus whether the active color fails more than a baseline."""
    threshold: Threshold | None = None
    """The healthy range of the value; a kind of rule that says by itself what is too much has none."""
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
    initial_delay: Seconds | None = None
    """How long after a switch or a new revision the rule is not looked at. Leave it out for as long as its evidence
    reaches back, so that all of it is of this release."""
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
    def kinds(self) -> dict[str, Kind]:
        """What the rule asks, by the key that says so: exactly one in a rule that was checked."""
        return {name: kind for name in KINDS if (kind := getattr(self, name)) is not None}

    @property
    def expressions(self) -> dict[tuple[str, str], str]:
        """The PromQL in the rule, by where it stands."""
        written = {(section, key): getattr(getattr(self, section), key, None) for section, key in EXPRESSIONS}
        return {place: text for place, text in written.items() if text is not None}

    @property
    def source(self) -> str:
        """The name of the source that the rule asks, "" for a rule that asks nobody."""
        return next((SOURCES.get(name, name) for name in self.kinds), "")

    @property
    def server(self) -> str:
        """What answers in the end: a comparing rule has a source of its own, and that one asks Prometheus."""
        return "prometheus" if self.compare is not None else self.source

    @cached_property
    def digest(self) -> str:
        """A hash of what decides: another name, label or annotation leaves it, anything else changes it.

        It is taken of what differs from the defaults, so that a new key of a later version keeps it.
        """
        deciding = self.model_dump(
            mode="json", by_alias=True, exclude_defaults=True, exclude={"alert", "labels", "annotations"}
        )
        text = json.dumps(deciding, sort_keys=True, separators=(",", ":"))
        return short_digest(text)


class Target(Strict):
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
