"""The single values of a rule file: durations, shares, names, templates, queries.

Law: each form refuses what it is not, with a sentence that says what would be right.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

from watchdog.core.durations import parse_duration
from watchdog.core.placeholders import fill, mistakes_in
from watchdog.core.rules.problem import Finding, KeyPath, ValueRefusedError, quoted

QUERY_PLACEHOLDERS = frozenset({"color", "namespace"})
WINDOWED_PLACEHOLDERS = QUERY_PLACEHOLDERS | {"window"}
SHARE_PATTERN = r"^(100(\.0+)?|[0-9]{1,2}(\.[0-9]+)?)%$"
ANNOTATION_PLACEHOLDERS = frozenset({"alert", "color", "namespace", "target", "threshold", "value"})

_LONGEST_QUERY = 10_000
_LONGEST = 366 * 86400.0
DURATION_PATTERN = r"^(0|([0-9]+(ms|[smhdw]))+)$"
POSITIVE_DURATION_PATTERN = r"^(?=.*[1-9])([0-9]+(ms|[smhdw]))+$"
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DNS_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_KEY = re.compile(r"([a-z0-9][-a-z0-9.]{0,252}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_ALERT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,119}")
_LABEL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,119}")
_FIELD_NAME = re.compile(r"[^\s{}*]{1,255}")


class FindingsError(ValueError):
    """Several things wrong inside one free-form value, each with its path below that value."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("; ".join(finding.message for finding in findings))
        self.findings = findings


def _duration(given: Any) -> Any:
    if isinstance(given, int | float) and not isinstance(given, bool):
        cure = "a duration such as 30s, 5m or 1h30m" if given else "0s"
        raise ValueRefusedError("R208", f"{quoted(given)} has no unit; write {cure}")
    if not isinstance(given, str) or len(given) > 30:  # noqa: PLR2004 - longer than any duration that makes sense
        raise ValueError("a duration is needed here; write a number with a unit, such as 30s, 5m or 1h30m")
    seconds = parse_duration(given)
    if seconds > _LONGEST:
        raise ValueError(f"{given} is longer than a year; write a shorter duration")
    return seconds


def _share(given: Any) -> Any:
    if not isinstance(given, str) or not given.endswith("%"):
        raise ValueError(f"{quoted(given)} is not a share; write {_percentage(given)}")
    if not re.fullmatch(SHARE_PATTERN, given):
        raise ValueError(f"{quoted(given)} is not a share; write a percentage from 0% to 100%")
    return float(given.removesuffix("%")) / 100


def _percentage(given: Any) -> str:
    """What a number was meant to be; nobody can tell whether 1 is all of it or a hundredth."""
    if isinstance(given, int | float) and 0 < given < 100 and given != 1:  # noqa: PLR2004 - a percentage
        return f"{given * 100 if given < 1 else given:g}%"
    return "a percentage such as 80%"


def _finite(given: float) -> float:
    if not math.isfinite(given):
        raise ValueError(f"{given} is no number to compare with; write a finite number")
    return given


def _dns_label(text: str) -> str:
    if not _DNS_LABEL.fullmatch(text):
        raise ValueError(
            f"{quoted(text)} is not a Kubernetes name; write up to 63 lower-case letters, digits and -, "
            "with a letter or digit at both ends"
        )
    return text


def _alert_name(text: str) -> str:
    if not _ALERT_NAME.fullmatch(text):
        raise ValueError(
            f"{quoted(text)} is not an alert name; write up to 120 letters, digits, _ and -, beginning with a letter, "
            "such as FrontendErrorRatio"
        )
    return text


def _label_name(text: str) -> str:
    if not _LABEL_NAME.fullmatch(text):
        raise ValueError(
            f"{quoted(text)} is not a label name; write letters, digits and _, beginning with a letter or _"
        )
    return text


def _label(text: str) -> str:
    if "{{" in text:
        message = "placeholders are not filled in labels; write plain text, or make an annotation of it"
        raise ValueRefusedError("R209", message)
    return text


def _field_name(text: str) -> str:
    if not _FIELD_NAME.fullmatch(text):
        raise ValueError(f"{quoted(text)} is not a field name; write one field, such as @timestamp")
    return text


