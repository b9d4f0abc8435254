"""One cell of the matrix: one rollback, one of its writes, one fault, one way to go on.

Law: a cell is judged by the cluster and its audit log; of the watchdog's own words it takes only whether people were
told, and that nothing is open any more.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.campaign.ground import Ground
from tests.campaign.nursery import Nestling, Nursery
from tests.campaign.one_target import Order
from tests.stack.auditlog import MUTATING, Row, by_user
from tests.stack.evidence import Evidence
from tests.stack.fault_proxy import FaultProxy, ProxyThread
from tests.stack.faults import Fault
from tests.stack.http1 import Message
from tests.stack.injection import Injection, Match, Seen
from tests.stack.invariants import switches, violations
from tests.stack.kubernetes import ControlPlane
from tests.stack.podhistory import PodHistory
from tests.stack.wait import wait_until

USER = "watchdog"
FINISH_SECONDS = 60
PAUSE_SECONDS = 0.1
TRIES = 3
AWAKE_LOOKS = 3
# How long people may be left in the dark, and how fast the watchdog's clock runs meanwhile. A call that hangs takes 3
# of these seconds, and there are several before a minute of that clock has passed on a slow machine.
HELD_SECONDS, HELD_PACE = 20, 30


class Resume(StrEnum):
    """How it goes on after the fault."""

    SAME_PROCESS = "the same process goes on"
    KILLED = "F43 killed -9 and a new process"
    FROZEN = "F41 it stands still until another one has finished"
    NEVER_CLEARS = "the fault never clears"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """``write`` is the label of the write that meets the fault; none: there is no fault.

    ``held``: the rollback cannot be finished before the fault is cleared, and people have to be told.
    """

    write: str = ""
    fault: Fault | None = None
    resume: Resume = Resume.SAME_PROCESS
    held: bool = False

    def __str__(self) -> str:
        return f"{self.write}, {self.fault}, {self.resume}" if self.fault else "no fault"


@dataclass(kw_only=True)
class Result:
    """What became of a cell. ``findings`` are sentences; a cell without any is well.

    ``met``: the write came, and met its fault. ``told``: people were told that the rollback is held, while it was.
    ``evidence`` is kept of a rollback without a fault.
    """

    cell: Cell
    told: bool = False
    met: bool = False
    findings: list[str] = field(default_factory=list)
    requests: list[Seen] = field(default_factory=list)
    writes: list[Seen] = field(default_factory=list)
    evidence: Evidence | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What all cells share."""

    plane: ControlPlane
    pods: PodHistory
    proxies: ProxyThread
    nursery: Nursery
    audit: Callable[[str], list[Row]]
    folder: Path


def label_of(write: Seen | Message) -> str:
    """The name of a write, the same in every namespace: its object and what it changes."""
    body = json.loads(write.body)
    space, _, name = write.target.partition("?")[0].partition("/namespaces/")[2].partition("/")
    name = name.replace(f"canary-watchdog-{space}", "journal")
    if isinstance(body, list):
        changed = [part for each in body if each["op"] != "test" for part in _parts(each)]
        return f"{name} {', '.join(changed)}".replace("canary-watchdog~1", "")
    about = [body.get("reason", ""), body.get("regarding", {}).get("name", ""), *body.get("data", {})]
    return " ".join(filter(None, (name, "new", *about))).replace(f" {space}", "")


def _parts(operation: dict[str, Any]) -> list[str]:
    """The field that is written or, of the journal, the parts that it has."""
    path: str = operation["path"]
    return sorted(operation["value"]) if path == "/data" else [path.rpartition("/")[2]]


def run_cell(shared: Field, cell: Cell) -> Result:
    """What becomes of a cell.

    Which parts a journal has when it is written depends on the moment: a cell whose write does not come has tried
    nothing, and is tried again.
    """
    for _ in range(TRIES):
        result = Run(shared, cell).run()
        if result.met or result.findings:
            return result
    result.findings.append("the write never came")
    return result


