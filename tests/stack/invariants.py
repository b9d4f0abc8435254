"""Checks what a watchdog did to a cluster against the invariants S1-S17, from the API server's audit log.

Law: the watchdog is not asked and none of its code is used: what is checked is the audit log, the objects before and
after, and the pods that there were at the revision of each write. Each violation is a sentence that names the row.

Not visible from outside, and so not here: S5 (unknown evidence), S11 beyond readiness, S12-S16.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tests.stack.auditlog import READING, Object, Row, Write, seconds
from tests.stack.evidence import (
    SELECTOR,
    Declared,
    Evidence,
    Key,
    changes_release,
    moves,
    ready_pods,
    replicas_of,
    selector_of,
    selects,
    writes_selector,
)

PREFIX = "canary-watchdog/"
PAUSED = PREFIX + "paused"
REPLICAS = PREFIX + "replicas"
ANNOTATIONS, COUNT = "/metadata/annotations", "/spec/replicas"
REAPPLIED = 2
# A write that was begun before a pause on another object: one call's deadline, and some.
PAUSE_SECONDS = 5.0

Law = Callable[[Declared, Evidence], Iterator[str]]


def violations(declared: Declared, evidence: Evidence) -> list[str]:
    """What was done that must not be done, a sentence each; empty when all is well."""
    return [sentence for law in LAWS for sentence in law(declared, evidence)]


def switches(declared: Declared, evidence: Evidence) -> list[Write]:
    """The watchdog's committed writes of declared selectors, in the order in which they were committed."""
    return [each for each in evidence.effects if each.name in declared.selectors and writes_selector(each)]


def s1_never_onto_too_few_ready_pods(declared: Declared, evidence: Evidence) -> Iterator[str]:
    """No write makes a Service that selected ready pods select fewer than the floor; never zero."""
    for write in switches(declared, evidence):
        pods = evidence.pods.at(declared.namespace, write.revision)
        before = ready_pods(pods, evidence.selector(write.name, below=write.revision))
        now = ready_pods(pods, selector_of(write.answered))
        floor = max(1, math.ceil(declared.min_ready * before))
        if now < floor:
            yield f"S1: {write}: it selects {now} ready pods now, it selected {before}, the floor is {floor}"


def s2_whole_selectors_between_declared_colors(declared: Declared, evidence: Evidence) -> Iterator[str]:
    """Selector keys never change; values move only between declared colors; the map is replaced whole."""
    for write in evidence.sent:
        if write.resource != "services" or write.name not in declared.selectors:
            continue
        for operation in write.operations:
            path, kind = operation["path"], operation["op"]
            if kind != "test" and path.startswith(SELECTOR) and (kind, path) != ("replace", SELECTOR):
                yield f"S2: {write}: {kind} {path} instead of replacing the whole selector"
    for write in switches(declared, evidence):
        before, now = evidence.selector(write.name, below=write.revision), selector_of(write.answered)
        if set(before) != set(now):
            yield f"S2: {write}: the keys of the selector changed from {sorted(before)} to {sorted(now)}"
        if declared.color_of(write.name, now) is None:
            yield f"S2: {write}: {dict(now)} is the selector of no declared color"


def s3_one_rollback_a_release(declared: Declared, evidence: Evidence) -> Iterator[str]:
    """A release is left by one rollback, unless a person asks for another one."""
    left_by: dict[tuple[str, str], str] = {}
    for write in evidence.committed:
        if not write.ours and write.resource == "deployments" and changes_release(write):
            left_by.clear()
        if not write.ours or write.name not in declared.selectors or not moves(evidence, write):
            continue
        color = declared.color_of(write.name, evidence.selector(write.name, below=write.revision)) or "?"
        trip = _trip_of(write.answered)
        first = left_by.get((write.name, color), trip["id"])
        if first != trip["id"] and not _is_by_hand(trip):
            yield f"S3: {write}: {color} is left by {trip['id']}, and {first} had rolled the same release back"
        if not trip.get("undoes"):  # what an undo leaves was not rolled back
            left_by.setdefault((write.name, color), trip["id"])


