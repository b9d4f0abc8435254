"""The clocks, with time that the test makes."""

import os
import sys
import time as clocks
from dataclasses import dataclass

from tests.stack.banking import REPOSITORY
from tests.stack.unshared import after_sleep
from watchdog.clocks import BEAT_SECONDS, MOST_LAG_SECONDS, SETTLE_SECONDS, EvenClock, Pulse, boot_clock


@dataclass
class Time:
    """A clock that stands still until the test moves it."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def test_F79_a_held_clock_goes_on_evenly_and_a_released_one_follows() -> None:
    wall, steady = Time(1_800_000_000.0), Time(50.0)
    clock = EvenClock(wall, steady)
    assert clock() == wall.now
    clock.hold()
    steady.now += 10
    wall.now -= 3600
    clock.hold()
    assert clock() == 1_800_000_010.0
    clock.release()
    assert clock() == wall.now


def test_F79_the_clock_of_deadlines_has_gone_on_while_the_machine_slept() -> None:
    """Of two machines that were awake for equally long the one that slept for an hour is an hour further."""
    program = "import time\nfrom watchdog.clocks import boot_clock\nprint(boot_clock() - time.monotonic())"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    slept = after_sleep(3600, [sys.executable, "-c", program], environment)
    assert slept.returncode == 0, slept.stderr
    awake = boot_clock() - clocks.monotonic()
    assert abs(float(slept.stdout) - awake - 3600) < 1


def test_F79_F80_whoever_was_asleep_with_the_machine_writes_nothing_at_once() -> None:
    time = Time()
    pulse = Pulse(clock=time)
    time.now += 3600
    assert not pulse.is_steady(), "what it decided on was seen an hour ago"
    pulse.beat()
    assert not pulse.is_steady()


def test_F80_a_loop_that_stood_still_may_not_write_until_it_has_settled() -> None:
    time = Time()
    pulse = Pulse(clock=time)
    for _ in range(10):
        time.now += BEAT_SECONDS + MOST_LAG_SECONDS
        assert pulse.is_steady(), "late, but not too late"
        pulse.beat()
    time.now += BEAT_SECONDS + MOST_LAG_SECONDS + 0.01
    assert not pulse.is_steady(), "whoever runs before the beat does not write"
    pulse.beat()
    assert not pulse.is_steady(), "nor whoever runs just after it"
    time.now += SETTLE_SECONDS - 0.01
    pulse.beat()
    assert not pulse.is_steady()
    time.now += 0.01
    assert pulse.is_steady()
