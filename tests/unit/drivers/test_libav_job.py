# SPDX-License-Identifier: Apache-2.0
"""How long a session of libav has been at its job: while the codec works, and never while somebody else is waited for."""

import select
import time

import pytest

from paracore.classes import video
from paracore.classes.video import Codec, Direction, OpenFlag
from paracore.drivers import libav
from paracore.testing import Memory, Player
from tests import clips
from tests.unit.drivers.test_libav_encode import Encoding, wanted

PATIENCE = 10.0


def wait_until(holds):
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until
        select.select([], [], [], 0.001)


@pytest.fixture
def decoder():
    """A session of a device whose time is leased, a clip for it, and the gate."""
    driver, clip = libav.make("vpu0", threads=1), clips.clip("h264")
    gate = driver.share()
    session = driver.open(clip.codec, Direction.DECODE, OpenFlag(0))
    yield session, clip, gate
    session.close()


def test_one_that_has_nothing_to_do_is_at_no_job(decoder):
    session, _, _ = decoder
    assert session.busy_since() is None
    assert not session.stoppable


def test_a_wait_for_the_turn_does_not_count(decoder):
    session, clip, gate = decoder
    Player(session).send(*clip.units[:3])
    wait_until(lambda: gate.words().want)
    assert session.busy_since() is None


def test_a_wait_for_the_domain_does_not_count(decoder):
    session, clip, gate = decoder
    gate.lease(1, (1 << 63) - 1)
    memory = Memory(len(clip.units[0].octets))
    memory.map[:] = bytes(len(memory.map))
    memory.map[: memory.length] = clip.units[0].octets
    session.queue_input(memory.span, 1, video.InputFlag(0), 0, 0)
    wait_until(lambda: any(isinstance(event, video.SourceChange) for event in session.completions()))
    wait_until(lambda: session.busy_since() is None)  # it is told of a change before it waits for the spans
    assert not any(isinstance(event, video.InputDone) for event in session.completions()), "the unit is under way"


def test_a_codec_at_work_is_busy():
    before = time.monotonic_ns()
    with Encoding(Codec.H264, wanted(width=1280, height=720), preset=9) as player:
        format_ = player.form
        for number in range(3):
            player.queue(Memory(format_.size, read_only=True), number)
        wait_until(lambda: player.session.busy_since() is not None)
        assert before < (player.session.busy_since() or time.monotonic_ns()) <= time.monotonic_ns()
        player.session.drain()
        player.wait_drained()
        wait_until(lambda: player.session.busy_since() is None)  # the end is told before its thread comes to rest
