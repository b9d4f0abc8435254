"""The codes of what can be wrong with a rule file: what each means, an example that is wrong and the one that is right.

Law: a code keeps its meaning for ever; one that is given up is not given out again. Each wrong example gives its code
and each right one gives nothing: the tests read them as they stand here.

``R1xx`` the file and its YAML, ``R2xx`` the keys and their values, ``R3xx`` PromQL, ``R4xx`` Lucene, ``R5xx`` what a
rule can say and should not, ``R6xx`` what the real servers say (`check --online`).
"""

from watchdog.core.rules.codes.code import Code, example_files
from watchdog.core.rules.codes.document import DOCUMENT
from watchdog.core.rules.codes.language import LANGUAGE
from watchdog.core.rules.codes.online import ONLINE
from watchdog.core.rules.codes.queries import QUERIES
from watchdog.core.rules.codes.safety import SAFETY

CODES: dict[str, Code] = {code.id: code for group in (DOCUMENT, LANGUAGE, QUERIES, SAFETY, ONLINE) for code in group}

__all__ = ["CODES", "Code", "example_files"]
