"""The bench still runs. What it measures is for people to look at: nothing here asks how long anything took."""

from dataclasses import asdict

from bench.__main__ import measure, table
from tests.stack.kubernetes import ControlPlane


async def test_a_bench_of_one_rollback_has_a_number_for_everything(control_plane: ControlPlane) -> None:
    results = await measure(control_plane, 1)
    assert {name: len(seconds) for name, seconds in asdict(results).items()} == dict.fromkeys(asdict(results), 1)
    assert 0 < results.written[0] < results.watchdog[0]
    assert len(table(results).splitlines()) == len(asdict(results)) + 6, "a row of everything"
