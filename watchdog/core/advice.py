"""What people should know about the surroundings of a rollback: who scales, what drains slowly, what was not seen.

Law: each note names the object, says what happens, and brings the command where one cures it.
"""

from collections.abc import Iterator

from watchdog.core.durations import show_duration
from watchdog.core.model import DeploymentStatus, TargetStatus, Trip
from watchdog.core.others import HPA, KEDA, PAUSED_REPLICAS, Others
from watchdog.core.plan import deployments_of
from watchdog.core.rules.language import Target

Note = tuple[str, str]
Command = tuple[str, str]


def notes(target: Target, trip: Trip, status: TargetStatus, others: Others) -> tuple[Note, ...]:
    """What goes beside the alert of a switch; nothing about the color that an undo leaves as it is."""
    left = () if trip.undoes else deployments_of(status, trip.bad)
    found = [note for deployment in left for note in (*_scaled(deployment, others), *_slow(target, deployment))]
    for deployment in deployments_of(status, trip.good):
        found += [
            (
                "disruption budget",
                (
                    f"the PodDisruptionBudget {each.name} asks for {each.needed} healthy pods of {deployment.name} and "
                    f"counts {each.healthy}: no pod of it can be evicted, a node's drain waits"
                ),
            )
            for each in others.violated(deployment)
        ]
    return (*found, *(("not seen", sentence) for sentence in others.unseen))


def commands(target: Target, trip: Trip, status: TargetStatus, others: Others) -> tuple[Command, ...]:
    """What cures what the notes tell."""
    left = () if trip.undoes else deployments_of(status, trip.bad)
    return tuple(
        (
            f"let KEDA keep {deployment.name} at 0",
            f"kubectl -n {target.namespace} annotate scaledobject {each.name} {PAUSED_REPLICAS}=0",
        )
        for deployment in left
        for each in others.of(deployment)
        if each.kind == KEDA and not each.idle
    )


def _scaled(deployment: DeploymentStatus, others: Others) -> Iterator[Note]:
    for each in others.of(deployment):
        if each.kind == HPA:
            yield (
                "autoscaler",
                (
                    f"{each} scales {deployment.name}; at 0 replicas it is switched off (ScalingDisabled) and keeps it "
                    "there, and any other number switches it on again"
                ),
            )
        elif not each.idle:
            yield (
                "autoscaler",
                f"{each} scales {deployment.name} and would scale it up from 0: it is not scaled down but left to KEDA",
            )


def _slow(target: Target, deployment: DeploymentStatus) -> Iterator[Note]:
    delay = target.rollback.scale_down_delay
    if deployment.grace > delay:
        yield (
            "termination",
            (
                f"a pod of {deployment.name} may take {show_duration(deployment.grace)} to end "
                f"(terminationGracePeriodSeconds), and scale_down_delay is {show_duration(delay)}: what takes longer "
                "than both together is cut off"
            ),
        )
