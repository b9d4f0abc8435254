"""Which outcomes and phases of each rule the tests have reached.

Law: what was reached is counted from what was played, never from what was expected.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from watchdog.core.model import Outcome, Phase
from watchdog.replay.rehearsal import Played


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """One rule, and what the tests have shown of it."""

    target: str
    alert: str
    outcomes: frozenset[Outcome]
    phases: frozenset[Phase]


def coverage(played: Iterable[Played]) -> tuple[Reached, ...]:
    """Every rule of the targets that were played, in the order of their files."""
    found: dict[tuple[str, str], Reached] = {}
    for each in played:
        target = each.test.target
        for rule in target.rules:
            key = target.target, rule.alert
            states = [seen.states[rule.alert] for seen in each.seen if rule.alert in seen.states]
            before = found.get(key)
            found[key] = Reached(
                target=target.target,
                alert=rule.alert,
                outcomes=(before.outcomes if before else frozenset())
                | {state.outcome for state in states if state.outcome is not None},
                phases=(before.phases if before else frozenset()) | {state.phase for state in states},
            )
    return tuple(found.values())


def show_coverage(reached: Iterable[Reached]) -> list[str]:
    """A line a rule, and the sum."""
    rows = [*reached]
    width = max((len(row.alert) for row in rows), default=0)
    lines = []
    for row in rows:
        seen = [*row.outcomes, *row.phases]
        missing = [each.value for each in (*Outcome, *Phase) if each not in seen]
        share = f"{len(seen)} of {len(Outcome) + len(Phase)}"
        lines.append(f"{row.alert:<{width}}  {share}{'; never ' + ', '.join(missing) if missing else ''}")
    total = len(rows) * (len(Outcome) + len(Phase))
    got = sum(len(row.outcomes) + len(row.phases) for row in rows)
    lines.append(f"{got} of {total} outcomes and phases of {len(rows)} rules were reached")
    return lines
