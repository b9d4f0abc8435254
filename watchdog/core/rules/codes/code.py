"""One code, and how its examples become rule files.

Law: an example shows what matters and nothing else; what it leaves out is taken from one small file that is well.
"""

import re
from dataclasses import dataclass

_WHOLE = {
    "target": "target: shop\n",
    "namespace": "namespace: shop\n",
    "services": 'services: [{name: web, deployment: "web-{{ color }}"}]\n',
    "rules": """\
rules:
  - alert: Errors
    prometheus: {expr: 'sum(rate(errors_total{color="{{ color }}"}[2m]))'}
    threshold: {max: 1}
""",
}
_SECTION = re.compile(r"^(\w+):", re.MULTILINE)
ANOTHER_FILE = "# another file\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What one code means. ``title`` is a few words; ``why`` says why it is refused or told, and what is better.

    ``wrong`` and ``right`` are parts of a rule file: list items of ``rules`` when they begin with ``-``, else top-level
    keys; `ANOTHER_FILE` begins a second file. ``warns`` is told and stops nothing. ``encoding`` is that of the wrong
    file.
    """

    id: str
    title: str
    why: str
    wrong: str
    right: str
    warns: bool = False
    encoding: str = "utf-8"


def example_files(example: str) -> tuple[str, ...]:
    """The texts of the whole rule files that an example stands for; the second one has another name."""
    first, *others = example.split(ANOTHER_FILE)
    return (_whole(first), *(_whole(other) for other in others))


def _whole(part: str) -> str:
    if part.startswith("-"):
        part = "rules:\n" + "".join(f"  {line}" for line in part.splitlines(keepends=True))
    own = set(_SECTION.findall(part))
    return "".join(text for section, text in _WHOLE.items() if section not in own) + part
