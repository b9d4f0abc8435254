"""What PromQL's parser complains of, in our words.

Law: no complaint without a cure.
"""

from __future__ import annotations

import difflib
import re

_VAGUE = "invalid promql query"
_CURES = (
    (r"expected type matrix .* got vector", "a range is missing; write the selector with one, such as metric[2m]"),
    (
        r"expected type vector .* got matrix",
        "a range stands where it does not belong; wrap it, such as rate(metric[2m])",
    ),
    (
        r"must contain only scalar and instant vector",
        "a range or a text is no operand; wrap a range, such as rate(metric[2m])",
    ),
    (r"illegal regex", "the regular expression is not RE2; mend what follows =~ or !~"),
    (r"unknown escape sequence", "a backslash in a string has to be doubled; write \\\\d for \\d"),
    (r"at least one non-empty matcher", "the selector would match everything; name a metric"),
    (r"BOOL modifier", "two numbers are compared; leave the comparison to threshold"),
    (r"in label matching, expected string", 'the value of a label is text; put it in quotes, such as code="500"'),
    (r"unexpected character.*: '[\u2018-\u201f\u00ab\u00bb]'", 'typographic quotes are none to PromQL; write "'),
    (r"inside braces: '~'", "~ is no comparison by itself; write =~ for a pattern, or !~"),
    (
        r"unexpected character.*: '\$'",
        "Prometheus knows no variables of Grafana's; write the range itself, such as [2m]",
    ),
    (r"unexpected character: '[&|]'", "PromQL has words for that; write and, or, unless"),
    (r"bad number or duration syntax", "this is neither a number nor a duration; write it such as 0.5 or 5m"),
    (r"no expression", "write one, such as sum(rate(metric[2m]))"),
    (r"argument", "the function takes another number of arguments; add or remove some"),
)
_FUNCTION = re.compile(r"function (?:with name )?'(\w+)'")
_FUNCTIONS = (
    *("abs", "absent", "avg", "avg_over_time", "bottomk", "ceil", "changes", "clamp_max", "clamp_min", "count"),
    *("count_over_time", "delta", "deriv", "floor", "group", "histogram_quantile", "idelta", "increase", "irate"),
    *("label_join", "label_replace", "last_over_time", "max", "max_over_time", "min", "min_over_time", "quantile"),
    *("quantile_over_time", "rate", "resets", "round", "scalar", "sqrt", "stddev", "sum", "sum_over_time", "time"),
    *("timestamp", "topk", "vector"),
)
"""What a misspelled function was meant to be, of those that rules use."""


class PromqlError(ValueError):
    """The expression is not PromQL. ``offset`` is where, if it can be told; `place_of_error` looks for it."""

    def __init__(self, message: str, offset: int | None = None, code: str = "R301", complaint: str = "") -> None:
        super().__init__(message)
        self.offset = offset
        self.code = code
        self.complaint = complaint

    @property
    def is_vague(self) -> bool:
        """True when the place says more than the message."""
        return self.complaint == _VAGUE


def cure(complaint: str) -> str:
    """The parser's complaint as a sentence: what is wrong; what would be right."""
    if complaint == _VAGUE:
        return "this is not PromQL; something is missing in it, or too much"
    if complaint.startswith("unknown function"):
        name = function_in(complaint)
        close = difflib.get_close_matches(name, _FUNCTIONS, n=1)
        return f"{name} is not a PromQL function; {f'did you mean {close[0]}?' if close else 'check its spelling'}"
    cures = (sentence for pattern, sentence in _CURES if re.search(pattern, complaint))
    return f"this is not PromQL ({complaint}); {next(cures, 'mend what stands here')}"


def function_in(complaint: str) -> str:
    """The function that the parser complains of, "" for none."""
    match = _FUNCTION.search(complaint)
    return match.group(1) if match else ""
