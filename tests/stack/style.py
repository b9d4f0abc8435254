"""The styles in which teams label pods and select colors.

Law: in each style a pod of one service and color is selected by its own Service in its own color, and by nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """Pod labels, and the selector of each Service; ``{app}`` and ``{color}`` are filled in."""

    pod_labels: Labels
    selectors: Mapping[str, Labels]

    def labels(self, app: str, color: str) -> dict[str, str]:
        """The labels of a pod."""
        return _fill(self.pod_labels, app, color)

    def selector(self, app: str, color: str) -> dict[str, str]:
        """The whole selector of a Service when that color is active."""
        return _fill(self.selectors[app], app, color)


def _fill(templates: Labels, app: str, color: str) -> dict[str, str]:
    return {key: template.format(app=app, color=color) for key, template in templates.items()}


def _same_for_both(selector: Labels) -> Mapping[str, Labels]:
    return {"backend": selector, "frontend": selector}


_RICH = {"app": "{app}-{color}", "tier": "{app}", "color": "{color}"}

BY_APP = Style(pod_labels=_RICH, selectors=_same_for_both({"app": "{app}-{color}"}))
BY_COLOR = Style(pod_labels=_RICH, selectors=_same_for_both({"tier": "{app}", "color": "{color}"}))
# Half of the keys switched is a selector without pods: what a merge patch does that knows only one of them.
BY_APP_AND_COLOR = Style(pod_labels=_RICH, selectors=_same_for_both({"app": "{app}-{color}", "color": "{color}"}))
BY_SHARED_APP_AND_COLOR = Style(
    pod_labels={"app": "{app}", "color": "{color}"}, selectors=_same_for_both({"app": "{app}", "color": "{color}"})
)
# The one of the banking application's own rule file.
MIXED = Style(
    pod_labels=_RICH,
    selectors={"backend": {"app": "backend-{color}"}, "frontend": {"tier": "frontend", "color": "{color}"}},
)