def s3_no_fight(declared: Declared, evidence: Evidence) -> Iterator[str]:
    """A switch is repeated only after somebody else gave the traffic back, and then at most twice in a release."""
    for service in declared.selectors:
        left: dict[str, int] = {}
        may: set[str] = set(declared.selectors[service])
        for write in evidence.committed:
            if not write.ours and write.resource == "deployments" and changes_release(write):
                left.clear()
            if (write.resource, write.name) != ("services", service) or not moves(evidence, write):
                continue
            color = declared.color_of(service, evidence.selector(service, below=write.revision)) or "?"
            if not write.ours:
                may.add(declared.color_of(service, selector_of(write.answered)) or "?")
                continue
            left[color] = left.get(color, 0) + 1
            if color not in may:
                yield f"S3: {write}: {color} is left a second time, and nobody else gave it the traffic again"
            if left[color] > 1 + REAPPLIED:
                yield f"S3: {write}: {color} is left for the {left[color]}th time in one release, that is a fight"
            may.discard(color)
    for write in switches(declared, evidence):
        if not moves(evidence, write):
            yield f"S3: {write}: it writes the selector that the Service has already, a second action"


def s4_not_while_paused(declared: Declared, evidence: Evidence) -> Iterator[str]:
    """No effect on a paused object, nor on any other while a Service or the namespace has been paused for a while."""
    for write in evidence.effects:
        if _is_paused(write.answered):
            yield f"S4: {write}: the object is paused"
    pauses = [each for each in evidence.writes if not each.ours and each.committed and _place(each, declared)]
    for write in evidence.effects:
        places: dict[Key, Write] = {}
        for pause in pauses:
            if pause.answered_at < write.received_at:
                places[pause.resource, pause.name] = pause
        for pause in places.values():
            if _is_paused(pause.answered) and pause.answered_at + PAUSE_SECONDS < write.received_at:
                yield f"S4: {write}: {pause.resource}/{pause.name} is paused since {pause}"


def s6_journaled_before_and_read_back_after(declared: Declared, evidence: Evidence) -> Iterator[str]:
    """What was written is read before the next write; a journal knows of the rollback before its first effect."""
    reads = [row for row in evidence.rows if row["verb"] in READING and evidence.ours(row)]
    for write in evidence.effects:
        later = [
            each
            for each in evidence.sent
            if each.received_at > write.answered_at and _is_effect(each) and not evidence.is_late(each)
        ]
        if evidence.is_late(write):
            later = [each for each in later if each.committed and _same_object(each, write)]
        until = later[0].received_at if later else math.inf
        if not any(_reads(row, write) and write.answered_at <= _received(row) <= until for row in reads):
            what = f"before {later[0]}" if later else "at all"
            yield f"S6: {write}: it was not read back {what}"
    if declared.journal is None:
        return
    ours = [write for write in evidence.sent if write.committed and _is_journal(write, declared)]
    journaled = [write for write in ours if _tells_of_a_trip(write)]
    for write in evidence.effects[:1]:
        if not any(each.answered_at <= write.received_at for each in journaled):
            yield f"S6: {write}: no trip was written into the journal {'/'.join(declared.journal)} before it"


def s7_preconditions_in_every_patch(_: Declared, evidence: Evidence) -> Iterator[str]:
    """Every patch tests the uid, and the resourceVersion or the whole old value, before it changes anything."""
    for write in evidence.sent:
        if write.verb == "create":
            continue
        if not write.is_json_patch:
            yield f"S7: {write}: no JSON Patch, so it carries no precondition"
            continue
        kinds = [operation["op"] for operation in write.operations]
        if "test" in kinds[_changes_from(kinds) :]:
            yield f"S7: {write}: it tests after it has changed something: {kinds}"
        if write.resource in ("services", "deployments") and not write.tests("/metadata/uid"):
            yield f"S7: {write}: it does not test the uid"
        changed = [each["path"] for each in write.operations if each["op"] != "test"]
        if not write.tests("/metadata/resourceVersion") and not all(write.tests(path) for path in changed):
            yield f"S7: {write}: it tests neither resourceVersion nor the old value of {', '.join(changed)}"


def s8_scaled_to_zero_at_the_end_only(declared: Declared, evidence: Evidence) -> Iterator[str]:
    """Only the bad color, all Services on the good one for the delay, its replicas saved, the good one still ready."""
    for write in evidence.effects:
        if write.resource != "deployments" or not write.touches(COUNT) or replicas_of(write.answered) > 0:
            continue
        yield from (f"S8: {write}: {problem}" for problem in _unfit_for_zero(declared, evidence, write))


