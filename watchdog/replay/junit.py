"""What tests came to, as a JUnit file for the servers that show such files.

Law: pure; a vacuous expectation is told and does not fail.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from watchdog.core.visible import visible


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One test for the file. ``error`` says why it could not be played; ``seconds`` is how long it took."""

    file: str
    name: str
    seconds: float
    failures: tuple[str, ...] = ()
    vacuous: tuple[str, ...] = ()
    error: str = ""


def junit(lines: Iterable[Line]) -> str:
    """The XML text."""
    root = Element("testsuites")
    by_file: dict[str, list[Line]] = {}
    for line in lines:
        by_file.setdefault(line.file, []).append(line)
    for file, tests in by_file.items():
        suite = SubElement(
            root,
            "testsuite",
            name=visible(file),
            tests=str(len(tests)),
            failures=str(sum(bool(test.failures) for test in tests)),
            errors=str(sum(bool(test.error) for test in tests)),
        )
        for test in tests:
            case = SubElement(
                suite, "testcase", classname=visible(file), name=visible(test.name), time=f"{test.seconds:.3f}"
            )
            if test.error:
                SubElement(case, "error", message=visible(test.error))
            for failure in test.failures:
                SubElement(case, "failure", message=visible(failure))
            if test.vacuous:
                SubElement(case, "system-out").text = "\n".join(map(visible, test.vacuous))
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"
