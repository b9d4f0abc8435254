"""What a plan is made of: the writes of a rollback, and how far it is.

Law: a step says all that its write needs, so that carrying it out decides nothing.
"""

from dataclasses import dataclass
from enum import StrEnum

from watchdog.core.flux import Owned
from watchdog.core.model import DeploymentStatus, End, Selector, ServiceStatus, Trip


class Stage(StrEnum):
    """How far a rollback is."""

    RESTORING = "restoring"
    SWITCHING = "switching"
    VERIFYING = "verifying"
    DRAINING = "draining"
    SCALING_DOWN = "scaling_down"
    RECOVERING = "recovering"
    FINISHED = "finished"
    GIVEN_UP = "given_up"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreGood:
    """Scales a Deployment up that is too small to take the traffic: the good one, or the one that gets it back."""

    deployment: DeploymentStatus
    replicas: int
    trip: Trip
    pause_flux: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchSelector:
    """Gives a Service's traffic to the good color, and writes the trip beside it in the same patch."""

    service: ServiceStatus
    to_selector: Selector
    trip: Trip
    pause_flux: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleDown:
    """Remembers a bad Deployment's replicas on it, and scales it to 0."""

    deployment: DeploymentStatus
    trip: Trip
    pause_flux: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeFlux:
    """Takes away what made Flux leave an object alone."""

    owned: Owned
    trip: Trip


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseTrip:
    """Turns a Service's open trip into its last trip; at the end of an undo Flux has the Service again."""

    service: ServiceStatus
    trip: Trip
    end: End


Step = RestoreGood | SwitchSelector | ScaleDown | ResumeFlux | CloseTrip


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The next writes, in order, and how far the rollback is. No steps: it waits for what ``sentence`` says.

    ``end`` is how the rollback ends with these writes, None while it goes on; ``unready`` says of one that is given up
    that the good color did not get ready.
    """

    stage: Stage
    steps: tuple[Step, ...]
    sentence: str
    end: End | None = None
    unready: bool = False
