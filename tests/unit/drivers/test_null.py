# SPDX-License-Identifier: Apache-2.0
"""What the null device adds to the checks that every driver passes: its pictures are what its units say."""

from __future__ import annotations

from struct import pack

from paracore.classes.video import Codec, Direction, OpenFlag, PixelFormat
from paracore.drivers import null
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
