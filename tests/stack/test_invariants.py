"""The checker finds each violation: a clean rollback passes, and each way to spoil one row of it is named."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.stack.auditlog import Row, by_user
from tests.stack.evidence import Declared, Evidence
from tests.stack.invariants import LAWS, violations
from tests.stack.podhistory import Pod, PodHistory

SPACE, WHO = "bank", "watchdog"
DECLARED = Declared(
    namespace=SPACE,
    selectors={"shop": {color: {"app": "shop", "color": color} for color in ("blue", "green")}},
    deployments={"shop-blue": "blue", "shop-green": "green"},
    scale_down_delay=2.0,
)
BLUE, GREEN = DECLARED.selectors["shop"]["blue"], DECLARED.selectors["shop"]["green"]
TESTS = [
    {"op": "test", "path": "/metadata/uid", "value": "uid"},
    {"op": "test", "path": "/metadata/resourceVersion", "value": "1"},
]
TRIP = {"op": "add", "path": "/metadata/annotations/canary-watchdog~1trip", "value": "{}"}
REMEMBER = {"op": "add", "path": "/metadata/annotations/canary-watchdog~1replicas", "value": "3"}
ZERO = {"op": "replace", "path": "/spec/replicas", "value": 0}


def move(to: Any = BLUE, path: str = "/spec/selector", kind: str = "replace") -> Row:
    return {"op": kind, "path": path, "value": to}


def service(selector: Any = GREEN, **annotations: str) -> Row:
    return {"metadata": {"name": "shop", "uid": "uid", "annotations": annotations}, "spec": {"selector": selector}}


def deployment(color: str, replicas: int = 3, *, image: str = "shop") -> Row:
    return {
        "metadata": {"name": f"shop-{color}", "uid": f"uid-{color}"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"color": color}}, "template": {"image": image}},
    }


@dataclass
class Story:
    """Rows as they come, a second apart unless said otherwise; each write is committed at the next revision."""

    rows: list[Row] = field(default_factory=list)
    clock: float = 0.0
    revision: int = 10
    pods: dict[str, int] = field(default_factory=lambda: {"blue": 3, "green": 3})
    other_service: bool = False
    after: dict[tuple[str, str], Row] = field(default_factory=dict)

    def write(
        self,
        where: str,
        operations: Any,
        answered: Row | None = None,
        *,
        who: str = WHO,
        verb: str = "patch",
        code: int = 200,
        namespace: str = SPACE,
        after: float = 1.0,
    ) -> None:
        """One write, and who reads it back when it is the watchdog's."""
        self.revision += 1
        body = copy.deepcopy(answered or {"metadata": {}})
        body["metadata"]["resourceVersion"] = str(self.revision)
        self._row(where, verb, who, namespace, after, requestObject=operations, responseObject=body, code=code)

    def read(self, where: str, *, verb: str = "get") -> None:
        """The watchdog reads."""
        self._row(where, verb, WHO, SPACE, 0.1)

    def _row(self, where: str, verb: str, who: str, namespace: str, after: float, **fields: Any) -> None:
        self.clock += after
        resource, name, sub = (*where.split("/"), "", "")[:3]
        code = fields.pop("code", 200)
        at = f"2026-01-01T00:{int(self.clock) // 60:02}:{self.clock % 60:09.6f}Z"
        reference = {"resource": resource, "name": name, "subresource": sub, "namespace": namespace}
        self.rows.append(
            {
                "auditID": f"row-{len(self.rows)}",
                "verb": verb,
                "user": {"username": who},
                "requestURI": "",
                "objectRef": {key: value for key, value in reference.items() if value},
                "requestReceivedTimestamp": at,
                "stageTimestamp": at,
                "responseStatus": {"code": code},
            }
            | fields
        )

    # A rollback in its parts

    def switch(self, *, to: Any = BLUE, operations: Any = None, **fields: Any) -> None:
        """The Service to blue."""
        self.write("services/shop", operations or [*TESTS, move(to), TRIP], service(to), **fields)
        self.read("services/shop")

    def by_hand(self, *, to: Any = GREEN, **annotations: str) -> None:
        """Somebody else writes the selector."""
        self.write("services/shop", {"spec": {"selector": to}}, service(to, **annotations), who="kubectl")

    def remember(self, color: str = "green", *, operations: Any = None) -> None:
        """The replicas, on the Deployment."""
        self.write(f"deployments/shop-{color}", operations or [*TESTS, REMEMBER], deployment(color))
        self.read(f"deployments/shop-{color}")

    def scale(self, color: str = "green", *, to: int = 0, operations: Any = None, after: float = 3.0) -> None:
        """A Deployment."""
        sent = operations or [*TESTS, {**ZERO, "value": to}]
        self.write(f"deployments/shop-{color}/scale", sent, {"metadata": {}, "spec": {"replicas": to}}, after=after)
        self.read(f"deployments/shop-{color}/scale")

    def check(self, declared: Declared = DECLARED, *, late: Collection[str] = ()) -> list[str]:
        """What the checker says."""
        before = {("services", "shop"): service(), **{("deployments", f"shop-{c}"): deployment(c) for c in self.pods}}
        if self.other_service:
            before["services", "other"] = {"metadata": {"name": "other"}, "spec": {"selector": {"color": "green"}}}
        history = PodHistory()
        for color, count in self.pods.items():
            for number in range(count):
                labels = {"app": "shop", "color": color}
                history.note(SPACE, 1, Pod(name=f"shop-{color}-{number}", labels=labels, ready=True))
        after = before | {("services", "shop"): service(BLUE)} | self.after
        evidence = Evidence(rows=self.rows, ours=by_user(WHO), before=before, after=after, pods=history, late=late)
        return violations(declared, evidence)


