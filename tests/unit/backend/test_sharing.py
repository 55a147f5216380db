# SPDX-License-Identifier: Apache-2.0
"""What the supervisor does about a worker that keeps a device, on a clock that the test turns."""

from types import SimpleNamespace

import pytest

from paracore import RemoteProtocolError
from paracore.backend._arbiter import UNLIMITED
from paracore.backend._config import DeviceSection, DomainSection, Limits
from paracore.backend._sharing import Sharing


class Loop:
    """Keeps what is to be called later."""

    def __init__(self):
        self.later = []
        self.delays = []

    def call_later(self, delay, step, *arguments):
        entry = (step, arguments)
        self.delays.append(delay)
        self.later.append(entry)
        return SimpleNamespace(cancel=lambda: self.later.remove(entry))

    def pass_time(self):
        due, self.later = self.later, []
        for step, arguments in due:
            step(*arguments)


class Worker:
    def __init__(self):
        self.leases = []
        self.killed = False
        self.time = 0

    def processor_time(self):
        return self.time

    def device_lease(self, device, lease, budget):
        self.leases.append((device, lease, budget))

    def kill(self):
        self.killed = True


class Domain:
    def __init__(self, name, **limits):
        self.name = name
        self.section = DomainSection(name=name, user=1, limits=Limits(**limits))
        self.worker = Worker()
        self.log = SimpleNamespace(write=lambda *_: None)


@pytest.fixture
def world():
    loop, keeper, other = Loop(), Domain("keeper"), Domain("other")
    sharing = Sharing([DeviceSection(name="vpu0", driver="null", slots=1)], loop)
    sharing.measure([])
    sharing.enter(keeper)
    sharing.enter(other)
    sharing.want(keeper, 0)
    assert keeper.worker.leases == [(0, 1, UNLIMITED)]
    sharing.want(other, 0)
    assert keeper.worker.leases[1][:2] == (0, 1)
    assert 0 < keeper.worker.leases[1][2] < UNLIMITED
    return loop, sharing, keeper, other


def test_who_keeps_a_device_that_others_wait_for_is_ended(world):
    loop, _, keeper, other = world
    loop.pass_time()
    assert keeper.worker.killed
    assert not other.worker.killed


def test_a_job_has_its_deadline_before_the_worker_has_one(world):
    """What hangs costs its session, and the worker only if that does not help."""
    loop, sharing, _, _ = world
    assert loop.delays == [30 + 10]
    sharing.change_device(DeviceSection(name="vpu0", driver="null", slots=1, job_deadline=0.5))
    sharing.release(world[2], 0, 1, wants=True)
    assert loop.delays[1:] == [0.5 + 10]


def test_who_keeps_a_device_that_nobody_waits_for_is_not(world):
    loop, sharing, keeper, other = world
    sharing.rest(other)
    loop.pass_time()
    assert not keeper.worker.killed
    sharing.want(other, 0)
    loop.pass_time()
    assert keeper.worker.killed


def test_it_goes_to_the_next_and_old_words_are_void(world):
    loop, sharing, keeper, other = world
    sharing.release(keeper, 0, 7, wants=False)
    assert other.worker.leases == []
    sharing.release(keeper, 0, 1, wants=False)
    assert other.worker.leases == [(0, 1, UNLIMITED)]
    assert loop.later == []


def test_who_gets_a_limit_while_it_has_the_device_comes_again_for_it(world):
    _, sharing, keeper, other = world
    sharing.release(keeper, 0, 1, wants=False)
    limits = Limits(device_time=0.5, device_burst=0.001)
    other.section = DomainSection(name="other", user=1, weight=300, limits=limits)
    sharing.change_domain(other)
    assert other.worker.leases == [(0, 1, UNLIMITED), (0, 1, 0)]
    sharing.release(other, 0, 1, wants=True)
    assert other.worker.leases[2][:2] == (0, 2)
    assert other.worker.leases[2][2] <= 1_000_000


