"""Which outcomes and phases of each rule the tests have reached.

Law: what was reached is counted from what was played, never from what was expected, and only of the rules that a test
feeds: of the others every test would show the same. No rule of the rule files is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from watchdog.core.model import Outcome, Phase
from watchdog.core.rules.language import Target
from watchdog.replay.rehearsal import Played


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """One rule, and what the tests have shown of it."""

    target: str
    alert: str
    outcomes: frozenset[Outcome]
    phases: frozenset[Phase]


def coverage(targets: Iterable[Target], played: Iterable[Played]) -> tuple[Reached, ...]:
    """Every rule of the targets, in the order of their files."""
    outcomes: dict[tuple[str, str], set[Outcome]] = defaultdict(set)
    phases: dict[tuple[str, str], set[Phase]] = defaultdict(set)
    for each in played:
        for alert in each.test.inputs:
            key = each.test.target.target, alert
            states = [seen.states[alert] for seen in each.seen if alert in seen.states]
            outcomes[key] |= {state.outcome for state in states if state.outcome is not None}
            phases[key] |= {state.phase for state in states}
    rules = dict.fromkeys((target.target, rule.alert) for target in targets for rule in target.rules)
    return tuple(
        Reached(target=key[0], alert=key[1], outcomes=frozenset(outcomes[key]), phases=frozenset(phases[key]))
        for key in rules
    )


def show_coverage(reached: Iterable[Reached]) -> list[str]:
    """A line a rule, and the sum."""
    rows = [*reached]
    width = max((len(row.alert) for row in rows), default=0)
    lines = []
    for row in rows:
        seen = [*row.outcomes, *row.phases]
        missing = [each.value for each in (*Outcome, *Phase) if each not in seen]
        share = f"{len(seen)} of {len(Outcome) + len(Phase)}"
        never = f"; never {', '.join(missing)}" if missing else ""
        lines.append(f"{row.alert:<{width}}  {share}{never if seen else '; no test feeds it'}")
    total = len(rows) * (len(Outcome) + len(Phase))
    got = sum(len(row.outcomes) + len(row.phases) for row in rows)
    lines.append(f"{got} of {total} outcomes and phases of {len(rows)} rules were reached")
    return lines
