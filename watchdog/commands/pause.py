"""``watchdog pause`` and ``watchdog resume``: the pause annotations of a target's Services.

Law: a pause that is written anew replaces the one before as a whole; resuming says so when something above the target
still pauses it.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

from watchdog.cluster.client import Cluster, ClusterError
from watchdog.commands.annotating import annotate, annotations_of, kubectl
from watchdog.commands.exit_codes import FINDINGS, OK, USAGE
from watchdog.commands.session import Session, StopError
from watchdog.commands.talk import say, tell
from watchdog.core.annotations import PAUSED, PAUSED_REASON, PAUSED_UNTIL, ours, why_paused
from watchdog.core.durations import parse_duration
from watchdog.core.instant import show_instant
from watchdog.core.rules.language import Target
from watchdog.core.visible import visible

NOTHING: Mapping[str, str | None] = {PAUSED: None, PAUSED_UNTIL: None, PAUSED_REASON: None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Pauses a target; ``lasting`` is a duration as in rule files, "" for until somebody resumes it."""

    target: str
    reason: str = ""
    lasting: str = ""
    dry_run: bool = False

    async def __call__(self, session: Session) -> int:
        """Annotates the target's first Service."""
        target = session.target(self.target)
        service = target.services[0].name
        until = _until(self.lasting)
        reason = visible(self.reason)
        changes = {PAUSED: "true", PAUSED_UNTIL: until or None, PAUSED_REASON: reason or None}
        if self.dry_run:
            say(kubectl(session.settings, target.namespace, "service", [service], changes))
            return OK
        await annotate(session.cluster, _service(target, service), changes)
        because = f": {reason}" if reason else ""
        ends = f"until {until}" if until else "until it is resumed"
        say(f"{target.target} is paused {ends} (Service {service} in the namespace {target.namespace}){because}")
        tell(f"to resume it: watchdog resume {target.target}")
        return OK


def _until(lasting: str) -> str:
    if not lasting:
        return ""
    try:
        seconds = parse_duration(lasting)
    except ValueError as error:
        raise StopError(f"--for: {error}", USAGE) from error
    if seconds <= 0:
        raise StopError("--for: a pause of no time is none; write one such as 2h", USAGE)
    try:
        return show_instant(math.ceil(time.time() + seconds)).replace(".000Z", "Z")
    except (ValueError, OverflowError, OSError) as error:
        raise StopError("--for: no calendar goes so far; leave it out to pause until resumed", USAGE) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Ends the pause of a target."""

    target: str
    dry_run: bool = False

    async def __call__(self, session: Session) -> int:
        """Removes the pause annotations of every Service; 1 when the target is paused all the same."""
        target = session.target(self.target)
        names = [service.name for service in target.services]
        if self.dry_run:
            say(kubectl(session.settings, target.namespace, "service", names, NOTHING))
            return OK
        changed = [name for name in names if await annotate(session.cluster, _service(target, name), NOTHING)]
        where = f"Service {', '.join(changed)} in the namespace {target.namespace}"
        done = f"the pause of {target.target} is removed ({where})" if changed else f"{target.target} has no pause"
        say(done)
        still = await _still_paused(session, target)
        for sentence in still:
            tell(f"{target.target} stays paused: {visible(sentence)}")
        return FINDINGS if still else OK


async def _still_paused(session: Session, target: Target) -> list[str]:
    """The sentences of everything that pauses the target now."""
    places = {f"Service {service.name}": _service(target, service.name) for service in target.services}
    places[f"namespace {target.namespace}"] = f"/api/v1/namespaces/{target.namespace}"
    settings = session.settings
    if settings.namespace is not None and settings.deployment is not None:
        path = f"/apis/apps/v1/namespaces/{settings.namespace}/deployments/{settings.deployment}"
        places["the watchdog itself"] = path
    sentences = [await _why(session.cluster, where, path) for where, path in places.items()]
    return [sentence for sentence in sentences if sentence]


async def _why(cluster: Cluster, where: str, path: str) -> str:
    try:
        found = await cluster.get(path)
    except ClusterError as error:
        return f"whether {where} is paused cannot be read: {error}"
    return why_paused(ours(annotations_of(found)), where=where, now=time.time())


def _service(target: Target, name: str) -> str:
    return f"/api/v1/namespaces/{target.namespace}/services/{name}"
