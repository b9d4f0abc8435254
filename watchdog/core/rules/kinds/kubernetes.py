"""What ``kubernetes:`` may ask: what is wrong with the pods and Deployments of a color, as a tick sees them anyway.

Law: nothing is asked for such a rule that a tick would not read without it; a color that emits nothing at all is caught
here, and never by missing data.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from watchdog.core.rules.bounds import between_whole_numbers, only_too_much
from watchdog.core.rules.problem import Finding
from watchdog.core.rules.strict import Strict
from watchdog.core.rules.values import PositiveSeconds

if TYPE_CHECKING:
    from watchdog.core.rules.language import Rule, Threshold


class KubernetesCheck(Strict):
    """A count of what is wrong with the Deployments of a color and their pods."""

    count: Literal["restarts", "crash_loops", "unready_pods", "stuck_rollouts"]
    """restarts: containers that were restarted within window; crash_loops: pods that crash again and again;
    unready_pods: wanted pods that are not ready; stuck_rollouts: Deployments whose rollout makes no progress."""
    window: PositiveSeconds = 600.0
    """How far back restarts are counted."""
    share: bool = False
    """Of unready_pods: the share of the wanted pods, in the Deployment where it is largest."""


def check_kubernetes(rule: Rule, check: KubernetesCheck) -> Iterator[Finding]:
    """What does not fit together in such a rule; the paths begin at the rule."""
    if "window" in check.model_fields_set and check.count != "restarts":
        message = f"only restarts are counted in a window, and {check.count} as they are now; remove it"
        yield Finding(path=("kubernetes", "window"), code="R217", message=message, at_key=True)
    if check.share and check.count != "unready_pods":
        message = f"only unready_pods can be a share, and {check.count} are a number; remove it"
        yield Finding(path=("kubernetes", "share"), code="R217", message=message, at_key=True)
    if rule.threshold is not None:
        yield from _check_threshold(rule.threshold, check)


def _check_threshold(threshold: Threshold, check: KubernetesCheck) -> Iterator[Finding]:
    why = "what is counted is what is wrong, so that only too many of it are a breach"
    yield from only_too_much(threshold, why, example=0.5 if check.share else 0)
    if not check.share:
        share = "share: true" if check.count == "unready_pods" else ""
        yield from between_whole_numbers(threshold, check.count, share=share)
    elif threshold.max is not None and threshold.max >= 1:
        message = "a share never exceeds 1, so that the rule would never fire; write a max below 1, such as 0.5"
        yield Finding(path=("threshold", "max"), code="R516", message=message)
