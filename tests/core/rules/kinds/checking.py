"""A rule file with one rule, and what `watchdog check` says of it."""

from watchdog.core.rules.rulefile import parse_rule_file

HEAD = """\
target: shop
namespace: shop
services: [{name: web, deployment: "web-{{ color }}"}]
rules:
  - alert: Test
"""


def problems(rule: str) -> list[str]:
    """The problems of a rule, without their codes.

    Its lines, after its name, are given; the first of them is line 6 of the file.
    """
    text = HEAD + "".join(f"    {line}\n" for line in rule.strip("\n").split("\n"))
    return [f"{problem.line}:{problem.column}: {problem.message}" for problem in parse_rule_file("f", text).problems]