class Run:
    """One cell while it runs, in a thread of its own."""

    def __init__(self, shared: Field, cell: Cell) -> None:
        self._shared = shared
        self._cell = cell
        self._hit = threading.Event()
        self._struck = threading.Event()
        self._process: Nestling | None = None
        self._is_done: Callable[[], bool] = lambda: False

    def run(self) -> Result:
        """Until the rollback is finished, or the time is over."""
        result = Result(cell=self._cell)
        ground = Ground(plane=self._shared.plane, pods=self._shared.pods)
        began = time.monotonic()
        try:
            with self._shared.proxies.listening() as proxy:
                try:
                    self._roll_back(ground, proxy, result)
                finally:
                    if self._process is not None:
                        self._process.close()
        finally:
            ground.close()
        result.seconds = time.monotonic() - began
        return result

    def _roll_back(self, ground: Ground, proxy: FaultProxy, result: Result) -> None:
        injection = self._inject(proxy)
        log = self._shared.folder / f"{ground.namespace}.log"
        pace = HELD_PACE if self._cell.resume is Resume.NEVER_CLEARS else 1
        kubeconfig = proxy.kubeconfig(self._shared.plane.tokens[USER], namespace=ground.namespace)
        order = Order(kubeconfig=str(kubeconfig), namespace=ground.namespace, log=str(log), pace=pace)
        self._process = self._shared.nursery.spawn(order)
        self._is_done = lambda: self._nothing_is_open(log) and not ground.shortcomings()
        try:
            if self._cell.resume is Resume.KILLED:
                self._replace(order)
            elif self._cell.resume is Resume.FROZEN:
                self._stand_in(order, proxy)
            elif self._cell.held:
                self._be_held(log, proxy, result)
            _wait(self._is_done, lambda: "; ".join([*ground.shortcomings(), _tail(log)]), within=FINISH_SECONDS)
        except AssertionError as error:
            result.findings.append(f"not finished: {error}")
        result.requests, result.writes = list(proxy.requests), proxy.writes()
        result.met = injection is None or bool(injection.hits)
        self._judge(ground, log, result)

    def _inject(self, proxy: FaultProxy) -> Injection | None:
        if self._cell.fault is None:
            return None
        # A new process meets the fault as well: at the same write, or at the next one when that was committed.
        times = {Resume.KILLED: 2, Resume.NEVER_CLEARS: None}.get(self._cell.resume, 1)
        return proxy.inject(self._cell.fault, Match(where=self._is_meant), times=times, on_hit=self._on_hit)

    def _is_meant(self, request: Message) -> bool:
        label, wanted = label_of(request), self._cell.write
        if self._cell.resume is Resume.NEVER_CLEARS:  # whatever else is written beside it
            return label.split(" ")[:2] == wanted.split(" ")[:2]
        is_next_one = self._cell.resume is Resume.KILLED and self._hit.is_set()
        return is_next_one or label == wanted

    def _on_hit(self, _: Seen) -> None:
        if self._cell.resume is Resume.KILLED and not self._hit.is_set() and self._process is not None:
            self._struck.set()  # before it is dead, or its death would look like one that nobody meant
            self._process.kill()
        if self._cell.resume is Resume.FROZEN and self._process is not None:
            self._process.suspend()
        self._hit.set()

    def _replace(self, order: Order) -> None:
        assert self._process is not None
        if self._comes():
            self._process.close()
            self._process = self._shared.nursery.spawn(order)
            self._struck.clear()

    def _stand_in(self, order: Order, proxy: FaultProxy) -> None:
        """Another process finishes what the first one has begun, which wakes up then and goes on as if nothing was."""
        frozen = self._process
        assert frozen is not None
        if not self._comes():
            return
        self._process = self._shared.nursery.spawn(order)
        try:
            _wait(self._is_done, lambda: "the other one has not finished", within=FINISH_SECONDS)
        finally:
            self._process.close()
            self._process = frozen
            frozen.resume()
        seen = len(proxy.requests)

        def looks() -> int:
            return sum(each.target.endswith("/services") for each in proxy.requests[seen:])

        _wait(lambda: looks() >= AWAKE_LOOKS, lambda: "it does not wake up", within=FINISH_SECONDS)

    def _comes(self) -> bool:
        """Waits for the write; False when the rollback is over without it."""
        _wait(lambda: self._hit.is_set() or self._is_done(), lambda: "the write never came", within=FINISH_SECONDS)
        return self._hit.is_set()

    def _be_held(self, log: Path, proxy: FaultProxy, result: Result) -> None:
        met = self._comes()
        # The journal is written before anything fires, and the first slot of a clock that runs ahead is long in coming.
        _wait(
            lambda: bool(_lines(log, "transition", event="decision", after="rollback")),
            lambda: "no rollback was decided",
            within=FINISH_SECONDS,
        )
        until = time.monotonic() + HELD_SECONDS
        while met and not result.told and time.monotonic() < until:
            assert not self._is_done(), "it is finished, although a write cannot be done"
            result.told = bool(_lines(log, "alert", kind="held"))
            time.sleep(PAUSE_SECONDS)
        proxy.clear()

    def _nothing_is_open(self, log: Path) -> bool:
        """A rollback was told to have ended, or a process that came later sees none and has no reason for one."""
        assert self._process is not None
        assert self._process.running or self._struck.is_set(), f"the process has ended: {_tail(log)}"
        lines = [(line["pid"], line["event"], line["after"]) for line in _lines(log, "transition")]
        began = [number for number, (_, *what) in enumerate(lines) if what == ["decision", "rollback"]]
        return bool(began) and any(
            pid == self._process.pid and (event == "finished" or (event, after) == ("decision", "nothing_firing"))
            for pid, event, after in lines[began[-1] :]
        )

    def _judge(self, ground: Ground, log: Path, result: Result) -> None:
        # A client that follows a redirect leaves the namespace.
        arrived = sum(seen.arrives and ground.namespace in seen.target for seen in result.writes)

        def complete() -> list[Row] | None:
            rows = self._shared.audit(ground.namespace)
            ours = [row for row in rows if by_user(USER)(row) and row["verb"] in MUTATING]
            return rows if len(ours) >= arrived else None

        rows = wait_until(complete, "every write is in the audit log") or []
        ground.wait_for_the_pods()
        evidence = Evidence(
            rows=rows,
            ours=by_user(USER),
            before=ground.before,
            after=ground.objects(),
            pods=self._shared.pods,
            late={seen.audit_id for seen in result.writes if seen.audit_id},
        )
        result.evidence = None if self._cell.fault else evidence
        result.findings += violations(ground.declared(), evidence)
        switched = [write.name for write in switches(ground.declared(), evidence)]
        if sorted(switched) != sorted(ground.declared().selectors):
            result.findings.append(f"not each Service was switched once, but {switched}")
        text = log.read_text()
        if self._shared.plane.tokens[USER] in text:
            result.findings.append("S16: the token is in the log")
        if "Traceback" in text:
            result.findings.append(f"a traceback: {_tail(log)}")


def _lines(log: Path, what: str, **fields: str) -> list[dict[str, Any]]:
    text = log.read_text() if log.exists() else ""
    lines = [json.loads(line) for line in text.rpartition("\n")[0].splitlines() if line.startswith("{")]
    return [line for line in lines if line["what"] == what and all(line[key] == value for key, value in fields.items())]


def _tail(log: Path) -> str:
    return "\n".join(log.read_text().splitlines()[-4:])


def _wait(condition: Callable[[], object], problem: Callable[[], str], *, within: float) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"after {within:g} s: {problem()}"
        time.sleep(PAUSE_SECONDS)
