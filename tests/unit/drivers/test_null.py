# SPDX-License-Identifier: Apache-2.0
"""What the null device adds to the checks that every driver passes: its pictures are what its units say."""

from __future__ import annotations

import time
from ctypes import addressof, c_char, create_string_buffer
from struct import pack

import pytest

from paracore.classes.video import Codec, Direction, InputDone, InputFlag, OpenFlag, PixelFormat
from paracore.drivers import Span, null
from paracore.testing import Player, Unit


def play(*units):
    session = null.make("null0").open(Codec.AV1, Direction.DECODE, OpenFlag(0))
    player = Player(session, hold=True)
    player.send(*units)
    player.wait_inputs()
    session.close()
    return player


def test_a_picture_is_the_shade_of_its_unit():
    player = play(Unit(pack("<4sHHB", b"null", 3, 2, 77), 5, 1))
    assert player.held[0].view[:8] == bytes([77] * 6 + [0] * 2)
    assert player.formats[1].pixel_format is PixelFormat.GRAY
    assert player.formats[1].plane_stride == (3, 0, 0, 0)


def test_a_size_beyond_the_wires_is_no_unit():
    player = play(Unit(pack("<4sHHB", b"null", 16385, 1, 0), 5, 1))
    assert not player.formats
    assert [event.error for event in player.events] == [22]


def test_every_codec_both_ways():
    assert len(null.make("null0").capabilities()) == 2 * len(Codec)


# --- faults -------------------------------------------------------------------------------------------------


class Faulty:
    """A decoder that was told what is to go wrong."""

    def __init__(self, **faults):
        self.device = null.make("null0", **faults)
        self.session = self.device.open(Codec.AV1, Direction.DECODE, OpenFlag(0))
        self.memory = [(c_char * 64)() for _ in range(4)]
        for cookie, memory in enumerate(self.memory):
            self.session.queue_output(Span(addressof(memory), 64, read_only=False), cookie)

    def feed(self, number):
        self.unit = create_string_buffer(pack("<4sHHB", b"null", 4, 4, number), 9)
        self.session.queue_input(Span(addressof(self.unit), 9, read_only=True), number, InputFlag(0), number, 1)
        return [event for event in self.session.completions() if isinstance(event, InputDone)]


def test_a_hang_lasts_until_the_device_is_reset():
    faulty = Faulty(hang_at=2)
    assert len(faulty.feed(1)) == 1
    assert faulty.session.busy_since() is None
    assert faulty.feed(2) == faulty.feed(3) == []
    assert 0 < faulty.session.busy_since() <= time.monotonic_ns()
    faulty.device.reset()
    assert [event.cookie for event in faulty.session.completions() if isinstance(event, InputDone)] == [2, 3]
    assert faulty.session.busy_since() is None
    faulty.session.close()


def test_a_hang_ends_with_a_flush_or_a_close():
    faulty = Faulty(hang_at=1)
    faulty.feed(1)
    assert faulty.session.stoppable
    faulty.session.flush()
    assert faulty.session.busy_since() is None
    faulty.session.close()


def test_it_fails():
    faulty = Faulty(fail_at=1)
    with pytest.raises(OSError, match="told to"):
        faulty.feed(1)
    faulty.session.close()


def test_it_tells_no_lies_that_nobody_knows():
    with pytest.raises(TypeError, match="cookie input size drained"):
        null.make("null0", lie="white")
