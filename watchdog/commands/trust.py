"""``watchdog trust``: a person vouches for a release that the watchdog has not seen prove itself.

Law: what is vouched for is the revision that runs now, by its number, and no later one; a release that was rolled back
is not, since the watchdog would not return to it anyway.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from watchdog.cluster.client import Json
from watchdog.cluster.observe import REVISION, read_namespace, status_of
from watchdog.commands.annotating import annotate, annotations_of, kubectl
from watchdog.commands.exit_codes import OK, USAGE
from watchdog.commands.session import Session, StopError
from watchdog.commands.talk import say
from watchdog.core.annotations import KNOWN_GOOD
from watchdog.core.journal import Journal, why_not_known_good
from watchdog.core.model import DeploymentStatus, TargetStatus
from watchdog.core.rules.language import Target
from watchdog.core.visible import visible


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Vouches for a color of a target; "" is the one that is not active now."""

    target: str
    color: str = ""
    dry_run: bool = False

    async def __call__(self, session: Session) -> int:
        """Annotates the color's Deployments with the revision that each has now."""
        target = session.target(self.target)
        if self.color and self.color not in target.colors:
            colors = " and ".join(target.colors)
            raise StopError(f"{target.target} has no color {visible(self.color)!r}; it has {colors}", USAGE)
        snapshot = await read_namespace(session.cluster, target.namespace, None)
        status = status_of(target, snapshot, now=time.time())
        color = self.color or _idle(target, status)
        deployments = _deployments(status, color)
        _refuse(await session.journal(target), status, target=target, color=color)
        for deployment in deployments:
            await self._vouch(session, target, deployment)
        if not self.dry_run:
            names = ", ".join(f"{each.name} at revision {each.revision}" for each in deployments)
            say(f"{color} of {target.target} is vouched for: {names}; a later revision is not")
        return OK

    async def _vouch(self, session: Session, target: Target, deployment: DeploymentStatus) -> None:
        changes = {KNOWN_GOOD: deployment.revision}
        if self.dry_run:
            say(kubectl(session.settings, target.namespace, "deployment", [deployment.name], changes))
            return
        path = f"/apis/apps/v1/namespaces/{target.namespace}/deployments/{deployment.name}"
        await annotate(session.cluster, path, changes, check=_is_still(deployment))


def _idle(target: Target, status: TargetStatus) -> str:
    if status.active is None:
        raise StopError("the Services disagree about the active color; say with --color which one to trust")
    return target.other(status.active)


def _deployments(status: TargetStatus, color: str) -> list[DeploymentStatus]:
    """The color's Deployments, each once. Raises StopError for one whose revision is not known yet."""
    found = {each.name: each for (_, owner), each in status.deployments.items() if owner == color}
    for each in found.values():
        if each.revision == "0":
            raise StopError(f"Deployment {each.name} has no revision yet: its controller has not seen it; try again")
    return list(found.values())


def _refuse(journal: Journal | None, status: TargetStatus, *, target: Target, color: str) -> None:
    """Raises StopError with what stands against the release even when a person vouches for it."""
    known = journal or Journal(target=target.target)
    why = why_not_known_good(replace(known, vouched={color: status.release(color)}), status, color)
    if why:
        raise StopError(f"not vouched for: {why}. Deploy a new revision of {color}, or switch by hand")


def _is_still(deployment: DeploymentStatus) -> Callable[[Json], None]:
    def check(found: Json) -> None:
        revision = annotations_of(found).get(REVISION, "0")
        if (found["metadata"]["uid"], revision) != (deployment.uid, deployment.revision):
            raise StopError(f"Deployment {deployment.name} has just changed to revision {revision}; look at it first")

    return check
