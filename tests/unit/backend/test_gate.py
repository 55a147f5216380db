# SPDX-License-Identifier: Apache-2.0
"""The gate before sessions whose jobs are begun from the worker: several workers and one device, on a virtual clock."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paracore.backend._allowance import Allowance
from paracore.backend._arbiter import UNLIMITED, Arbiter
from paracore.backend._gate import GRACE, UnitGate
from paracore.backend._gated import GatedSession
from paracore.backend._held import HeldSession
from paracore.backend._policies import Claim
from paracore.classes.video import Direction, Drained, Error, InputDone, InputFlag
from paracore.drivers import CallFailed, GateWords, Span, VideoSession
from tests.unit.backend.test_paced import Driver

MS = 1_000_000
NONE = InputFlag(0)
SPAN = Span(4096, 8, read_only=True)
AHEAD = 3


class Device:
    """Does one job at a time, of whichever worker; `now` is the clock of all."""

    def __init__(self):
        self.now = 0
        self.free_at = 0


class Codec(Driver):
    """A session whose inputs take so long each, one after the other."""

    def __init__(self, device, cost):
        super().__init__()
        self.device, self.cost = device, cost
        self.jobs = []  # cookie, begins, ends
        self.blocked = False

    def queue_input(self, span, cookie, flags, timestamp, duration):
        super().queue_input(span, cookie, flags, timestamp, duration)
        begins = max(self.device.now, self.device.free_at)
        self.device.free_at = begins + self.cost
        self.jobs.append((cookie, begins, self.device.free_at))

    def busy_since(self):
        return None if self.blocked or not self.cost or not self.jobs else min(self.jobs[0][1], self.device.now)

    def due(self):
        return bool(self.jobs) and self.jobs[0][2] <= self.device.now

    def completions(self):
        while self.due():
            self.tell(InputDone(self.jobs.pop(0)[0], 0))
            if self.cost:  # one job at a time, as it would have been seen
                break
        return super().completions()


class Feed:
    """A session, and a program that always has so many units queued in it."""

    def __init__(self, world, gate, cost, depth):
        self.depth = depth
        self.codec = Codec(world.device, cost)
        self.session = GatedSession(self.codec, Direction.DECODE, gate)
        self.cookie = self.queued = self.done = 0

    def feed(self):
        while self.queued < self.depth:
            self.cookie += 1
            self.queued += 1
            self.session.queue_input(SPAN, self.cookie, NONE, 0, 0)

    def turn(self):
        while self.codec.due() or self.session.has_news:
            told = self.session.completions()
            self.queued -= len(told)
            self.done += len(told)
            self.feed()


class Worker:
    """A domain's, with so many sessions: of one process or of several, which is all the same here."""

    def __init__(self, world, name, cost, *, weight=100, depth=8, sessions=1, limit=None):
        self.world, self.cost = world, cost
        self.claim = Claim(name, weight, limit=limit)
        self.gate = UnitGate(lambda: world.device.now)
        self.feeds = [Feed(world, self.gate, cost, depth) for _ in range(sessions)]
        self.number = 0

    @property
    def done(self):
        return sum(each.done for each in self.feeds)

    def feed(self):
        for each in self.feeds:
            each.feed()

    def turn(self):
        for each in self.feeds:
            each.turn()
        self.gate.turn()
        if used := self.gate.used():
            self.world.arbiter.charge(self.claim, used, self.world.device.now)
        words = self.gate.words()
        if words.release:
            self.world.arbiter.give_back(self.claim, self.world.device.now)
        if words.want:
            self.world.arbiter.want(self.claim, self.world.device.now)


class World:
    """The supervisor, and time."""

    def __init__(self, policy="fair"):
        self.device = Device()
        self.arbiter = Arbiter(policy, 1)
        self.workers = {}

    def add(self, name, *arguments, **settings):
        worker = Worker(self, name, *arguments, **settings)
        self.workers[name] = worker
        self.arbiter.enter(worker.claim)
        worker.feed()

    def run(self, until):
        while self.device.now < until:
            self.settle()
            self.device.now = min(until, *self.moments())

    def settle(self):
        for worker in self.workers.values():
            worker.turn()
        for lease in self.arbiter.turn(self.device.now):
            worker = self.workers[lease.claim.name]
            worker.number += lease.begins
            worker.gate.lease(worker.number, lease.budget)
            worker.turn()

    def moments(self):
        for worker in self.workers.values():
            for each in worker.feeds:
                yield from (job[2] for job in each.codec.jobs[:1])
            if (timeout := worker.gate.timeout_ms()) >= 0:
                yield self.device.now + max(1, timeout) * MS
        if (wake := self.arbiter.wake_at(self.device.now)) is not None:
            yield wake

    def close(self):
        for worker in self.workers.values():
            for each in worker.feeds:
                each.session.close()


@pytest.fixture
def world():
    world = World()
    yield world
    world.close()


