"""Whether a threshold fits the values that a kind of rule can have.

Law: a bound that no value crosses, or that every value does, was meant otherwise; so was one between two whole numbers.
"""

import math
from collections.abc import Iterator

from watchdog.core.rules.language import Threshold
from watchdog.core.rules.problem import Finding


def lint_count(limit: Threshold) -> Iterator[Finding]:
    """What is wrong with the bounds of a number of documents."""
    verdict = _never_or_always(limit, math.inf)
    if verdict is None:
        yield from between_whole_numbers(limit, "documents", share='ratio_of: "*"')
        return
    key, sentence = verdict
    message = f"no number of documents is below 0, so that {sentence}; write {'0' if key == 'max' else '1'} or more"
    yield Finding(path=("threshold", key), code="R516", message=message)


def only_too_much(limit: Threshold, why: str, *, example: float) -> Iterator[Finding]:
    """What is wrong with the bounds of a value that is 0 at its best; ``why`` says that only too much is bad."""
    if limit.max is None:
        yield Finding(path=("threshold",), code="R516", message=f"{why}; write max, such as {{max: {example:g}}}")
        return
    if limit.min is not None:
        yield Finding(path=("threshold", "min"), code="R516", message=f"{why}; remove min", at_key=True)
    if limit.max < 0:
        message = f"no value is below 0, so that the rule would always fire; write 0 or more, such as {example:g}"
        yield Finding(path=("threshold", "max"), code="R516", message=message)


def between_whole_numbers(limit: Threshold, what: str, *, share: str) -> Iterator[Finding]:
    """The bounds of a count that are no whole numbers; ``share`` says how to ask for a share, if that is possible."""
    for key, bound in (("min", limit.min), ("max", limit.max)):
        if bound is not None and not bound.is_integer():
            cure = f"write {math.floor(bound)}" + (f", or {share} for a share" if share else "")
            message = f"{what} are counted in whole numbers, and none is between {bound:g} and the next one; {cure}"
            yield Finding(path=("threshold", key), code="R527", message=message)


def lint_share(threshold: Threshold, whole: float = 1.0) -> Iterator[Finding]:
    """A bound that no share crosses, or every one; the path begins at the rule. ``whole`` is 100 for a percentage."""
    verdict = _never_or_always(threshold, whole)
    if verdict is not None:
        key, sentence = verdict
        cure = "a part of 1, such as 0.05 for 5 %" if whole == 1 else f"a part of {whole:g}"
        message = f"a share is between 0 and {whole:g}, so that {sentence}; write {cure}"
        yield Finding(path=("threshold", key), code="R513", message=message)


def _never_or_always(limit: Threshold, whole: float) -> tuple[str, str] | None:
    """The bound that no value from 0 to ``whole`` crosses, or every one, and a sentence; None when all is well."""
    if limit.max is not None and limit.max >= whole and (limit.min is None or limit.min <= 0):
        return "max", "this is never exceeded"
    if limit.max is None and limit.min is not None and limit.min <= 0:
        return "min", "nothing is ever below this"
    if limit.min is not None and limit.min > whole:
        return "min", "everything is below this"
    if limit.max is not None and limit.max < 0:
        return "max", "everything is above this"
    return None
