"""What ``http:`` may ask: whether a page answers as it should, or how long that takes.

Law: a probe carries nothing of ours, and goes to nothing but what its URL names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from watchdog.core.addresses import is_address, why_forbidden
from watchdog.core.placeholders import fill, names_in
from watchdog.core.rules.bounds import only_too_much
from watchdog.core.rules.problem import Finding, ValueRefusedError, quoted
from watchdog.core.rules.strict import Strict
from watchdog.core.rules.values import PositiveSeconds, QueryText

if TYPE_CHECKING:
    from watchdog.core.rules.language import Rule, Threshold

LONGEST_TIMEOUT = 10.0  # seconds
_LONGEST_URL = 1000
_SAMPLE = {"color": "a", "namespace": "a"}
_URL = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?([/?][!-~]*)?")


def _url(text: str) -> str:
    url = fill(text, _SAMPLE)
    if "{{" in url:
        raise ValueRefusedError(
            "R209", "only {{ color }} and {{ namespace }} can be in a URL; write it such as http://web-{{ color }}/"
        )
    if "@" in url.partition("://")[2].partition("/")[0]:
        message = "credentials do not belong in a rule file, and a probe sends none; remove them from the URL"
        raise ValueRefusedError("R220", message)
    if not _URL.fullmatch(url) or "#" in url:
        raise ValueError(f"{quoted(text)} is not a URL; write it such as http://web-{{{{ color }}}}:8080/healthz")
    return text


Url = Annotated[
    str,
    StringConstraints(min_length=1, max_length=_LONGEST_URL),
    AfterValidator(_url),
    Field(json_schema_extra={"pattern": r"^https?://[^/?@]+([/?]|$)"}),
]
Status = Annotated[int, Field(ge=200, le=599)]


class HttpProbe(Strict):
    """One GET request of our own in each slot."""

    url: Url
    """Where to; redirects are not followed."""
    measure: Literal["failure", "latency"] = "failure"
    """failure: the value is 1 when the answer is not as it should be, else 0. latency: seconds until it is read."""
    status: list[Status] = Field(default_factory=list, max_length=20)
    """The statuses that are well; every status from 200 to 299 unless they are said."""
    body: QueryText | None = None
    """Text that has to be within the first 64 KiB of the answer."""
    timeout: PositiveSeconds = 2.0
    """How long one answer may take, all in all; at most 10s."""

    def is_well(self, status: int) -> bool:
        """True for a status that the answer should have."""
        return status in self.status if self.status else 200 <= status < 300  # noqa: PLR2004 - what HTTP calls success


def check_probe(rule: Rule, probe: HttpProbe) -> Iterator[Finding]:
    """What does not fit together in such a rule; the paths begin at the rule."""
    host = (match.group(1) if (match := _URL.match(fill(probe.url, _SAMPLE))) else "").strip("[]")
    if is_address(host) and (why := why_forbidden(host)):
        message = f"{host} {why}, and is never asked; name the application"
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
