"""Alerts to send.

Law: what a test does not name has a harmless value.
"""

from watchdog.core.alert import Alert, AlertKind
from watchdog.core.model import TrippedRule

AT = 1_767_323_045.5
ERROR_RATIO = TrippedRule(alert="FrontendErrorRatio", value=0.25, threshold="at most 0.05", since=AT - 75)


def switched(key: str = "t-1/switched", *, text: str = "banking-app was switched from green to blue.") -> Alert:
    """The alert of a rollback, with something in every field."""
    return Alert(
        kind=AlertKind.SWITCHED,
        key=key,
        target="banking-app",
        namespace="banking",
        at=AT,
        text=text,
        trip="t-1",
        from_color="green",
        to_color="blue",
        rules=(ERROR_RATIO,),
        labels=(("severity", "critical"),),
        notes=(("runbook", "https://wiki.example/a?b=1&c=2"), ("log", "boom & <bust>")),
        commands=(("pause", "kubectl annotate service frontend-service canary-watchdog/paused=true"),),
    )