def _placeholders(text: str, allowed: frozenset[str]) -> str:
    if findings := tuple(_misplaced(text, allowed)):
        raise FindingsError(findings)
    return text


def _misplaced(text: str, allowed: frozenset[str], path: KeyPath = ()) -> Iterator[Finding]:
    margin = len(text) - len(text.lstrip())
    for offset, message in mistakes_in(text, allowed):
        yield Finding(path=path, code="R209", message=message, offset=offset - margin)


def _differs_by_color(text: str) -> str:
    _placeholders(text, frozenset({"color"}))
    if fill(text, {"color": "a"}) == text:
        raise ValueRefusedError("R210", f"{quoted(text)} is the same for both colors; put {{{{ color }}}} in it")
    return text


def _deployment(text: str) -> str:
    name = fill(_differs_by_color(text), {"color": "a"})
    if not _DNS_NAME.fullmatch(name):
        raise ValueError(
            f"{quoted(text)} cannot name a Deployment; write lower-case letters, digits and -, "
            'such as "backend-{{ color }}"'
        )
    return text


def _selector_key(text: str) -> str:
    if not _LABEL_KEY.fullmatch(text):
        raise ValueError(f"{quoted(text)} is not a label key; write the key as it stands in the Service's selector")
    return text


def _selector_value(text: str) -> str:
    _placeholders(text, frozenset({"color"}))
    if fill(text, {"color": "a"}) == text:
        raise ValueRefusedError(
            "R210",
            f"{quoted(text)} is the same for both colors; put {{{{ color }}}} in it, or leave this key out: "
            "the selector's other keys are kept as they are",
        )
    if not _LABEL_VALUE.fullmatch(fill(text, {"color": "a"})):
        raise ValueError(f'{quoted(text)} cannot be the value of a label; write it such as "frontend-{{{{ color }}}}"')
    return text


def _windowed(text: str) -> str:
    return _placeholders(text, WINDOWED_PLACEHOLDERS)


def is_query(text: str) -> bool:
    """True for what can be a query, as far as its length and its placeholders go."""
    try:
        return 0 < len(_windowed(text).strip()) <= _LONGEST_QUERY
    except ValueError:
        return False


def _query(text: str) -> str:
    return _placeholders(text, QUERY_PLACEHOLDERS)


def _index(text: str) -> str:
    if any(each.isspace() for each in fill(_query(text), dict.fromkeys(QUERY_PLACEHOLDERS, "a"))):
        raise ValueError(f"{quoted(text)} is not an index pattern; write it without spaces, such as logs-banking-*")
    return text


def _annotation(text: str) -> str:
    return _placeholders(text, ANNOTATION_PLACEHOLDERS)


def _query_tree(given: Any) -> Any:
    """Checks the placeholders and the numbers in a piece of Elasticsearch query DSL."""
    if findings := tuple(_findings_in(given, ())):
        raise FindingsError(findings)
    return given


def _findings_in(given: Any, path: KeyPath) -> Iterator[Finding]:
    match given:
        case str():
            yield from _misplaced(given, QUERY_PLACEHOLDERS, path)
        case float():
            if not math.isfinite(given):
                yield Finding(path=path, code="R207", message=f"{given} is not a number in JSON; write a finite number")
        case dict():
            for key, value in given.items():
                yield from _findings_in(value, (*path, key))
        case list():
            for number, value in enumerate(given):
                yield from _findings_in(value, (*path, number))
        case _:
            pass


def _clause(given: dict[str, Any]) -> dict[str, Any]:
    if len(given) != 1:
        raise ValueError("a clause of query DSL has one key, its kind; write it such as {term: {log.level: ERROR}}")
    return given


def _two(colors: tuple[str, str]) -> tuple[str, str]:
    if colors[0] == colors[1]:
        raise ValueError(f"both colors are {quoted(colors[0])}; name two different ones, such as [blue, green]")
    return colors


def _a_second(seconds: float) -> float:
    if seconds < 1:
        raise ValueError("the interval is shorter than a second; write 1s or more, such as 15s")
    return seconds


