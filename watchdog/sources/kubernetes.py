"""Measures rules by what the tick has observed of the cluster: no call of its own.

Law: pure but for the newest status that it was shown. A color with traffic needs at least one ready pod; one that is
scaled to 0 and has no traffic is no evidence of anything.
"""

from collections.abc import Iterable

from watchdog.core.model import ContainerStatus, DeploymentStatus, Measurement, TargetStatus
from watchdog.core.rules.kinds import KubernetesCheck
from watchdog.core.rules.language import Rule

LOOPING = "CrashLoopBackOff"
BARELY_UP = 60.0  # seconds
_LOOPED_BEFORE = 2  # restarts: one may be an accident
_NO_LOOP = 600.0  # seconds of one run after which a kubelet forgets that the container has crashed before
_SHOWN = 3


class ObservedCluster:
    """What the newest tick has seen of one target."""

    def __init__(self) -> None:
        self._status: TargetStatus | None = None

    def saw(self, status: TargetStatus | None) -> None:
        """From now on this is the newest; None when the cluster cannot be seen, so that the past is no evidence."""
        self._status = status

    async def measure(self, rule: Rule, *, color: str, namespace: str, slot: float) -> Measurement:  # noqa: ARG002
        """The count of a rule for one color; ``slot`` is Unix seconds."""
        if self._status is None or rule.kubernetes is None:
            return Measurement.error("the cluster cannot be seen")
        return measure_status(rule.kubernetes, self._status, color=color, slot=slot)


def measure_status(check: KubernetesCheck, status: TargetStatus, *, color: str, slot: float) -> Measurement:
    """The count of a check in a status."""
    wanted = {
        service.name: max(status.deployments[service.name, color].replicas, int(service.color == color))
        for service in status.services
    }
    running = {name: status.deployments[name, color] for name, pods in wanted.items() if pods}
    if not running:
        return Measurement.nodata(f"the Deployments of {color} are scaled to 0, and no Service selects it")
    match check.count:
        case "unready_pods":
            return _unready([(each, wanted[name]) for name, each in running.items()], share=check.share)
        case "stuck_rollouts":
            stuck = [f"{each.name}: {each.stuck}" for each in running.values() if each.stuck]
            return _counted(stuck)
        case "crash_loops":
            looping = {each.pod: each for each in _troubled(running.values()) if _is_looping(each, slot)}
            return _counted([f"{pod} after {each.restarts} restarts" for pod, each in sorted(looping.items())])
        case "restarts":
            since = slot - check.window
            recent = [each for each in _troubled(running.values()) if each.restarts and (each.ended_at or 0.0) > since]
            return _counted([f"{each.pod} (restart {each.restarts})" for each in recent])


def _unready(running: list[tuple[DeploymentStatus, int]], *, share: bool) -> Measurement:
    missing = [max(0, wanted - each.ready) for each, wanted in running]
    told = [f"{each.name} has {each.ready} of {wanted} ready" for each, wanted in running if each.ready < wanted]
    shares = [gap / wanted for gap, (_, wanted) in zip(missing, running, strict=True)]
    return Measurement(value=max(shares) if share else float(sum(missing)), reason=_list(told))


def _is_looping(container: ContainerStatus, slot: float) -> bool:
    """Also between two crashes: neither while it is up for a few seconds, nor while nobody speaks of a back-off yet.

    A container counts its restarts for as long as its pod lives: only a short run before makes a loop of them.
    """
    if container.waiting:
        return container.waiting == LOOPING
    is_young = container.running_since is not None and slot - container.running_since < BARELY_UP
    was_short = container.lasted is not None and container.lasted < _NO_LOOP
    return container.restarts >= _LOOPED_BEFORE and was_short and (is_young or container.has_failed)


def _troubled(deployments: Iterable[DeploymentStatus]) -> list[ContainerStatus]:
    return [container for each in deployments for container in each.troubled]


def _counted(found: list[str]) -> Measurement:
    return Measurement(value=float(len(found)), reason=_list(found))


def _list(found: list[str]) -> str:
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(found[:_SHOWN]) + more
