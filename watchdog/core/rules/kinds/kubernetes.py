"""What ``kubernetes:`` may ask: what is wrong with the pods and Deployments of a color, as a tick sees them anyway.

Law: nothing is asked for such a rule that a tick would not read without it; a color that emits nothing at all is caught
here, and never by missing data.
"""

from __future__ import annotations

from typing import Literal

from watchdog.core.rules.strict import Strict
from watchdog.core.rules.values import PositiveSeconds


class KubernetesCheck(Strict):
    """A count of what is wrong with the Deployments of a color and their pods."""

    count: Literal["restarts", "crash_loops", "unready_pods", "stuck_rollouts"]
    """restarts: containers that were restarted within window; crash_loops: pods that crash again and again;
    unready_pods: wanted pods that are not ready; stuck_rollouts: Deployments whose rollout makes no progress."""
    window: PositiveSeconds = 600.0
    """How far back restarts are counted."""
    share: bool = False
    """Of unready_pods: the share of the wanted pods, in the Deployment where it is largest."""
