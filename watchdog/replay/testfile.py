"""What a file of rule tests may say, as strict models: promtool's names, and ours beside them.

Law: nothing that is not declared here is accepted; times count from the first slot of the test.

The file format is described in ``docs/rule-tests.md``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from watchdog.core.decision import Reason
from watchdog.core.model import Outcome, Phase
from watchdog.core.rules.problem import quoted
from watchdog.core.rules.values import Interval, PositiveSeconds, Seconds
from watchdog.replay.actions import ActionKind
from watchdog.replay.story import FaultKind

DECISIONS = ("rollback", "under_way", *(reason.value for reason in Reason))


COUNT_KEYS = ("errors", "total", "baseline_errors", "baseline_total")
RESULT_KEYS = ("values", *COUNT_KEYS, "samples")


def _decision(given: str) -> str:
    if given not in DECISIONS:
        raise ValueError(f"{quoted(given)} is no decision; write one of {', '.join(DECISIONS)}")
    return given


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class InputSeries(_Strict):
    """A series of Prometheus; its values are ``interval`` apart."""

    series: str
    values: str

    @property
    def texts(self) -> dict[str, str]:
        """What is written in the notation, by its key."""
        return {"series": self.series, "values": self.values}


class InputResults(_Strict):
    """What the source of one rule answers, slot by slot; no server is asked.

    A rule has ``values``, or what it counts: the requests of each slot, and how many of them failed. ``samples`` is how
    much evidence is behind each; left out, it is just enough.
    """

    alert: str
    color: str | None = None
    values: str | None = None
    errors: str | None = None
    total: str | None = None
    baseline_errors: str | None = None
    baseline_total: str | None = None
    samples: str | None = None

    @property
    def texts(self) -> dict[str, str]:
        """What is written slot by slot, by its key."""
        return {key: text for key in RESULT_KEYS if (text := getattr(self, key)) is not None}


class InputDocuments(_Strict):
    """Documents: ``count`` of them at ``from``, and each ``every`` after it until ``to``; each arrives ``late``."""

    index: str | None = None
    from_: Seconds = Field(default=0.0, alias="from")
    to: PositiveSeconds
    every: PositiveSeconds | None = None
    count: int = Field(default=1, ge=1, le=10_000)
    late: Seconds = 0.0
    document: dict[str, Any]


class EventInput(_Strict):
    """Something that somebody does: exactly one of the keys beside ``at``."""

    at: Seconds
    switch: str | None = None
    deploy: str | None = None
    pause: str | None = None
    resume: Literal[True] | None = None


class FaultInput(_Strict):
    """A failure of a source, of one rule's answers, or of all."""

    fault: FaultKind = Field(strict=False)
    from_: Seconds = Field(alias="from")
    to: Seconds
    alert: str | None = None
    source: str | None = None
    seconds: float = Field(default=1.0, gt=0)


class RestartInput(_Strict):
    """The watchdog is restarted, and is away for ``down``."""

    at: Seconds
    down: Seconds = 0.0


class ExpectedAlert(_Strict):
    """An alert as people get it; what is not named may be anything."""

    exp_labels: dict[str, str] = Field(default_factory=dict)
    exp_annotations: dict[str, str] = Field(default_factory=dict)


class AlertExpectation(_Strict):
    """What a rule is at an instant: firing, or (with an empty list) not."""

    eval_time: Seconds
    alertname: str
    exp_alerts: list[ExpectedAlert]


class ExpectedAction(_Strict):
    """An action; what is not named may be anything."""

    at: Seconds
    action: ActionKind = Field(strict=False)
    from_: str | None = Field(default=None, alias="from")
    to: str | None = None
    rules: list[str] | None = None
    reason: Reason | None = Field(default=None, strict=False)
    service: str | None = None
    deployment: str | None = None
    recovered: bool | None = None


class ExpectedRule(_Strict):
    """Where a rule stands; what is not named may be anything."""

    phase: Phase | None = Field(default=None, strict=False)
    outcome: Outcome | None = Field(default=None, strict=False)
    value: float | None = None

    @property
    def has_expectation(self) -> bool:
        """True when it can fail at all."""
        return not (self.phase is None and self.outcome is None and self.value is None)


class StateExpectation(_Strict):
    """What is known after a slot."""

    eval_time: Seconds
    active: str | None = None
    decision: Annotated[str, AfterValidator(_decision)] | None = None
    rules: dict[str, ExpectedRule] = Field(default_factory=dict)

    @property
    def has_expectation(self) -> bool:
        """True when it can fail at all."""
        return bool(self.active is not None or self.decision is not None or self.rules)


class TestCase(_Strict):
    """One test: what goes in, what happens, and what is expected."""

    name: str = ""
    target: str | None = None
    active: str | None = None
    interval: Interval | None = None
    input_series: list[InputSeries] = Field(default_factory=list)
    input_results: list[InputResults] = Field(default_factory=list)
    input_documents: list[InputDocuments] = Field(default_factory=list)
    events: list[EventInput] = Field(default_factory=list)
    faults: list[FaultInput] = Field(default_factory=list)
    restarts: list[RestartInput] = Field(default_factory=list)
    alert_rule_test: list[AlertExpectation] = Field(default_factory=list)
    exp_actions: list[ExpectedAction] | None = None
    exp_state: list[StateExpectation] = Field(default_factory=list)

    @property
    def has_expectation(self) -> bool:
        """True when it can fail at all."""
        return bool(self.alert_rule_test or self.exp_state or self.exp_actions is not None)


class TestFile(_Strict):
    """A file of tests, and the rule files that they are about (their paths count from this file)."""

    rule_files: list[str] = Field(min_length=1)
    evaluation_interval: Interval | None = None
    tests: list[TestCase] = Field(min_length=1)


SECTIONS: dict[str, type[BaseModel]] = {
    "": TestFile,
    "tests": TestCase,
    "input_series": InputSeries,
    "input_results": InputResults,
    "input_documents": InputDocuments,
    "events": EventInput,
    "faults": FaultInput,
    "restarts": RestartInput,
    "alert_rule_test": AlertExpectation,
    "exp_alerts": ExpectedAlert,
    "exp_actions": ExpectedAction,
    "exp_state": StateExpectation,
    "rules": ExpectedRule,
}


def keys_at(path: tuple[str | int, ...]) -> tuple[str, ...]:
    """The keys that may stand at a path of the file; none where any may."""
    names = [part for part in path if isinstance(part, str)]
    section = next((name for name in reversed(names) if name in SECTIONS), "")
    free = {"document", "exp_labels", "exp_annotations"} & set(names)
    return () if free else tuple(field.alias or name for name, field in SECTIONS[section].model_fields.items())
