"""The election of one Lease: a table for each word of the law, and the law itself for whatever may happen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from watchdog.core.elector import (
    NEVER,
    TIMING,
    Lease,
    Move,
    View,
    decide,
    free_at,
    gave_up,
    is_alive,
    looked,
    may_give_back,
    next_lease,
    renewed_by_another,
    trying,
)

OTHER = Lease(holder="b", acquired="t", renewed="t", transitions=3, duration=15, version="7")
MINE = replace(OTHER, holder="a")
GIVEN_BACK = replace(OTHER, holder="", duration=1)


def view(lease: Lease | None, *, since: float | None = 100.0, act_until: float = NEVER) -> View:
    return View(me="a", lease=lease, since=since, transitions=3, act_until=act_until)


@pytest.mark.parametrize(
    ("seen", "now", "move"),
    [
        pytest.param(View(me="a"), 1e9, Move.WAIT, id="before the first look"),
        pytest.param(view(None), 100.0, Move.CREATE, id="F42 there is none"),
        pytest.param(view(OTHER), 114.9, Move.WAIT, id="another holder, silent for less than a duration"),
        pytest.param(view(OTHER), 115.0, Move.TAKE, id="another holder, silent for a duration"),
        pytest.param(view(replace(OTHER, duration=30)), 129.9, Move.WAIT, id="a holder that lives by longer times"),
        pytest.param(view(replace(OTHER, duration=9999)), 160.0, Move.TAKE, id="an absurd duration does not block"),
        pytest.param(view(replace(OTHER, duration=1)), 114.9, Move.WAIT, id="a shorter duration is not believed"),
        pytest.param(view(GIVEN_BACK), 100.0, Move.TAKE, id="given back"),
        pytest.param(view(replace(GIVEN_BACK, duration=15)), 114.9, Move.WAIT, id="F42 emptied by hand, or just made"),
        pytest.param(view(replace(GIVEN_BACK, duration=15)), 115.0, Move.TAKE, id="F42 emptied by hand long ago"),
        pytest.param(view(MINE, act_until=105.0), 104.9, Move.RENEW, id="mine"),
        pytest.param(view(MINE, act_until=105.0), 105.0, Move.WAIT, id="F37 mine, and over just now"),
        pytest.param(view(MINE), 115.0, Move.TAKE, id="F37 mine, and nobody took it while I was away"),
    ],
)
def test_what_is_done_next(seen: View, now: float, move: Move) -> None:
    assert decide(seen, now=now) is move


def renewing(*, started: float) -> tuple[View, Lease]:
    """A renewal on its way, and what it will leave behind."""
    before = view(MINE, act_until=started + 1)
    lease = next_lease(before, Move.RENEW, wall="u")
    return trying(before, lease, started=started), replace(lease, version="8")


def test_F41_time_is_counted_from_the_start_of_the_write() -> None:
    before, written = renewing(started=200.0)
    after = looked(before, written, now=202.9)
    assert after.may_act(209.9)
    assert not after.may_act(210.0)
    assert after.may_act(207.9, margin=2.0)
    assert not after.may_act(208.0, margin=2.0)


def test_an_answer_that_was_lost_is_found_by_looking() -> None:
    before, written = renewing(started=200.0)
    assert not before.may_act(203.0), "before the look nobody knows"
    assert looked(before, written, now=203.0).may_act(203.0)
    assert not looked(before, written, now=230.0).may_act(230.0), "its time is over all the same"


def test_F42_whom_an_old_copy_of_the_lease_names_does_not_give_back_what_another_holds() -> None:
    before, written = renewing(started=200.0)
    assert may_give_back(looked(before, written, now=203.0), now=209.0)
    taken = looked(before, replace(OTHER, version="9"), now=220.0)
    assert not may_give_back(looked(taken, replace(written, version="10"), now=221.0), now=221.0)


def test_what_was_given_up_is_not_found_again() -> None:
    before, written = renewing(started=200.0)
    assert not looked(gave_up(before), written, now=200.1).may_act(200.1)


def test_F34_a_write_that_began_in_time_is_over_before_anybody_else_may_act() -> None:
    assert TIMING.term - TIMING.margin + TIMING.call < TIMING.duration


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(OTHER, holder="c"), id="holder"),
        pytest.param(replace(OTHER, renewed="u"), id="renewTime"),
        pytest.param(replace(OTHER, transitions=4), id="leaseTransitions"),
        pytest.param(replace(OTHER, version="8"), id="resourceVersion"),
        pytest.param(None, id="deleted"),
    ],
)
def test_only_a_change_starts_the_wait_anew(other: Lease | None) -> None:
    first = looked(View(me="a"), OTHER, now=100.0)
    assert looked(first, OTHER, now=110.0).since == 100.0
    assert looked(first, other, now=110.0).since == 110.0


def test_F79_the_instants_in_a_lease_are_not_read() -> None:
    seen = looked(View(me="a"), replace(OTHER, renewed="1970-01-01T00:00:00.000000Z"), now=100.0)
    assert free_at(seen) == 115.0


@pytest.mark.parametrize(
    ("seen", "lease", "holder"),
    [
        pytest.param(OTHER, replace(OTHER, renewed="u"), "b", id="renewed"),
        pytest.param(OTHER, OTHER, "", id="silent"),
        pytest.param(MINE, OTHER, "", id="F42 named just now, by itself or by hand"),
        pytest.param(None, OTHER, "", id="the first look"),
        pytest.param(OTHER, None, "", id="deleted"),
        pytest.param(OTHER, replace(GIVEN_BACK, renewed="u"), "", id="given back"),
        pytest.param(GIVEN_BACK, replace(GIVEN_BACK, renewed="u"), "", id="held by nobody"),
        pytest.param(MINE, replace(MINE, renewed="u"), "", id="my own renewal, its answer lost"),
    ],
)
def test_who_else_is_seen_to_hold_it(seen: Lease | None, lease: Lease | None, holder: str) -> None:
    assert renewed_by_another(view(seen), lease) == holder


@pytest.mark.parametrize("lease", [OTHER, GIVEN_BACK, None], ids=["another's", "given back", "F42 deleted"])
def test_a_lease_that_does_not_name_me_ends_it_at_once(lease: Lease | None) -> None:
    holding = view(MINE, act_until=110.0)
    assert holding.may_act(101.0)
    assert not looked(holding, lease, now=101.0).may_act(101.0)


@pytest.mark.parametrize(
    ("seen", "move", "expected"),
    [
        pytest.param(View(me="a", since=0.0), Move.CREATE, Lease(transitions=0), id="the first of all has no holder"),
        pytest.param(view(None), Move.CREATE, Lease(transitions=3), id="F42 deleted"),
        pytest.param(view(OTHER), Move.TAKE, replace(OTHER, holder="a", acquired="now", transitions=4), id="another's"),
        pytest.param(view(MINE), Move.RENEW, MINE, id="renewed"),
        pytest.param(
            view(replace(OTHER, transitions=0)),
            Move.TAKE,
            replace(OTHER, holder="a", acquired="now", transitions=4),
            id="F42 the number was set back by hand",
        ),
    ],
)
def test_what_is_written_and_that_transitions_never_go_back(seen: View, move: Move, expected: Lease) -> None:
    assert next_lease(seen, move, wall="now") == replace(expected, renewed="now", duration=15)


@pytest.mark.parametrize(
    ("seen", "now", "alive"),
    [
        pytest.param(view(OTHER), 114.9, True, id="another, not silent"),
        pytest.param(view(OTHER), 115.0, False, id="another, silent"),
        pytest.param(view(GIVEN_BACK), 100.0, False, id="given back"),
        pytest.param(view(None), 100.0, False, id="none"),
        pytest.param(view(MINE, act_until=105.0), 104.9, True, id="mine"),
        pytest.param(view(MINE, act_until=105.0), 105.0, False, id="mine, and over"),
    ],
)
def test_who_lives(seen: View, now: float, *, alive: bool) -> None:
    assert is_alive(seen, now=now) is alive


# whatever may happen

REPLICAS = 3
WITHIN_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Late:
    """Something on its way to or from the API server: a write, or what was read or written."""

    by: int
    me: str
    lease: Lease | None
    is_call: bool = False


@dataclass
class Replica:
    """One process: its clock has a rate and an origin of its own."""

    number: int
    rate: float
    view: View

    def clock(self, now: float) -> float:
        return 1000.0 * self.number + now * self.rate

    def may_act(self, now: float) -> bool:
        return self.view.may_act(self.clock(now))

    def may_give_back(self, now: float) -> bool:
        return may_give_back(self.view, now=self.clock(now))


class Election(RuleBasedStateMachine):
    """An API server that does one thing after another, and replicas whose calls are late, lost, and later than that."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.lease: Lease | None = None
        self.version = 0
        self.processes = 0
        self.late: list[Late] = []
        self.history: list[Lease] = []
        self.replicas = [Replica(number, rate, View(me=f"{number}")) for number, rate in enumerate((0.85, 1.0, 1.15))]

    @initialize(there=st.booleans())
    def there_is_a_lease_or_none(self, *, there: bool) -> None:
        if there:
            self.put(GIVEN_BACK)

    @rule(
        pause=st.sampled_from([0.01, 1.0, 2.0, 4.0, 9.0, 18.0]),
        number=st.integers(0, REPLICAS - 1),
        late=st.sampled_from(["nothing", "nothing", "what was read", "the write", "the answer"]),
    )
    def a_replica_has_its_turn(self, pause: float, number: int, late: str) -> None:
        self.now += pause
        self.never_two_that_may_act()
        replica = self.replicas[number]
        if late == "what was read":
            self.late.append(Late(number, replica.view.me, self.lease))
        else:
            self.seen(Late(number, replica.view.me, self.lease))
        call = self.write_of(replica)
        if call is None:
            return
        if late == "the write":
            self.late.append(call)
            return
        written = self.commit(call)
        if written is not None and late == "the answer":
            self.late.append(written)
        elif written is not None:
            self.seen(written)

    @precondition(lambda self: self.late)
    @rule(data=st.data())
    def something_late_arrives(self, data: st.DataObject) -> None:
        late = self.late.pop(data.draw(st.integers(0, len(self.late) - 1)))
        if late.is_call:
            self.commit(late)  # whoever sent it has long given up waiting for its answer
        else:
            self.seen(late)

    @precondition(lambda self: any(replica.may_give_back(self.now) for replica in self.replicas))
    @rule(data=st.data(), is_late=st.booleans())
    def a_holder_gives_back(self, data: st.DataObject, *, is_late: bool) -> None:
        replica = data.draw(st.sampled_from([each for each in self.replicas if each.may_give_back(self.now)]))
        replica.view = gave_up(replica.view)
        if replica.view.lease is not None:
            given_back = replace(replica.view.lease, holder="", duration=1)
            call = Late(replica.number, replica.view.me, given_back, is_call=True)
            if is_late:
                self.late.append(call)
            else:
                self.commit(call)

    @rule(rounds=st.integers(1, 9), absent=st.integers(0, REPLICAS))
    def all_goes_well_for_a_while(self, rounds: int, absent: int) -> None:
        for _ in range(rounds):
            for number in range(REPLICAS):
                if number != absent:
                    self.a_replica_has_its_turn(1.0, number, "nothing")

    @rule(data=st.data(), deed=st.sampled_from(["kill", "delete", "empty", "restore an old copy"]))
    def somebody_meddles(self, data: st.DataObject, deed: str) -> None:
        if deed == "kill":
            number = data.draw(st.integers(0, REPLICAS - 1))
            self.processes += 1
            self.replicas[number].view = View(me=f"{number}.{self.processes}")
        elif deed == "delete":
            self.lease = None
        elif deed == "empty":
            self.put(Lease(holder="", duration=15))
        elif self.history:
            self.put(data.draw(st.sampled_from(self.history)))

    # the laws

    @invariant()
    def never_two_that_may_act(self) -> None:
        assert sum(replica.may_act(self.now) for replica in self.replicas) <= 1

    def teardown(self) -> None:
        """Faults stop, and one replica is dead: the others, each at its own pace, have a leader in time."""
        stopped_at, replicas, lease = self.now, self.replicas, self.lease
        for dead in range(REPLICAS):
            self.now, self.lease = stopped_at, lease
            self.replicas = [replace(replica) for replica in replicas]
            living = [replica for replica in self.replicas if replica.number != dead]
            due = {replica.number: stopped_at + replica.number for replica in living}
            while not any(replica.may_act(self.now) for replica in living):
                number = min(due, key=due.__getitem__)
                assert due[number] - stopped_at <= WITHIN_SECONDS
                self.a_replica_has_its_turn(due[number] - self.now, number, "nothing")
                due[number] = self.now + self.pause(self.replicas[number])

    def pause(self, replica: Replica) -> float:
        left = (free_at(replica.view) - replica.clock(self.now)) / replica.rate
        return min(2.4, left + 0.02 if left > 0 else 2.4)

    # how it goes

    def write_of(self, replica: Replica) -> Late | None:
        now = replica.clock(self.now)
        move = decide(replica.view, now=now)
        if move is Move.WAIT:
            return None
        lease = next_lease(replica.view, move, wall=f"{self.now}")
        if move is not Move.CREATE:
            replica.view = trying(replica.view, lease, started=now)
        return Late(replica.number, replica.view.me, lease, is_call=True)

    def commit(self, call: Late) -> Late | None:
        """The API server: a write of another version than what is there is refused."""
        assert call.lease is not None
        if call.lease.version != (self.lease.version if self.lease is not None else ""):
            return None
        if self.lease is not None:
            assert call.lease.transitions >= self.lease.transitions
        return Late(call.by, call.me, self.put(call.lease))

    def put(self, lease: Lease) -> Lease:
        self.version += 1
        self.lease = replace(lease, version=str(self.version))
        if lease.holder:
            self.history.append(lease)
        return self.lease

    def seen(self, look: Late) -> None:
        replica = self.replicas[look.by]
        if replica.view.me == look.me:
            replica.view = looked(replica.view, look.lease, now=replica.clock(self.now))


TestElection = Election.TestCase
TestElection.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
