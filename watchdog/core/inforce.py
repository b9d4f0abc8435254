"""Which rules are in force for a target, where replicas know different ones for a while.

Law: what a newer set has changed or taken away decides nothing any more, whoever acts; how long somebody waits for that
newer set is bounded.

Each kubelet brings a changed ConfigMap in its own time, a minute or two later than another one. A replica that takes
over may know rules that the one before it had already replaced. The journal tells it: there stands what was in force,
and since when.
"""

from dataclasses import dataclass

from watchdog.core.digest import short_digest
from watchdog.core.instant import Instant
from watchdog.core.rules.language import Target

LAG_SECONDS = 300.0
"""How long the files of one replica may lag behind another's: the period of a kubelet's sync and what it caches take
less (https://kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What decides for a target: the hashes of its ``rules``, and of all ``around`` them.

    ``since`` is when the files came to the replica that put them in force. A target that was taken away, or does
    nothing but watch any more, has no rules and nothing around them.
    """

    since: Instant
    around: str = ""
    rules: tuple[str, ...] = ()


def in_force(target: Target, *, since: float) -> InForce:
    """What the target says when its files came then."""
    around = target.model_dump_json(by_alias=True, exclude_defaults=True, exclude={"rules"})
    digest = short_digest(around)
    return InForce(since=since, around=digest, rules=tuple(f"{rule.alert}/{rule.digest}" for rule in target.rules))


def says_the_same(one: InForce, other: InForce) -> bool:
    """True when both decide alike."""
    return (one.around, sorted(one.rules)) == (other.around, sorted(other.rules))


def newest(known: InForce | None, mine: InForce, *, now: float) -> InForce:
    """Which of the two is in force: the journal's, or this replica's own.

    The younger files, but never for longer than `LAG_SECONDS` others than one's own: after that these would have come.
    """
    if known is None or says_the_same(known, mine):
        return known or mine
    lags = mine.since < known.since and abs(now - known.since) < LAG_SECONDS
    return known if lags else mine


def obeyed(target: Target, force: InForce | None) -> Target:
    """The target with those of its rules that are in force. None is no limit."""
    if force is None:
        return target
    mine = in_force(target, since=force.since)
    known = set(force.rules) if force.around == mine.around else set()
    rules = [rule for rule, name in zip(target.rules, mine.rules, strict=True) if name in known]
    return target if len(rules) == len(target.rules) else target.model_copy(update={"rules": rules})
