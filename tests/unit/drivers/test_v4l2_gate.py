# SPDX-License-Identifier: Apache-2.0
"""A codec of the kernel's behind the worker's gate: what reaches the node when, and what its jobs are counted to take."""

from types import SimpleNamespace

import pytest

from paracore.backend._arbiter import UNLIMITED, Arbiter
from paracore.backend._gate import UnitGate
from paracore.backend._gated import GatedSession
from paracore.backend._policies import Claim
from paracore.classes.video import Codec, Direction, OpenFlag
from paracore.drivers import GateWords
from paracore.testing import Player
from tests.unit.drivers.fake_codec import FakeCodec
from tests.unit.drivers.test_v4l2 import device, unit

MS = 1_000_000
JOB = 5 * MS


class Clock:
    """Of driver and gate."""

    def __init__(self, monkeypatch):
        self.now = 1000 * MS
        monkeypatch.setattr("paracore.drivers.v4l2._session.time", SimpleNamespace(monotonic_ns=lambda: self.now))


class Domain:
    """A worker with one decoder, and a player that always has units queued."""

    def __init__(self, clock, name="alpha", weight=100, **flavour):
        self.clock = clock
        self.codec = FakeCodec(**flavour)
        self.gate = UnitGate(lambda: clock.now)
        self.driver = device(self.codec).open(Codec.H264, Direction.DECODE, OpenFlag(0))
        self.session = GatedSession(self.driver, Direction.DECODE, self.gate)
        self.player = Player(self.session)
        self.claim = Claim(name, weight)
        self.lease = self.sent = 0
        self.codec.hangs = True

    @property
    def queued(self):
        """Inputs at the node."""
        return sum(len(file.output.queued) for file in self.codec.files.values() if file.descriptor == self.node)

    @property
    def node(self):
        return self.driver._node.fileno()

    @property
    def works(self):
        return self.driver.busy_since() is not None

    def feed(self, depth=8):
        while len(self.player.inputs) < depth:
            self.player.send(unit(self.sent % 256))
            self.sent += 1

    def work(self, jobs=1):
        """The codec does so much of what it has."""
        file = self.codec.files[self.node]
        self.codec.hangs = False
        before = len(file.output.queued)
        while len(file.output.queued) > before - jobs and file.step():
            pass
        self.codec.hangs = True
        self.turn()

    def turn(self):
        while self.player.take():
            pass
        self.gate.turn()


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


@pytest.fixture
def make(clock):
    made = []

    def domain(*arguments, **flavour):
        made.append(Domain(clock, *arguments, **flavour))
        return made[-1]

    yield domain
    for each in made:
        each.session.close()


def begin(domain):
    """Until the format is known, under a lease of its own."""
    domain.gate.lease(1, UNLIMITED)
    domain.lease = 1
    domain.gate.turn()
    while not domain.player.pictures:
        domain.work()


def test_nothing_reaches_the_node_without_a_lease(make):
    domain = make()
    domain.feed()
    assert domain.queued == 0
    assert domain.gate.words() == GateWords(release=False, want=True, lease=0)
    domain.gate.lease(1, UNLIMITED)
    domain.gate.turn()
    assert domain.queued == 4, "what keeps it at work, and one that it may keep"


@pytest.mark.parametrize("flavour", [{}, {"pages": False}, {"planar": True}], ids=["in-place", "copied", "planar"])
def test_a_jobs_time_is_from_when_it_could_begin_until_it_is_done(make, clock, flavour):
    domain = make(**flavour)
    domain.feed()
    begin(domain)
    domain.feed()
    domain.gate.lease(1, 1)
    before = domain.gate._used
    for number in range(1, 4):
        clock.now += JOB
        domain.work()
        assert domain.gate._used - before == number * JOB


def test_two_domains_get_their_parts_of_one_codec(make, clock):
    """The node does one job at a time; what is queued by whom is the gates'."""
    arbiter = Arbiter("fair", 1)
    domains = [make("alpha", 100), make("beta", 300)]
    for domain in domains:
        domain.feed()
        begin(domain)
        arbiter.enter(domain.claim)
        domain.gate.lease(1, 0)
        while domain.works or not domain.gate.words().release:
            domain.work()
    for domain in domains:
        domain.feed()
        arbiter.want(domain.claim, clock.now)
    done = {domain: -len(domain.player.pictures) for domain in domains}
    for _ in range(1600):
        for domain in domains:
            settle(arbiter, domain, clock.now)
        for lease in arbiter.turn(clock.now):
            domain = next(each for each in domains if each.claim is lease.claim)
            domain.lease += lease.begins
            domain.gate.lease(domain.lease, lease.budget)
            domain.gate.turn()
        clock.now += JOB
        for domain in domains:
            if domain.works:
                domain.work()
                domain.feed()
    alpha, beta = (done[domain] + len(domain.player.pictures) for domain in domains)
    assert alpha + beta > 1500
    assert beta == pytest.approx(3 * alpha, rel=0.02)


def settle(arbiter, domain, now):
    """The supervisor's part for one worker."""
    arbiter.charge(domain.claim, domain.gate.used(), now)
    words = domain.gate.words()
    if words.release:
        arbiter.give_back(domain.claim, now)
    if words.want:
        arbiter.want(domain.claim, now)
