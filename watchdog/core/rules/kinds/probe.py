"""What ``http:`` may ask: whether a page answers as it should, or how long that takes.

Law: a probe carries nothing of ours, and goes to nothing but what its URL names.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from watchdog.core.placeholders import fill
from watchdog.core.rules.problem import ValueRefusedError, quoted
from watchdog.core.rules.strict import Strict
from watchdog.core.rules.values import PositiveSeconds, QueryText

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

    @property
    def host(self) -> str:
        """Whom it asks; a placeholder stands for some color or namespace."""
        match = _URL.match(fill(self.url, _SAMPLE))
        return match.group(1).strip("[]") if match else ""

    def is_well(self, status: int) -> bool:
        """True for a status that the answer should have."""
        return status in self.status if self.status else 200 <= status < 300  # noqa: PLR2004 - what HTTP calls success