def off(world, until):
    """By how much a domain has more or less than its weight says: the worst, beside what it should have."""
    weights = {name: worker.claim.weight for name, worker in world.workers.items()}
    used = {name: worker.done * worker.cost for name, worker in world.workers.items()}
    assert sum(used.values()) >= 0.9 * until, "the device is at work"
    share = sum(used.values()) / sum(weights.values())
    return max(abs(used[name] / (share * weights[name]) - 1) for name in used)


@pytest.mark.parametrize("weights", [(100, 300), (100, 100, 200, 400, 100, 100, 200, 400)], ids=["two", "eight"])
def test_greedy_domains_get_their_parts(world, weights):
    for number, weight in enumerate(weights):
        world.add(f"d{number}", (2 + number) * MS, weight=weight)
    world.run(20_000 * MS)
    assert off(world, world.device.now) < 0.02


@given(
    st.lists(
        st.tuples(st.integers(4, 30), st.sampled_from((100, 200, 400)), st.integers(1, 12)), min_size=2, max_size=5
    )
)
@settings(max_examples=8, deadline=None)
def test_whatever_jobs_cost_and_however_many_are_queued(domains):
    world = World()
    for number, (cost, weight, depth) in enumerate(domains):
        world.add(f"d{number}", cost * MS, weight=weight, depth=depth)
    world.run(10_000 * MS)
    world.close()
    assert off(world, world.device.now) < 0.05


@given(
    rate=st.integers(5, 90),
    burst=st.integers(1, 100),
    cost=st.integers(1, 30),
    sessions=st.integers(1, 4),
    neighbours=st.integers(0, 1),
)
@settings(max_examples=12, deadline=None)
def test_a_limit_is_kept_by_any_number_of_sessions(rate, burst, cost, sessions, neighbours):
    """Of what the device has done, whatever has been told of it: the burst and a unit or two, which is nothing in the long run."""
    world = World()
    limit = Allowance(rate / 100, burst * MS, level=burst * MS)
    world.add("limited", cost * MS, sessions=sessions, limit=limit)
    for number in range(neighbours):
        world.add(f"d{number}", 5 * MS)
    world.run(10_000 * MS)
    limited = world.workers["limited"]
    world.close()
    assert limited.done * limited.cost <= 0.01 * rate * world.device.now + (burst + 2 * cost + 1) * MS
    if (
        not neighbours and burst >= cost
    ):  # what a smaller one cannot hold lapses within a unit, or while others have the device
        assert limited.done * limited.cost >= 0.98 * 0.01 * rate * world.device.now - 2 * cost * MS


def test_alone_there_is_one_lease_and_the_device_never_rests(world):
    world.add("alone", 5 * MS)
    world.run(1000 * MS)
    assert world.workers["alone"].claim.turns == 1
    assert world.workers["alone"].done >= 199
    assert 950 * MS <= world.workers["alone"].claim.used <= 1000 * MS


# --- one gate -------------------------------------------------------------------------------------------


class Bench:
    """A gate, with the test in the supervisor's place."""

    def __init__(self):
        self.device = Device()
        self.gate = UnitGate(lambda: self.device.now)
        self.sessions = []

    def open(self, direction=Direction.DECODE, cost=5 * MS):
        codec = Codec(self.device, cost)
        self.sessions.append(GatedSession(codec, direction, self.gate))
        return self.sessions[-1], codec

    def give(self, session, *cookies):
        for cookie in cookies:
            session.queue_input(SPAN, cookie, NONE, 0, 0)

    def wait(self, ms):
        self.device.now += ms * MS
        for session in self.sessions:
            while session._driver.due() or session.has_news:
                session.completions()
        self.gate.turn()


@pytest.fixture
def bench():
    bench = Bench()
    yield bench
    for session in bench.sessions:
        session.close()


def test_nothing_of_a_drivers_session_is_left_to_its_default():
    public = {name for name in vars(VideoSession) if not name.startswith("_")}
    assert public - (vars(HeldSession) | vars(GatedSession)).keys() == {"stoppable"}


def test_nothing_is_done_without_a_lease(bench):
    session, codec = bench.open()
    bench.give(session, 1, 2)
    session.drain()
    assert codec.calls == []
    assert bench.gate.words() == GateWords(release=False, want=True, lease=0)
    assert bench.gate.words() == GateWords(release=False, want=False, lease=0), "it asks once"
    bench.gate.lease(1, UNLIMITED)
    bench.gate.turn()
    assert codec.calls == [("input", 1), ("input", 2), ("drain",)]


def test_the_driver_gets_no_more_than_keeps_it_at_work(bench):
    session, codec = bench.open()
    bench.gate.lease(1, UNLIMITED)
    bench.give(session, *range(10))
    assert len(codec.calls) == AHEAD
    bench.wait(5)
    assert len(codec.calls) == AHEAD + 1


def test_a_driver_that_is_through_at_once_gets_all(bench):
    session, codec = bench.open(cost=0)
    bench.gate.lease(1, UNLIMITED)
    bench.give(session, *range(10))
    bench.wait(0)
    assert len(codec.calls) == 10
    assert session.completions() == []


