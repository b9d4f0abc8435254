"""What ``input_results`` may say of each kind of rule: values, or the requests of each slot and how many failed.

Law: whatever could be read in two ways is a mistake: keys of another kind of rule, the same rule and color twice,
counts of another length, more errors than requests.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate

from watchdog.core.rules.language import Rule
from watchdog.core.rules.problem import KeyPath
from watchdog.replay.notation import Gap, parse_values
from watchdog.replay.testfile import COUNT_KEYS, InputResults, TestCase

_EXAMPLE = "such as errors: 0x7 20x12, total: 100x20"
_ALMOST = 1e-6  # of a slot: instants are sums of floats


def is_counted(rule: Rule) -> bool:
    """True for a rule that counts requests over windows, so that no one value a slot says what it measures."""
    return rule.burn_rate is not None or rule.compare is not None


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts by slot, to be summed over any window. A slot without a count adds nothing, and is no evidence."""

    sums: tuple[float, ...]
    known: tuple[int, ...]
    start: float
    interval: float

    def within(self, after: float, until: float) -> float | None:
        """What was counted after one instant and until another (Unix seconds), None when nothing was."""
        first, last = self._before(after), self._before(until)
        return self.sums[last] - self.sums[first] if self.known[last] > self.known[first] else None

    def _before(self, instant: float) -> int:
        """How many slots there are until the instant."""
        number = math.floor((instant - self.start) / self.interval + _ALMOST) + 1
        return min(max(number, 0), len(self.sums) - 1)


def tally_of(text: str | None, *, start: float, interval: float) -> Tally:
    """The counts in a text of the notation, whose first slot is at ``start``."""
    values = () if text is None else parse_values(text)
    return Tally(
        sums=(0.0, *accumulate(0.0 if isinstance(value, Gap) else value for value in values)),
        known=(0, *accumulate(int(not isinstance(value, Gap)) for value in values)),
        start=start,
        interval=interval,
    )


def check_results(case: TestCase, rules: Mapping[str, Rule], *, active: str) -> Iterator[tuple[KeyPath, str]]:
    """What is wrong with the results of a test, its notation aside; a rule that is not there is told elsewhere."""
    seen: set[tuple[str, str]] = set()
    for number, given in enumerate(case.input_results):
        path: KeyPath = ("input_results", number)
        who = given.alert, given.color or active
        if who in seen:
            message = f"the results of {who[0]} for {who[1]} stand here a second time; write color: for the other color"
            yield path, message
        seen.add(who)
        if (rule := rules.get(given.alert)) is not None:
            yield from ((path + inner, message) for inner, message in _check_keys(given, rule))


def _check_keys(given: InputResults, rule: Rule) -> Iterator[tuple[KeyPath, str]]:
    needed, cure = _needed(rule)
    known = {*needed, *(() if rule.compare is not None else ("samples",))}
    kind = next(iter(rule.kinds), "")
    if foreign := [key for key in given.texts if key not in known]:
        for key in foreign:
            yield (key,), f"{rule.alert} is a rule on {kind}, whose results have no {key}; {cure}"
    elif missing := [key for key in needed if key not in given.texts]:
        yield (), f"the results of a rule on {kind} need {' and '.join(missing)}; {cure}"
    elif is_counted(rule):
        yield from _check_counts(given)


def _needed(rule: Rule) -> tuple[tuple[str, ...], str]:
    """The keys that the results of a rule need, and how to write them."""
    if rule.burn_rate is not None:
        return COUNT_KEYS[:2], f"write the failed requests and all requests of each slot, {_EXAMPLE}"
    if rule.compare is not None:
        return (
            COUNT_KEYS,
            f"write the failed requests and all requests of each slot, and those of its baseline, {_EXAMPLE}",
        )
    return ("values",), "write values: with one value a slot"


def _check_counts(given: InputResults) -> Iterator[tuple[KeyPath, str]]:
    counts = {key: parse_values(given.texts[key]) for key in COUNT_KEYS if key in given.texts}
    for key, values in counts.items():
        odd = next((each for each in values if not isinstance(each, Gap) and not 0 <= each < math.inf), None)
        if odd is not None:
            yield (key,), f"{odd:g} is no number of requests; write how many came since the slot before"
    for errors, total in (COUNT_KEYS[:2], COUNT_KEYS[2:]):
        if errors in counts:
            yield from (((errors,), message) for message in _compare(errors, counts[errors], total, counts[total]))


def _compare(errors: str, failed: tuple[float | Gap, ...], total: str, all_: tuple[float | Gap, ...]) -> Iterator[str]:
    if len(failed) != len(all_):
        yield f"{errors} has {len(failed)} slots and {total} {len(all_)}; write both for the same slots"
        return
    for number, (some, most) in enumerate(zip(failed, all_, strict=True)):
        if not isinstance(some, Gap) and some > (0.0 if isinstance(most, Gap) else most):
            yield f"in slot {number + 1} more requests failed than there were; write at most what {total} has"
            return
