"""What ``compare:`` may ask: whether the active color fails more than something that it can be measured by.

Law: what is compared with has to be said, for after a full switch there is nothing beside the active color by itself;
the windows do not overlap, so that no request is counted twice.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from watchdog.core.rules.strict import Strict
from watchdog.core.rules.values import PositiveSeconds, WindowedQuery


class Comparison(Strict):
    """The share of failed requests of the active color against that of a baseline."""

    error_expr: WindowedQuery
    """PromQL that yields the number of failed requests of {{ window }}."""
    total_expr: WindowedQuery
    """PromQL that yields the number of all requests of {{ window }}."""
    absent_is_zero: bool = False
    """An empty answer of error_expr is 0 when total_expr shows that there were requests."""
    baseline: Literal["concurrent", "preview", "offset"]
    """concurrent: the other color, which has a part of the same traffic; preview: the other color, by what it shows
    under preview traffic; offset: the past of both colors together."""
    baseline_error_expr: WindowedQuery | None = None
    """Of preview: PromQL for the failed requests of the preview traffic, {{ color }} being the other color."""
    baseline_total_expr: WindowedQuery | None = None
    """Of preview: PromQL for all requests of the preview traffic."""
    offset: PositiveSeconds | None = None
    """Of offset: how long ago the baseline was, such as 1d or 1w."""
    window: PositiveSeconds = 60.0
    """How much time is counted at once; at least four scrapes."""
    max_age: PositiveSeconds | None = None
    """How old the newest sample of each series may be at the end of the window. Leave it out for the source's own, but
    at most half of the window."""
    dispersion: float = Field(default=1.0, ge=1, le=100)
    """The least number of errors that come as one event; more when the baseline's last hour shows more."""

    @property
    def baseline_exprs(self) -> tuple[str, str]:
        """Errors and requests of the baseline."""
        return self.baseline_error_expr or self.error_expr, self.baseline_total_expr or self.total_expr
