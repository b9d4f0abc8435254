"""When it is asked again when Prometheus was started: an answer that is lost hides no restart for long."""

from __future__ import annotations

from watchdog.sources.envelope import Reading
from watchdog.sources.restarts import ASK_AGAIN_SECONDS, NOT_OFFERED_SECONDS, Restarts

SLOT = 1_700_000_000.0
LOST = Reading(error="P broke the connection off")


class Hand:
    """A clock that is turned by hand."""

    now = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def test_who_never_says_it_is_left_alone() -> None:
    clock = Hand()
    restarts = Restarts(clock)
    restarts.note(LOST, slot=SLOT, others_failed=False)
    clock.now += NOT_OFFERED_SECONDS - 1
    assert not restarts.is_due()
    clock.now += 1
    assert restarts.is_due()


def test_F15_who_has_said_it_is_asked_again_when_the_answer_was_lost_in_the_restart_itself() -> None:
    clock = Hand()
    restarts = Restarts(clock)
    restarts.note(Reading(value=SLOT - 9000), slot=SLOT, others_failed=False)
    restarts.note(LOST, slot=SLOT + 15, others_failed=False)
    clock.now += ASK_AGAIN_SECONDS
    assert restarts.is_due()
    restarts.note(Reading(value=SLOT + 16), slot=SLOT + 30, others_failed=False)
    assert restarts.why_held(at=SLOT + 30, window=120, server="P") is not None
