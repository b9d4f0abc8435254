"""Which request meets which fault, and what came in.

Law: a request meets one fault at the most, the one that was asked for first.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.stack.faults import CARRIED_OUT, Delay, Fault
from tests.stack.http1 import Message

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which requests: those of ``methods`` whose path and query match ``path``, from the ``first``-th on.

    ``where`` narrows them further.
    """

    methods: frozenset[str] = WRITES
    path: str = ""
    first: int = 1
    where: Callable[[Message], bool] = lambda _: True

    def fits(self, request: Message) -> bool:
        """True for a request of this kind, whichever in number it is."""
        fits = request.method in self.methods and re.search(self.path, request.target) is not None
        return fits and self.where(request)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request that came in: when (Unix seconds), what, and the name of the fault that it met, "" for none.

    ``body`` is kept of writes only; ``arrives`` is False when the API server never hears of it. ``audit_id`` is the
    name that a request which is held back gets in the audit log, "" for any other.
    """

    at: float
    method: str
    target: str
    body: bytes
    fault: str = ""
    arrives: bool = True
    audit_id: str = ""


@dataclass(kw_only=True)
class Injection:
    """A fault that waits for its request. ``times`` None: until it is cleared.

    ``on_hit`` is called in the proxy's thread at the moment of the fault: when what the fault commits is committed,
    and before the client hears of it. It has to be quick.
    """

    fault: Fault
    match: Match
    times: int | None
    on_hit: Callable[[Seen], None] | None = None
    hits: list[Seen] = field(default_factory=list)
    cleared: asyncio.Event = field(default_factory=asyncio.Event)
    _fitting: int = 0

    def takes(self, request: Message) -> bool:
        """Counts a request, and says whether it is one that is to fail."""
        if self.cleared.is_set() or not self.match.fits(request):
            return False
        self._fitting += 1
        return self._fitting >= self.match.first and (self.times is None or len(self.hits) < self.times)

    def hit(self, seen: Seen) -> None:
        """The moment of the fault."""
        if self.on_hit is not None:
            self.on_hit(seen)


def meet(request: Message, injections: list[Injection]) -> tuple[Seen, Injection | None]:
    """The record of a request, and the fault that it meets."""
    chosen = [injection for injection in injections if injection.takes(request)][:1]
    seen = Seen(
        at=time.time(),
        method=request.method,
        target=request.target,
        body=request.body if request.method in WRITES else b"",
        fault=type(chosen[0].fault).__name__ if chosen else "",
        arrives=not chosen or isinstance(chosen[0].fault, CARRIED_OUT),
        audit_id=str(uuid.uuid4()) if chosen and isinstance(chosen[0].fault, Delay) else "",
    )
    for injection in chosen:
        injection.hits.append(seen)
    return seen, chosen[0] if chosen else None
