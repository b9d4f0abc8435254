"""What is wrong with an expression that is asked for several windows, whatever the kind of rule."""

from collections.abc import Iterator

from watchdog.core.placeholders import names_in
from watchdog.core.rules.lint import has_division
from watchdog.core.rules.problem import Finding


def check_windowed(text: str, path: tuple[str, ...]) -> Iterator[Finding]:
    """What is wrong with an expression that is asked for several windows."""
    if "window" not in names_in(text):
        message = "the expression is the same for every window; put {{ window }} in its range, such as [{{ window }}]"
        yield Finding(path=path, code="R519", message=message)
    if has_division(text):
        message = (
            "the expression is a ratio already, and an average of ratios is not the ratio of the sums; "
            "let it yield a number of requests, and leave the division to the rule"
        )
        yield Finding(path=path, code="R520", message=message)