def rollback(story: Story) -> None:
    """From green to blue, whole."""
    story.switch()
    story.remember()
    story.scale()


def test_a_clean_rollback_violates_nothing() -> None:
    story = Story()
    rollback(story)
    assert story.check() == []


def test_what_others_do_is_nobodys_violation() -> None:
    story = Story()
    story.by_hand(to=BLUE)
    story.write("services/shop", None, verb="delete", who="kubectl")
    assert story.check() == []


def test_what_was_refused_had_no_effect() -> None:
    story = Story()
    story.switch(to={"app": "nobody", "color": "blue"}, code=422)
    assert story.check() == []


Spoil = Callable[[Story], object]


def few(story: Story) -> None:
    story.pods["blue"] = 2
    story.switch()


def none(story: Story) -> None:
    story.pods = {"blue": 0, "green": 0}
    story.switch()


def twice(story: Story) -> None:
    story.switch()
    story.by_hand(to=BLUE)
    story.switch()


def second_rollback(story: Story) -> None:
    story.switch()
    story.switch(to=GREEN)
    story.switch()


def marked(id_: str, alert: str = "ErrorRatio") -> dict[str, str]:
    """Our mark on a Service, as far as it matters."""
    return {"canary-watchdog/trip": json.dumps({"id": id_, "rules": [{"alert": alert}]})}


def anew(story: Story, *, alert: str = "ErrorRatio") -> None:
    """Another rollback of a release, to which somebody has returned after the first one."""
    for number in (1, 2):
        marks = marked(f"trip-{number}", alert if number > 1 else "ErrorRatio")
        story.write("services/shop", [*TESTS, move(), TRIP], service(BLUE, **marks))
        story.read("services/shop")
        story.by_hand()


def fight(story: Story) -> None:
    for _ in range(4):
        story.switch()
        story.by_hand()


def paused_service(story: Story) -> None:
    story.write("services/shop", [*TESTS, move()], service(BLUE, **{"canary-watchdog/paused": "true"}))
    story.read("services/shop")


def paused_namespace(story: Story) -> None:
    paused = {"metadata": {"name": SPACE, "annotations": {"canary-watchdog/paused": "yes"}}}
    story.write(f"namespaces/{SPACE}", {}, paused, who="kubectl")
    story.switch(after=8.0)


def not_read_back(story: Story) -> None:
    story.write("services/shop", [*TESTS, move()], service(BLUE))
    story.remember()


def never_read_back(story: Story) -> None:
    story.write("services/shop", [*TESTS, move()], service(BLUE))


def on_bad(story: Story) -> None:
    story.remember()
    story.scale()


def halves(story: Story) -> None:
    story.by_hand(to={"app": "shop", "color": "red"})
    story.remember()
    story.scale()


def good_scaled(story: Story) -> None:
    story.switch()
    story.remember("blue")
    story.scale("blue")


