# SPDX-License-Identifier: Apache-2.0
"""What waits for a session, on a channel without a backend."""

from paracore import Packet
from paracore.frontend._decoder import Decoder
from paracore.frontend._decoding import Decoding
from paracore.frontend._history import History
from tests.unit.frontend.channel import Channel, Origin

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
