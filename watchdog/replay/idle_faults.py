"""Why a fault of a test spoils no answer: then the test would pass without it too.

Law: pure; times count from the first slot of the test.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import takewhile

from watchdog.core.durations import show_duration
from watchdog.core.rules.language import Rule
from watchdog.replay.story import Fault, Restart


def why_idle(fault: Fault, fed: Collection[Rule], slots: Sequence[float], restarts: Collection[Restart]) -> str:
    """Why the fault spoils nothing of what is ``fed`` to rules in these slots, "" when it does; for people."""
    if not any(fault.hits(rule, fault.start) for rule in fed):
        asking = f"a rule on {fault.source}" if fault.source else "a rule"
        return f"no input of this test reaches {fault.alert or asking}"
    during = f"from {show_duration(fault.start)} to {show_duration(fault.end)}"
    hit = [slot for slot in takewhile(lambda slot: slot < fault.end, slots) if slot >= fault.start]
    if not hit:
        last, interval = slots[-1], show_duration(slots[1] - slots[0]) if len(slots) > 1 else ""
        apart = f"they are each {interval}, and the last one is at {show_duration(last)}" if interval else "it has one"
        return f"{during} there is no slot; {apart}"
    if all(any(restart.covers(slot) for restart in restarts) for slot in hit):
        return f"{during} nobody looks: the watchdog is down"
    return ""
