"""Selectors of a Service by color.

Law: the keys of a selector never change, and a value moves only between the declared colors.

``spec.selector`` is merged key by key by merge and strategic patches, so a patch of ``color: blue`` over
``{app: frontend-green, color: green}`` selects nothing. Therefore the whole map is computed here and replaced at once.
"""

from watchdog.core.model import Selector
from watchdog.core.rules.language import Service, Target


def selector_for(service: Service, current: Selector, color: str) -> dict[str, str]:
    """The whole selector that gives the traffic to a color: the current one with the declared part moved."""
    return {**current, **service.selector_of(color)}


def color_of(target: Target, service: Service, selector: Selector) -> str | None:
    """The color that a selector names; None when it names neither, or a mixture of both."""
    for color in target.colors:
        if service.selector_of(color).items() <= selector.items():
            return color
    return None


def selects(selector: Selector, labels: Selector) -> bool:
    """True when a Service with this selector picks a pod with these labels. An empty selector picks nothing."""
    return bool(selector) and selector.items() <= labels.items()
