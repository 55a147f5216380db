# SPDX-License-Identifier: Apache-2.0
"""The libav driver's gate: nothing is decoded without a lease, and with the smallest ones all of it is."""

import select

import pytest

from paracore.classes.video import Direction, OpenFlag
from paracore.drivers import GateWords, libav
from paracore.testing import Player
from tests import clips

ENDLESS = (1 << 63) - 1


class Gated(Player):
    """A player that asks for leases when the gate wants one; `budget` is of each."""

    def __init__(self, session, gate, budget=ENDLESS):
        super().__init__(session)
        self.gate, self.budget = gate, budget
        self.words = []
        self._poll.register(gate.fileno(), select.POLLIN)

    def take(self):
        said = self.gate.words()
        if said.release or said.want:
            self.words.append(said)
        if said.want and self.budget:
            self.gate.lease(said.lease + 1, self.budget)
        return super().take()


@pytest.fixture
def device():
    driver = libav.make("vpu0", threads=1)
    return driver, driver.share()


@pytest.fixture
def start(device):
    """Opens sessions of one device and closes them in the end."""
    sessions = []

    def open_session(codec, **options):
        sessions.append(device[0].open(codec, Direction.DECODE, OpenFlag(0)))
        return Gated(sessions[-1], device[1], **options)

    yield open_session
    for session in sessions:
        session.close()


def readable(descriptor, seconds):
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(1000 * seconds))


def right(player, clip):
    return [picture.digest for picture in player.pictures] == [digest for _, digest in clips.reference(clip.path)]


def test_nothing_is_done_without_a_lease(start, device):
    clip = clips.clip("h264")
    player = start(clip.codec, budget=0)
    player.send(*clip.units[:3])
    assert readable(device[1].fileno(), 5)
    assert device[1].words() == GateWords(release=False, want=True, lease=0)
    assert not readable(player.session.fileno(), 0.1)
    assert not readable(device[1].fileno(), 0), "it asks once"
    device[1].lease(1, ENDLESS)
    player.wait_inputs()


def test_one_lease_without_an_end_is_enough(start):
    clip = clips.clip("h264")
    player = start(clip.codec)
    player.play(clip.units)
    assert right(player, clip)
    assert player.words == [GateWords(release=False, want=True, lease=0)]


@pytest.mark.parametrize("name", ["h264", "vp9"])
def test_each_lease_is_good_for_a_unit(name, start):
    clip = clips.clip(name)
    player = start(clip.codec, budget=1)
    player.play(clip.units)
    assert right(player, clip)
    released = [said for said in player.words if said.release]
    assert [said.lease for said in released] == list(range(1, len(released) + 1))
    assert len(released) <= len(clip.units) + 1, "a unit, and the drain, each"


@pytest.mark.parametrize("threads", [2, 4])
def test_a_codec_with_threads_of_its_own(threads):
    clip = clips.clip("h264")
    driver = libav.make("vpu0", threads=threads)
    gate = driver.share()
    session = driver.open(clip.codec, Direction.DECODE, OpenFlag(0))
    player = Gated(session, gate, budget=1)
    try:
        player.play(clip.units)
    finally:
        session.close()
    assert right(player, clip)


def test_two_sessions_share_a_lease(start):
    clip = clips.clip("h264")
    one, other = start(clip.codec, budget=1), start(clip.codec, budget=1)
    one.send(*clip.units[:4])
    other.send(*clip.units[:4])
    for player in (one, other):
        while player.inputs:
            one.take()
            other.take()


def test_a_lease_that_gets_an_end_is_given_back(start, device):
    clip = clips.clip("h264")
    player = start(clip.codec)
    player.play(clip.units)
    device[1].lease(1, 0)
    assert readable(device[1].fileno(), 5)
    assert device[1].words() == GateWords(release=True, want=False, lease=1)
    device[1].lease(1, ENDLESS)  # on its way when it was given back: void
    player.budget = 0
    player.send(clip.units[0])
    assert readable(device[1].fileno(), 5)
    assert device[1].words() == GateWords(release=False, want=True, lease=1)


def test_a_domain_that_takes_no_pictures_does_not_keep_the_device(start, device):
    """It is given back though the session is in the midst of a unit; what comes then ends that unit."""
    clip = clips.clip("h264")
    player = start(clip.codec)
    player.hold = True
    player.send(*clip.units[:12])
    player.wait(lambda: len(player.held) >= 2)
    while readable(player.session.fileno(), 0.2):
        player.take()
    assert player.inputs
    device[1].lease(1, 10**12)
    assert readable(device[1].fileno(), 5)
    assert device[1].words() == GateWords(release=True, want=False, lease=1)
    player.hold = False
    player.give_back()
    player.wait_inputs()
