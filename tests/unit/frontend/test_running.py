# SPDX-License-Identifier: Apache-2.0
"""What waits for a session, on a channel without a backend."""

import ctypes

from paracore import Packet
from paracore.classes import video
from paracore.frontend._awaited import Awaited
from paracore.frontend._decoder import Decoder
from paracore.frontend._decoding import Decoding
from paracore.frontend._encoder import Encoder
from paracore.frontend._encoding import Encoding
from paracore.frontend._history import History
from tests.unit.frontend.channel import Channel, Origin, access_unit
from tests.unit.frontend.device import picture_format

HEAD = b"\0\0\1\xb3head"
UNIT = b"\0\0\1\0unit"


def test_a_stream_goes_on_when_its_device_is_lost_at_a_flush():
    """It says its parameter sets once."""
    lost, next_ = Channel(), Channel()
    with Decoder(Origin(next_), lost, 1, Decoding(history=History("mpeg2"))) as decoder:
        decoder.send(Packet(HEAD + UNIT, 0))
        assert lost.lines[0].inputs() == [HEAD + UNIT]
        decoder.flush()
        lost.lost = True
        decoder.flush()
        decoder.send(Packet(UNIT, 70))
        decoder.send(Packet(UNIT, 71))
        assert next_.lines[0].inputs() == [b"\0" + HEAD + UNIT, UNIT]


def test_access_units_that_lay_unread_at_the_loss_are_given_out():
    lost, form = Channel(), picture_format()
    state = Encoding(form, ctypes.string_at, awaited=Awaited())
    with Encoder(Origin(Channel(), form=form), lost, 1, state) as encoder:
        encoder.send(encoder.picture())
        lost.lines[0].say(video.InputDone(1, 0))
        assert encoder.receive(0) is None
        lost.lines[0].say(access_unit(0, 0, 4))
        lost.lost = True
        encoder.send(encoder.picture())
        assert encoder.recoveries == 1
        assert encoder.receive(0).timestamp == 0
        assert encoder.lost == 0
