"""How long the API server is left alone when it turns a call away."""

from datetime import UTC, datetime

import pytest

from watchdog.cluster.refusal import LONGEST_WAIT_SECONDS, SHORTEST_WAIT_SECONDS, seconds_to_wait

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        pytest.param("7", 7, id="F31 seconds"),
        pytest.param("Fri, 02 Jan 2026 03:04:25 GMT", 20, id="F31 a date, as a proxy says it"),
        pytest.param("0", SHORTEST_WAIT_SECONDS, id="at once is soon"),
        pytest.param("3600", LONGEST_WAIT_SECONDS, id="an hour is not waited for"),
        pytest.param("soon", 1, id="no time"),
        pytest.param(None, 1, id="no header"),
    ],
)
def test_how_long_it_is_left_alone(header: str | None, seconds: float) -> None:
    assert seconds_to_wait(header, now=NOW) == seconds