def _unfit_for_zero(declared: Declared, evidence: Evidence, write: Write) -> Iterator[str]:
    pods = evidence.pods.at(declared.namespace, write.revision)
    colors: set[str | None] = set()
    for service in declared.selectors:
        selector = evidence.selector(service, below=write.revision)
        colors.add(declared.color_of(service, selector))
        if ready_pods(pods, selector) == 0:
            yield f"{service} selects no ready pod"
    if colors == {declared.deployments.get(write.name)}:
        yield f"it has the traffic: all Services select {declared.deployments[write.name]}"
    elif len(colors) != 1 or None in colors:
        yield f"the Services are not all on the good color, they select {sorted(map(str, colors))}"
    matched = evidence.before.get(("deployments", write.name), {}).get("spec", {}).get("selector", {})
    own = [pod for pod in pods if selects(matched.get("matchLabels") or {}, pod.labels)]
    for service in sorted(evidence.services()):
        if any(selects(evidence.selector(service, below=write.revision), pod.labels) for pod in own):
            yield f"its pods still serve {service}"
    moved = [each for each in evidence.committed if each.revision < write.revision and writes_selector(each)]
    since = write.received_at - max((each.answered_at for each in moved), default=-math.inf)
    if since < declared.scale_down_delay:
        yield f"{since:.2f} s after the last switch, the delay is {declared.scale_down_delay:g} s"
    count = evidence.replicas(write.name, below=write.revision)
    if count and not _remembered(declared, evidence, write, count):
        yield f"nobody remembers that it had {count} replicas"


def s9_nothing_but_declared_fields(declared: Declared, evidence: Evidence) -> Iterator[str]:
    """Nothing outside the declared objects and fields is written, as sent and as found afterwards."""
    for write in evidence.sent:
        yield from (f"S9: {write}: {problem}" for problem in _outside(declared, write))
    for write in evidence.effects:
        if write.resource == "deployments" and write.touches(COUNT) and replicas_of(write.answered) > 0:
            before = evidence.replicas(write.name, below=write.revision)
            if replicas_of(write.answered) < before:
                yield f"S9: {write}: scaled down from {before} to {replicas_of(write.answered)}"
    if any(not write.ours for write in evidence.committed):
        return  # the difference between before and after may be anybody's
    for key, found in evidence.before.items():
        after = evidence.after.get(key)
        if after is None:
            yield f"S9: {'/'.join(key)} is gone"
        elif changed := _differences(_rest(declared, key, found), _rest(declared, key, after)):
            yield f"S9: {'/'.join(key)} differs from before in {', '.join(changed)}"


def _outside(declared: Declared, write: Write) -> Iterator[str]:
    if _is_journal(write, declared) or _is_own_bookkeeping(write, declared):
        return
    fields: tuple[str, ...]
    match (write.resource, write.subresource):
        case ("services", "") if write.name in declared.selectors and write.verb == "patch":
            fields = (SELECTOR,)
        case ("deployments", "") if write.name in declared.deployments and write.verb == "patch":
            fields = ()
        case ("deployments", "scale") if write.name in declared.deployments and write.verb == "patch":
            fields = (COUNT,)
        case _:
            yield "an object, or a verb, that is not declared"
            return
    if write.namespace != declared.namespace:
        yield f"in the namespace {write.namespace}"
    for operation in write.operations:
        if operation["op"] != "test" and operation["path"] not in fields and not _annotates(declared, operation):
            yield f"{operation['op']} {operation['path']}"


def s10_never_back_by_itself(declared: Declared, evidence: Evidence) -> Iterator[str]:
    """The traffic is never given back to a color that was left, except by somebody else."""
    for service in declared.selectors:
        left: set[str | None] = set()
        for write in evidence.committed:
            if (write.resource, write.name) != ("services", service) or not moves(evidence, write):
                continue
            target = declared.color_of(service, selector_of(write.answered))
            if write.ours and target in left:
                yield f"S10: {write}: back to {target}, which it had left"
            if write.ours:
                left.add(declared.color_of(service, evidence.selector(service, below=write.revision)))
            else:
                left.clear()


def s17_dry_run_writes_nothing(declared: Declared, evidence: Evidence) -> Iterator[str]:
    """A dry run sends no mutating verb."""
    if declared.dry_run:
        yield from (f"S17: {write}: in a dry run" for write in evidence.sent)


LAWS: tuple[Law, ...] = (
    s1_never_onto_too_few_ready_pods,
    s2_whole_selectors_between_declared_colors,
    s3_one_rollback_a_release,
    s3_no_fight,
    s4_not_while_paused,
    s6_journaled_before_and_read_back_after,
    s7_preconditions_in_every_patch,
    s8_scaled_to_zero_at_the_end_only,
    s9_nothing_but_declared_fields,
    s10_never_back_by_itself,
    s17_dry_run_writes_nothing,
)


