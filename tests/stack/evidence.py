"""What is known from outside of what a program did to a cluster: the audit log, the objects, the pods.

Law: everything is ordered by the revision at which it was committed; nothing here judges.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tests.stack.auditlog import Object, Row, Write, writes_in
from tests.stack.podhistory import Pod, PodHistory

SELECTOR = "/spec/selector"

Labels = Mapping[str, str]
Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What a rule file declares, in a test's own words.

    ``selectors``: Service → color → its whole selector. ``deployments``: Deployment → color. ``journal`` is the
    namespace and name of the ConfigMap in which a watchdog remembers, None when it has none. ``more_annotations`` are
    keys outside our prefix that it may write on Services.
    """

    namespace: str
    selectors: Mapping[str, Mapping[str, Labels]]
    deployments: Mapping[str, str]
    scale_down_delay: float
    min_ready: float = 0.8
    dry_run: bool = False
    journal: Key | None = None
    more_annotations: frozenset[str] = frozenset()

    def color_of(self, service: str, selector: Labels) -> str | None:
        """The color whose whole selector this is."""
        return next((color for color, whole in self.selectors[service].items() if whole == selector), None)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known from outside. ``before`` and ``after`` hold Services and Deployments by (plural, name).

    ``late`` are the names, in the audit log, of requests that were held back on their way: they may have arrived long
    after their sender had given them up, in the middle of what it did next.
    """

    rows: Sequence[Row]
    ours: Callable[[Row], bool]
    before: Mapping[Key, Object]
    after: Mapping[Key, Object]
    pods: PodHistory = field(repr=False)
    late: Collection[str] = ()

    @cached_property
    def writes(self) -> list[Write]:
        """All writes in the order of their arrival."""
        return writes_in(self.rows, ours=self.ours)

    @property
    def sent(self) -> list[Write]:
        """The watchdog's writes, committed or not."""
        return [write for write in self.writes if write.ours]

    @cached_property
    def committed(self) -> list[Write]:
        """Everybody's writes to Services and Deployments in the order in which they were committed."""
        kinds = ("services", "deployments")
        found = [each for each in self.writes if each.committed and each.resource in kinds and each.verb != "delete"]
        return sorted(found, key=lambda write: write.revision)

    @property
    def effects(self) -> list[Write]:
        """Those of the watchdog."""
        return [write for write in self.committed if write.ours]

    def is_late(self, write: Write) -> bool:
        """True for one that was held back on its way."""
        return write.row.get("auditID") in self.late

    def selector(self, service: str, *, below: int) -> Labels:
        """The selector that a Service had just before a revision."""
        value = selector_of(self.before.get(("services", service), {}))
        for write in self.committed:
            if write.revision < below and (write.resource, write.name) == ("services", service):
                value = selector_of(write.answered)
        return value

    def replicas(self, deployment: str, *, below: int) -> int:
        """The replicas that a Deployment was to have just before a revision."""
        value = replicas_of(self.before.get(("deployments", deployment), {}))
        for write in self.committed:
            if write.revision < below and (write.resource, write.name) == ("deployments", deployment):
                value = replicas_of(write.answered)
        return value

    def services(self) -> set[str]:
        """The names of all Services that were ever seen."""
        seen = {name for kind, name in self.before if kind == "services"}
        return seen | {write.name for write in self.committed if write.resource == "services"}


def selector_of(found: Object) -> Labels:
    """The selector of a Service."""
    selector: Labels = found.get("spec", {}).get("selector") or {}
    return selector


def replicas_of(found: Object) -> int:
    """The wanted replicas of a Deployment, or of its scale subresource, which leaves out what is zero."""
    return int(found.get("spec", {}).get("replicas", 0))


def selects(selector: Labels, labels: Labels) -> bool:
    """True when a selector picks a pod with these labels; an empty one picks nothing."""
    return bool(selector) and selector.items() <= labels.items()


def ready_pods(pods: Sequence[Pod], selector: Labels) -> int:
    """How many ready pods a selector picks."""
    return sum(pod.ready and selects(selector, pod.labels) for pod in pods)


def writes_selector(write: Write) -> bool:
    """True for a write of a Service's selector, somebody else's merge patch or replacement included."""
    if write.resource != "services":
        return False
    sent = write.row.get("requestObject")
    return write.touches(SELECTOR) or (isinstance(sent, dict) and "selector" in (sent.get("spec") or {}))


def moves(evidence: Evidence, write: Write) -> bool:
    """True when a Service selects something else after the write."""
    return writes_selector(write) and evidence.selector(write.name, below=write.revision) != selector_of(write.answered)


def changes_release(write: Write) -> bool:
    """True for a write that makes another release of a Deployment."""
    sent = write.row.get("requestObject")
    in_body = isinstance(sent, dict) and "template" in (sent.get("spec") or {})
    return write.verb == "create" or write.touches("/spec/template") or in_body