def forgotten(story: Story) -> None:
    story.switch()
    story.scale()


def too_early(story: Story) -> None:
    story.switch()
    story.remember()
    story.scale(after=0.1)


def borrowed(story: Story) -> None:
    story.other_service = True
    rollback(story)


def good_gone(story: Story) -> None:
    rollback(story)
    story.pods["blue"] = 0


def shrunk(story: Story) -> None:
    story.switch()
    story.scale("blue", to=1)


def given_back(story: Story) -> None:
    story.switch()
    story.switch(to=GREEN)


def foreign_field(story: Story) -> None:
    rollback(story)
    story.after["deployments", "shop-green"] = deployment("green", 0, image="other")


SPOILED: list[Any] = [
    ("S1", few, "S1 fewer ready pods than the floor"),
    ("S1", none, "S1 no ready pod at all"),
    ("S2", lambda s: s.switch(to={"color": "blue"}), "S2 a key is lost"),
    ("S2", lambda s: s.switch(to={"app": "shop", "color": "red"}), "S2 a color that nobody declared"),
    ("S2", lambda s: s.switch(operations=[*TESTS, move("blue", "/spec/selector/color")]), "S2 one key of the map"),
    ("S3", second_rollback, "S3 the color is left again, and nobody had given it the traffic"),
    ("S3", anew, "S3 a release that was rolled back before, and has the traffic again"),
    ("S3", fight, "S3 a fight with another writer"),
    ("S3", twice, "S3 the selector that is there already"),
    ("S4", paused_service, "S4 the Service is paused"),
    ("S4", paused_namespace, "S4 the namespace is paused"),
    ("S6", not_read_back, "S6 not read back before the next write"),
    ("S6", never_read_back, "S6 never read back"),
    ("S7", lambda s: s.switch(operations=[TESTS[0], move(), TRIP]), "S7 neither resourceVersion nor old value"),
    ("S7", lambda s: s.switch(operations=[TESTS[1], move(), TRIP]), "S7 no uid"),
    ("S7", lambda s: s.switch(operations=[move(), *TESTS]), "S7 tests after the change"),
    ("S7", lambda s: s.switch(operations={"spec": {"selector": BLUE}}), "S7 a merge patch"),
    ("S7", lambda s: s.switch(verb="update", operations={"spec": {"selector": BLUE}}), "S7 the whole object is put"),
    ("S8", on_bad, "S8 the color that has the traffic"),
    ("S8", halves, "S8 a Service is on neither color"),
    ("S8", good_scaled, "S8 the good color"),
    ("S8", forgotten, "S8 the replicas are not remembered"),
    ("S8", too_early, "S8 before the delay is over"),
    ("S8", borrowed, "S8 another Service selects the pods"),
    ("S8", good_gone, "S8 the good color has no ready pod"),
    ("S9", lambda s: s.write("secrets/key", [*TESTS, ZERO]), "S9 another kind of object"),
    ("S9", lambda s: s.write("services/other", [*TESTS, move()], service()), "S9 another Service"),
    ("S9", lambda s: s.write("deployments/shop-green", None, verb="delete"), "S9 another verb"),
    ("S9", lambda s: s.switch(operations=[*TESTS, move([], "/spec/ports")]), "S9 another field"),
    ("S9", lambda s: s.remember(operations=[*TESTS, move("1", "/metadata/annotations/team")]), "S9 their annotation"),
    ("S9", lambda s: s.remember(operations=[*TESTS, move({"team": "a"}, "/metadata/annotations")]), "S9 all of them"),
    ("S9", lambda s: s.remember(operations=[*TESTS, ZERO]), "S9 replicas without the scale subresource"),
    ("S9", lambda s: s.switch(namespace="elsewhere"), "S9 another namespace"),
    ("S9", lambda s: s.write("events", {"regarding": {"name": "x"}}, verb="create"), "S9 an Event on something else"),
    ("S9", lambda s: s.write("configmaps/notes", {}, verb="create"), "S9 a ConfigMap that is not the journal"),
    ("S9", shrunk, "S9 scaled down a little"),
    ("S9", foreign_field, "S9 a field differs afterwards"),
    ("S10", given_back, "S10 the traffic is given back"),
]