def _is_effect(write: Write) -> bool:
    return write.resource in ("services", "deployments")


def _same_object(one: Write, other: Write) -> bool:
    return (one.resource, one.name) == (other.resource, other.name)


def _reads(row: Row, write: Write) -> bool:
    where = row.get("objectRef", {})
    return bool(where.get("resource") == write.resource and where.get("name", write.name) == write.name)


def _received(row: Row) -> float:
    return seconds(row["stageTimestamp"])


def _changes_from(kinds: Sequence[str]) -> int:
    return next((number for number, kind in enumerate(kinds) if kind != "test"), len(kinds))


def _is_paused(found: Object) -> bool:
    value = (found.get("metadata", {}).get("annotations") or {}).get(PAUSED, "false")
    return str(value).strip().lower() not in ("false", "no", "off", "0")


def _trip_of(found: Object) -> dict[str, Any]:
    """The rollback that is marked on an object."""
    mark = (found.get("metadata", {}).get("annotations") or {}).get(PREFIX + "trip", "{}")
    return {"id": "", **json.loads(mark)}


def _is_by_hand(trip: Mapping[str, Any]) -> bool:
    return [each["alert"] for each in trip.get("rules", ())] == ["by hand"]


def _place(write: Write, declared: Declared) -> bool:
    """True for an object whose annotations pause the target."""
    return (write.resource == "services" and write.name in declared.selectors) or write.resource == "namespaces"


def _is_journal(write: Write, declared: Declared) -> bool:
    return write.resource == "configmaps" and (write.namespace, write.name) == declared.journal


def _tells_of_a_trip(write: Write) -> bool:
    """True of a journal that says from this write on what is being done."""
    sent = write.row.get("requestObject") or {}
    operations = sent if isinstance(sent, list) else [{"op": "add", "path": "/data", "value": sent.get("data")}]
    return any(
        each["op"] != "remove" and (each["path"] == "/data/trip" or "trip" in (each.get("value") or {}))
        for each in operations
        if each["path"] in ("/data", "/data/trip")
    )


def _is_own_bookkeeping(write: Write, declared: Declared) -> bool:
    """Events about declared objects, and questions that the API server answers without keeping anything."""
    if write.resource == "events" and write.verb == "create":
        sent = write.row.get("requestObject") or {}
        about = sent.get("regarding") or sent.get("involvedObject") or {}
        return about.get("name") in {*declared.selectors, *declared.deployments}
    return write.resource.endswith("accessreviews") and write.verb == "create"


def _annotates(declared: Declared, operation: Mapping[str, object]) -> bool:
    path = str(operation["path"])
    if path == ANNOTATIONS and operation["op"] == "add":
        value = operation.get("value")
        return isinstance(value, dict) and all(_is_ours(declared, key) for key in value)
    key = path.removeprefix(ANNOTATIONS + "/").replace("~1", "/").replace("~0", "~")
    return path.startswith(ANNOTATIONS + "/") and _is_ours(declared, key)


def _is_ours(declared: Declared, key: str) -> bool:
    return key.startswith(PREFIX) or key in declared.more_annotations


def _remembered(declared: Declared, evidence: Evidence, write: Write, count: int) -> bool:
    """On the Deployment itself, or in the journal, in a write that was committed before."""
    path = f"{ANNOTATIONS}/{REPLICAS.replace('/', '~1')}"
    for earlier in evidence.sent:
        if not earlier.committed or earlier.answered_at > write.received_at:
            continue
        if _same_object(earlier, write) and any(
            operation["path"] == path and str(operation.get("value")) == str(count) for operation in earlier.operations
        ):
            return True
        if _is_journal(earlier, declared) and write.name in json.dumps(earlier.row["requestObject"]):
            return True
    return False


def _rest(declared: Declared, key: Key, found: Object) -> dict[str, object]:
    """An object without what the watchdog may write and what controllers write."""
    kind, _ = key
    metadata = found.get("metadata", {})
    annotations = metadata.get("annotations") or {}
    spec = dict(found.get("spec", {}))
    spec.pop("selector" if kind == "services" else "replicas", None)
    return {
        "spec": spec,
        "uid": metadata.get("uid"),
        "labels": metadata.get("labels"),
        "finalizers": metadata.get("finalizers"),
        "ownerReferences": metadata.get("ownerReferences"),
        "annotations": {name: text for name, text in annotations.items() if not _is_ours(declared, name)},
    }


def _differences(one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    return [key for key in one if one[key] != other[key]]
