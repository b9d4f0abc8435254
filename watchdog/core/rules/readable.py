"""What can be read of a rule that is not well formed, so that the rest of it is checked all the same.

Law: what is told of the rest holds of the whole rule too; what a dropped key may have cured is not told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from watchdog.core.rules.keys import keys_of
from watchdog.core.rules.language import KINDS, Rule
from watchdog.core.rules.problem import Finding, KeyPath

_CURES = {
    "R212": frozenset(KINDS),
    "R213": frozenset({"min_samples", "elasticsearch"}),
    "R214": frozenset({"evaluation_periods"}),
    "R502": frozenset({"min_samples"}),
    "R503": frozenset({"for", "datapoints_to_alarm"}),
    "R516": frozenset(KINDS),
    "R527": frozenset(KINDS),
}
"""What cures a finding at another place than its own. A key that there is not may have been meant to be any."""
_KNOWN = frozenset(keys_of(Rule))


@dataclass(frozen=True, slots=True)
class Readable:
    """A rule, and the sections and keys of which something was dropped because it is told already."""

    rule: Rule
    lost: frozenset[str | int] = frozenset()

    def tells(self, finding: Finding) -> bool:
        """True for a finding that no dropped key could have cured; its path begins at the rule."""
        cures = _CURES.get(finding.code, frozenset())
        may_be_cured = bool(cures) and bool(self.lost & cures or self.lost - _KNOWN)
        return not may_be_cured and not self.lost.intersection(finding.path[:1])


def readable_rule(given: Any, forgotten: Iterable[KeyPath]) -> Readable | None:
    """The rule without its ``forgotten`` keys and those that are not well formed; None where too little is left."""
    dropped = [*forgotten]
    read = _read(_without(given, dropped))
    if not isinstance(read, Rule) and all(read):
        dropped += read
        read = _read(_without(given, dropped))
    return Readable(read, frozenset(path[0] for path in dropped)) if isinstance(read, Rule) else None


def _read(given: Any) -> Rule | list[KeyPath]:
    """The rule, or what is not well formed in it; an empty path is the whole."""
    try:
        return Rule.model_validate(given, by_alias=True, by_name=False)
    except ValidationError as error:
        return [details["loc"] for details in error.errors(include_url=False, include_context=False)]


def _without(given: Any, paths: Iterable[KeyPath]) -> Any:
    for path in paths:
        given = _without_one(given, path)
    return given


def _without_one(given: Any, path: KeyPath) -> Any:
    """The value without what the path leads to, if that is a key of a mapping."""
    key, rest = path[0], path[1:]
    match given:
        case dict() if key in given:
            others = {name: value for name, value in given.items() if name != key}
            return {**given, key: _without_one(given[key], rest)} if rest else others
        case list() if isinstance(key, int) and key < len(given) and rest:
            return [*given[:key], _without_one(given[key], rest), *given[key + 1 :]]
        case _:
            return given