@pytest.mark.parametrize(("invariant", "spoil"), [pytest.param(law, how, id=name) for law, how, name in SPOILED])
def test_a_violation_is_found_and_names_its_row(invariant: str, spoil: Spoil) -> None:
    story = Story()
    spoil(story)
    found = [sentence for sentence in story.check() if sentence.startswith(f"{invariant}: ")]
    assert found
    assert all("row-" in sentence or "differs" in sentence for sentence in found)


def test_in_a_dry_run_any_write_is_a_violation() -> None:
    story = Story()
    story.write("events", {"regarding": {"name": "shop"}}, verb="create")
    assert story.check() == []
    (sentence,) = story.check(replace(DECLARED, dry_run=True))
    assert sentence.startswith("S17: create events")


JOURNALED = replace(DECLARED, journal=("watch", "journal-shop"))
ENTRY = [TESTS[1], {"op": "replace", "path": "/data/trip", "value": "shop-green had 3 replicas"}]


def test_a_rollback_that_the_journal_does_not_know_of_is_a_violation() -> None:
    story = Story()
    rollback(story)
    story.write("configmaps/journal-shop", ENTRY, namespace="watch")
    assert [sentence.split(":")[0] for sentence in story.check(JOURNALED)] == ["S6"]


def test_a_journal_that_knew_of_other_things_did_not_know_of_the_rollback() -> None:
    story = Story()
    story.write(
        "configmaps/journal-shop", [TESTS[1], {"op": "add", "path": "/data/stays", "value": "[]"}], namespace="watch"
    )
    rollback(story)
    assert [sentence.split(":")[0] for sentence in story.check(JOURNALED)] == ["S6"]


def test_the_journal_may_remember_instead_of_the_deployment() -> None:
    story = Story()
    story.write("configmaps/journal-shop", ENTRY, namespace="watch")
    story.switch()
    story.scale()
    assert story.check(JOURNALED) == []


def test_a_journal_entry_needs_its_precondition() -> None:
    story = Story()
    story.write("configmaps/journal-shop", ENTRY[1:], namespace="watch")
    assert [sentence.split(":")[0] for sentence in story.check(JOURNALED)] == ["S7"]


def test_a_switch_that_somebody_undid_may_be_repeated_twice() -> None:
    story = Story()
    for _ in range(3):
        story.switch()
        story.by_hand()
    assert story.check() == []


def test_a_person_may_have_a_release_left_again() -> None:
    story = Story()
    anew(story, alert="by hand")
    assert story.check() == []


def test_a_new_release_may_be_left_again() -> None:
    story = Story()
    for _ in range(4):
        story.switch()
        new = {"spec": {"template": {"image": "newer"}}}
        story.write("deployments/shop-green", new, deployment("green"), who="kubectl")
        story.by_hand()
    assert story.check() == []


def test_what_arrives_late_may_be_read_before_it_was_committed() -> None:
    """Its sender has read the Service, and has gone on to the next object, when the write that it gave up arrives."""
    story = Story()
    not_read_back(story)
    story.read("services", verb="list")
    assert [sentence.split(":")[0] for sentence in story.check()] == ["S6"]
    assert story.check(late={"row-0"}) == []


def test_what_arrives_late_is_no_next_write() -> None:
    """Its sender has given it up and begun again, and reads back what it has just written when the old one arrives."""
    story = Story()
    story.switch()
    story.write("deployments/shop-green", [*TESTS, REMEMBER], deployment("green"))
    story.scale()
    story.read("deployments/shop-green")
    late = next(row["auditID"] for row in story.rows if row["objectRef"].get("subresource") == "scale")
    assert [sentence.split(":")[0] for sentence in story.check()] == ["S6"]
    assert story.check(late={late}) == []


def test_beside_what_arrives_late_everything_else_is_read_back() -> None:
    story = Story()
    not_read_back(story)
    story.scale()
    story.read("services", verb="list")
    late = next(row["auditID"] for row in story.rows if row["objectRef"].get("subresource") == "scale")
    assert [sentence.split(":")[0] for sentence in story.check(late={late})] == ["S6"]


def test_every_invariant_has_a_violation_that_is_found() -> None:
    known = {law for law, _, _ in SPOILED} | {"S17"}
    assert {law.__name__.split("_")[0].upper() for law in LAWS} == known
