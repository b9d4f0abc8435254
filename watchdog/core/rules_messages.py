"""Writes the alerts about the rule files themselves: what was refused, and what is left without any.

Law: as in `core/messages.py`, each says what, where, why and what to type next.
"""

from collections.abc import Sequence

from watchdog.core.alert import WATCHDOG, Alert, AlertKind
from watchdog.core.journal_text import name_of_journal
from watchdog.core.model import Trip

_MOST_NOTES = 5


def rules_refused(problems: Sequence[str], files: str, *, namespace: str, now: float) -> Alert:
    """Changed rule files are not in force; ``files`` is a hash of them."""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return Alert(
        kind=AlertKind.RULES_REFUSED,
        key=f"rules/{files}/refused",
        target=WATCHDOG,
        namespace=namespace,
        at=now,
        text=f"The rule files changed and are refused; the rules before them stay in force. {problems[0]}{more}",
        notes=tuple((f"problem {number}", problem) for number, problem in enumerate(problems[:_MOST_NOTES], 1)),
        commands=(("see all problems", "watchdog check rules/"),),
    )


def rules_accepted(files: str, *, namespace: str, now: float) -> Alert:
    """After a refusal the rule files are in force again."""
    return Alert(
        kind=AlertKind.RESOLVED,
        key=f"rules/{files}/accepted",
        target=WATCHDOG,
        namespace=namespace,
        at=now,
        text="The rule files are well again, and in force.",
    )


def orphaned(target: str, trip: Trip, *, namespace: str, now: float) -> Alert:
    """A rollback is open, and nobody carries it on; ``namespace`` is where its journal is."""
    return Alert(
        kind=AlertKind.HELD,
        key=f"{trip.id}/orphaned",
        target=target,
        namespace=namespace,
        at=now,
        text=(
            f"The rollback {trip.id} of {target} from {trip.bad} to {trip.good} is half done, and no rule file has "
            f"{target} any more: nobody carries it on. Put the rule file back until it has ended, or end it by hand: "
            f"look which color its Services ({', '.join(sorted(trip.selectors)) or 'unknown'}) select, and delete the "
            "journal."
        ),
        trip=trip.id,
        from_color=trip.bad,
        to_color=trip.good,
        rules=trip.rules,
        commands=(("delete the journal", f"kubectl -n {namespace} delete configmap {name_of_journal(target)}"),),
    )
