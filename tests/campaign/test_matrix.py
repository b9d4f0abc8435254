"""Every write of a rollback meets every fault and goes on in every way, on a real API server: all end finished.

Law: the writes are found by a rollback without a fault, never listed here; every cell has a namespace, a proxy and a
process of its own, and many cells run at once.

``make test`` runs a part of the cells, the diagonals of a chess board: each fault meets each way to go on, and each
write meets several faults in each way. ``make campaign`` runs all of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from tests.campaign.cell import USER, Cell, Field, Result, Resume, label_of, run_cell
from tests.campaign.ground import PARKED, Ground
from tests.campaign.one_target import Order
from tests.stack.auditlog import MUTATING, Row, by_user
from tests.stack.banking import APPS
from tests.stack.evidence import Declared
from tests.stack.faults import Delay, Fault, HalfOpen, LoseReply, Reset, Truncate, html, redirect, refusal
from tests.stack.invariants import violations
from tests.stack.style import MIXED
from tests.stack.wait import wait_until

AT_ONCE = 24
NEW_JOURNAL = "configmaps new"
EVERYTHING = "CANARY_WATCHDOG_CAMPAIGN"

FAULTS: dict[str, Fault] = {
    "carried out at once": Delay(0.0),
    "delayed by a second": Delay(1.0),
    "carried out after the client has given up": Delay(4.5),
    "F32 reset before it was sent": Reset(),
    "F34 half-open": HalfOpen(),
    "F30 401": refusal(401),
    "F29 403": refusal(403),
    "F28 409": refusal(409),
    "F28 422": refusal(422),
    "F31 429": refusal(429, headers={"Retry-After": "1"}),
    "F32 500": refusal(500),
    "F32 503": refusal(503),
    "F33 the reply is cut in half": Truncate(),
    "F33 the reply is lost after the commit": LoseReply(),
    "F36 an HTML page that says 200": html(),
    "F36 a redirect": redirect("/version"),
}
# Those of a fault that never clears. What is carried out in spite of it ends by itself.
LASTING = {
    "F29 403": "held",
    "F28 422": "held",
    "F32 500": "held",
    "F34 half-open": "held",
    "F36 an HTML page that says 200": "held",
    "F33 the reply is lost after the commit": "finished",
    "carried out after the client has given up": "finished",
}
ONCE = (Resume.SAME_PROCESS, Resume.KILLED)
Square = tuple[str, Resume]
MATRIX: list[Square] = [(fault, resume) for resume in ONCE for fault in FAULTS]
MATRIX += [(fault, Resume.FROZEN) for fault in ("carried out at once", "delayed by a second")]
ENDLESS: list[Square] = [(fault, Resume.NEVER_CLEARS) for fault in LASTING]


@dataclass(kw_only=True)
class Campaign:
    """The cells under way, by fault and way to go on."""

    clean: Result
    cells: dict[Square, list[Future[Result]]] = field(default_factory=dict)

    def results(self, square: Square) -> list[Result]:
        """Those of one square, when all of them have ended."""
        return [future.result() for future in self.cells[square]]

    def findings(self, square: Square) -> list[str]:
        """What is wrong with the cells of one square."""
        return [f"{result.cell}: {finding}" for result in self.results(square) for finding in result.findings]


@pytest.fixture(scope="module")
def campaign(shared: Field, request: pytest.FixtureRequest) -> Iterator[Campaign]:
    """Starts the cells of all tests that were chosen, in their order."""
    clean = run_cell(shared, Cell())
    labels = list(dict.fromkeys(label_of(seen) for seen in clean.writes))
    started = Campaign(clean=clean)
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="cell") as pool:
        for square in _chosen(request.session.items):
            cells = [_cell(square, label) for label in _rows(square, labels)]
            started.cells[square] = [pool.submit(run_cell, shared, cell) for cell in cells]
        yield started
        pool.shutdown(cancel_futures=True)


def _chosen(items: list[pytest.Item]) -> list[Square]:
    calls = [item.callspec.params for item in items if isinstance(item, pytest.Function) and hasattr(item, "callspec")]
    chosen = [params.get("square") for params in calls]
    return [square for square in (*MATRIX, *ENDLESS) if square in chosen]


def _cell(square: Square, label: str) -> Cell:
    name, resume = square
    held = resume is Resume.NEVER_CLEARS and LASTING[name] == "held"
    return Cell(write=label, fault=FAULTS[name], resume=resume, held=held)


def _rows(square: Square, labels: list[str]) -> list[str]:
    """The writes that meet a square; those that others depend on, when the fault never clears."""
    if square in ENDLESS:
        labels = [label for label in labels if label.startswith(("services/", "deployments/", NEW_JOURNAL))]
        if LASTING[square[0]] == "finished":
            labels = [label for label in labels if not label.startswith(NEW_JOURNAL)]
    if os.environ.get(EVERYTHING):
        return labels
    shift = list(FAULTS).index(square[0]) + list(Resume).index(square[1])
    stride = 3 if square in ENDLESS else 6
    return [label for number, label in enumerate(labels) if (number + shift) % stride == 0]


def test_a_rollback_without_a_fault(campaign: Campaign) -> None:
    """Its writes are the rows of the matrix."""
    labels = [label_of(seen) for seen in campaign.clean.writes]
    assert campaign.clean.findings == []
    switched = {label for label in labels if label.startswith("services/") and "selector" in label}
    scaled = {label for label in labels if label.startswith("deployments/") and "replicas" in label}
    assert (len(switched), len(scaled) >= 3) == (2, True), labels
    assert [label for label in scaled if PARKED in label], "it was made ready first"


def test_F39_nothing_is_read_that_may_be_stale_and_no_object_is_written_but_the_one_that_was_read(
    campaign: Campaign,
) -> None:
    """With a resourceVersion in the query an API server that lags may answer from its cache."""
    reads = [seen for seen in campaign.clean.requests if seen.method == "GET"]
    assert reads
    assert [seen.target for seen in reads if "resourceVersion" in seen.target or "limit=" in seen.target] == []
    for seen in campaign.clean.writes:
        if seen.method == "PATCH" and "/scale" not in seen.target:
            operations = json.loads(seen.body)
            assert "/metadata/resourceVersion" in [each["path"] for each in operations if each["op"] == "test"]


def test_the_checker_sees_what_was_done(campaign: Campaign) -> None:
    """Were more declared than these rows keep, it would find them wrong."""
    evidence = campaign.clean.evidence
    assert evidence is not None
    space = next(write.namespace for write in evidence.effects)
    declared = Declared(
        namespace=space,
        selectors={
            f"{app}-service": {color: MIXED.selector(app, color) for color in ("blue", "green")} for app in APPS
        },
        deployments={f"{app}-{color}": color for app in APPS for color in ("blue", "green")},
        scale_down_delay=1000,
        min_ready=2.0,
        dry_run=True,
    )
    found = {sentence.partition(":")[0] for sentence in violations(declared, evidence)}
    assert {"S1", "S8", "S9", "S17"} <= found


def test_a_dry_run_sends_no_mutating_verb(shared: Field) -> None:
    ground = Ground(plane=shared.plane, pods=shared.pods)
    kubeconfig = shared.plane.make_kubeconfig(shared.plane.tokens[USER])
    log = shared.folder / f"{ground.namespace}.log"
    order = Order(kubeconfig=str(kubeconfig), namespace=ground.namespace, log=str(log), mode="dry-run")
    process = shared.nursery.spawn(order)

    def ours() -> list[Row]:
        return [row for row in shared.audit(ground.namespace) if by_user(USER)(row)]

    try:
        wait_until(lambda: '"dry_run"' in log.read_text(), "it would have rolled back")
        before = len(ours())
        wait_until(lambda: len(ours()) >= before + 10, "it goes on looking")
    finally:
        process.close()
        ground.close()
    assert [row for row in ours() if row["verb"] in MUTATING] == []


@pytest.mark.parametrize("square", [pytest.param(each, id=f"{each[0]}, {each[1]}") for each in MATRIX])
def test_every_write_survives(campaign: Campaign, square: Square) -> None:
    assert campaign.cells[square], "there are cells"
    assert campaign.findings(square) == []


@pytest.mark.parametrize("square", [pytest.param(each, id=f"{each[0]} for ever") for each in ENDLESS])
def test_what_never_clears_does_no_harm(campaign: Campaign, square: Square) -> None:
    """Nothing is done out of turn; what can be finished is, and the rest as soon as the fault is gone."""
    assert campaign.cells[square], "there are cells"
    assert campaign.findings(square) == []


def test_F33_a_journal_whose_every_reply_is_lost(shared: Field, campaign: Campaign) -> None:
    label = next(label for label in map(label_of, campaign.clean.writes) if label.startswith(NEW_JOURNAL))
    result = run_cell(shared, Cell(write=label, fault=LoseReply(), resume=Resume.NEVER_CLEARS))
    assert result.findings == []


@pytest.mark.parametrize("square", [pytest.param(each, id=each[0]) for each in ENDLESS if LASTING[each[0]] == "held"])
def test_what_never_clears_is_told(campaign: Campaign, square: Square) -> None:
    assert [str(result.cell) for result in campaign.results(square) if not result.told] == []
