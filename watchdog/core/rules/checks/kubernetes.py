"""What does not fit together in a rule on pods and Deployments."""

from collections.abc import Iterator

from watchdog.core.rules.bounds import between_whole_numbers, only_too_much
from watchdog.core.rules.kinds import KubernetesCheck
from watchdog.core.rules.language import Rule, Threshold
from watchdog.core.rules.problem import Finding


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