def test_another_policy_calls_everybody_back(world):
    _, sharing, keeper, other = world
    sharing.change_device(DeviceSection(name="vpu0", driver="null", slots=0))
    assert keeper.worker.leases[2:] == [(0, 1, 0)]
    assert other.worker.leases == [(0, 1, UNLIMITED)]
    sharing.release(keeper, 0, 1, wants=True)
    assert keeper.worker.leases[3:] == [(0, 2, UNLIMITED)]


@pytest.mark.parametrize(("slots", "alone"), [(None, True), (0, False), (1, True)])
def test_a_device_that_is_not_the_processor_does_one_thing_at_a_time(slots, alone):
    """Unless it is said to do more."""
    one, other = Domain("one"), Domain("other")
    sharing = Sharing([DeviceSection(name="vpu0", driver="null", slots=slots)], Loop())
    sharing.measure(["vpu0"])
    for domain in (one, other):
        sharing.enter(domain)
        sharing.want(domain, 0)
    assert sharing.slots("vpu0") == int(alone)
    assert (other.worker.leases == []) == alone


def test_the_processor_is_the_kernels_to_share_out():
    sharing = Sharing([DeviceSection(name="vpu0", driver="libav")], Loop())
    sharing.measure([])
    assert sharing.slots("vpu0") == 0


@pytest.mark.parametrize(("said", "period"), [(33_333_333, 33_333_333), (1, 1_000_000), (0, 0)])
def test_a_pace_is_bounded_and_ends_with_the_worker(world, said, period):
    _, sharing, keeper, _ = world
    sharing.pace(keeper, 0, said)
    (claim,) = (claim for claim in sharing._devices["vpu0"].places if claim.name == "keeper")
    assert claim.period == period
    sharing.rest(keeper)
    assert claim.period == 0


@pytest.fixture
def clock(monkeypatch):
    """Nanoseconds, in a list of one."""
    now = [1_000_000_000]
    monkeypatch.setattr("paracore.backend._sharing.time", SimpleNamespace(monotonic_ns=lambda: now[0]))
    return now


@pytest.fixture
def measured(clock, world):
    """The device is not the processor."""
    _, sharing, keeper, other = world
    sharing.measure(["vpu0"])
    return clock, sharing, keeper, other


def used(sharing, domain):
    return sharing.account(domain)["vpu0"]["used_ms"]


def test_the_workers_word_counts_up_to_the_time_that_has_passed(measured):
    clock, sharing, keeper, _ = measured
    keeper.worker.processor_time = lambda: 10**9
    sharing.use(keeper, 0, 0)
    clock[0] += 30_000_000
    sharing.use(keeper, 0, 20_000_000)
    assert used(sharing, keeper) == 20
    clock[0] += 10_000_000
    sharing.use(keeper, 0, 1 << 63)
    assert used(sharing, keeper) == 30


@pytest.mark.parametrize(("told", "charged"), [(0, 10), (4, 10), (30, 30)])
def test_who_says_too_little_is_charged_a_part_of_what_it_kept(measured, told, charged):
    clock, sharing, keeper, _ = measured
    clock[0] += 40_000_000
    sharing.use(keeper, 0, told * 1_000_000)
    sharing.release(keeper, 0, 1, wants=False)
    assert used(sharing, keeper) == charged


SECOND = 1_000_000_000


@pytest.mark.parametrize("kind", [["vpu0"], []])
def test_who_is_ended_for_keeping_a_device_owes_all_of_that_time(clock, world, kind):
    """Its next worker does not have the device again before the others have had as much."""
    loop, sharing, keeper, other = world
    sharing.measure(kind)
    clock[0] += 40 * SECOND
    loop.pass_time()
    assert keeper.worker.killed
    sharing.rest(keeper)
    keeper.worker = Worker()
    assert used(sharing, keeper) >= 39_000
    sharing.want(keeper, 0)
    for _ in range(20):
        number, budget = other.worker.leases[-1][1:]
        assert 0 < budget < UNLIMITED
        sharing.use(other, 0, budget) if kind else setattr(other.worker, "time", other.worker.time + budget)
        clock[0] += budget
        sharing.release(other, 0, number, wants=True)
    assert not keeper.worker.leases


