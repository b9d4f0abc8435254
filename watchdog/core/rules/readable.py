"""What can be read of a rule that is not well formed, so that the rest of it is checked all the same.

Law: what is told of the rest holds of the whole rule too; what a lost key may have cured is not told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from watchdog.core.rules.keys import keys_of
from watchdog.core.rules.language import KINDS, Rule
from watchdog.core.rules.problem import Finding, KeyPath

_WINDOWED = {"error_expr": "…{{ window }}", "total_expr": "…{{ window }}"}
_STAND_INS: dict[str, dict[str, Any]] = {
    "": {"alert": "Unnamed"},
    "prometheus": {"expr": "…"},
    "burn_rate": {**_WINDOWED, "objective": "99.9%", "pairs": [{"long": "1h", "budget": "2%"}]},
    "pairs": {"long": "1h", "budget": "2%"},
    "compare": {**_WINDOWED, "baseline": "concurrent"},
    "kubernetes": {"count": "unready_pods"},
    "http": {"url": "http://web-{{ color }}:8080/"},
    "min_samples": {"value": 1},
}
"""What stands for the keys without which a section is none, "" being the rule itself.

The expressions are no PromQL, so that nothing is told of them.
"""
MOST_LEVELS = 3
_ASKED = frozenset(KINDS)
_CURES = {
    "R213": frozenset({"min_samples", "elasticsearch"}),
    "R214": frozenset({"evaluation_periods"}),
    "R502": frozenset({"min_samples"}),
    "R503": frozenset({"for", "datapoints_to_alarm"}),
    "R513": _ASKED,
    "R514": _ASKED | {"min_samples", "for", "initial_delay"},
    "R516": _ASKED,
    "R524": _ASKED,
    "R527": _ASKED,
    "R528": _ASKED | {"min_samples"},
    "R529": frozenset({"no_data"}),
}
"""What cures a finding at another place than its own. A key that there is not may have been meant to be any."""
_OF_A_VALUE = frozenset(
    {"R205", "R506", "R507", "R508", "R512", "R518", "R519", "R520", "R521", "R522", "R523"},
)
"""What is told of one value, whatever stands beside it."""
_OF_A_PAIR = frozenset({"R219", "R525"})
"""What is told of a window, and hangs on what stands right beside it."""
_PERIOD = ("burn_rate", "period")
_KNOWN = frozenset(keys_of(Rule))


@dataclass(frozen=True, slots=True)
class Readable:
    """A rule, and the paths of what was dropped or replaced in it because it is told already."""

    rule: Rule
    lost: frozenset[KeyPath] = frozenset()

    def tells(self, finding: Finding) -> bool:
        """True for a finding on which nothing that was lost can bear; its path begins at the rule."""
        return not any(_may_cure(lost, finding) or _is_beside(lost, finding) for lost in self.lost)


def _may_cure(lost: KeyPath, finding: Finding) -> bool:
    if finding.code == "R212":
        return len(lost) == 1 and (lost[0] in _ASKED or lost[0] not in _KNOWN)
    cures = _CURES.get(finding.code, frozenset())
    return lost[0] in cures or (bool(cures) and lost[0] not in _KNOWN)


def _is_beside(lost: KeyPath, finding: Finding) -> bool:
    """True for what a finding hangs on because of where it stands: most hang on their whole section."""
    path = finding.path
    if finding.code == "R212":
        return False
    if finding.code in _OF_A_VALUE:
        return lost == path[: len(lost)] or path == lost[: len(path)]
    if finding.code in _OF_A_PAIR:
        return lost == _PERIOD or lost == path[: len(lost)] or path[:-1] == lost[: len(path) - 1]
    return lost[:1] == path[:1]


def readable_rule(given: Any, forgotten: Iterable[KeyPath]) -> Readable | None:
    """The rule without its ``forgotten`` keys and those that are not well formed; None where too little is left."""
    dropped = [*forgotten]
    read = _read(_without(given, dropped))
    # What is dropped may leave a section that is not well formed without it, and that one a rule.
    for _ in range(MOST_LEVELS):
        if isinstance(read, Rule) or not all(read):
            break
        dropped += read
        read = _read(_without(given, dropped))
    return Readable(read, frozenset(dropped)) if isinstance(read, Rule) else None


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


def _without_one(given: Any, path: KeyPath, section: str = "") -> Any:
    """The value without what the path leads to, if that is a key of a mapping, or with what stands for it."""
    key, rest = path[0], path[1:]
    match given:
        case dict() if not rest and key in _STAND_INS.get(section, {}):
            return {**given, key: _STAND_INS[section][str(key)]}
        case dict() if key in given:
            others = {name: value for name, value in given.items() if name != key}
            return {**given, key: _without_one(given[key], rest, str(key))} if rest else others
        case list() if isinstance(key, int) and key < len(given) and rest:
            return [*given[:key], _without_one(given[key], rest, section), *given[key + 1 :]]
        case _:
            return given