def _pattern(pattern: str, cure: str) -> dict[str, Any]:
    """What an editor needs to mark a text; the cure is shown by editors that know ``patternErrorMessage``."""
    return {"pattern": pattern, "patternErrorMessage": cure}


def _with_placeholders(allowed: frozenset[str], needed: str = "") -> Any:
    """The schema of a text with no other placeholders than these, and with the needed one."""
    names = sorted(allowed)
    one = rf"\{{\{{\s*(?:{'|'.join(names)})\s*\}}\}}"
    ahead = rf"(?=[\s\S]*\{{\{{\s*{needed}\s*\}}\}})" if needed else ""
    known = ", ".join(f"{{{{ {name} }}}}" for name in names)
    cure = f"the placeholders here are {known}" + (f", and {{{{ {needed} }}}} is needed" if needed else "")
    return Field(json_schema_extra=_pattern(rf"^{ahead}(?:(?!\{{\{{(?!\{{))[\s\S]|{one})*$", cure))


_A_DURATION = "a number with a unit, such as 30s, 5m or 1h30m"
_DurationSchema = WithJsonSchema({"type": "string", **_pattern(DURATION_PATTERN, _A_DURATION)})
_PositiveSchema = WithJsonSchema({"type": "string", **_pattern(POSITIVE_DURATION_PATTERN, _A_DURATION)})
_ShareSchema = WithJsonSchema({"type": "string", **_pattern(SHARE_PATTERN, "a percentage, such as 80%")})
_WithColor = Field(json_schema_extra=_pattern(r"\{\{\s*color\s*\}\}", "{{ color }} has to be in it"))

Seconds = Annotated[float, BeforeValidator(_duration), _DurationSchema]
PositiveSeconds = Annotated[float, BeforeValidator(_duration), Field(gt=0), _PositiveSchema]
Interval = Annotated[float, BeforeValidator(_duration), AfterValidator(_a_second), _PositiveSchema]
Share = Annotated[float, BeforeValidator(_share), _ShareSchema]
Finite = Annotated[float, AfterValidator(_finite)]
PositiveNumber = Annotated[float, Field(gt=0), AfterValidator(_finite)]
DnsLabel = Annotated[str, AfterValidator(_dns_label), Field(json_schema_extra={"pattern": f"^{_DNS_LABEL.pattern}$"})]
AlertName = Annotated[
    str, AfterValidator(_alert_name), Field(json_schema_extra={"pattern": f"^{_ALERT_NAME.pattern}$"})
]
LabelName = Annotated[
    str, AfterValidator(_label_name), Field(json_schema_extra={"pattern": f"^{_LABEL_NAME.pattern}$"})
]
LabelText = Annotated[
    str, AfterValidator(_label), Field(json_schema_extra=_pattern(r"^(?![\s\S]*\{\{)", "no placeholders"))
]
FieldName = Annotated[
    str, AfterValidator(_field_name), Field(json_schema_extra={"pattern": f"^{_FIELD_NAME.pattern}$"})
]
DeploymentTemplate = Annotated[str, AfterValidator(_deployment), _WithColor]
SelectorKey = Annotated[str, AfterValidator(_selector_key)]
SelectorValue = Annotated[str, AfterValidator(_selector_value), _WithColor]
QueryText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=_LONGEST_QUERY),
    AfterValidator(_query),
    _with_placeholders(QUERY_PLACEHOLDERS),
]
WindowedQuery = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=_LONGEST_QUERY),
    AfterValidator(_windowed),
    _with_placeholders(WINDOWED_PLACEHOLDERS, "window"),
]
IndexPattern = Annotated[
    str,
    StringConstraints(min_length=1, max_length=1000),
    AfterValidator(_index),
    _with_placeholders(QUERY_PLACEHOLDERS),
]
AnnotationText = Annotated[str, AfterValidator(_annotation), _with_placeholders(ANNOTATION_PLACEHOLDERS)]
QueryFilter = Annotated[list[dict[str, Any]], AfterValidator(_query_tree)]
QueryClause = Annotated[dict[str, Any], AfterValidator(_query_tree), AfterValidator(_clause)]
Colors = Annotated[tuple[DnsLabel, DnsLabel], AfterValidator(_two)]