def test_a_worker_that_dies_with_a_lease_has_used_a_part_of_it(measured):
    clock, sharing, keeper, _ = measured
    clock[0] += 40_000_000
    sharing.rest(keeper)
    assert used(sharing, keeper) == 10


def test_what_any_worker_has_used_of_the_processor_is_known_before_it_ends(measured):
    """Else its next worker, of another driver perhaps, would be charged for all of it."""
    _, sharing, keeper, _ = measured
    asked = []
    keeper.worker.processor_time = lambda: asked.append(True) or 0
    sharing.release(keeper, 0, 1, wants=False)
    assert asked


class Limited:
    """A domain that may use a fifth of a device that all may use at once."""

    def __init__(self, clock):
        self.clock, self.loop, self.domain = clock, Loop(), Domain("limited", device_time=0.2)
        self.sharing = Sharing([DeviceSection(name="vpu0", driver="libav")], self.loop)
        self.sharing.measure([])
        self.sharing.enter(self.domain)

    @property
    def killed(self):
        return self.domain.worker.killed

    def go_on(self, seconds, busy):
        """Lets time pass; its worker is busy for that part of it, and says nothing."""
        for _ in range(seconds // 5):
            self.clock[0] += 5 * SECOND
            self.domain.worker.time += int(5 * busy * SECOND)
            self.loop.pass_time()

    def next_worker(self):
        self.sharing.rest(self.domain)
        self.domain.worker = Worker()


@pytest.fixture
def limited(clock):
    return Limited(clock)


@pytest.mark.parametrize("leased", [True, False])
def test_who_is_far_beyond_its_limit_is_ended_though_nobody_waits(limited, leased):
    if leased:
        limited.sharing.want(limited.domain, 0)
        assert limited.domain.worker.leases
    limited.go_on(10, busy=1)
    assert not limited.killed
    limited.go_on(10, busy=1)
    assert limited.killed


def test_who_is_beyond_its_limit_by_a_long_unit_is_not_ended(limited):
    limited.go_on(5, busy=1.9)
    limited.go_on(3600, busy=0.2)
    assert not limited.killed


def test_the_next_worker_owes_what_the_one_before_used_and_does_not_end_for_it(limited):
    limited.go_on(20, busy=1)
    limited.next_worker()
    limited.go_on(5, busy=0.3)
    assert not limited.killed
    limited.go_on(5, busy=1)
    assert limited.killed
    limited.next_worker()
    limited.sharing.want(limited.domain, 0)
    assert not limited.domain.worker.leases, "it is in debt"


def test_who_says_nothing_of_a_device_that_it_keeps_is_ended_in_the_end(limited):
    limited.domain.section = DomainSection(name="limited", user=1, limits=Limits(device_time=0.05))
    limited.sharing.change_domain(limited.domain)
    limited.sharing.measure(["vpu0"])
    limited.sharing.want(limited.domain, 0)
    limited.go_on(45, busy=0)
    assert not limited.killed
    limited.go_on(20, busy=0)
    assert limited.killed


def test_only_limits_are_watched(limited):
    assert len(limited.loop.later) == 1
    limited.domain.section = DomainSection(name="limited", user=1)
    limited.sharing.change_domain(limited.domain)
    assert not limited.loop.later
    limited.domain.section = DomainSection(name="limited", user=1, limits=Limits(device_time=0.2))
    limited.sharing.change_domain(limited.domain)
    assert len(limited.loop.later) == 1
    limited.sharing.leave(limited.domain)
    assert not limited.loop.later


def test_the_kernels_count_is_not_the_workers_to_tell(world):
    with pytest.raises(RemoteProtocolError):
        world[1].use(world[2], 0, 1)


def test_a_device_that_there_is_not(world):
    with pytest.raises(RemoteProtocolError):
        world[1].want(world[2], 1)