def test_the_smallest_lease_is_good_for_a_unit_and_no_more(bench):
    session, codec = bench.open()
    bench.give(session, 1, 2, 3)
    for number in (1, 2, 3):
        assert bench.gate.words().want or number > 1
        bench.gate.lease(number, 1)
        bench.gate.turn()
        bench.gate.turn()
        assert len(codec.calls) == number
        assert not bench.gate.words().release, "it is at a job"
        bench.wait(5)
        assert bench.gate.used() == 5 * MS
        words = bench.gate.words()
        if number < 3:
            assert words == GateWords(release=True, want=True, lease=number)
    assert words == GateWords(release=True, want=False, lease=3)


def test_no_more_is_begun_than_the_lease_is_good_for(bench):
    session, codec = bench.open()
    bench.gate.lease(1, UNLIMITED)
    bench.give(session, *range(10))
    bench.wait(5)
    bench.wait(5)
    begun = len(codec.calls)
    bench.gate.lease(1, 10 * MS)
    bench.wait(5)
    assert len(codec.calls) == begun
    bench.wait(5)
    bench.wait(5)
    assert bench.gate.words() == GateWords(release=True, want=True, lease=1)


def test_a_lease_that_is_called_back_ends_with_what_is_begun(bench):
    session, codec = bench.open()
    bench.gate.lease(1, UNLIMITED)
    bench.give(session, *range(5))
    bench.gate.lease(1, 0)
    bench.gate.turn()
    assert not bench.gate.words().release
    for _ in range(AHEAD):
        bench.wait(5)
    assert len(codec.calls) == AHEAD
    assert bench.gate.words() == GateWords(release=True, want=True, lease=1)
    bench.gate.lease(1, UNLIMITED)  # on its way when it was given back: void
    bench.gate.turn()
    assert len(codec.calls) == AHEAD


def test_a_lease_with_nothing_to_do_is_kept_for_a_moment(bench):
    session, _ = bench.open()
    bench.gate.lease(1, 100 * MS)
    bench.give(session, 1)
    bench.wait(5)
    assert not bench.gate.words().release
    assert bench.gate.timeout_ms() == GRACE // MS
    bench.device.now += GRACE
    assert bench.gate.timeout_ms() == 0
    assert bench.gate.words() == GateWords(release=True, want=False, lease=1)
    assert bench.gate.timeout_ms() == -1


def test_a_domain_that_takes_no_pictures_does_not_keep_the_device(bench):
    session, codec = bench.open()
    bench.gate.lease(1, 100 * MS)
    bench.give(session, 1)
    codec.blocked = True
    bench.gate.turn()
    bench.device.now += GRACE
    assert bench.gate.words() == GateWords(release=True, want=False, lease=1)
    codec.blocked = False
    bench.wait(5)
    assert session.completions() == []
    assert bench.sessions[0]._done == 1, "what was begun is ended without a lease"


def test_two_jobs_at_once_count_once(bench):
    bench.gate.lease(1, UNLIMITED)
    for _ in range(2):
        session, codec = bench.open(cost=30 * MS)
        bench.give(session, 1)
        codec.jobs = [(1, 0, 30 * MS)]
    bench.wait(30)
    assert bench.gate.used() == 30 * MS


def test_sessions_have_turns(bench):
    (one, first), (other, second) = bench.open(), bench.open()
    bench.give(one, *range(8))
    bench.give(other, *range(8))
    for number in range(1, 9):
        bench.gate.words()
        bench.gate.lease(number, 1)
        bench.wait(5)
    assert len(first.calls) == len(second.calls) == 4


def test_a_flush_does_not_wait_and_a_close_forgets(bench):
    session, codec = bench.open()
    bench.give(session, 1, 2)
    session.flush()
    assert session.completions() == [InputDone(cookie, Error.CANCELLED) for cookie in (1, 2)]
    bench.give(session, 3)
    session.close()
    bench.gate.lease(1, UNLIMITED)
    bench.gate.turn()
    assert codec.calls == [("flush",)]
    bench.sessions.clear()


def test_what_the_driver_says_of_a_unit_that_waited(bench):
    session, codec = bench.open()
    codec.failures = {("input", 2): CallFailed(Error.INVALID), ("drain",): RuntimeError("out of its mind")}
    bench.give(session, 1, 2)
    bench.gate.lease(1, UNLIMITED)
    assert not bench.gate.turn()
    bench.device.now += 5 * MS
    assert session.completions() == [InputDone(1, 0), InputDone(2, Error.INVALID)]
    bench.give(session, 3, 4, 5, 6)
    session.drain()
    for _ in range(4):
        bench.device.now += 5 * MS
        bench.gate.turn()
        if not session._fault:
            session.completions()
    assert bench.gate.turn(), "the worker is to ask"
    with pytest.raises(RuntimeError):
        session.completions()


def test_a_drain_is_the_drivers_word(bench):
    session, codec = bench.open()
    bench.gate.lease(1, UNLIMITED)
    session.drain()
    codec.tell(Drained())
    assert session.completions() == [Drained()]
