"""How a demo went.

Law: every figure was seen from outside: by the clients, or from the daemon's own words.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Seconds are counted from the first bad request; None for what did not happen."""

    until_tripped: float | None
    until_switched: float | None
    until_finished: float | None
    recovered: bool
    requests: int
    failed: int

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"green went bad; a rule tripped after {_seconds(self.until_tripped)}",
            f"both Services were back on blue after {_seconds(self.until_switched)}",
            f"green was scaled to 0 and the recovery proven after {_seconds(self.until_finished)}",
            f"{self.failed} of {self.requests} requests failed, and none fails any more"
            if self.recovered
            else f"{self.failed} of {self.requests} requests failed: NOT recovered",
        ]


def _seconds(span: float | None) -> str:
    return "- (it did not happen)" if span is None else f"{span:.1f} s"
