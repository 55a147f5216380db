# SPDX-License-Identifier: Apache-2.0
"""Whatever an encoder's device had when it was lost: no access unit comes twice or late, and all that is missing is counted."""

from hypothesis import given, strategies

from paracore import EncodedPacket
from paracore.frontend._awaited import Awaited, Sent


class Device:
    """A codec: is done with pictures and gives access units in any order, within its reordering."""

    def __init__(self):
        self.pictures = []

    def take(self, draw, sent):
        self.pictures.append(sent)
        for picture in self.pictures:
            if draw(strategies.booleans()):
                picture.lease = None

    def give(self, draw):
        if not self.pictures:
            return None
        picture = self.pictures.pop(draw(strategies.integers(0, min(2, len(self.pictures) - 1))))
        return EncodedPacket(b"", picture.timestamp, picture.timestamp, 1, key=False)


@given(strategies.lists(strategies.sampled_from(["send", "send", "give", "lose"]), max_size=60), strategies.data())
def test_all_come_once_or_are_counted(steps, data):
    awaited, device, packets, sent = Awaited(), Device(), [], 0
    for step in [*steps, *["give"] * len(steps)]:
        if step == "send":
            picture = Sent(object(), None, sent, 1, key=False)
            sent += 1
            awaited.append(picture)
            device.take(data.draw, picture)
        elif step == "give" and (packet := device.give(data.draw)):
            packets.append(awaited.received(packet))
        elif step == "lose":
            awaited.lose()
            device = Device()
            while picture := awaited.due():
                awaited.given()
                device.take(data.draw, picture)
    times = [packet.timestamp for packet in packets]
    assert len(set(times)) == len(times) == sent - awaited.lost
    assert sum(packet.lost for packet in packets) <= awaited.lost
    for place, packet in enumerate(packets):
        if packet.discontinuity:
            assert max(times[:place], default=-1) < min(times[place:])
