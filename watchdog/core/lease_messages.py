"""Writes the alerts about the Leases: that a replica has lost one, and who holds it again.

Law: as in `core/messages.py`, each says what, where, why and what to type next.
"""

from collections.abc import Iterable

from watchdog.core.alert import WATCHDOG, Alert, AlertKind
from watchdog.core.instant import show_instant

WHY_LOST = "the Lease was not renewed in time, or names another holder"


def lease_lost(shard: int, targets: Iterable[str], *, me: str, namespace: str, now: float) -> Alert:
    """The replica ``me`` does not act for a shard any more, and not by its own will."""
    text = (
        f"{me} lost the Lease of shard {shard} ({_names(targets)}): {WHY_LOST}. Nothing is rolled back for these "
        "targets until a replica holds it again; if none does within a minute, look at the API server."
    )
    return _of_lease(AlertKind.LEASE, shard, text, me=me, namespace=namespace, lost_at=now, now=now)


def lease_held(
    shard: int, targets: Iterable[str], *, holder: str, me: str, namespace: str, lost_at: float, now: float
) -> Alert:
    """A replica acts for what ``me`` has lost: "" for ``holder`` is ``me`` again."""
    who = f"{holder} holds the Lease now" if holder else f"{me} holds the Lease again"
    text = f"{who} and watches {_names(targets)}."
    return _of_lease(AlertKind.RESOLVED, shard, text, me=me, namespace=namespace, lost_at=lost_at, now=now)


def _names(targets: Iterable[str]) -> str:
    return ", ".join(sorted(targets)) or "no target"


def _of_lease(kind: AlertKind, shard: int, text: str, *, me: str, namespace: str, lost_at: float, now: float) -> Alert:
    return Alert(
        kind=kind,
        key=f"{me}/shard-{shard}/{kind.value}/{show_instant(lost_at)}",
        target=WATCHDOG,
        namespace=namespace,
        at=now,
        text=text,
        commands=(("look", f"kubectl -n {namespace} get lease"),),
    )
