"""What does not fit together in a rule that probes a page."""

from collections.abc import Iterator

from watchdog.core.addresses import is_address, why_forbidden
from watchdog.core.placeholders import names_in
from watchdog.core.rules.bounds import only_too_much
from watchdog.core.rules.kinds import HttpProbe
from watchdog.core.rules.language import Rule, Threshold
from watchdog.core.rules.problem import Finding

LONGEST_TIMEOUT = 10.0
"""Seconds."""


def check_probe(rule: Rule, probe: HttpProbe) -> Iterator[Finding]:
    """What does not fit together in such a rule; the paths begin at the rule."""
    if is_address(probe.host) and (why := why_forbidden(probe.host)):
        message = f"{probe.host} {why}, and is never asked; name the application"
        yield Finding(path=("http", "url"), code="R522", message=message)
    if probe.timeout > LONGEST_TIMEOUT:
        message = "a slot does not wait so long for one answer; write 10s or less, such as 2s"
        yield Finding(path=("http", "timeout"), code="R205", message=message)
    if rule.action == "rollback" and "color" not in names_in(probe.url):
        message = (
            "the URL is the same for both colors, so that nobody could tell whether only one of them is sick; "
            "put {{ color }} in it: a Service of its own for each color"
        )
        yield Finding(path=("http", "url"), code="R504", message=message)
    if rule.threshold is not None:
        yield from _check_threshold(rule.threshold, probe)


def _check_threshold(threshold: Threshold, probe: HttpProbe) -> Iterator[Finding]:
    is_failure = probe.measure == "failure"
    yield from only_too_much(threshold, "the value is the worse the greater it is", example=0 if is_failure else 0.5)
    if threshold.max is None:
        return
    if is_failure and threshold.max >= 1:
        message = "a failure is 1 and never more, so that the rule would never fire; write 0"
        yield Finding(path=("threshold", "max"), code="R516", message=message)
    elif not is_failure and threshold.max == 0:
        message = "every answer takes some time, so that the rule would always fire; write seconds, such as 0.5"
        yield Finding(path=("threshold", "max"), code="R516", message=message)
    elif not is_failure and threshold.max >= probe.timeout:
        message = (
            f"no answer is waited for longer than {probe.timeout:g} s, so that the rule would never fire; "
            "write less, or a longer timeout"
        )
        yield Finding(path=("threshold", "max"), code="R516", message=message)
