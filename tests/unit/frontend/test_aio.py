# SPDX-License-Identifier: Apache-2.0
"""What waits in an event loop, on a channel without a backend."""

import asyncio
import ctypes
import threading

from paracore import Packet
from paracore.classes import video
from paracore.frontend._aio._decoder import AsyncDecoder
from paracore.frontend._aio._encoder import AsyncEncoder
from paracore.frontend._aio._events import Succession
from paracore.frontend._awaited import Awaited
from paracore.frontend._decoding import Decoding
from paracore.frontend._encoding import Encoding
from paracore.frontend._history import History
from tests.unit.frontend.channel import Channel, Origin, access_unit, channels
from tests.unit.frontend.device import picture_format

HEAD = b"\0\0\1\xb3head"
UNIT = b"\0\0\1\0unit"


def run(awaitable):
    return asyncio.run(asyncio.wait_for(awaitable, 5))


class Busy(Channel):
    """One with memory to take back, which takes until the events that come meanwhile have been taken."""

    def __init__(self, *events):
        super().__init__()
        self.littered = True
        self._meanwhile = events
        self._loop = asyncio.get_running_loop()
        self._taken = threading.Event()

    def reap(self):
        super().reap()
        self._loop.call_soon_threadsafe(self._come)
        assert self._taken.wait(5)

    def _come(self):
        for event in self._meanwhile:
            self.lines[0].say(event)
        self.take()
        self._taken.set()


def session_of(kind, channel, state, origin=None):
    succession = Succession(channels(channel))
    channel.take = succession.events.take
    return kind(origin, succession, channel, 1, state)


def test_what_comes_while_memory_is_taken_back_is_news():
    async def receive():
        decoder = session_of(AsyncDecoder, channel := Busy(video.Drained()), Decoding())
        channel.littered = False
        await decoder.drain()
        channel.littered = True
        async with decoder:
            return await decoder.receive()

    assert run(receive()) is None


def test_what_another_task_was_granted_is_news():
    async def draw():
        encoder = session_of(AsyncEncoder, Channel(), Encoding(picture_format(), None))
        async with encoder:
            return await asyncio.gather(encoder.picture(), encoder.picture())

    first, second = run(draw())
    assert first is not second


def test_a_stream_goes_on_when_its_device_is_lost_at_a_flush():
    async def seek():
        lost, next_ = Channel(), Channel()
        state = Decoding(history=History("mpeg2"))
        async with session_of(AsyncDecoder, lost, state, Origin(next_)) as decoder:
            await decoder.send(Packet(HEAD + UNIT, 0))
            lost.lost = True
            await decoder.flush()
            await decoder.send(Packet(UNIT, 70))
            return next_.lines[0].inputs()

    assert run(seek()) == [b"\0" + HEAD + UNIT]


def test_access_units_that_lay_unread_at_the_loss_are_given_out():
    async def encode():
        lost, form = Channel(), picture_format()
        state = Encoding(form, ctypes.string_at, awaited=Awaited())
        async with session_of(AsyncEncoder, lost, state, Origin(Channel(), form=form)) as encoder:
            await encoder.send(await encoder.picture())
            lost.lines[0].say(video.InputDone(1, 0))
            lost.take()
            lost.lines[0].say(access_unit(0, 0, 4))
            lost.lost = True
            await encoder.send(await encoder.picture())
            return encoder.recoveries, (await encoder.receive(0)).timestamp, encoder.lost

    assert run(encode()) == (1, 0, 0)
